/*
 * See stretch.h: the run of a source that reads a stretch. It is the live source's (batches, back-pressure, corrupt batches, drain), but that the partitions are assigned here, end
 * at their part's end, and that offsets go to a group of its own, or nowhere.
 *
 * Where a part begins: at the offset that the store keeps, or that is committed in the group of its own, or at the part's `next`. It is asked for anew whenever the
 * pipeline is built anew; only when all of it fits together the run is noted in the group.
 */
#include "connectors/kafka/stretch.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/headers.h"
#include "processor/log.h"
#include "processor/offsets.h"

#define ANSWER_PATIENCE CLOCK_SECOND
enum { LEADERS_MS = 1000 };

/* -- which records -- */

/* Without headers. */
static struct record look(const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    struct record record = {.offset = message->offset, .timestamp = rd_kafka_message_timestamp(message, &type)};
    if (message->key != NULL)
        record.key = bytes_of(message->key, (uint32_t)message->key_len);
    if (message->payload != NULL)
        record.value = bytes_of(message->payload, (uint32_t)message->len);
    return record;
}

bool kafka_stretch_may_want(const struct kafka_source *source, const rd_kafka_message_t *message)
{
    const struct record record = look(message);
    return stretch_may_take(source->stretch, &record);
}

bool kafka_stretch_wants(struct kafka_source *source, const rd_kafka_message_t *message)
{
    const struct stretch_filter *filter = &source->stretch->filter;
    struct record record = look(message);
    if (!stretch_may_take(source->stretch, &record))
        return false;
    if (filter->where == NULL && filter->also == NULL && filter->time == NULL)
        return true;
    struct arena arena;
    arena_init(&arena, NULL);
    bool wants = false;
    if (!kafka_headers_pack(message, &arena, &record.headers))
        kafka_source_fail(source, ERROR_TRANSIENT, "out of memory");
    else
        wants = stretch_takes(source->stretch, &record, message->partition);
    arena_fini(&arena);
    return wants;
}

void kafka_stretch_took(struct kafka_source *source)
{
    if (source->pacing.on)
        pace_took(&source->pacing.pace, 1);
    if (--source->left > 0)
        return;
    log_info(source->client.part, "%lld records are read, and no more are wanted", (long long)source->most);
    for (unsigned i = 0; i < source->count; i++)
        source->partitions[i]->ended = true;
}

const char *kafka_stretch_seal(const struct kafka_source *source, const char *topic, int32_t partition)
{
    const struct stretch_part *part = source->stretch != NULL && source->stretch->progress != NULL
                                          ? stretch_part(source->stretch, topic, partition)
                                          : NULL;
    return part != NULL && source->seals != NULL ? source->seals[part - source->stretch->parts] : NULL;
}

/* -- where it begins -- */

static int64_t clamp(const struct stretch_part *part, int64_t offset)
{
    return offset < part->first ? part->first : offset > part->end ? part->end : offset;
}

/* Marks the entries of parts that nobody has begun yet under the stretch's name, and of those where an earlier stretch is finished that this one follows. */
static char FRESH, ONWARD;

/* By whichever run. */
static bool is_sealed(const struct stretch_part *part, const rd_kafka_topic_partition_t *entry)
{
    struct kafka_seal seal;
    char text[sizeof part->seal];
    if (!kafka_seal_read(entry, &seal))
        return false;
    kafka_seal_write(&seal, text, sizeof text);
    return strcmp(text, part->seal) == 0;
}

/* What is committed for the part becomes the entry's offset, or, with a mark, where the part begins. False: somebody else's progress is in the way. */
static bool judge(struct kafka_source *source, const struct stretch_part *part, rd_kafka_topic_partition_t *entry)
{
    struct kafka_seal old;
    if (entry->offset >= 0 && is_sealed(part, entry)) {
        entry->offset = clamp(part, entry->offset);
        return true;
    }
    if (entry->offset < 0)
        entry->opaque = &FRESH;
    else if (kafka_seal_read(entry, &old) && entry->offset >= old.end && part->first >= old.end &&
             !source->stretch->resumed)
        entry->opaque = &ONWARD;
    entry->offset = part->next;
    if (entry->opaque != NULL)
        return true;
    kafka_source_fail(source, ERROR_FATAL,
                      "%s/%d: something else was begun under the name \"%s\" meanwhile; choose another name",
                      part->topic, (int)part->partition, source->stretch->progress);
    return false;
}

/* True: a drain began, or the context ended. */
static bool is_called_off(struct kafka_source *source)
{
    kafka_source_serve(source);
    if (context_status(source->context) != STATUS_OK)
        kafka_source_fail(source, ERROR_NONE, "cancelled");
    return source->stopped || intake_draining(source->intake);
}

