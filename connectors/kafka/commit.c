/*
 * What may be committed comes from the ledger. In the run it is handed to librdkafka's auto-commit timer (rd_kafka_offsets_store), at a revoke and at the end it is
 * committed at once; the answer is waited for on a queue of its own, with a deadline: the synchronous call never returns when the coordinator hangs.
 *
 * Where the store commits (exactly once, in the same cluster) nothing is committed here, not even the position behind the last record: an offset committed between the store's sending
 * its own and the end of its transaction would count as the newer one.
 */
#include "connectors/kafka/source.h"
#include "connectors/kafka/stretch.h"
#include "processor/log.h"

#define SLICE (50 * CLOCK_MS)

/* Behind the last record there may be control records, gaps of compaction, lost ranges: when all that was pushed is settled, the position itself is committed, so that
 * the lag that others see is 0, and what is lost is lost once. */
static int64_t committable(const struct kafka_partition *partition)
{
    const struct kafka_hand *hand = &partition->source->hand;
    if (partition->intake == NULL)
        return -1;
    int64_t offset = intake_committable(partition->intake);
    /* Where the store commits, the offset is its own before anything was pushed. */
    bool all_settled = (partition->pushed < 0 || offset == partition->pushed) &&
                       (hand->partition != partition || hand->batch == NULL);
    int64_t position = partition->position;
    if (partition->until >= 0 && position > partition->until)
        position = partition->until;
    return all_settled && position > offset ? position : offset;
}

static void list_add(rd_kafka_topic_partition_list_t *list, const struct kafka_partition *partition, int64_t offset)
{
    rd_kafka_topic_partition_t *entry = rd_kafka_topic_partition_list_add(list, partition->topic, partition->id);
    const char *seal = kafka_stretch_seal(partition->source, partition->topic, partition->id);
    entry->offset = offset;
    if (seal != NULL)
        kafka_seal_put(entry, seal);
    int32_t epoch = kafka_partition_epoch(partition, offset - 1);
    if (epoch >= 0)
        rd_kafka_topic_partition_set_leader_epoch(entry, epoch);
}

static void note_committed(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list,
                           rd_kafka_resp_err_t err)
{
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &list->elems[i];
        rd_kafka_resp_err_t code = entry->err != RD_KAFKA_RESP_ERR_NO_ERROR ? entry->err : err;
        if (entry->offset < 0)
            continue;
        struct kafka_partition *partition = kafka_partition_find(source, entry->topic, entry->partition);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            log_warn(source->client.part, "%s/%d: offset %lld was not committed: %s", entry->topic,
                     (int)entry->partition, (long long)entry->offset, rd_kafka_err2str(code));
        else if (partition != NULL && partition->intake != NULL)
            intake_committed(partition->intake, entry->offset);
    }
}

void kafka_on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list, void *opaque)
{
    const struct kafka_client *client = opaque;
    (void)rk;
    if (err != RD_KAFKA_RESP_ERR__NO_OFFSET)
        note_committed(client->owner, list, err);
}

static void note_stored(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &list->elems[i];
        struct kafka_partition *partition = kafka_partition_find(source, entry->topic, entry->partition);
        if (entry->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            partition->stored = entry->offset;
        else if (entry->err != RD_KAFKA_RESP_ERR__STATE) /* being assigned or revoked: comes again */
            log_warn(source->client.part, "%s/%d: offset %lld was not stored: %s", entry->topic, (int)entry->partition,
                     (long long)entry->offset, rd_kafka_err2str(entry->err));
    }
}

/* all: also what did not change. */
static void tell_committed_elsewhere(struct kafka_source *source, bool all)
{
    for (unsigned i = 0; i < source->count; i++) {
        struct kafka_partition *partition = source->partitions[i];
        int64_t offset = partition->intake == NULL ? -1
                         : source->silent          ? committable(partition)
                                                   : intake_committable(partition->intake);
        if (offset >= 0 && (all || offset != partition->stored))
            intake_committed(partition->intake, offset);
        partition->stored = offset;
    }
}

