/*
 * One assigned partition. A pop takes what the partition's queue has at once (timeout 0, no waiting), copies keys, values and headers into the batch's
 * arena and gives the messages back: they are views of a whole fetch response, which any one of them would keep in memory.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/source.h"
#include "processor/headers.h"
#include "processor/log.h"

/* From a thread of librdkafka, under the lock of the queue: no call into librdkafka from here. */
static void on_ready(rd_kafka_t *rk, void *opaque)
{
    struct kafka_partition *partition = opaque;
    (void)rk;
    if (!atomic_exchange(&partition->ready, true))
        kafka_source_wake(partition->source);
}

struct kafka_partition *kafka_partition_find(struct kafka_source *source, const char *topic, int32_t id)
{
    for (unsigned i = 0; i < source->count; i++)
        if (source->partitions[i]->id == id && strcmp(source->partitions[i]->topic, topic) == 0)
            return source->partitions[i];
    return NULL;
}

static bool source_add(struct kafka_source *source, struct kafka_partition *partition)
{
    if (source->count == source->room) {
        unsigned room = source->room ? source->room * 2 : 16;
        struct kafka_partition **bigger = realloc(source->partitions, room * sizeof(struct kafka_partition *));
        if (!bigger)
            return false;
        source->partitions = bigger;
        source->room = room;
    }
    source->partitions[source->count++] = partition;
    return true;
}

struct kafka_partition *kafka_partition_new(struct kafka_source *source, const char *topic, int32_t id)
{
    struct kafka_partition *partition = calloc(1, sizeof(*partition));
    if (!partition)
        return NULL;
    *partition = (struct kafka_partition){.source = source, .id = id, .position = -1, .eof = -1, .pushed = -1, .stored = -1,
                                          .average = 256};
    for (unsigned i = 0; i < KAFKA_EPOCHS; i++)
        partition->epochs[i].epoch = -1;
    partition->topic = strdup(topic);
    partition->intake = partition->topic ? intake_assign(source->intake, topic, id, -1) : NULL;
    partition->queue = partition->intake ? rd_kafka_queue_get_partition(source->client.rk, topic, id) : NULL;
    if (!partition->queue || !source_add(source, partition)) {
        kafka_partition_free(partition);
        return NULL;
    }
    atomic_store(&partition->ready, true);
    /* Before the assignment: else the first fetched messages would go the consumer's common way. */
    rd_kafka_queue_forward(partition->queue, NULL);
    rd_kafka_queue_cb_event_enable(partition->queue, on_ready, partition);
    return partition;
}

void kafka_partition_free(struct kafka_partition *partition)
{
    struct kafka_source *source = partition->source;
    for (unsigned i = 0; i < source->count; i++)
        if (source->partitions[i] == partition) {
            source->partitions[i] = source->partitions[--source->count];
            break;
        }
    if (partition->queue) {
        rd_kafka_queue_cb_event_enable(partition->queue, NULL, NULL);
        rd_kafka_queue_destroy(partition->queue);
    }
    if (partition->intake)
        intake_revoke(partition->intake);
    free(partition->topic);
    free(partition);
}

/* ---- leader epochs: committed with the offset, so that a log that was truncated meanwhile is noticed ---- */

static void note_epoch(struct kafka_partition *partition, const rd_kafka_message_t *message)
{
    int32_t epoch = message->err ? partition->epochs[0].epoch : rd_kafka_message_leader_epoch(message);
    if (partition->epochs[0].epoch == epoch)
        return;
    memmove(&partition->epochs[1], &partition->epochs[0], sizeof(partition->epochs[0]) * (KAFKA_EPOCHS - 1));
    partition->epochs[0].from = message->offset;
    partition->epochs[0].epoch = epoch;
}

/* Epochs only grow: when the last message has the one that we know, all have. */
static void note_epochs(struct kafka_partition *partition, rd_kafka_message_t **messages, size_t count)
{
    const rd_kafka_message_t *last = messages[count - 1];
    if (!last->err && rd_kafka_message_leader_epoch(last) == partition->epochs[0].epoch)
        return;
    for (size_t i = 0; i < count; i++)
        note_epoch(partition, messages[i]);
}

int32_t kafka_partition_epoch(const struct kafka_partition *partition, int64_t offset)
{
    for (unsigned i = 0; i < KAFKA_EPOCHS; i++)
        if (partition->epochs[i].from <= offset)
            return partition->epochs[i].epoch;
    return -1;
}

/* ---- message -> record ---- */