/* Asks until there is an answer; false: called off, or it will never be. */
static bool ask_committed(struct kafka_source *source, rd_kafka_topic_partition_list_t *list)
{
    for (bool told = false; !is_called_off(source);) {
        struct error error = {0};
        struct context *context = context_new(source->context, clock_now() + ANSWER_PATIENCE);
        if (context == NULL)
            kafka_source_fail(source, ERROR_TRANSIENT, "out of memory");
        if (context == NULL)
            return false;
        enum status status = kafka_stretch_committed(&source->client, context, list, &error);
        context_free(context);
        if (status == STATUS_OK)
            return true;
        if (error.class == ERROR_FATAL)
            kafka_source_fail(source, error.class, "%s", error.text);
        else if (!told)
            log_warn(source->client.part, "%s: waiting for them", error.text);
        told = true;
        intake_state(source->intake, source->client.state == KAFKA_UP, -1, error.text);
    }
    return false;
}

/* The list has all parts, in their order. */
static bool find_progress(struct kafka_source *source, rd_kafka_topic_partition_list_t *list)
{
    bool good = ask_committed(source, list);
    for (int i = 0; i < list->cnt && good; i++)
        good = judge(source, &source->stretch->parts[i], &list->elems[i]);
    return good;
}

static bool commit_first(struct kafka_source *source, const rd_kafka_topic_partition_list_t *first)
{
    while (first->cnt > 0 && !is_called_off(source)) {
        if (kafka_commit_list(source, first, clock_now() + 10 * ANSWER_PATIENCE) == STATUS_OK)
            return true;
        (void)context_sleep(source->context, ANSWER_PATIENCE / 5);
    }
    return first->cnt == 0;
}

/*
 * With the seals, before the first record is read: so the bounds stand, whatever comes. What is there is written again, so that an earlier run learns of this one,
 * and where the store is further, as it says: a part that is done in it is done. Not where a transaction of an earlier run may be under way still, which must not come
 * before what is written now.
 */
static bool write_first(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *first = rd_kafka_topic_partition_list_new(list->cnt);
    for (int i = 0; i < list->cnt && !source->silent; i++) {
        const struct stretch_part *part = &source->stretch->parts[i];
        const rd_kafka_topic_partition_t *entry = &list->elems[i];
        if (entry->opaque == NULL && source->elsewhere)
            continue;
        rd_kafka_topic_partition_t *copy = rd_kafka_topic_partition_list_add(first, part->topic, part->partition);
        copy->offset = clamp(part, entry->offset);
        kafka_seal_put(copy, source->seals[i]);
    }
    bool good = commit_first(source, first);
    rd_kafka_topic_partition_list_destroy(first);
    return good;
}

/* Nothing is kept but in this process. */
static void remember(struct kafka_source *source, rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        const struct stretch_part *part = &source->stretch->parts[i];
        int64_t known = offsets_get(source->env.offsets, part->topic, part->partition);
        list->elems[i].offset = known > part->next ? clamp(part, known) : part->next;
    }
}

/* -- the assignment -- */

/*
 * The store's offset counts more than the group's, but only within the stretch that it belongs to: what it passes over of another one, nobody has stored. Where no run
 * has begun under the name, it's of one whose progress is gone (the group expired, or was removed). Where this stretch follows a finished one, the store is at the end of
 * that, or before it, when the last records were not wanted. False: it's further. Nothing may be written to the group then: the next run would take it for a progress of its own.
 */
static bool check_starts(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list,
                         const struct offset_start *starts)
{
    const char *name = source->stretch->progress, *service = source->env.service;
    for (int i = 0; i < list->cnt && !source->elsewhere; i++) {
        const struct stretch_part *part = &source->stretch->parts[i];
        const void *mark = list->elems[i].opaque;
        long long stored = starts[i].offset, most = mark == &ONWARD ? part->next : part->end;
        if (mark == &FRESH && stored >= 0)
            kafka_source_fail(source, ERROR_FATAL,
                              "%s/%d: the store keeps offset %lld of an earlier run under the name \"%s\", whose "
                              "progress is gone: choose another name, or remove the offsets of service \"%s\" there",
                              part->topic, (int)part->partition, stored, name, service);
        else if (stored > most)
            kafka_source_fail(source, ERROR_FATAL,
                              "%s/%d: the store keeps offset %lld of service \"%s\", and the progress under the name "
                              "\"%s\" goes to %lld at most: choose another name, or remove that offset there",
                              part->topic, (int)part->partition, stored, service, name, most);
    }
    return !source->stopped;
}

static bool add_partition(struct kafka_source *source, const struct stretch_part *part, int64_t next, int64_t stored)
{
    struct kafka_partition *partition = kafka_partition_new(source, part->topic, part->partition, next);
    if (partition == NULL) {
        kafka_source_fail(source, ERROR_TRANSIENT, "out of memory");
        return false;
    }
    partition->until = part->end;
    intake_set_stored(partition->intake, stored);
    return true;
}

void kafka_stretch_ask_leaders(struct kafka_client *client)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(client->rk, 0, NULL, &metadata, LEADERS_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
}

