/*
 * Past a batch that can't be read. librdkafka reports it (not decompressible, or its checksum is wrong) and stays before it for ever; it does not say where it
 * ends. So we ask: seek behind the first offset that is lost, 1, 2, 4, 8 ... further, until something comes that is not the same error; then go back by halves
 * to the first offset that is good, so that no good record is skipped. A batch of 10,000 records takes some 28 questions.
 *
 * What answers a question: a record, the partition's end, the same error again, or the error of another batch. The latter is as good as a record: that batch's own search
 * begins when this one is over. Silence is none: the broker may be slow or stopped, and good records would count as lost. After ANSWER_AFTER we ask again.
 */
#include <stdio.h>

#include "connectors/kafka/source.h"
#include "processor/log.h"

#define ANSWER_AFTER                                                                                                   \
    (60 * CLOCK_SECOND) /* librdkafka's socket.timeout.ms: by then a fetch was answered, or given up and sent again */
enum { QUERY_MS = 2000 };

/* -1: could not be asked. */
static int64_t end_of(const struct kafka_partition *partition)
{
    int64_t low = -1, high = -1;
    rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets(partition->source->client.rk, partition->topic,
                                                               partition->id, &low, &high, QUERY_MS);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR ? high : -1;
}

/* What is left of the queue from before is void then, and so is an end that another question was answered with. */
static void ask(struct kafka_partition *partition, int64_t offset)
{
    partition->search.at = offset;
    partition->search.asked_at = clock_now();
    partition->search.again = !kafka_partition_seek(partition, offset);
}

/* Chooses the next question. False: there is none, `good` is the first good offset. */
static bool choose(struct kafka_partition *partition, int64_t *ret_offset)
{
    struct kafka_search *search = &partition->search;
    if (search->good < 0) {
        int64_t next = search->bad + search->step, end = end_of(partition);
        /* A seek behind the end would be answered with the log's beginning. While we don't know the end, the same question again: its answer brings us back here. */
        if (end < 0) {
            *ret_offset = search->at;
            return true;
        }
        search->step *= 2;
        /* Nothing is there yet: as good as a record. */
        if (next >= end)
            search->good = end > search->bad ? end : search->bad + 1;
        else
            *ret_offset = next;
    }
    if (search->good < 0)
        return true;
    if (search->good <= search->bad + 1)
        return false;
    *ret_offset = search->bad + (search->good - search->bad) / 2;
    return true;
}

/* After `bad` or `good` moved. True: over, and what answered last is what stands at the first good offset. */
static bool go_on(struct kafka_partition *partition)
{
    struct kafka_search *search = &partition->search;
    int64_t offset = 0;
    if (choose(partition, &offset)) {
        ask(partition, offset);
        return false;
    }
    search->on = search->again = false;
    /* What is behind the end is none of ours. */
    int64_t to = partition->until >= 0 && search->good > partition->until ? partition->until : search->good;
    intake_lost_range(partition->intake, search->from, to, search->reason);
    partition->position = search->good;
    if (search->at == search->good)
        return true;
    ask(partition, search->good);
    return false;
}

/* The same batch again, or something else that starts behind what is bad. True as go_on. */
static bool answer_error(struct kafka_partition *partition, int64_t base)
{
    struct kafka_search *search = &partition->search;
    if (base <= search->bad)
        search->bad = search->at > search->bad ? search->at : search->bad;
    else
        search->good = search->at < base ? search->at : base;
    return go_on(partition);
}

void kafka_corrupt_begin(struct kafka_partition *partition, int64_t base, const char *reason)
{
    struct kafka_source *source = partition->source;
    struct kafka_search *search = &partition->search;
    if (source->config->on_corrupt == KAFKA_CORRUPT_STOP) {
        kafka_source_fail(source, ERROR_FATAL,
                          "%s/%d: the batch at offset %lld can't be read (%s); `on_corrupt: skip` would go past it",
                          partition->topic, (int)partition->id, (long long)base, reason);
        return;
    }
    if (search->on && !answer_error(partition, base))
        return;
    /* The first error, or that of another batch right behind the one that was searched for. What stands in a broken batch is not to be trusted, its base
     * neither: what is lost begins where we stand. */
    int64_t from = partition->position >= 0 ? partition->position : base;
    *search = (struct kafka_search){.on = true, .from = from, .bad = from, .good = -1, .step = 1, .at = from};
    snprintf(search->reason, sizeof search->reason, "%s", reason);
    log_error(source->client.part, "%s/%d: the batch at offset %lld can't be read (%s): looking for its end",
              partition->topic, (int)partition->id, (long long)from, reason);
    (void)go_on(partition);
}

bool kafka_corrupt_answer(struct kafka_partition *partition, int64_t offset)
{
    struct kafka_search *search = &partition->search;
    if (offset < search->at) {
        /* librdkafka went back to the log's beginning: it strayed, as it does after a wrong checksum; or what we asked for is not there any more, as the topic was
         * truncated or made anew, and so the batch may be another one. Then we look at what comes, from where we stand. */
        int64_t end = end_of(partition);
        if (end >= 0 && end < search->at) {
            search->on = search->again = false;
            return true;
        }
        ask(partition, search->at);
        return false;
    }
    search->good = search->at;
    return go_on(partition);
}

void kafka_corrupt_tick(struct kafka_partition *partition)
{
    struct kafka_search *search = &partition->search;
    if (search->again) {
        ask(partition, search->at);
    } else if (search->on && partition->source->client.state == KAFKA_UP && !partition->paused &&
               clock_now() - search->asked_at > ANSWER_AFTER) {
        log_warn(partition->source->client.part,
                 "%s/%d: looking for the end of the batch at offset %lld: no answer at offset %lld, asking again",
                 partition->topic, (int)partition->id, (long long)search->from, (long long)search->at);
        ask(partition, search->at);
    }
}