void kafka_store_offsets(struct kafka_source *source)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    if (source->elsewhere || source->silent) {
        tell_committed_elsewhere(source, false);
        return;
    }
    for (unsigned i = 0; i < source->count; i++) {
        const struct kafka_partition *partition = source->partitions[i];
        int64_t offset = committable(partition);
        if (offset < 0 || offset == partition->stored)
            continue;
        if (list == NULL)
            list = rd_kafka_topic_partition_list_new((int)(source->count - i));
        list_add(list, partition, offset);
    }
    if (list == NULL)
        return;
    (void)rd_kafka_offsets_store(source->client.rk, list); /* its answer is of the last element only */
    note_stored(source, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static rd_kafka_topic_partition_list_t *offsets_of(struct kafka_source *source,
                                                   const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new((int)source->count);
    for (unsigned i = 0; i < source->count; i++) {
        const struct kafka_partition *partition = source->partitions[i];
        int64_t offset = committable(partition);
        bool wanted = list == NULL || rd_kafka_topic_partition_list_find(list, partition->topic, partition->id) != NULL;
        if (offset >= 0 && wanted)
            list_add(offsets, partition, offset);
    }
    return offsets;
}

/* True: it was the answer to `which` (an answer to an earlier commit, which was given up, may come first). */
static bool take_answer(struct kafka_source *source, rd_kafka_event_t *event, const void *which, enum status *ret)
{
    bool commit = rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT;
    bool ours = commit && rd_kafka_event_opaque(event) == which;
    rd_kafka_resp_err_t err = rd_kafka_event_error(event);
    if (commit)
        note_committed(source, rd_kafka_event_topic_partition_list(event), err);
    rd_kafka_event_destroy(event);
    if (ours)
        *ret = err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR__NO_OFFSET ? STATUS_OK : STATUS_FAILED;
    return ours;
}

static enum status wait_for_answer(struct kafka_source *source, const void *which, int64_t until)
{
    for (;;) {
        int64_t left = until - clock_now();
        left = left > SLICE ? SLICE : left;
        rd_kafka_event_t *event = rd_kafka_queue_poll(source->replies, left > 0 ? (int)(left / CLOCK_MS) : 0);
        enum status status;
        if (event != NULL && take_answer(source, event, which, &status))
            return status;
        if (event != NULL)
            continue;
        status = context_status(source->context);
        if (status != STATUS_OK)
            return status;
        if (left <= 0)
            return STATUS_DEADLINE;
    }
}

enum status kafka_commit_list(struct kafka_source *source, const rd_kafka_topic_partition_list_t *offsets,
                              int64_t until)
{
    static _Atomic intptr_t numbers;
    void *which = (void *)(atomic_fetch_add(&numbers, 1) + 1);
    rd_kafka_resp_err_t err = rd_kafka_commit_queue(source->client.rk, offsets, source->replies, NULL, which);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_error(source->client.part, "could not commit: %s", rd_kafka_err2str(err));
        return STATUS_FAILED;
    }
    enum status status = wait_for_answer(source, which, until);
    source->client.left_asking = status == STATUS_DEADLINE;
    return status;
}

/* The end of a stretch is behind its last record, so no transaction of the store may be left that would move offsets back. */
static bool is_over(const struct kafka_source *source)
{
    bool over = source->stretch != NULL && !source->silent;
    for (unsigned i = 0; i < source->count && over; i++)
        over = source->partitions[i]->intake != NULL && intake_in_flight(source->partitions[i]->intake) == 0;
    return over;
}

enum status kafka_commit(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list, int64_t until)
{
    if (source->elsewhere || source->silent) {
        tell_committed_elsewhere(source, true);
        if (!is_over(source))
            return STATUS_OK;
    }
    /* librdkafka commits what is stored once more when partitions are taken away: what is older there would move the group back. */
    kafka_store_offsets(source);
    rd_kafka_topic_partition_list_t *offsets = offsets_of(source, list);
    enum status status = STATUS_OK;
    if (offsets->cnt > 0) {
        status = kafka_commit_list(source, offsets, until);
        if (status == STATUS_DEADLINE)
            log_error(source->client.part,
                      "no answer to a commit in time: what was not committed comes again after the next start");
    }
    rd_kafka_topic_partition_list_destroy(offsets);
    return status;
}

void kafka_commit_back(struct kafka_partition *partition, int64_t offset)
{
    struct kafka_source *source = partition->source;
    if (source->elsewhere)
        return;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, partition->topic, partition->id)->offset = offset;
    rd_kafka_resp_err_t err = rd_kafka_commit(source->client.rk, list, true);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_error(source->client.part, "could not commit: %s", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(list);
}
