/*
 * At a pace: so many records a second, or by their timestamps. By time, what is popped and not due yet stays in its partition's stash, so that none holds the others back; what is
 * due goes the usual way through the hand. What the filter does not let through, or is behind the end, need not be waited for.
 *
 * The first timestamp, from which all others are counted, is the smallest of the partitions' first records: so it is waited until each has one, or is at its end, but not for long.
 */
#include <stdlib.h>

#include "connectors/kafka/source.h"
#include "processor/stretch.h"

enum { STASH_MAX = 256 };
#define BASE_PATIENCE (2 * CLOCK_SECOND)

struct kafka_stash {
    size_t next, count;
    rd_kafka_message_t *messages[STASH_MAX];
};

void kafka_stash_drop(struct kafka_partition *partition)
{
    struct kafka_stash *stash = partition->stash;
    for (; stash != NULL && stash->next < stash->count; stash->next++)
        rd_kafka_message_destroy(stash->messages[stash->next]);
}

/* False: there is nothing. */
static bool fill(struct kafka_partition *partition)
{
    struct kafka_stash *stash = partition->stash;
    if (partition->sought)
        kafka_stash_drop(partition);
    if (stash->next < stash->count)
        return true;
    atomic_store(&partition->ready, false);
    ssize_t count = rd_kafka_consume_batch_queue(partition->queue, 0, stash->messages, STASH_MAX);
    stash->next = 0;
    stash->count = count > 0 ? (size_t)count : 0;
    partition->sought = false;
    return stash->count > 0;
}

static int64_t timestamp_of(const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    return rd_kafka_message_timestamp(message, &type);
}

/* 0: now. CLOCK_NEVER: it is not known yet. */
static int64_t due(struct kafka_source *source, const struct kafka_partition *partition,
                   const rd_kafka_message_t *message, int64_t now)
{
    bool in_part = partition->until < 0 || message->offset < partition->until;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || !in_part || !kafka_stretch_may_want(source, message))
        return 0;
    if (!source->pacing.based)
        return timestamp_of(message) >= 0 ? CLOCK_NEVER : 0;
    return pace_due(&source->pacing.pace, timestamp_of(message), now);
}

static void wait_until(struct kafka_source *source, struct kafka_partition *partition, int64_t when)
{
    intake_waits(partition->intake, true);
    if (when < source->pacing.until)
        source->pacing.until = when;
}

/* How many of the stash are due, `room` at most. */
static size_t count_due(struct kafka_source *source, struct kafka_partition *partition, size_t room)
{
    const struct kafka_stash *stash = partition->stash;
    int64_t now = clock_now(), when = 0;
    size_t count = 0, most = stash->count - stash->next;
    most = most < room ? most : room;
    while (count < most && (when = due(source, partition, stash->messages[stash->next + count], now)) == 0)
        count++;
    if (count == 0)
        wait_until(source, partition, when);
    return count;
}

static bool pop_due(struct kafka_source *source, struct kafka_partition *partition, size_t room)
{
    if (partition->stash == NULL)
        partition->stash = calloc(1, sizeof *partition->stash);
    if (partition->stash == NULL) {
        kafka_source_fail(source, ERROR_TRANSIENT, "out of memory");
        return false;
    }
    struct kafka_stash *stash = partition->stash;
    if (!fill(partition)) {
        intake_waits(partition->intake, false);
        return false;
    }
    /* As long as there is something in it, it is to be looked at. */
    atomic_store(&partition->ready, true);
    size_t count = count_due(source, partition, room);
    if (count == 0)
        return false;
    for (size_t i = 0; i < count; i++)
        source->hand.messages[i] = stash->messages[stash->next++];
    intake_waits(partition->intake, false);
    kafka_hand_begin(source, partition, count);
    return true;
}

bool kafka_pacing_pop(struct kafka_source *source, struct kafka_partition *partition)
{
    int64_t when = CLOCK_NEVER;
    size_t room = pace_room(&source->pacing.pace, KAFKA_POP_MAX, clock_now(), &when);
    if (room == 0) {
        wait_until(source, partition, when);
        return false;
    }
    if (source->stretch->speed > 0)
        return pop_due(source, partition, room);
    intake_waits(partition->intake, false);
    return kafka_hand_pop_some(source, partition, room);
}

/* -- the first timestamp -- */

/* -1: none is there yet. */
static int64_t first_of(const struct kafka_partition *partition)
{
    const struct kafka_stash *stash = partition->stash;
    return stash != NULL && stash->next < stash->count ? timestamp_of(stash->messages[stash->next]) : -1;
}

static void find_base(struct kafka_source *source)
{
    struct kafka_pacing *pacing = &source->pacing;
    int64_t least = INT64_MAX;
    bool all = true;
    for (unsigned i = 0; i < source->count; i++) {
        const struct kafka_partition *partition = source->partitions[i];
        int64_t first = first_of(partition);
        if (first >= 0)
            least = first < least ? first : least;
        else
            all = all && (partition->ended || partition->eof >= partition->until);
    }
    int64_t late = pacing->began + BASE_PATIENCE;
    pacing->based = least != INT64_MAX && (all || clock_now() >= late);
    if (pacing->based)
        pace_init(&pacing->pace, source->stretch->rate, source->stretch->speed, least);
    else if (least != INT64_MAX)
        pacing->until = late;
}

void kafka_pacing_round(struct kafka_source *source)
{
    source->pacing.until = CLOCK_NEVER;
    if (!source->pacing.based)
        find_base(source);
}
