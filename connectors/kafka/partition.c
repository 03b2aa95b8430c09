/* One assigned partition: what comes out of its queue besides the next record, and where it stands. */
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/source.h"
#include "processor/log.h"

enum { ASK_MS = 1000 };
enum { QUERY_MS = 5000 };

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
    for (unsigned i = 0; i < source->count; i++) {
        if (source->partitions[i]->id == id && strcmp(source->partitions[i]->topic, topic) == 0)
            return source->partitions[i];
    }
    return NULL;
}

static bool source_add(struct kafka_source *source, struct kafka_partition *partition)
{
    if (source->count == source->room) {
        unsigned room = source->room > 0 ? source->room * 2 : 16;
        struct kafka_partition **bigger = realloc(source->partitions, room * sizeof(struct kafka_partition *));
        if (bigger == NULL)
            return false;
        source->partitions = bigger;
        source->room = room;
    }
    source->partitions[source->count++] = partition;
    return true;
}

struct kafka_partition *kafka_partition_new(struct kafka_source *source, const char *topic, int32_t id, int64_t next)
{
    struct kafka_partition *partition = calloc(1, sizeof *partition);
    if (partition == NULL)
        return NULL;
    *partition = (struct kafka_partition){
        .source = source,
        .id = id,
        .until = -1,
        .position = next,
        .eof = -1,
        .asked_end = -1,
        .pushed = -1,
        .stored = next,
        .average = 256,
    };
    for (unsigned i = 0; i < KAFKA_EPOCHS; i++)
        partition->epochs[i].epoch = -1;
    partition->topic = strdup(topic);
    partition->intake = partition->topic != NULL ? intake_assign(source->intake, topic, id, next) : NULL;
    partition->queue = partition->intake != NULL ? rd_kafka_queue_get_partition(source->client.rk, topic, id) : NULL;
    if (partition->queue == NULL || !source_add(source, partition)) {
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
    if (partition == NULL)
        return;
    struct kafka_source *source = partition->source;
    kafka_hand_drop(source, partition);
    kafka_stash_drop(partition);
    free(partition->stash);
    for (unsigned i = 0; i < source->count; i++) {
        if (source->partitions[i] == partition) {
            source->partitions[i] = source->partitions[--source->count];
            break;
        }
    }
    if (partition->queue != NULL) {
        rd_kafka_queue_cb_event_enable(partition->queue, NULL, NULL);
        rd_kafka_queue_destroy(partition->queue);
    }
    if (partition->intake != NULL)
        intake_revoke(partition->intake);
    free(partition->topic);
    free(partition);
}

/* -- leader epochs: committed with the offset, so that a log that was truncated meanwhile is noticed -- */

static void note_epoch(struct kafka_partition *partition, const rd_kafka_message_t *message)
{
    int32_t epoch = rd_kafka_message_leader_epoch(message);
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || partition->epochs[0].epoch == epoch)
        return;
    memmove(&partition->epochs[1], &partition->epochs[0], sizeof partition->epochs[0] * (KAFKA_EPOCHS - 1));
    partition->epochs[0].from = message->offset;
    partition->epochs[0].epoch = epoch;
}

void kafka_partition_note_epochs(struct kafka_partition *partition, rd_kafka_message_t *const *messages, size_t count)
{
    /* Epochs only grow: when the last message has the one that we know, all have. */
    const rd_kafka_message_t *last = messages[count - 1];
    if (last->err == RD_KAFKA_RESP_ERR_NO_ERROR && rd_kafka_message_leader_epoch(last) == partition->epochs[0].epoch)
        return;
    for (size_t i = 0; i < count; i++)
        note_epoch(partition, messages[i]);
}

int32_t kafka_partition_epoch(const struct kafka_partition *partition, int64_t offset)
{
    for (unsigned i = 0; i < KAFKA_EPOCHS; i++) {
        if (partition->epochs[i].from <= offset)
            return partition->epochs[i].epoch;
    }
    return -1;
}

/* -- position -- */

