/* See stretch_find.h: bounds out of offsets, seals out of requests, and what does not go together. */
#include <stdio.h>
#include <string.h>

#include "connectors/kafka/stretch_find.h"

/* -- a request as its seal keeps it -- */

static struct kafka_seal_bound seal_bound(const struct stretch_bound *bound, const rd_kafka_topic_partition_t *entry)
{
    const struct stretch_offset *named;
    switch (bound->kind) {
    case STRETCH_BEGINNING:
        return (struct kafka_seal_bound){.kind = 'b'};
    case STRETCH_NOW:
        return (struct kafka_seal_bound){.kind = 'n'};
    case STRETCH_TIME:
        return (struct kafka_seal_bound){.kind = bound->relative ? 'r' : 't',
                                         .value = bound->relative ? bound->ago : bound->time};
    default:
        named = kafka_find_named(bound, entry);
        return (struct kafka_seal_bound){.kind = 'o', .value = named != NULL ? named->offset : -1};
    }
}

static bool names_partitions(const struct stretch_request *request)
{
    return request->partition_count > 0 || request->from.kind == STRETCH_OFFSETS || request->to.kind == STRETCH_OFFSETS;
}

static void request_times(const struct stretch_request *request, int64_t *ret_from, int64_t *ret_to)
{
    *ret_from = request->from.kind == STRETCH_TIME ? request->from.time : INT64_MIN;
    *ret_to = request->to.kind == STRETCH_TIME ? request->to.time : INT64_MAX;
}

static void seal(const struct find *find, struct stretch_part *part, const rd_kafka_topic_partition_t *entry)
{
    struct kafka_seal seal = {
        .first = part->first,
        .end = part->end,
        .parts = (unsigned)find->low->cnt,
        .named = names_partitions(find->request) ? 'n' : 'a',
        .from = seal_bound(&find->request->from, entry),
        .to = seal_bound(&find->request->to, entry),
    };
    request_times(find->request, &seal.from_time, &seal.to_time);
    kafka_seal_write(&seal, part->seal, sizeof part->seal);
}

/* -- bounds -- */

#define NOTE(part, ...) (void)snprintf((part)->note, sizeof(part)->note, __VA_ARGS__)

/* times: the answers, where the bound is a time. */
static int64_t offset_of(const struct find *find, const struct stretch_bound *bound, int at,
                         const rd_kafka_topic_partition_list_t *times)
{
    int64_t low = find->low->elems[at].offset, end = find->end->elems[at].offset;
    switch (bound->kind) {
    case STRETCH_BEGINNING:
        return low;
    case STRETCH_NOW:
        return end;
    case STRETCH_TIME:
        if (find->request->anywhere)
            return bound == &find->request->from ? low : end;
        return times->elems[at].offset >= 0 ? times->elems[at].offset : end;
    default:
        return kafka_find_named(bound, &find->low->elems[at])->offset;
    }
}

static int64_t first_of(const struct find *find, struct stretch_part *part, int at, int64_t end)
{
    const rd_kafka_topic_partition_t *low = &find->low->elems[at];
    const rd_kafka_topic_partition_t *kept = rd_kafka_topic_partition_list_find(find->all, low->topic, low->partition);
    int64_t first = find->onward && kept->offset >= 0 ? kept->offset
                                                      : offset_of(find, &find->request->from, at, find->from);
    if (first < low->offset)
        NOTE(part, "retention has removed offsets %lld to %lld: it begins at %lld", (long long)first,
             (long long)low->offset - 1, (long long)low->offset);
    else if (first > end)
        NOTE(part, "the start, offset %lld, is past the end, which is %lld", (long long)first, (long long)end);
    return first < low->offset ? low->offset : first > end ? end : first;
}

void kafka_find_new_part(struct find *find, struct stretch_part *part, int at)
{
    const rd_kafka_topic_partition_t *low = &find->low->elems[at];
    int64_t last = find->end->elems[at].offset, end = offset_of(find, &find->request->to, at, find->to);
    /* A record that came just now, after the end was asked for. */
    if (find->request->to.kind == STRETCH_TIME && end > last)
        last = end;
    part->first = first_of(find, part, at, last);
    if (end > last)
        NOTE(part, "offset %lld is past the end: up to %lld", (long long)end, (long long)last);
    else if (end < low->offset)
        NOTE(part, "retention has removed all of it: the first offset that is left is %lld", (long long)low->offset);
    else if (end < part->first && part->note[0] == '\0')
        NOTE(part, "the end, offset %lld, is before the start, offset %lld: nothing", (long long)end,
             (long long)part->first);
    if (find->to != NULL && find->to->elems[at].err != RD_KAFKA_RESP_ERR_NO_ERROR && part->note[0] == '\0')
        NOTE(part, "where the time ends was not found: it is read up to offset %lld", (long long)end);
    part->end = end > last ? last : end < part->first ? part->first : end;
    part->next = part->first;
    seal(find, part, low);
}

void kafka_find_old_part(struct find *find, struct stretch_part *part, int at)
{
    const rd_kafka_topic_partition_t *low = &find->low->elems[at];
    const rd_kafka_topic_partition_t *kept = rd_kafka_topic_partition_list_find(find->all, low->topic, low->partition);
    struct kafka_seal old = {.end = 0};
    (void)kafka_seal_read(kept, &old); /* kafka_find_progress has seen to it that it is one */
    part->first = old.first;
    part->end = old.end;
    part->next = kept->offset < old.first ? old.first : kept->offset > old.end ? old.end : kept->offset;
    kafka_seal_write(&old, part->seal, sizeof part->seal);
    if (part->next < low->offset && part->next < part->end)
        NOTE(part, "retention has removed offsets %lld to %lld before they were read: they are lost",
             (long long)part->next, (long long)(low->offset < part->end ? low->offset : part->end) - 1);
}

