/* The end of a run: where it is (exit at end), waiting for the verdicts of what was taken, and leaving the group. */
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/source.h"
#include "processor/log.h"
#include "processor/offsets.h"

enum { QUERY_MS = 5000, CLOSE_POLL_MS = 50 };
#define SLICE (100 * CLOCK_MS)
#define COMMIT_PATIENCE (2 * CLOCK_SECOND)

/* -- exit at end -- */

void kafka_end_note(struct kafka_partition *partition)
{
    struct kafka_source *source = partition->source;
    if (!source->env.exit_at_end || partition->until >= 0)
        return;
    int64_t low, high;
    partition->until = offsets_get_end(source->env.offsets, partition->topic, partition->id);
    /* Not answered: asked again at the next tick. */
    if (partition->until >= 0 || rd_kafka_query_watermark_offsets(source->client.rk, partition->topic, partition->id,
                                                                  &low, &high, QUERY_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    if (offsets_set_end(source->env.offsets, partition->topic, partition->id, high))
        partition->until = high;
    else
        kafka_source_fail(source, ERROR_TRANSIENT, "out of memory");
}

void kafka_end_forget(struct kafka_partition *partition)
{
    const struct kafka_source *source = partition->source;
    if (partition->until < 0)
        return;
    (void)!offsets_set_end(source->env.offsets, partition->topic, partition->id, -1);
    partition->until = -1;
    partition->ended = false;
}

/* Records may be missing right before the end (control records, compaction): then only the event tells that the position is there. */
static bool partition_ended(struct kafka_partition *partition)
{
    if (partition->until >= 0 && !partition->search.on &&
        (partition->position >= partition->until || partition->eof >= partition->until))
        partition->ended = true;
    return partition->ended;
}

bool kafka_end_reached(struct kafka_source *source)
{
    /* A member without partitions gets some when another one leaves: it is at the end when these are. */
    bool reached = source->env.exit_at_end && (source->count > 0 || source->stretch != NULL) &&
                   source->hand.partition == NULL;
    for (unsigned i = 0; i < source->count && reached; i++)
        reached = partition_ended(source->partitions[i]);
    return reached;
}

/* -- drain -- */

/* Until nothing is in flight; serves the group meanwhile. */
static enum status settle(struct kafka_source *source)
{
    for (;;) {
        int64_t deadline = intake_drain_deadline(source->intake), now = clock_now();
        int64_t until = now + SLICE < deadline ? now + SLICE : deadline;
        enum status status = intake_settle(source->intake, NULL, source->context, until);
        if (status != STATUS_DEADLINE || now >= deadline)
            return status;
        kafka_source_serve(source);
        kafka_source_tick(source);
    }
}

/* A coordinator that moves or a rebalance under way fail a commit, and shortly after it works. */
static enum status commit_all(struct kafka_source *source)
{
    for (;;) {
        int64_t deadline = intake_drain_deadline(source->intake), least = clock_now() + COMMIT_PATIENCE;
        enum status status = kafka_commit(source, NULL, deadline > least ? deadline : least);
        if (status != STATUS_FAILED)
            return status;
        if (clock_now() >= deadline)
            return STATUS_DEADLINE;
        kafka_source_serve(source);
        status = context_sleep(source->context, SLICE);
        if (status != STATUS_OK)
            return status;
    }
}

enum status kafka_drain(struct kafka_source *source)
{
    kafka_hand_drop(source, NULL);
    enum status status = settle(source);
    if (status != STATUS_OK && status != STATUS_DEADLINE)
        return status;
    enum status committed = commit_all(source);
    return committed != STATUS_OK ? committed : status;
}

/* -- leaving -- */

void kafka_leave(struct kafka_source *source, int64_t patience)
{
    rd_kafka_t *rk = source->client.rk;
    source->leaving = true;
    kafka_member_set(source, NULL);
    kafka_hand_drop(source, NULL);
    /* Of a stretch's group nobody is a member. Its close only sends what may be committed still, and does not come before the answer to an earlier commit. */
    if (rk != NULL && (source->stretch == NULL || !source->client.left_asking)) {
        int64_t until = clock_now() + patience;
        rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
        rd_kafka_error_t *error = rd_kafka_consumer_close_queue(rk, queue);
        while (error == NULL && !rd_kafka_consumer_closed(rk) && clock_now() < until) {
            rd_kafka_message_t *message = rd_kafka_consume_queue(queue, CLOSE_POLL_MS);
            if (message != NULL)
                rd_kafka_message_destroy(message);
        }
        if (error != NULL)
            rd_kafka_error_destroy(error); /* a fatal error: the group has put us out already */
        else if (!rd_kafka_consumer_closed(rk) && source->stretch == NULL)
            log_warn(source->client.part, "the group did not answer our leaving: it gives the partitions to others "
                                          "only after the session timeout");
        rd_kafka_queue_destroy(queue);
    }
    if (source->stretch != NULL)
        kafka_stretch_leave(source);
    unsigned count = source->count;
    while (source->count > 0)
        kafka_partition_free(source->partitions[source->count - 1]);
    if (source->stretch == NULL)
        log_info(source->client.part, "left the group %s with %u partition%s", source->config->group, count,
                 count == 1 ? "" : "s");
}
