/*
 * Messages -> batches -> intake. A pop takes what the partition's queue has at once (timeout 0, no waiting). Keys, values and headers are copied into the
 * batch's arena and the messages given back at once: they are views of a whole fetch response, which any one of them would keep in memory.
 *
 * The source must never wait for room: who does not talk to librdkafka for max.poll.interval.ms is put out of the group. So what has no room stays in the hand.
 */
#include <string.h>

#include "connectors/kafka/headers.h"
#include "connectors/kafka/source.h"

/* One piece of the arena for key and value together. */
static bool copy_message(struct batch *batch, const rd_kafka_message_t *message, size_t *ret_size)
{
    struct record *record = batch_add(batch);
    size_t key_size = message->key != NULL ? message->key_len : 0;
    size_t value_size = message->payload != NULL ? message->len : 0;
    uint8_t *text = record != NULL ? arena_text(&batch->arena, key_size + value_size) : NULL;
    if (record != NULL)
        record->offset = message->offset;
    if (text == NULL)
        return false;
    if (message->key != NULL) {
        memcpy(text, message->key, key_size);
        record->key = bytes_of(text, (uint32_t)key_size);
    }
    if (message->payload != NULL) {
        memcpy(text + key_size, message->payload, value_size);
        record->value = bytes_of(text + key_size, (uint32_t)value_size);
    }
    rd_kafka_timestamp_type_t type;
    record->timestamp = rd_kafka_message_timestamp(message, &type);
    bool copied = kafka_headers_pack(message, &batch->arena, &record->headers);
    *ret_size = key_size + value_size + record->headers.size;
    return copied;
}

/* What was never issued comes again, so it is not behind us: a commit of the position would lose it. Nor does it count against a limit. */
static void forget_batch(struct kafka_source *source)
{
    struct kafka_hand *hand = &source->hand;
    if (hand->batch != NULL && hand->batch->count > 0) {
        hand->partition->position = hand->batch->records[0].offset;
        source->left += hand->batch->count;
    }
    batch_free(hand->batch);
    hand->batch = NULL;
}

/* False: no room. The batch is gone otherwise, also on failure (the run ends then, and the records come again). */
static bool push(struct kafka_source *source)
{
    struct kafka_hand *hand = &source->hand;
    struct kafka_partition *partition = hand->partition;
    struct batch *batch = hand->batch;
    if (batch == NULL)
        return true;
    if (source->stopped || batch->count == 0) {
        forget_batch(source);
        return true;
    }
    int64_t first = batch->records[0].offset, end = batch->records[batch->count - 1].offset + 1, count = batch->count;
    enum status status = intake_try_push(partition->intake, batch, source->context);
    if (status == STATUS_FULL)
        return false;
    hand->batch = NULL;
    if (status == STATUS_OK) {
        partition->pushed = end;
    } else {
        partition->position = first;
        source->left += count;
    }
    if (status == STATUS_NO_MEMORY)
        kafka_source_fail(source, ERROR_TRANSIENT, "out of memory");
    else if (status != STATUS_OK)
        kafka_source_fail(source, ERROR_NONE, "cancelled");
    return true;
}

static void take(struct kafka_source *source, const rd_kafka_message_t *message)
{
    struct kafka_hand *hand = &source->hand;
    struct kafka_partition *partition = hand->partition;
    size_t size = 0;
    if (partition->until >= 0 && message->offset >= partition->until) {
        partition->ended = true;
        /* Between the last record and the end there may be none. */
        partition->position = partition->until;
        return;
    }
    if (source->filters && !kafka_stretch_wants(source, message)) {
        /* It may have failed to look. */
        if (!source->stopped)
            partition->position = message->offset + 1;
        return;
    }
    if (hand->batch == NULL) {
        hand->batch = intake_begin(partition->intake);
        hand->bytes = 0;
    }
    if (hand->batch == NULL || !copy_message(hand->batch, message, &size)) {
        kafka_source_fail(source, ERROR_TRANSIENT, "out of memory");
        return;
    }
    hand->bytes += size;
    partition->position = message->offset + 1;
    if (source->stretch != NULL)
        kafka_stretch_took(source);
}

static bool batch_is_full(const struct kafka_hand *hand)
{
    return hand->batch != NULL && (hand->batch->count >= BATCH_RECORDS || hand->bytes >= BATCH_BYTES);
}

/* The next message. False: no room; it stays. */
static bool go_on(struct kafka_source *source)
{
    struct kafka_hand *hand = &source->hand;
    struct kafka_partition *partition = hand->partition;
    rd_kafka_message_t *message = hand->messages[hand->next];
    bool usual = kafka_partition_is_next(partition, message);
    /* What is not usual (a lost range, a new epoch) must find all records before it in the ledger. */
    if ((!usual || batch_is_full(hand)) && !push(source))
        return false;
    if (hand->batch == NULL && !source->stopped && !intake_has_room(source->intake, NULL))
        return false;
    bool wanted = !source->stopped && !source->leaving && !partition->sought && !partition->ended;
    if (wanted && (usual || kafka_partition_accepts(partition, message)))
        take(source, message);
    rd_kafka_message_destroy(message);
    hand->next++;
    return true;
}

bool kafka_hand_empty(struct kafka_source *source)
{
    struct kafka_hand *hand = &source->hand;
    if (hand->partition == NULL)
        return true;
    while (hand->next < hand->count) {
        if (!go_on(source))
            return false;
    }
    if (!push(source))
        return false;
    hand->partition = NULL;
    return true;
}

static uint32_t average_size(rd_kafka_message_t *const *messages, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR ? messages[i]->len + messages[i]->key_len : 0;
    return (uint32_t)(bytes / count) + 1;
}

void kafka_hand_begin(struct kafka_source *source, struct kafka_partition *partition, size_t count)
{
    struct kafka_hand *hand = &source->hand;
    /* That a broker is there it does not tell: it may have been fetched long before. */
    if (source->client.state == KAFKA_DENIED)
        kafka_client_up(&source->client);
    hand->partition = partition;
    hand->batch = NULL;
    hand->next = 0;
    hand->count = count;
    partition->average = average_size(hand->messages, hand->count);
    kafka_partition_note_epochs(partition, hand->messages, hand->count);
    (void)kafka_hand_empty(source);
}

bool kafka_hand_pop(struct kafka_source *source, struct kafka_partition *partition)
{
    return kafka_hand_pop_some(source, partition, KAFKA_POP_MAX);
}

bool kafka_hand_pop_some(struct kafka_source *source, struct kafka_partition *partition, size_t most)
{
    struct kafka_hand *hand = &source->hand;
    /* As many as will make one batch. */
    size_t want = BATCH_BYTES / partition->average + 1;
    if (want > most)
        want = most;
    /* First the flag, then the queue: what comes in between sets it again. */
    atomic_store(&partition->ready, false);
    ssize_t count = rd_kafka_consume_batch_queue(partition->queue, 0, hand->messages, want);
    if (count <= 0)
        return false;
    if ((size_t)count == want)
        atomic_store(&partition->ready, true);
    partition->sought = false;
    kafka_hand_begin(source, partition, (size_t)count);
    return true;
}

void kafka_hand_drop(struct kafka_source *source, const struct kafka_partition *partition)
{
    struct kafka_hand *hand = &source->hand;
    if (hand->partition == NULL || (partition != NULL && partition != hand->partition))
        return;
    forget_batch(source);
    for (; hand->next < hand->count; hand->next++)
        rd_kafka_message_destroy(hand->messages[hand->next]);
    hand->partition = NULL;
}