static bool copy_headers(struct batch *batch, struct record *record, const rd_kafka_headers_t *headers)
{
    size_t size = 0, count = rd_kafka_header_cnt(headers);
    const char *name;
    const void *value;
    size_t value_size;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &value_size) == RD_KAFKA_RESP_ERR_NO_ERROR && i < count; i++)
        size += headers_packed_size(bytes_of_string(name), bytes_of(value, (uint32_t)value_size));
    uint8_t *text = arena_text(&batch->arena, size), *at = text;
    if (!text)
        return false;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &value_size) == RD_KAFKA_RESP_ERR_NO_ERROR && i < count; i++)
        at = headers_pack(at, bytes_of_string(name), bytes_of(value, (uint32_t)value_size));
    record->headers = bytes_of(text, (uint32_t)size);
    return true;
}

/* One piece of the arena for key and value together. */
static bool copy_message(struct batch *batch, const rd_kafka_message_t *message, size_t *ret_size)
{
    struct record *record = batch_add(batch);
    size_t key_size = message->key ? message->key_len : 0, value_size = message->payload ? message->len : 0;
    uint8_t *text = record ? arena_text(&batch->arena, key_size + value_size) : NULL;
    if (!text)
        return false;
    if (message->key) {
        memcpy(text, message->key, key_size);
        record->key = bytes_of(text, (uint32_t)key_size);
    }
    if (message->payload) {
        memcpy(text + key_size, message->payload, value_size);
        record->value = bytes_of(text + key_size, (uint32_t)value_size);
    }
    rd_kafka_timestamp_type_t type;
    record->timestamp = rd_kafka_message_timestamp(message, &type);
    record->offset = message->offset;
    rd_kafka_headers_t *headers = NULL;
    *ret_size = key_size + value_size;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return true;
    bool copied = copy_headers(batch, record, headers);
    *ret_size += record->headers.size;
    return copied;
}

/* ---- what may come out of the queue besides records ---- */

static void on_error_message(struct kafka_partition *partition, const rd_kafka_message_t *message)
{
    struct kafka_source *source = partition->source;
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        partition->eof = message->offset;
        if (partition->search.on)
            (void)kafka_corrupt_answer(partition, message->offset);
        else if (message->offset > partition->position)
            partition->position = message->offset;
        kafka_partition_tell_position(partition);
        break;
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED: /* a format that librdkafka does not know: most likely a flipped bit */
        kafka_corrupt_begin(partition, message->offset, rd_kafka_message_errstr(message));
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        kafka_client_set_state(&source->client, KAFKA_DENIED, "topic %s: %s", partition->topic, rd_kafka_message_errstr(message));
        log_error(source->client.part, "%s: give the user the right to read it", source->client.reason);
        break;
    default:
        log_warn(source->client.part, "%s/%d: %s", partition->topic, (int)partition->id, rd_kafka_message_errstr(message));
    }
}

bool kafka_partition_seek(struct kafka_partition *partition, int64_t offset)
{
    struct kafka_source *source = partition->source;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, partition->topic, partition->id)->offset = offset;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(source->client.rk, list, 5000);
    partition->sought = true;
    rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : list->elems[0].err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_warn(source->client.part, "%s/%d: could not seek to offset %lld: %s", partition->topic, (int)partition->id, (long long)offset,
                 rd_kafka_err2str(code));
    if (error)
        rd_kafka_error_destroy(error);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* A gap is nothing special in a compacted or transactional topic. But when the log now begins behind our position, retention was faster than we: that is
 * loss, and librdkafka may have jumped further than need be (start: latest). False: ignore the message, we went back. */
static bool look_at_gap(struct kafka_partition *partition, const rd_kafka_message_t *message)
{
    int64_t low = -1, high = -1;
    if (rd_kafka_get_watermark_offsets(partition->source->client.rk, partition->topic, partition->id, &low, &high) !=
            RD_KAFKA_RESP_ERR_NO_ERROR || low <= partition->position || partition->position < 0)
        return true;
    int64_t to = low < message->offset ? low : message->offset;
    intake_lost_range(partition->intake, partition->position, to, "deleted by the topic's retention before weir came to them");
    partition->position = to;
    return message->offset <= low || !kafka_partition_seek(partition, low);
}

/* An offset that we had already. Either librdkafka fetched it again (nothing to do), or the log is another one: the topic was made anew or truncated,
 * and its offsets begin again, which is a new epoch for the ledger. False: ignore the message. */
static bool look_at_step_back(struct kafka_partition *partition, const rd_kafka_message_t *message)
{
    struct kafka_source *source = partition->source;
    int64_t low = -1, high = -1;
    (void)rd_kafka_get_watermark_offsets(source->client.rk, partition->topic, partition->id, &low, &high);
    if (high < 0 || high >= partition->position)
        return false;
    log_warn(source->client.part, "%s/%d went back from offset %lld to %lld, its end is %lld now: the topic was truncated or made anew; going on from there",
             partition->topic, (int)partition->id, (long long)partition->position, (long long)message->offset, (long long)high);
    (void)intake_settle(source->intake, NULL, source->context, clock_now() + 5 * CLOCK_SECOND);
    intake_revoke(partition->intake);
    partition->intake = intake_assign(source->intake, partition->topic, partition->id, message->offset);
    partition->pushed = partition->stored = partition->eof = -1;
    if (!partition->intake)
        kafka_source_fail(source, ERROR_TRANSIENT, "out of memory");
    return partition->intake != NULL;
}