static void assign(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list,
                   const struct offset_start *starts)
{
    rd_kafka_topic_partition_list_t *left = rd_kafka_topic_partition_list_new(list->cnt);
    for (int i = 0; i < list->cnt && !source->stopped; i++) {
        const struct stretch_part *part = &source->stretch->parts[i];
        int64_t next = clamp(part, list->elems[i].offset);
        offsets_set(source->env.offsets, part->topic, part->partition, next);
        if (next < part->end && add_partition(source, part, next, starts[i].offset))
            rd_kafka_topic_partition_list_add(left, part->topic, part->partition)->offset = next;
    }
    rd_kafka_resp_err_t err = left->cnt > 0 ? rd_kafka_assign(source->client.rk, left) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        kafka_source_fail(source, ERROR_TRANSIENT, "could not assign the partitions: %s", rd_kafka_err2str(err));
    else if (left->cnt > 0)
        kafka_stretch_ask_leaders(&source->client);
    log_info(source->client.part, "reading a stretch of %d partition%s, %d not finished%s%s", list->cnt,
             list->cnt == 1 ? "" : "s", left->cnt, source->silent ? "" : "; its progress is kept in ",
             source->silent ? "" : source->stretch->kept);
    rd_kafka_topic_partition_list_destroy(left);
}

static bool make_seals(struct kafka_source *source)
{
    const struct stretch *stretch = source->stretch;
    _Static_assert(sizeof *source->seals == KAFKA_SEAL, "room for a seal");
    source->run = clock_wall_ms();
    source->seals = calloc(stretch->count + 1, sizeof *source->seals);
    for (unsigned i = 0; i < stretch->count && source->seals != NULL; i++)
        kafka_seal_of_run(&stretch->parts[i], source->run, source->seals[i]);
    return source->seals != NULL;
}

static void prepare(struct kafka_source *source)
{
    const struct stretch *stretch = source->stretch;
    const struct stretch_filter *filter = &stretch->filter;
    int64_t taken = offsets_get_taken(source->env.offsets);
    source->filters = filter->from_time != INT64_MIN || filter->to_time != INT64_MAX || filter->key.data != NULL ||
                      filter->where != NULL || filter->also != NULL;
    source->most = stretch->max_records > 0 ? stretch->max_records - taken : INT64_MAX;
    source->left = source->most;
    source->pacing = (struct kafka_pacing){
        .on = stretch->rate > 0 || stretch->speed > 0, .began = clock_now(), .based = stretch->speed <= 0};
    pace_init(&source->pacing.pace, stretch->rate, stretch->speed, -1);
}

enum status kafka_stretch_begin(struct kafka_source *source, struct error *error)
{
    const struct stretch *stretch = source->stretch;
    source->silent = stretch->progress == NULL;
    if (source->silent && source->elsewhere)
        return error_set(error, ERROR_FATAL,
                         "expected a name for the progress, as the store moves it in its transactions");
    if (!make_seals(source))
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    prepare(source);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)stretch->count);
    for (unsigned i = 0; i < stretch->count; i++)
        rd_kafka_topic_partition_list_add(list, stretch->parts[i].topic, stretch->parts[i].partition);
    bool good = true;
    if (source->silent)
        remember(source, list);
    else
        good = find_progress(source, list);
    struct offset_start *starts = good ? kafka_find_store_starts(source, list) : NULL;
    if (starts != NULL && check_starts(source, list, starts) && write_first(source, list))
        assign(source, list, starts);
    free(starts);
    rd_kafka_topic_partition_list_destroy(list);
    source->assigned = true;
    kafka_source_tell_state(source);
    if (source->left <= 0)
        intake_finish(source->intake);
    return STATUS_OK;
}

/* -- in the run, and after it -- */

/* What comes behind the end is not fetched for nothing. */
void kafka_stretch_tick(struct kafka_source *source)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    if (!source->silent)
        kafka_rival_tick(source);
    for (unsigned i = 0; i < source->count; i++) {
        struct kafka_partition *partition = source->partitions[i];
        if (!partition->ended || partition->done)
            continue;
        partition->done = true;
        kafka_stash_drop(partition);
        if (list == NULL)
            list = rd_kafka_topic_partition_list_new((int)(source->count - i));
        rd_kafka_topic_partition_list_add(list, partition->topic, partition->id);
    }
    if (list == NULL)
        return;
    (void)rd_kafka_pause_partitions(source->client.rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Those without a verdict come again when the pipeline is built anew, and count then. */
void kafka_stretch_leave(struct kafka_source *source)
{
    int64_t taken = source->most - source->left;
    for (unsigned i = 0; i < source->count; i++) {
        if (source->partitions[i]->intake != NULL)
            taken -= (int64_t)intake_in_flight(source->partitions[i]->intake);
    }
    offsets_add_taken(source->env.offsets, taken > 0 ? taken : 0);
}
