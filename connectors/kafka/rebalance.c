/*
 * Partitions come and go. The same code serves the cooperative, the eager and the new consumer protocol: only the call at the end differs.
 * Revoked: stop popping, let what is in flight get its verdict (bounded), commit, fence the epoch. Lost: the group has given the partitions away already, and
 * so nothing may be committed: fence at once; what was in flight comes again to the new owner.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/source.h"
#include "processor/log.h"

enum { COMMITTED_MS = 1000, METADATA_MS = 1000 };
#define COMMITTED_PATIENCE (5 * CLOCK_SECOND)
/* A transaction whose process died is ended by the broker after its transaction.timeout.ms, which it looks for every ten seconds. */
#define UNSTABLE_PATIENCE (120 * CLOCK_SECOND)
#define UNSTABLE_LOOK (200 * CLOCK_MS)

static bool cooperative(rd_kafka_t *rk)
{
    const char *protocol = rd_kafka_rebalance_protocol(rk);
    return protocol != NULL && strcmp(protocol, "COOPERATIVE") == 0;
}

/* Takes error. */
static void check_error(struct kafka_source *source, const char *what, rd_kafka_error_t *error)
{
    if (error == NULL)
        return;
    log_error(source->client.part, "%s: %s", what, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
}

static void check(struct kafka_source *source, const char *what, rd_kafka_resp_err_t err)
{
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_error(source->client.part, "%s: %s", what, rd_kafka_err2str(err));
}

static rd_kafka_resp_err_t ask_once(struct kafka_source *source, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t err = rd_kafka_committed(source->client.rk, list, COMMITTED_MS);
    for (int i = 0; i < list->cnt && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        err = list->elems[i].err;
    return err;
}

static bool broker_answers(struct kafka_source *source)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t err = rd_kafka_metadata(source->client.rk, 0, NULL, &metadata, METADATA_MS);
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void tell_wait(struct kafka_source *source)
{
    static const char WHY[] = "waiting for the group's offsets: a transaction that moves some of them is not over yet";
    log_info(source->client.part, "%s", WHY);
    intake_state(source->intake, true, source->assigned ? (int)source->count : -1, WHY);
}

/* An offset in a transaction that is not over yet is neither committed nor not: it is waited for, unless a drain begins, for which no start is needed. librdkafka may not
 * tell of it, but ask again until the time is over: then there are brokers that answer everything else. */
static rd_kafka_resp_err_t ask_for_committed(struct kafka_source *source, rd_kafka_topic_partition_list_t *list)
{
    int64_t began = clock_now();
    for (bool told = false;;) {
        rd_kafka_resp_err_t err = ask_once(source, list);
        bool silent = err == RD_KAFKA_RESP_ERR__TIMED_OUT, stable = err != RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
        int64_t waited = clock_now() - began;
        if (silent && broker_answers(source))
            stable = false;
        if ((stable && (!silent || waited > COMMITTED_PATIENCE)) || waited > UNSTABLE_PATIENCE)
            return err;
        if (!stable && !told) {
            told = true;
            tell_wait(source);
        }
        if (intake_draining(source->intake) || context_sleep(source->context, UNSTABLE_LOOK) != STATUS_OK)
            return RD_KAFKA_RESP_ERR__NO_OFFSET;
    }
}

/* Sets where each partition of the list starts: at the committed offset, where there is one. librdkafka would look for it itself, but would not tell us; and whether
 * retention took records away while nobody consumed shows only to who knows where we had been. False: not known, and the run ends, or a drain began. */
static bool find_starts(struct kafka_source *source, rd_kafka_topic_partition_list_t *list)
{
    bool latest = source->config->start == KAFKA_START_LATEST;
    rd_kafka_topic_partition_list_t *committed = rd_kafka_topic_partition_list_copy(list);
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (list->cnt > 0)
        err = ask_for_committed(source, committed);
    for (int i = 0; i < committed->cnt && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        const rd_kafka_topic_partition_t *from = &committed->elems[i];
        rd_kafka_topic_partition_t *to = &list->elems[i];
        to->offset = from->offset;
        if (from->offset >= 0)
            rd_kafka_topic_partition_set_leader_epoch(to, rd_kafka_topic_partition_get_leader_epoch(from));
        else
            to->offset = latest ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
    }
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR__NO_OFFSET)
        kafka_source_fail(source, ERROR_TRANSIENT, "could not ask for the committed offsets: %s",
                          rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(committed);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

struct offset_start *kafka_find_store_starts(struct kafka_source *source, rd_kafka_topic_partition_list_t *list)
{
    struct error error = {0};
    struct offset_start *starts = calloc((size_t)list->cnt + 1, sizeof *starts);
    if (starts == NULL) {
        kafka_source_fail(source, ERROR_TRANSIENT, "out of memory");
        return NULL;
    }
    for (int i = 0; i < list->cnt; i++)
        starts[i] = (struct offset_start){.topic = list->elems[i].topic, .partition = list->elems[i].partition};
    enum status status = intake_find_starts(source->intake, starts, (unsigned)list->cnt, source->context,
                                            clock_now() + source->patience, &error);
    if (status == STATUS_FAILED)
        kafka_source_fail(source, error.class, "could not ask the store for its offsets: %s", error.text);
    if (status != STATUS_OK) {
        free(starts);
        return NULL;
    }
    for (int i = 0; i < list->cnt; i++) {
        rd_kafka_topic_partition_t *entry = &list->elems[i];
        if (intake_commits_elsewhere(source->intake))
            starts[i].offset = entry->offset >= 0 ? entry->offset : -1;
        if (intake_commits_elsewhere(source->intake) || starts[i].offset < 0 || starts[i].offset == entry->offset)
            continue;
        entry->offset = starts[i].offset;
        rd_kafka_topic_partition_set_leader_epoch(entry, -1);
    }
    return starts;
}

static void add_partitions(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list,
                           const struct offset_start *starts)
{
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &list->elems[i];
        if (kafka_partition_find(source, entry->topic, entry->partition) != NULL)
            continue;
        int64_t next = entry->offset >= 0 ? entry->offset : -1;
        struct kafka_partition *partition = kafka_partition_new(source, entry->topic, entry->partition, next);
        if (partition == NULL)
            kafka_source_fail(source, ERROR_TRANSIENT, "%s/%d: could not take the partition: out of memory",
                              entry->topic, (int)entry->partition);
        if (partition == NULL)
            continue;
        intake_set_stored(partition->intake, starts[i].offset);
        kafka_end_note(partition);
    }
}

/* The limits are fixed when the consumer is made: with far more partitions than there were then, they would let too much in. */
static void look_at_limits(struct kafka_source *source)
{
    if (source->count > 2 * source->planned)
        kafka_source_fail(source, ERROR_RESTART,
                          "%u partitions are assigned, and the limits of fetching are made for %u: making them anew",
                          source->count, source->planned);
}

static void assign(struct kafka_source *source, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_t *rk = source->client.rk;
    struct offset_start *starts = find_starts(source, list) ? kafka_find_store_starts(source, list) : NULL;
    if (starts != NULL)
        add_partitions(source, list, starts);
    free(starts);
    if (cooperative(rk))
        check_error(source, "assign", rd_kafka_incremental_assign(rk, list));
    else
        check(source, "assign", rd_kafka_assign(rk, list));
    kafka_fetch_pause_new(source, list);
    source->assigned = true;
    kafka_client_up(&source->client);
    log_info(source->client.part, "assigned %d partition%s, now %u", list->cnt, list->cnt == 1 ? "" : "s",
             source->count);
    intake_rebalanced(source->intake);
    kafka_source_tell_state(source);
    look_at_limits(source);
}

/* Lets the partitions' records get their verdict and commits them. */
static void hand_over(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list)
{
    int64_t until = clock_now() + source->session / 2, drain = intake_drain_deadline(source->intake);
    if (drain < until)
        until = drain;
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_partition *partition = kafka_partition_find(source, list->elems[i].topic,
                                                                 list->elems[i].partition);
        if (partition == NULL)
            continue;
        kafka_hand_drop(source, partition);
        enum status status = intake_settle(source->intake, partition->intake, source->context, until);
        if (status != STATUS_OK)
            log_warn(source->client.part,
                     "%s/%d is revoked with %llu records in flight: its next owner gets them again", partition->topic,
                     (int)partition->id, (unsigned long long)intake_in_flight(partition->intake));
    }
    /* A little time of its own: what was settled should not come again because something else was slow. */
    int64_t least = clock_now() + CLOCK_SECOND;
    (void)kafka_commit(source, list, until > least ? until : least);
}

static void revoke(struct kafka_source *source, rd_kafka_topic_partition_list_t *list, bool lost)
{
    rd_kafka_t *rk = source->client.rk;
    if (lost)
        log_warn(source->client.part,
                 "lost %d partition%s: the group gave them away (no heartbeat in time, or no polling)", list->cnt,
                 list->cnt == 1 ? "" : "s");
    else
        hand_over(source, list);
    for (int i = 0; i < list->cnt; i++)
        kafka_partition_free(kafka_partition_find(source, list->elems[i].topic, list->elems[i].partition));
    /* librdkafka remembers a pause past the revoke. */
    if (source->paused && list->cnt > 0)
        (void)rd_kafka_resume_partitions(rk, list);
    if (cooperative(rk))
        check_error(source, "unassign", rd_kafka_incremental_unassign(rk, list));
    else
        check(source, "unassign", rd_kafka_assign(rk, NULL));
    log_info(source->client.part, "revoked %d partition%s, now %u", list->cnt, list->cnt == 1 ? "" : "s",
             source->count);
    intake_rebalanced(source->intake);
    kafka_source_tell_state(source);
}

/* Once it is closing, librdkafka (2.15) takes the first answer to whatever event for giving everything back. There may be a second event (an assignment was on its way), but when
 * that is answered the group's part may have ended already: the call would never return. */
static void give_back(struct kafka_source *source)
{
    if (source->gave_back)
        return;
    source->gave_back = true;
    check(source, "unassign", rd_kafka_assign(source->client.rk, NULL));
}

void kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct kafka_client *client = opaque;
    struct kafka_source *source = client->owner;
    if (source->leaving) {
        give_back(source);
        return;
    }
    switch (err) {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
        assign(source, list);
        break;
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
        revoke(source, list, rd_kafka_assignment_lost(rk));
        break;
    default:
        log_error(client->part, "rebalance failed: %s", rd_kafka_err2str(err));
        check(source, "unassign", rd_kafka_assign(rk, NULL));
    }
}