static bool is_usual(const struct kafka_partition *partition, const rd_kafka_message_t *message)
{
    return !message->err && !partition->search.on && (message->offset == partition->position || partition->position < 0);
}

/* Errors, events, gaps. True: a record to be taken all the same. */
static bool look_at_unusual(struct kafka_partition *partition, const rd_kafka_message_t *message)
{
    if (message->err) {
        on_error_message(partition, message);
        return false;
    }
    if (partition->search.on && !kafka_corrupt_answer(partition, message->offset))
        return false;
    if (message->offset < partition->position)
        return look_at_step_back(partition, message);
    return message->offset == partition->position || look_at_gap(partition, message);
}

/* ---- a pop ---- */

static struct batch *push(struct kafka_partition *partition, struct batch *batch)
{
    struct kafka_source *source = partition->source;
    int64_t end = batch->records[batch->count - 1].offset + 1;
    switch (intake_push(partition->intake, batch, source->context)) {
    case STATUS_OK:
        partition->pushed = end;
        break;
    case STATUS_NO_MEMORY:
        kafka_source_fail(source, ERROR_TRANSIENT, "out of memory");
        break;
    default: /* the context ended: the run does so too, and the records are not committed */
        kafka_source_fail(source, ERROR_NONE, "cancelled");
    }
    return NULL;
}

/* The batch stays with the caller's pointer: NULL after it was pushed. */
static void take_one(struct kafka_partition *partition, const rd_kafka_message_t *message, struct batch **batch, size_t *bytes)
{
    struct kafka_source *source = partition->source;
    size_t size = 0;
    if (!*batch) {
        *batch = intake_begin(partition->intake);
        *bytes = 0;
    }
    if (!*batch || !copy_message(*batch, message, &size)) {
        kafka_source_fail(source, ERROR_TRANSIENT, "out of memory");
        return;
    }
    *bytes += size;
    partition->position = message->offset + 1;
    if ((*batch)->count >= BATCH_RECORDS || *bytes >= BATCH_BYTES)
        *batch = push(partition, *batch);
}

void kafka_partition_take(struct kafka_partition *partition, rd_kafka_message_t **messages, size_t count)
{
    struct kafka_source *source = partition->source;
    struct batch *batch = NULL;
    size_t bytes = 0, taken = 0, total = 0;
    partition->sought = false;
    note_epochs(partition, messages, count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_message_t *message = messages[i];
        bool take = !source->stopped && !source->leaving && !partition->sought;
        if (take && !is_usual(partition, message)) {
            /* Push first: a new epoch or a lost range must find all records before it. */
            batch = batch && batch->count ? push(partition, batch) : batch;
            take = !source->stopped && look_at_unusual(partition, message);
        }
        if (take) {
            total += message->len + message->key_len;
            taken++;
            take_one(partition, message, &batch, &bytes);
        }
        rd_kafka_message_destroy(message);
    }
    if (batch && batch->count && !source->stopped)
        batch = push(partition, batch);
    batch_free(batch);
    if (taken)
        partition->average = (uint32_t)(total / taken) + 1;
}

bool kafka_partition_pop(struct kafka_partition *partition)
{
    struct kafka_source *source = partition->source;
    /* As many as will make one batch, so that big records do not pass the intake's limit by much. */
    size_t want = BATCH_BYTES / partition->average + 1;
    if (want > KAFKA_POP_MAX)
        want = KAFKA_POP_MAX;
    /* First the flag, then the queue: what comes in between sets it again. */
    atomic_store(&partition->ready, false);
    ssize_t count = rd_kafka_consume_batch_queue(partition->queue, 0, source->messages, want);
    if (count <= 0)
        return false;
    if (source->client.state != KAFKA_UP)
        kafka_client_set_state(&source->client, KAFKA_UP, "%s", "");
    kafka_partition_take(partition, source->messages, (size_t)count);
    if ((size_t)count == want)
        atomic_store(&partition->ready, true);
    return (size_t)count == want;
}

void kafka_partition_tell_position(struct kafka_partition *partition)
{
    int64_t low = -1, high = -1;
    if (rd_kafka_get_watermark_offsets(partition->source->client.rk, partition->topic, partition->id, &low, &high) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        high = -1;
    if (high < 0 && partition->eof >= 0)
        high = partition->eof;
    if (partition->position >= 0)
        intake_position(partition->intake, partition->position, high);
}
