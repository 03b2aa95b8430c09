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

static void wait_for(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_WAIT_MS);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
}

void sought_make_topic(const char *topic, int partitions, const char *name, const char *value)
{
    char words[256];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(scene_producer);
    rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(topic, partitions, 1, words, sizeof words);
    assert_int_equal(rd_kafka_NewTopic_set_config(made, name, value), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_CreateTopics(scene_producer, &made, 1, NULL, queue);
    wait_for(queue);
    rd_kafka_NewTopic_destroy(made);
    kafka_make_topic(scene_producer, topic, partitions);
}

void sought_delete_before(const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(scene_producer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    rd_kafka_DeleteRecords_t *deleted = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(scene_producer, &deleted, 1, NULL, queue);
    wait_for(queue);
    rd_kafka_DeleteRecords_destroy(deleted);
    rd_kafka_topic_partition_list_destroy(list);
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
    if (ret_text != NULL)
        snprintf(ret_text, size, "%.*s", (int)entry->metadata_size,
                 entry->metadata != NULL ? (const char *)entry->metadata : "");
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
    return offset;
}

void sought_commit(const char *group, const char *topic, int32_t partition, int64_t offset, const char *text)
{
    const struct kafka_property properties[] = {{"group.id", group}, {NULL, NULL}};
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_CONSUMER, scene_broker, properties, NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *entry = rd_kafka_topic_partition_list_add(list, topic, partition);
    entry->offset = offset;
    entry->metadata = text != NULL ? strdup(text) : NULL;
    entry->metadata_size = text != NULL ? strlen(text) : 0;
    assert_int_equal(rd_kafka_commit(rk, list, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
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
