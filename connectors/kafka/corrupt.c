/*
 * Past a batch that can't be read. librdkafka reports it (not decompressible, or its checksum is wrong) and stays before it for ever; it does not say where it
 * ends. So we ask: seek behind its first record, 1, 2, 4, 8 ... further, until something comes that is not the same error; then go back by halves
 * to the first offset that is good, so that no good record is skipped. A batch of 10,000 records takes some 28 questions.
 *
 * Three things answer a question: a record, the partition's end, or the error again; the error of another batch is a good answer too, as
 * its own search begins when this one is over.
 */
#include <stdio.h>

#include "connectors/kafka/source.h"
#include "processor/log.h"

/* -1: could not be asked. */
static int64_t end_of(struct kafka_partition *partition)
{
    int64_t low = -1, high = -1;
    rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets(partition->source->client.rk, partition->topic, partition->id, &low, &high, 5000);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR ? high : -1;
}

static void ask(struct kafka_partition *partition, int64_t offset)
{
    partition->search.at = offset;
    partition->search.again = !kafka_partition_seek(partition, offset);
}

static void finish(struct kafka_partition *partition)
{
    struct kafka_search *search = &partition->search;
    search->on = false;
    intake_lost_range(partition->intake, search->from, search->good, search->reason);
    partition->position = search->good;
}

/* Chooses the next question. False: there is none, `good` is the first good offset. */
static bool choose(struct kafka_partition *partition, int64_t *ret_offset)
{
    struct kafka_search *search = &partition->search;
    if (search->good < 0) {
        int64_t next = search->bad + search->step, end = end_of(partition);
        search->step *= 2;
        if (end >= 0 && next >= end)
            search->good = end > search->bad ? end : search->bad + 1; /* nothing is there yet: as good as a record */
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

/* After `bad` or `good` moved. True: over, and what was asked for last is the first good offset. */
static bool go_on(struct kafka_partition *partition)
{
    struct kafka_search *search = &partition->search;
    int64_t offset = 0;
    if (choose(partition, &offset)) {
        ask(partition, offset);
        return false;
    }
    bool there = search->at == search->good;
    finish(partition);
    if (!there) {
        partition->search.at = search->good;
        partition->search.again = !kafka_partition_seek(partition, search->good);
    }
    return there;
}

void kafka_corrupt_begin(struct kafka_partition *partition, int64_t base, const char *reason)
{
    struct kafka_source *source = partition->source;
    struct kafka_search *search = &partition->search;
    if (source->config->on_corrupt == KAFKA_CORRUPT_STOP) {
        kafka_source_fail(source, ERROR_FATAL, "%s/%d: the batch at offset %lld can't be read (%s); `on_corrupt: skip` would go past it", partition->topic,
                          (int)partition->id, (long long)base, reason);
        return;
    }
    if (!search->on) {
        int64_t from = partition->position > base ? partition->position : base;
        *search = (struct kafka_search){.on = true, .from = from, .base = base, .bad = from, .good = -1, .step = 1};
        snprintf(search->reason, sizeof(search->reason), "%s", reason);
        log_error(source->client.part, "%s/%d: the batch at offset %lld can't be read (%s): looking for its end", partition->topic, (int)partition->id,
                  (long long)base, reason);
    } else if (base <= search->bad) {
        if (search->at > search->bad)
            search->bad = search->at;
    } else {
        search->good = search->at < base ? search->at : base;
    }
    (void)go_on(partition);
}

bool kafka_corrupt_answer(struct kafka_partition *partition, int64_t offset)
{
    struct kafka_search *search = &partition->search;
    if (offset < search->at)
        return false;
    search->good = search->at;
    return go_on(partition);
}

void kafka_corrupt_tick(struct kafka_partition *partition)
{
    if (partition->search.again)
        partition->search.again = !kafka_partition_seek(partition, partition->search.at);
}
