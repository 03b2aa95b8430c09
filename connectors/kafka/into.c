/* See into.h. */
#include "connectors/kafka/into.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/ask.h"
#include "connectors/kafka/source.h"
#include "connectors/kafka/store.h"
#include "processor/clock.h"
#include "processor/json.h"
#include "processor/stretch.h"

#define CLOSE_PATIENCE (2 * CLOCK_SECOND)

struct kafka_into {
    struct kafka_store_config config;
    struct arena arena;
};

struct kafka_into *kafka_into_new(const char *topic)
{
    char why[ERROR_TEXT_MAX];
    unsigned at;
    struct kafka_into *into = calloc(1, sizeof *into);
    if (into == NULL)
        return NULL;
    arena_init(&into->arena, NULL);
    into->config.headers = true;
    into->config.timestamp = KAFKA_TIMESTAMP_RECORD;
    struct bytes name = bytes_of_string(topic);
    uint8_t *json = arena_text(&into->arena, JSON_QUOTED_MAX(name.size));
    if (json != NULL)
        into->config.topic = template_constant(bytes_of(json, (uint32_t)json_quote(json, name)), &into->arena);
    if (into->config.topic == NULL ||
        template_compile("{{partition}}", &into->arena, &into->config.partition, &at, why, sizeof why) != STATUS_OK) {
        kafka_into_free(into);
        return NULL;
    }
    return into;
}

void kafka_into_free(struct kafka_into *into)
{
    if (into == NULL)
        return;
    arena_fini(&into->arena);
    free(into);
}

const void *kafka_into_config(const struct kafka_into *into)
{
    return &into->config;
}

/* -- is there room for them -- */

static int32_t count_partitions(const struct rd_kafka_metadata *metadata)
{
    return metadata != NULL && metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR
               ? metadata->topics[0].partition_cnt
               : 0;
}

static enum status ask(struct kafka_client *client, const char *topic, struct context *context, int32_t *ret,
                       struct error *error)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(client->rk, topic, NULL);
    if (rkt == NULL)
        return error_set(error, ERROR_FATAL, "\"%s\" can't be the name of a topic", topic);
    rd_kafka_resp_err_t err = kafka_ask_metadata(client, context, false, rkt, &metadata);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1)
        err = metadata->topics[0].err;
    *ret = count_partitions(metadata);
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(rkt);
    if (kafka_ask_is_missing(err) || (err == RD_KAFKA_RESP_ERR_NO_ERROR && *ret == 0))
        return error_set(error, ERROR_FATAL,
                         "there is no topic %s: make it, with as many partitions as the records have", topic);
    return kafka_ask_judge(client, err, topic, error);
}

static enum status judge(const struct stretch *stretch, const char *topic, int32_t partitions, struct error *error)
{
    for (unsigned i = 0; i < stretch->count; i++) {
        const struct stretch_part *part = &stretch->parts[i];
        if (strcmp(part->topic, stretch->parts[0].topic) != 0)
            return error_set(error, ERROR_FATAL,
                             "records of %s and %s would be mixed in %s: choose one with --partitions",
                             stretch->parts[0].topic, part->topic, topic);
        if (part->partition >= partitions && part->next < part->end)
            return error_set(error, ERROR_FATAL,
                             "%s has %d partitions, and there are records of partition %d: nothing was written", topic,
                             partitions, part->partition);
    }
    return STATUS_OK;
}

enum status kafka_into_check(const void *source_config, const char *topic, const struct stretch *stretch,
                             struct context *context, struct error *error)
{
    struct kafka_client client = {.part = "into-topic"};
    int32_t partitions = 0;
    rd_kafka_conf_t *conf = kafka_source_conf(source_config, error);
    if (conf == NULL)
        return STATUS_FAILED;
    if (kafka_conf_set(conf, "allow.auto.create.topics", "false", error) != STATUS_OK) {
        rd_kafka_conf_destroy(conf);
        return STATUS_FAILED;
    }
    enum status status = kafka_client_open(&client, KAFKA_CONSUMER, conf, error);
    if (status == STATUS_OK)
        status = ask(&client, topic, context, &partitions, error);
    if (status == STATUS_OK)
        status = judge(stretch, topic, partitions, error);
    (void)kafka_client_close(&client, CLOSE_PATIENCE);
    return status;
}
