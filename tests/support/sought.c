#include "tests/support/sought.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/clock.h"
#include "processor/connector.h"
#include "tests/support/kafka.h"
#include "tests/support/parse.h"
#include "tests/support/scene.h"

extern const struct source_type kafka_source;

static void send_dated(rd_kafka_t *rk, const char *topic, int32_t partition, const char *key, int64_t timestamp)
{
    char value[64];
    int size = snprintf(value, sizeof value, "{\"n\": \"%d-%lld\"}", (int)partition, (long long)timestamp);
    rd_kafka_resp_err_t err = rd_kafka_producev(
        rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key, strlen(key)),
        RD_KAFKA_V_VALUE(value, (size_t)size), RD_KAFKA_V_TIMESTAMP(timestamp),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK), RD_KAFKA_V_END);
    assert_int_equal(err, RD_KAFKA_RESP_ERR_NO_ERROR);
}

void sought_send(const char *topic, int32_t partition, const char *key, int64_t timestamp)
{
    send_dated(scene_producer, topic, partition, key, timestamp);
}

void sought_transaction(const char *topic, int32_t partition, int64_t timestamp, unsigned count, bool commit)
{
    static unsigned number;
    char id[64];
    snprintf(id, sizeof id, "sought-%u", number++);
    const struct kafka_property properties[] = {{"transactional.id", id}, {NULL, NULL}};
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_PRODUCER, scene_broker, properties, NULL);
    assert_null(rd_kafka_init_transactions(rk, KAFKA_WAIT_MS));
    assert_null(rd_kafka_begin_transaction(rk));
    for (unsigned i = 0; i < count; i++)
        send_dated(rk, topic, partition, "t", timestamp + i);
    /* All that is aborted shall have reached the log. */
    assert_int_equal(rd_kafka_flush(rk, KAFKA_WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_null(commit ? rd_kafka_commit_transaction(rk, KAFKA_WAIT_MS)
                       : rd_kafka_abort_transaction(rk, KAFKA_WAIT_MS));
    rd_kafka_destroy(rk);
    /* The answer may come before the markers are in the log; who takes the name over waits for them. */
    rk = kafka_connect(RD_KAFKA_PRODUCER, scene_broker, properties, NULL);
    assert_null(rd_kafka_init_transactions(rk, KAFKA_WAIT_MS));
    rd_kafka_destroy(rk);
}

int64_t sought_committed(const char *group, const char *topic, int32_t partition, char *ret_text, size_t size)
{
    const struct kafka_property properties[] = {{"group.id", group}, {NULL, NULL}};
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_CONSUMER, scene_broker, properties, NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition);
    assert_int_equal(rd_kafka_committed(rk, list, KAFKA_WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    const rd_kafka_topic_partition_t *entry = &list->elems[0];
    int64_t offset = entry->offset >= 0 ? entry->offset : -1;
    snprintf(ret_text, size, "%.*s", (int)entry->metadata_size,
             entry->metadata != NULL ? (const char *)entry->metadata : "");
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
    return offset;
}

struct stretch *sought_find(const char *yaml, const struct stretch_request *request, struct error *error)
{
    char text[1024];
    struct stretch *stretch = NULL;
    snprintf(text, sizeof text, "brokers: %s\n%s", scene_broker, yaml);
    struct parsed *parsed = parsed_new(kafka_source.config, text);
    if (parsed_config(parsed) == NULL)
        fail_msg("%s", parsed_report(parsed));
    const struct connector_env env = {.service = "test", .name = "kafka"};
    struct context *context = context_new(NULL, clock_now() + 30 * CLOCK_SECOND);
    *error = (struct error){0};
    enum status status = kafka_source.stretch->find(parsed_config(parsed), &env, request, &stretch, context, error);
    assert_int_equal(status, stretch != NULL ? STATUS_OK : STATUS_FAILED);
    context_free(context);
    parsed_free(parsed);
    return stretch;
}