void kafka_find_filter(struct find *find)
{
    struct stretch_filter *filter = &find->stretch->filter;
    request_times(find->request, &filter->from_time, &filter->to_time);
    for (int i = 0; i < find->all->cnt && find->resumed; i++) {
        struct kafka_seal old;
        if (find->all->elems[i].offset < 0 || !kafka_seal_read(&find->all->elems[i], &old))
            continue;
        filter->from_time = old.from_time;
        filter->to_time = old.to_time;
    }
}

/* -- what was begun under this name -- */

#define OTHER_NAME "another stretch wants another name"

static bool same(struct kafka_seal_bound a, struct kafka_seal_bound b)
{
    return a.kind == b.kind && a.value == b.value;
}

static enum status compare_bound(struct find *find, const char *which, struct kafka_seal_bound old,
                                 const struct stretch_bound *bound, const rd_kafka_topic_partition_t *entry)
{
    struct kafka_seal_bound now = seal_bound(bound, entry);
    char old_words[64], now_words[64];
    if (same(old, now))
        return STATUS_OK;
    return error_set(find->error, ERROR_FATAL, "what was begun under the name \"%s\" has %s for its %s, not %s: %s",
                     find->request->progress, kafka_seal_words(old, old_words), which, kafka_seal_words(now, now_words),
                     OTHER_NAME);
}

/* entry: of a partition that it has, with its seal. */
static enum status compare(struct find *find, const rd_kafka_topic_partition_t *entry, const struct kafka_seal *old)
{
    const struct stretch_request *request = find->request;
    enum status status = STATUS_OK;
    /* A partition that the request does not name has no offset in it either: the words are about the partition then. */
    if (!kafka_find_wants(request, entry))
        return error_set(find->error, ERROR_FATAL, "what was begun under the name \"%s\" has partition %s/%d in it: %s",
                         request->progress, entry->topic, (int)entry->partition, OTHER_NAME);
    status = compare_bound(find, "start", old->from, &request->from, entry);
    return status == STATUS_OK ? compare_bound(find, "end", old->to, &request->to, entry) : status;
}

/* The first partition that the request wants and that was not in it. NULL: none. */
static const rd_kafka_topic_partition_t *first_missing(const struct find *find, unsigned *ret_count)
{
    const rd_kafka_topic_partition_t *first = NULL;
    *ret_count = 0;
    for (int i = 0; i < find->all->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &find->all->elems[i];
        if (entry->offset >= 0 || !kafka_find_wants(find->request, entry))
            continue;
        first = first != NULL ? first : entry;
        ++*ret_count;
    }
    return first;
}

static enum status judge_old(struct find *find, unsigned known)
{
    const char *name = find->request->progress;
    enum status status = STATUS_OK;
    struct kafka_seal old = {.parts = 0};
    for (int i = 0; i < find->all->cnt && status == STATUS_OK; i++) {
        if (find->all->elems[i].offset >= 0 && kafka_seal_read(&find->all->elems[i], &old))
            status = compare(find, &find->all->elems[i], &old);
    }
    if (status == STATUS_OK && known < old.parts)
        return error_set(
            find->error, ERROR_FATAL,
            "of the %u partitions that were begun under the name \"%s\" only %u are known still: the brokers "
            "forget a group's offsets after offsets.retention.minutes, and those of a deleted topic; begin "
            "anew under another name",
            old.parts, name, known);
    const rd_kafka_topic_partition_t *missing = first_missing(find, &find->added);
    if (status == STATUS_OK && missing != NULL && (old.named == 'n' || names_partitions(find->request)))
        return error_set(find->error, ERROR_FATAL,
                         "what was begun under the name \"%s\" has no partition %s/%d in it: %s", name, missing->topic,
                         (int)missing->partition, OTHER_NAME);
    return status;
}

enum status kafka_find_progress(struct find *find)
{
    struct kafka_seal old;
    unsigned known = 0, done = 0;
    enum status status = kafka_stretch_committed(&find->client, find->context, find->all, find->error);
    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < find->all->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &find->all->elems[i];
        if (entry->offset < 0)
            continue;
        if (!kafka_seal_read(entry, &old)) {
            char group[KAFKA_STRETCH_GROUP];
            kafka_stretch_group(find->config, find->request->progress, group);
            return error_set(find->error, ERROR_FATAL,
                             "the group %s has offsets that are none of a replay's progress: choose another name",
                             group);
        }
        known++;
        done += entry->offset >= old.end;
    }
    find->onward = known > 0 && known == done && find->request->onward;
    find->resumed = known > 0 && !find->onward;
    return find->resumed ? judge_old(find, known) : STATUS_OK;
}

enum status kafka_find_check_old(struct find *find)
{
    struct stretch *stretch = find->stretch;
    for (unsigned i = 0; i < stretch->count; i++) {
        const struct stretch_part *part = &stretch->parts[i];
        if (part->next < part->end && part->end > find->end->elems[i].offset)
            return error_set(
                find->error, ERROR_FATAL,
                "%s/%d ends at offset %lld, and what was begun under the name \"%s\" goes to %lld: the topic was "
                "made anew or truncated; begin anew under another name",
                part->topic, (int)part->partition, (long long)find->end->elems[i].offset, find->request->progress,
                (long long)part->end);
    }
    struct stretch_part *last = &stretch->parts[stretch->count - 1];
    if (find->added > 0 && last->note[0] == '\0')
        NOTE(last, "%u partition%s added since it was begun, and %s not in it", find->added,
             find->added == 1 ? " was" : "s were", find->added == 1 ? "is" : "are");
    return STATUS_OK;
}
