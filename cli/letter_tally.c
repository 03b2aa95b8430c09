#include "cli/letter_tally.h"

#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "processor/letter_headers.h"

void letter_tally_init(struct letter_tally *tally)
{
    *tally = (struct letter_tally){.oldest = -1, .newest = -1};
}

void letter_tally_fini(struct letter_tally *tally)
{
    for (unsigned i = 0; i < tally->group_count; i++) {
        free(tally->groups[i].stage);
        free(tally->groups[i].class);
        free(tally->groups[i].message);
    }
    for (unsigned i = 0; i < tally->origin_count; i++)
        free(tally->origins[i].topic);
    free(tally->groups);
    free(tally->origins);
    *tally = (struct letter_tally){0};
}

static char *copy(struct bytes text)
{
    char *string = malloc((size_t)text.size + 1);
    CHECK(string != NULL);
    if (text.size > 0)
        memcpy(string, text.data, text.size);
    string[text.size] = '\0';
    return string;
}

/* As it is shown: others may have written a zero byte into a header, and what is behind that is no group of its own. */
static struct bytes up_to_zero(struct bytes text)
{
    return text.size > 0 ? bytes_of(text.data, (uint32_t)strnlen((const char *)text.data, text.size)) : text;
}

static bool is_same(const char *string, struct bytes text)
{
    return bytes_equal(bytes_of_string(string), up_to_zero(text));
}

/* NULL: there are too many. */
static struct letter_group *find_group(struct letter_tally *tally, const struct letter_headers *letter)
{
    for (unsigned i = 0; i < tally->group_count; i++) {
        struct letter_group *group = &tally->groups[i];
        if (is_same(group->stage, letter->stage) && is_same(group->class, letter->class))
            return group;
    }
    if (tally->group_count == LETTER_TALLY_GROUPS)
        return NULL;
    if (tally->groups == NULL)
        tally->groups = calloc(LETTER_TALLY_GROUPS, sizeof *tally->groups);
    CHECK(tally->groups != NULL);
    struct letter_group *group = &tally->groups[tally->group_count++];
    *group = (struct letter_group){
        .stage = copy(letter->stage), .class = copy(letter->class), .oldest = -1, .newest = -1};
    return group;
}

static struct letter_origin *find_origin(struct letter_tally *tally, struct bytes topic)
{
    for (unsigned i = 0; i < tally->origin_count; i++) {
        if (is_same(tally->origins[i].topic, topic))
            return &tally->origins[i];
    }
    if (tally->origin_count == LETTER_TALLY_GROUPS)
        return NULL;
    if (tally->origins == NULL)
        tally->origins = calloc(LETTER_TALLY_GROUPS, sizeof *tally->origins);
    CHECK(tally->origins != NULL);
    struct letter_origin *origin = &tally->origins[tally->origin_count++];
    *origin = (struct letter_origin){.topic = copy(topic)};
    return origin;
}

static void widen(int64_t *oldest, int64_t *newest, int64_t time)
{
    if (time < 0)
        return;
    *oldest = *oldest < 0 || time < *oldest ? time : *oldest;
    *newest = time > *newest ? time : *newest;
}

static void add_to_group(struct letter_group *group, const struct batch *batch, const struct record *record,
                         const struct letter_headers *letter)
{
    group->count++;
    group->attempts = letter->attempts > group->attempts ? letter->attempts : group->attempts;
    if (group->message == NULL || letter->timestamp >= group->newest) {
        free(group->message);
        group->message = copy(letter->message);
        group->partition = batch->partition;
        group->offset = record->offset;
    }
    widen(&group->oldest, &group->newest, letter->timestamp);
}

void letter_tally_add(struct letter_tally *tally, const struct batch *batch, const struct record *record)
{
    struct letter_headers letter;
    if (!letter_headers_read(record->headers, &letter)) {
        tally->foreign++;
        return;
    }
    struct letter_group *group = find_group(tally, &letter);
    struct letter_origin *origin = find_origin(tally, letter.topic);
    tally->total++;
    tally->truncated += letter.truncated >= 0;
    tally->undated += letter.timestamp < 0;
    tally->ungrouped += group == NULL || origin == NULL;
    widen(&tally->oldest, &tally->newest, letter.timestamp);
    if (letter.timestamp >= 0)
        histogram_add(&tally->times, letter.timestamp);
    if (group != NULL)
        add_to_group(group, batch, record, &letter);
    if (origin != NULL)
        origin->count++;
}

static int compare_groups(const void *left, const void *right)
{
    const struct letter_group *a = left, *b = right;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    int order = strcmp(a->stage, b->stage);
    return order != 0 ? order : strcmp(a->class, b->class);
}

static int compare_origins(const void *left, const void *right)
{
    const struct letter_origin *a = left, *b = right;
    return a->count != b->count ? (a->count < b->count ? 1 : -1) : strcmp(a->topic, b->topic);
}

void letter_tally_sort(struct letter_tally *tally)
{
    if (tally->group_count > 1)
        qsort(tally->groups, tally->group_count, sizeof *tally->groups, compare_groups);
    if (tally->origin_count > 1)
        qsort(tally->origins, tally->origin_count, sizeof *tally->origins, compare_origins);
}