static int64_t known_low(const struct kafka_partition *partition, int64_t *ret_high)
{
    int64_t low = -1;
    *ret_high = -1;
    if (rd_kafka_get_watermark_offsets(partition->source->client.rk, partition->topic, partition->id, &low, ret_high) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return -1;
    return low;
}

void kafka_partition_tell_position(struct kafka_partition *partition)
{
    const struct kafka_source *source = partition->source;
    int64_t high;
    (void)known_low(partition, &high);
    if (high < partition->eof)
        high = partition->eof;
    if (high < partition->asked_end)
        high = partition->asked_end;
    /* Of what comes behind the end that was seen at the start nothing will be taken: it is no lag. */
    if (partition->until >= 0 && (high > partition->until || source->stretch != NULL))
        high = partition->until;
    if (partition->position >= 0 && partition->intake != NULL)
        intake_position(partition->intake, partition->position, high);
}

bool kafka_partition_knows_end(const struct kafka_partition *partition)
{
    int64_t high;
    (void)known_low(partition, &high);
    return high >= 0 || partition->eof >= 0;
}

void kafka_partition_ask_end(struct kafka_partition *partition)
{
    int64_t low, high;
    if (rd_kafka_query_watermark_offsets(partition->source->client.rk, partition->topic, partition->id, &low, &high,
                                         ASK_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    partition->asked_end = high;
    /* Until the first record comes, all of it is to be consumed. */
    if (partition->position < 0 && partition->source->config->start == KAFKA_START_EARLIEST &&
        partition->intake != NULL)
        intake_position(partition->intake, low, high);
}

bool kafka_partition_seek(struct kafka_partition *partition, int64_t offset)
{
    struct kafka_source *source = partition->source;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, partition->topic, partition->id)->offset = offset;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(source->client.rk, list, 5000);
    partition->sought = true;
    /* Between where we go and that end there may be records. */
    partition->eof = -1;
    rd_kafka_resp_err_t code = error != NULL ? rd_kafka_error_code(error) : list->elems[0].err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_warn(source->client.part, "%s/%d: could not seek to offset %lld: %s", partition->topic, (int)partition->id,
                 (long long)offset, rd_kafka_err2str(code));
    if (error != NULL)
        rd_kafka_error_destroy(error);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* -- what is not the next record -- */

/* The offset is behind the position: a gap. That is nothing special in a compacted or transactional topic. But when the log begins behind our position, retention was
 * faster than we: that is loss, and librdkafka may have jumped further than need be (start: latest). False: we went back, and what comes next is `low`. */
static bool look_at_gap(struct kafka_partition *partition, int64_t offset)
{
    int64_t high, low = known_low(partition, &high);
    if (partition->position < 0 || low <= partition->position)
        return true;
    int64_t to = low < offset ? low : offset;
    if (partition->until >= 0 && to > partition->until)
        to = partition->until;
    intake_lost_range(partition->intake, partition->position, to,
                      "deleted by the topic's retention before weir came to them");
    partition->position = to;
    return offset <= low || to == partition->until || !kafka_partition_seek(partition, low);
}

static void begin_again(struct kafka_partition *partition, int64_t offset)
{
    struct kafka_source *source = partition->source;
    (void)intake_settle(source->intake, partition->intake, source->context, clock_now() + 5 * CLOCK_SECOND);
    int64_t stored = intake_get_stored(partition->intake);
    intake_revoke(partition->intake);
    partition->intake = intake_assign(source->intake, partition->topic, partition->id, offset);
    partition->pushed = partition->stored = partition->eof = partition->asked_end = -1;
    partition->position = offset;
    if (partition->intake == NULL) {
        kafka_source_fail(source, ERROR_TRANSIENT, "out of memory");
        return;
    }
    intake_set_stored(partition->intake, stored);
    kafka_commit_back(partition, offset);
    kafka_end_forget(partition);
}

/* The offset is before the position: librdkafka went back to the log's beginning without being asked (auto.offset.reset). Either the position is behind the log's end: the
 * topic was truncated or made anew, its offsets begin again, which is a new epoch for the ledger. Or librdkafka strayed, as it does after a wrong checksum: then we go
 * on where we are. True: the message is the first of the new epoch. */
static bool look_at_step_back(struct kafka_partition *partition, int64_t offset)
{
    struct kafka_source *source = partition->source;
    int64_t low = -1, high = -1;
    rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets(source->client.rk, partition->topic, partition->id, &low,
                                                               &high, QUERY_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR || high >= partition->position) {
        (void)kafka_partition_seek(partition, partition->position);
        return false;
    }
    if (source->stretch != NULL) {
        kafka_source_fail(source, ERROR_FATAL,
                          "%s/%d ends at offset %lld, and %lld comes next: the topic was truncated or made anew",
                          partition->topic, (int)partition->id, (long long)high, (long long)partition->position);
        return false;
    }
    int64_t to = low < offset ? low : offset;
    log_warn(source->client.part,
             "%s/%d: offset %lld comes next, and the end is %lld: the topic was truncated or made anew; going on from "
             "offset %lld",
             partition->topic, (int)partition->id, (long long)partition->position, (long long)high, (long long)to);
    begin_again(partition, to);
    return !source->stopped && (to == offset || !kafka_partition_seek(partition, to));
}

static void move_to_end(struct kafka_partition *partition, int64_t end)
{
    if (end < partition->position)
        (void)look_at_step_back(partition, end);
    else if (end > partition->position && look_at_gap(partition, end))
        partition->position = end;
}

static void on_end(struct kafka_partition *partition, int64_t end)
{
    partition->eof = end; /* until we go elsewhere */
    if (!partition->search.on || kafka_corrupt_answer(partition, end))
        move_to_end(partition, end);
    kafka_partition_tell_position(partition);
}

static void on_error(struct kafka_partition *partition, const rd_kafka_message_t *message)
{
    struct kafka_source *source = partition->source;
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        on_end(partition, message->offset);
        break;
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED: /* a format that librdkafka does not know: most likely a flipped bit */
        kafka_corrupt_begin(partition, message->offset, rd_kafka_message_errstr(message));
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        kafka_client_set_state(&source->client, KAFKA_DENIED, "topic %s: %s", partition->topic,
                               rd_kafka_message_errstr(message));
        log_error(source->client.part, "%s: give the user the right to read it", source->client.reason);
        break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        if (source->stretch != NULL) {
            kafka_source_fail(source, ERROR_FATAL, "%s/%d is not there any more: %s", partition->topic,
                              (int)partition->id, rd_kafka_message_errstr(message));
            break;
        }
        /* fall through */
    default:
        log_warn(source->client.part, "%s/%d: %s", partition->topic, (int)partition->id,
                 rd_kafka_message_errstr(message));
    }
}

bool kafka_partition_is_next(const struct kafka_partition *partition, const rd_kafka_message_t *message)
{
    return message->err == RD_KAFKA_RESP_ERR_NO_ERROR && !partition->search.on &&
           (message->offset == partition->position || partition->position < 0);
}

bool kafka_partition_accepts(struct kafka_partition *partition, const rd_kafka_message_t *message)
{
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        on_error(partition, message);
        return false;
    }
    if (partition->search.on && !kafka_corrupt_answer(partition, message->offset))
        return false;
    if (message->offset < partition->position)
        return look_at_step_back(partition, message->offset);
    return message->offset == partition->position || look_at_gap(partition, message->offset);
}
