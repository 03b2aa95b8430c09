#include "tests/support/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "tests/support/kafka.h"

const char *scene_broker;
rd_kafka_t *scene_producer;

int scene_connect(void **state)
{
    (void)state;
    static const struct kafka_property properties[] = {{"linger.ms", "1"}, {NULL, NULL}};
    scene_broker = getenv("WEIR_TEST_BROKER");
    if (scene_broker == NULL)
        kafka_die("no broker: run by scripts/run-tests.sh --servers, or set WEIR_TEST_BROKER");
    scene_producer = kafka_connect(RD_KAFKA_PRODUCER, scene_broker, properties, NULL);
    return 0;
}

int scene_disconnect(void **state)
{
    (void)state;
    rd_kafka_destroy(scene_producer);
    return 0;
}

void scene_send_bytes(const char *topic, int32_t partition, const char *key, const void *value, size_t size)
{
    size_t key_size = key != NULL ? strlen(key) : 0;
    rd_kafka_resp_err_t err = rd_kafka_producev(
        scene_producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key, key_size),
        RD_KAFKA_V_VALUE((void *)value, size), RD_KAFKA_V_HEADER("trace", "t-1", 3),
        RD_KAFKA_V_TIMESTAMP(1700000000123), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    assert_int_equal(err, 0);
}

void scene_send(const char *topic, int32_t partition, const char *key, const char *value)
{
    scene_send_bytes(topic, partition, key, value, value != NULL ? strlen(value) : 0);
}

void scene_send_orders(const char *topic, int partitions, int count)
{
    for (int i = 0; i < count; i++) {
        char value[128], key[32];
        snprintf(key, sizeof key, "k-%d", i);
        snprintf(value, sizeof value, "{\"order_id\": \"o-%d\", \"customer_id\": \"c-%d\", \"total\": %d.5}", i, i % 3,
                 i);
        scene_send(topic, i % partitions, key, value);
    }
    assert_int_equal(rd_kafka_flush(scene_producer, KAFKA_WAIT_MS), 0);
}

void scene_flush(void)
{
    assert_int_equal(rd_kafka_flush(scene_producer, KAFKA_WAIT_MS), 0);
}

static void wait_for(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_WAIT_MS);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
}

void scene_make_topic(const char *topic, int partitions, const struct kafka_property *properties)
{
    char words[256];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(scene_producer);
    rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(topic, partitions, 1, words, sizeof words);
    for (; properties->name != NULL; properties++)
        assert_int_equal(rd_kafka_NewTopic_set_config(made, properties->name, properties->value),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_CreateTopics(scene_producer, &made, 1, NULL, queue);
    wait_for(queue);
    rd_kafka_NewTopic_destroy(made);
    kafka_make_topic(scene_producer, topic, partitions);
}

void scene_delete_topic(const char *topic)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(scene_producer);
    rd_kafka_DeleteTopic_t *deleted = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_DeleteTopics(scene_producer, &deleted, 1, NULL, queue);
    wait_for(queue);
    rd_kafka_DeleteTopic_destroy(deleted);
    for (int64_t until = clock_now() + KAFKA_WAIT_MS * CLOCK_MS; kafka_partitions(scene_producer, topic) > 0;)
        assert_true(clock_now() < until);
}

void scene_delete_before(const char *topic, int32_t partition, int64_t offset)
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

int64_t scene_committed(const char *group, const char *topic, int32_t partition)
{
    const struct kafka_property properties[] = {{"group.id", group}, {NULL, NULL}};
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_CONSUMER, scene_broker, properties, NULL);
    int64_t offset = kafka_committed(rk, topic, partition);
    rd_kafka_destroy(rk);
    return offset;
}

void scene_commit(const char *group, const char *topic, int32_t partition, int64_t offset)
{
    const struct kafka_property properties[] = {{"group.id", group}, {NULL, NULL}};
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_CONSUMER, scene_broker, properties, NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    assert_int_equal(rd_kafka_commit(rk, list, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
}

void scene_delete_group(const char *group)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(scene_producer);
    rd_kafka_DeleteGroup_t *deleted = rd_kafka_DeleteGroup_new(group);
    rd_kafka_DeleteGroups(scene_producer, &deleted, 1, NULL, queue);
    wait_for(queue);
    rd_kafka_DeleteGroup_destroy(deleted);
}

void scene_config(const struct process *process, const char *name, const char *rest)
{
    process_file(process, "customers.csv", "id,name,tier\nc-0,Ada,gold\nc-1,\"Bo, jr.\",silver\n");
    process_file(process, "weir.yaml",
                 "service: %s\nmemory: 64MiB\n"
                 "source:\n  kafka: {brokers: \"%s\", group: %s, topics: [%s], start: earliest,\n"
                 "          properties: {topic.metadata.refresh.interval.ms: 1000}}\n%s",
                 name, scene_broker, name, name, rest);
}

void scene_start_beside(struct process *service, struct process *beside, const char *name)
{
    char config[1024];
    process_init(service, name);
    process_init(beside, name);
    snprintf(config, sizeof config,
             "service: %s\nadmin: false\nsource:\n  kafka: {brokers: \"%s\", group: %s, topics: [%s], start: earliest, "
             "instance: one}\n"
             "stages:\n  - decode: {}\n  - store: {sqlite: {path: \"%s/orders.db\", table: orders, columns: {order_id: "
             ".order_id}}}\n",
             name, scene_broker, name, name, service->dir);
    process_file(service, "weir.yaml", "%s", config);
    process_file(beside, "weir.yaml", "%s", config);
    process_start(service, (const char *const[]){"run", "weir.yaml", "--receipt", "receipt.json", NULL});
}

const char SCENE_TO_SQLITE[1024] =
    "stages:\n"
    "  - decode: {format: json}\n"
    "  - enrich:\n"
    "      - set: {source: \"{{topic}}/{{partition}}/{{offset}}\"}\n"
    "      - lookup: {table: customers.csv, match: customer_id, column: id, fields: [name, tier], into: customer}\n"
    "      - filter: {drop_when: {path: .status, in: [TEST, DUMMY]}}\n"
    "  - store:\n"
    "      sqlite: {path: orders.db, table: orders, mode: append,\n"
    "               columns: {order_id: .order_id, name: .customer.name, total: .total, source: .source}}\n";

int64_t scene_query(const struct process *process, const char *sql, char *text, size_t size)
{
    char path[256];
    sqlite3 *database;
    sqlite3_stmt *statement;
    snprintf(path, sizeof path, "%s/orders.db", process->dir);
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        sqlite3_close(database);
        return -1; /* no database yet */
    }
    sqlite3_busy_timeout(database, 10000);
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK) {
        sqlite3_close(database);
        return -1; /* no table yet */
    }
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    if (text != NULL)
        snprintf(text, size, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return number;
}

void scene_await_orders(const struct process *process, int64_t count)
{
    for (int64_t began = clock_now(); scene_query(process, "select count(*) from orders", NULL, 0) < count;)
        process_look_again(process, began);
}
