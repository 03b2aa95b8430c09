/*
 * See stretch.h. A few records at the start of every part and a few before its end, of all partitions at once. Where the last offsets are none of records (a transaction's
 * marker, what compaction removed), more of them are read.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/stretch.h"
#include "processor/clock.h"

enum { POLL_MS = 100, FEW = 32, MANY = 2048 };
/* A plan need not be exact: it is not waited for longer. */
#define PATIENCE (5 * CLOCK_SECOND)

struct sample {
    const int64_t *low;
    int64_t bytes, count, last; /* of this round: what was seen, and the last timestamp */
    int64_t all_bytes, all_count;
    bool wanted, ended; /* ended: up to the part's end, as far as there is any record */
};

struct sampling {
    struct kafka_client *client;
    struct stretch *stretch;
    struct sample *samples;
    struct context *context;
    int64_t until;
    bool ends; /* the round looks at the ends */
};

static int64_t size_of(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    int64_t size = (int64_t)(message->len + message->key_len);
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return size;
    const char *name;
    const void *value;
    size_t value_size;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &value_size) == 0; i++)
        size += (int64_t)(strlen(name) + value_size);
    return size;
}

/* True: the part needs no more. */
static bool take(const struct sampling *sampling, struct stretch_part *part, struct sample *sample,
                 const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    sample->ended = message->offset + (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) >= part->end;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return true;
    /* What can't be read, or may not be, stays unknown. */
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || message->offset >= part->end)
        return true;
    int64_t timestamp = rd_kafka_message_timestamp(message, &type);
    if (!sampling->ends && sample->count == 0)
        part->first_time = timestamp;
    sample->last = timestamp;
    sample->bytes += size_of(message);
    sample->count++;
    return sample->ended || (!sampling->ends && sample->count >= FEW);
}

static void finish(const struct sampling *sampling, struct stretch_part *part, struct sample *sample)
{
    rd_kafka_topic_partition_list_t *done = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(done, part->topic, part->partition);
    rd_kafka_error_destroy(rd_kafka_incremental_unassign(sampling->client->rk, done));
    rd_kafka_topic_partition_list_destroy(done);
    sample->wanted = false;
    if (sample->ended)
        part->last_time = sample->last;
}

static void read_wanted(const struct sampling *sampling, int wanted)
{
    struct stretch *stretch = sampling->stretch;
    while (wanted > 0 && context_status(sampling->context) == STATUS_OK && clock_now() < sampling->until) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(sampling->client->rk, POLL_MS);
        const struct stretch_part *found = message != NULL && message->rkt != NULL
                                               ? stretch_part(stretch, rd_kafka_topic_name(message->rkt),
                                                              message->partition)
                                               : NULL;
        size_t at = found != NULL ? (size_t)(found - stretch->parts) : 0;
        if (found != NULL && sampling->samples[at].wanted &&
            take(sampling, &stretch->parts[at], &sampling->samples[at], message)) {
            finish(sampling, &stretch->parts[at], &sampling->samples[at]);
            wanted--;
        }
        if (message != NULL)
            rd_kafka_message_destroy(message);
    }
}

/* One round: of each part that its end is not known of yet, from its start, or from `back` before its end. */
static void sample_round(struct sampling *sampling, int64_t back)
{
    struct stretch *stretch = sampling->stretch;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)stretch->count);
    sampling->ends = back > 0;
    for (unsigned i = 0; i < stretch->count; i++) {
        const struct stretch_part *part = &stretch->parts[i];
        struct sample *sample = &sampling->samples[i];
        int64_t from = part->next > *sample->low ? part->next : *sample->low;
        bool again = sampling->ends && part->last_time >= 0;
        sample->wanted = from < part->end && !again && !(sampling->ends && sample->ended && sample->all_count == 0);
        if (!sample->wanted)
            continue;
        if (back > 0 && part->end - back > from)
            from = part->end - back;
        sample->bytes = sample->count = 0;
        sample->last = -1;
        rd_kafka_topic_partition_list_add(list, part->topic, part->partition)->offset = from;
    }
    rd_kafka_error_t *failed = list->cnt > 0 ? rd_kafka_incremental_assign(sampling->client->rk, list) : NULL;
    if (list->cnt > 0 && failed == NULL)
        read_wanted(sampling, list->cnt);
    rd_kafka_error_destroy(failed);
    (void)rd_kafka_assign(sampling->client->rk, NULL);
    rd_kafka_topic_partition_list_destroy(list);
    for (unsigned i = 0; i < stretch->count; i++) {
        sampling->samples[i].all_bytes += sampling->samples[i].bytes;
        sampling->samples[i].all_count += sampling->samples[i].count;
        sampling->samples[i].bytes = sampling->samples[i].count = 0;
    }
}

rd_kafka_conf_t *kafka_stretch_sample_conf(rd_kafka_conf_t *conf, struct error *error)
{
    static const struct kafka_setting OWN[] = {
        {"fetch.message.max.bytes", "65536"}, /* a broker sends one batch at least, however large */
        {"queued.min.messages", "1"},
        {"fetch.wait.max.ms", "100"},
        {NULL, NULL},
    };
    return kafka_conf_with(conf, OWN, error);
}

void kafka_stretch_sample(struct kafka_client *client, struct stretch *stretch, const int64_t *low,
                          struct context *context)
{
    struct sampling sampling = {
        .client = client,
        .stretch = stretch,
        .samples = calloc(stretch->count, sizeof(struct sample)),
        .context = context,
        .until = clock_now() + PATIENCE,
    };
    if (sampling.samples == NULL)
        return;
    for (unsigned i = 0; i < stretch->count; i++)
        sampling.samples[i].low = &low[i];
    sample_round(&sampling, 0);
    sample_round(&sampling, FEW);
    sample_round(&sampling, MANY);
    for (unsigned i = 0; i < stretch->count; i++) {
        struct stretch_part *part = &stretch->parts[i];
        const struct sample *sample = &sampling.samples[i];
        if (part->next == part->end)
            part->bytes = 0;
        else if (sample->all_count > 0)
            part->bytes = sample->all_bytes / sample->all_count * (part->end - part->next);
    }
    free(sampling.samples);
}
