/*
 * Partitions come and go. The same code serves the cooperative, the eager and the new consumer protocol: only the call at the end differs.
 * Revoked: stop popping, let what is in flight get its verdict (bounded), commit, fence the epoch. Lost: the group has given the partitions away already, and
 * so nothing may be committed: fence at once; what was in flight comes again to the new owner.
 */
#include <string.h>

#include "connectors/kafka/source.h"
#include "processor/log.h"

static bool cooperative(rd_kafka_t *rk)
{
    const char *protocol = rd_kafka_rebalance_protocol(rk);
    return protocol && strcmp(protocol, "COOPERATIVE") == 0;
}

static void check(struct kafka_source *source, const char *what, rd_kafka_error_t *error, rd_kafka_resp_err_t err)
{
    if (error) {
        log_error(source->client.part, "%s: %s", what, rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    } else if (err) {
        log_error(source->client.part, "%s: %s", what, rd_kafka_err2str(err));
    }
}

static void set_paused(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list, bool paused)
{
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_partition *partition = kafka_partition_find(source, list->elems[i].topic, list->elems[i].partition);
        if (!partition || partition->paused == paused)
            continue;
        partition->paused = paused;
        intake_paused(partition->intake, paused);
    }
}

static void assign(struct kafka_source *source, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_t *rk = source->client.rk;
    for (int i = 0; i < list->cnt; i++) {
        const char *topic = list->elems[i].topic;
        int32_t id = list->elems[i].partition;
        if (!kafka_partition_find(source, topic, id) && !kafka_partition_new(source, topic, id))
            kafka_source_fail(source, ERROR_TRANSIENT, "%s/%d: could not take the partition: out of memory", topic, (int)id);
    }
    if (cooperative(rk))
        check(source, "assign", rd_kafka_incremental_assign(rk, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    else
        check(source, "assign", NULL, rd_kafka_assign(rk, list));
    if (source->paused && list->cnt > 0) {
        check(source, "pause", NULL, rd_kafka_pause_partitions(rk, list));
        set_paused(source, list, true);
    }
    source->assigned = true;
    log_info(source->client.part, "assigned %d more partitions, %u in all", list->cnt, source->count);
    intake_rebalanced(source->intake);
    kafka_source_tell_state(source);
}

/* Lets the partitions' records get their verdict and commits them. */
static void hand_over(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list)
{
    int64_t until = clock_now() + source->session / 2, drain = intake_drain_deadline(source->intake);
    if (drain < until)
        until = drain;
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_partition *partition = kafka_partition_find(source, list->elems[i].topic, list->elems[i].partition);
        if (!partition)
            continue;
        enum status status = intake_settle(source->intake, partition->intake, source->context, until);
        if (status != STATUS_OK)
            log_warn(source->client.part, "%s/%d is revoked with %llu records in flight: its next owner gets them again", partition->topic,
                     (int)partition->id, (unsigned long long)intake_in_flight(partition->intake));
    }
    /* A little time of its own: what was settled should not come again because something else was slow. */
    int64_t now = clock_now();
    (void)kafka_commit(source, list, until > now + CLOCK_SECOND ? until : now + CLOCK_SECOND);
}

static void revoke(struct kafka_source *source, rd_kafka_topic_partition_list_t *list, bool lost)
{
    rd_kafka_t *rk = source->client.rk;
    if (lost)
        log_warn(source->client.part, "lost %d partitions: the group gave them away (no heartbeat in time, or no polling)", list->cnt);
    else if (!source->leaving)
        hand_over(source, list);
    bool paused = source->paused;
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_partition *partition = kafka_partition_find(source, list->elems[i].topic, list->elems[i].partition);
        if (partition)
            kafka_partition_free(partition);
    }
    /* librdkafka remembers a pause past the revoke. */
    if (paused && list->cnt > 0)
        (void)rd_kafka_resume_partitions(rk, list);
    if (cooperative(rk))
        check(source, "unassign", rd_kafka_incremental_unassign(rk, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    else
        check(source, "unassign", NULL, rd_kafka_assign(rk, NULL));
    log_info(source->client.part, "revoked %d partitions, %u left", list->cnt, source->count);
    if (!source->leaving) {
        intake_rebalanced(source->intake);
        kafka_source_tell_state(source);
    }
}

void kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct kafka_client *client = opaque;
    struct kafka_source *source = client->owner;
    switch (err) {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
        assign(source, list);
        break;
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
        revoke(source, list, rd_kafka_assignment_lost(rk));
        break;
    default:
        log_error(client->part, "rebalance failed: %s", rd_kafka_err2str(err));
        check(source, "unassign", NULL, rd_kafka_assign(rk, NULL));
    }
}
