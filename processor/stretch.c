#include "processor/stretch.h"

#include <stdlib.h>
#include <string.h>

#include "processor/batch.h"
#include "processor/where.h"

struct holder {
    struct stretch stretch;
    unsigned room;
    struct stretch_part parts[];
};

struct stretch *stretch_new(unsigned room)
{
    struct holder *holder = calloc(1, sizeof *holder + room * sizeof(struct stretch_part));
    if (holder == NULL)
        return NULL;
    holder->room = room;
    holder->stretch.parts = holder->parts;
    holder->stretch.filter = (struct stretch_filter){.from_time = INT64_MIN, .to_time = INT64_MAX};
    return &holder->stretch;
}

static int compare(const char *topic, int32_t partition, const struct stretch_part *part)
{
    int order = strcmp(topic, part->topic);
    return order != 0 ? order : (partition > part->partition) - (partition < part->partition);
}

struct stretch_part *stretch_add(struct stretch *stretch, const char *topic, int32_t partition)
{
    const struct holder *holder = (const struct holder *)stretch;
    char *copy = stretch->count < holder->room ? strdup(topic) : NULL;
    if (copy == NULL)
        return NULL;
    unsigned at = stretch->count++;
    for (; at > 0 && compare(topic, partition, &stretch->parts[at - 1]) < 0; at--)
        stretch->parts[at] = stretch->parts[at - 1];
    stretch->parts[at] = (struct stretch_part){
        .topic = copy, .partition = partition, .bytes = -1, .first_time = -1, .last_time = -1};
    return &stretch->parts[at];
}

void stretch_free(struct stretch *stretch)
{
    if (stretch == NULL)
        return;
    for (unsigned i = 0; i < stretch->count; i++)
        free((char *)stretch->parts[i].topic);
    free((struct holder *)stretch);
}

const struct stretch_part *stretch_part(const struct stretch *stretch, const char *topic, int32_t partition)
{
    for (unsigned low = 0, high = stretch->count; low < high;) {
        unsigned middle = low + (high - low) / 2;
        int order = compare(topic, partition, &stretch->parts[middle]);
        if (order == 0)
            return &stretch->parts[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

int64_t stretch_left(const struct stretch *stretch)
{
    int64_t left = 0;
    /* What an earlier run kept may say anything: so much that it wraps must not look like nothing. */
    for (unsigned i = 0; i < stretch->count; i++) {
        if (__builtin_add_overflow(left, stretch->parts[i].end - stretch->parts[i].next, &left))
            return INT64_MAX;
    }
    return left;
}

bool stretch_finished(const struct stretch *stretch)
{
    return stretch_left(stretch) == 0;
}

static bool in_time(const struct stretch_filter *filter, int64_t timestamp)
{
    if (filter->from_time == INT64_MIN && filter->to_time == INT64_MAX)
        return true;
    return timestamp >= 0 && timestamp >= filter->from_time && timestamp < filter->to_time;
}

bool stretch_may_take(const struct stretch *stretch, const struct record *record)
{
    const struct stretch_filter *filter = &stretch->filter;
    return (filter->time != NULL || in_time(filter, record->timestamp)) &&
           (filter->key.data == NULL || (record->key.data != NULL && bytes_equal(filter->key, record->key)));
}

static bool is_wanted(const struct where *where, const struct record *record)
{
    struct arena arena;
    arena_init(&arena, NULL);
    bool wanted = where_matches(where, record, &arena);
    arena_fini(&arena);
    return wanted;
}

bool stretch_takes(const struct stretch *stretch, const struct record *record, int32_t partition)
{
    const struct stretch_filter *filter = &stretch->filter;
    return stretch_may_take(stretch, record) && (filter->time == NULL || in_time(filter, filter->time(record))) &&
           (filter->where == NULL || is_wanted(filter->where, record)) &&
           (filter->also == NULL || filter->also(record, partition, filter->also_arg));
}
