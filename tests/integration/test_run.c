/*
 * `weir run` as a process against a real broker: what is stored, what is a dead letter, how it ends. The broker comes from scripts/run-tests.sh; every test has
 * topics of its own.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sqlite3.h>
#include <cmocka.h>

#include "tests/support/kafka.h"
#include "tests/support/process.h"

static const char *broker;
static rd_kafka_t *producer;

static const char *const RUN[] = {"run", "weir.yaml", "--exit-at-end", "--receipt", "receipt.json", NULL};
static const char *const SERVE[] = {"run", "weir.yaml", "--receipt", "receipt.json", NULL};

/* -- the broker -- */

static int connect_producer(void **state)
{
    (void)state;
    static const struct kafka_property properties[] = {{"linger.ms", "1"}, {NULL, NULL}};
    broker = getenv("WEIR_TEST_BROKER");
    if (broker == NULL)
        kafka_die("no broker: run by scripts/run-tests.sh --broker, or set WEIR_TEST_BROKER");
    producer = kafka_connect(RD_KAFKA_PRODUCER, broker, properties, NULL);
    return 0;
}

static int disconnect_producer(void **state)
{
    (void)state;
    rd_kafka_destroy(producer);
    return 0;
}

static void send_bytes(const char *topic, int32_t partition, const char *key, const void *value, size_t size)
{
    size_t key_size = key != NULL ? strlen(key) : 0;
    rd_kafka_resp_err_t err =
        rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE((void *)value, size),
                          RD_KAFKA_V_HEADER("trace", "t-1", 3), RD_KAFKA_V_TIMESTAMP(1700000000123),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    assert_int_equal(err, 0);
}

static void send_record(const char *topic, int32_t partition, const char *key, const char *value)
{
    send_bytes(topic, partition, key, value, value != NULL ? strlen(value) : 0);
}

static void send_orders(const char *topic, int partitions, int count)
{
    for (int i = 0; i < count; i++) {
        char value[128], key[32];
        snprintf(key, sizeof key, "k-%d", i);
        snprintf(value, sizeof value, "{\"order_id\": \"o-%d\", \"customer_id\": \"c-%d\", \"total\": %d.5}", i, i % 3,
                 i);
        send_record(topic, i % partitions, key, value);
    }
    assert_int_equal(rd_kafka_flush(producer, KAFKA_WAIT_MS), 0);
}

static void flush_producer(void)
{
    assert_int_equal(rd_kafka_flush(producer, KAFKA_WAIT_MS), 0);
}

/* -- configs -- */

/* What all of them begin with. */
static void write_config(const struct process *process, const char *name, const char *rest)
{
    process_file(process, "customers.csv", "id,name,tier\nc-0,Ada,gold\nc-1,\"Bo, jr.\",silver\n");
    process_file(process, "weir.yaml",
                 "service: %s\nmemory: 64MiB\n"
                 "source:\n  kafka: {brokers: \"%s\", group: %s, topics: [%s], start: earliest,\n"
                 "          properties: {topic.metadata.refresh.interval.ms: 1000}}\n%s",
                 name, broker, name, name, rest);
}

static const char TO_SQLITE[] =
    "stages:\n"
    "  - decode: {format: json}\n"
    "  - enrich:\n"
    "      - set: {source: \"{{topic}}/{{partition}}/{{offset}}\"}\n"
    "      - lookup: {table: customers.csv, match: customer_id, column: id, fields: [name, tier], into: customer}\n"
    "      - filter: {drop_when: {path: .status, in: [TEST, DUMMY]}}\n"
    "  - store:\n"
    "      sqlite: {path: orders.db, table: orders, mode: append,\n"
    "               columns: {order_id: .order_id, name: .customer.name, total: .total, source: .source}}\n";

/* -- what the database has -- */

static int64_t query(const struct process *process, const char *sql, char *text, size_t size)
{
    char path[256];
    sqlite3 *database;
    sqlite3_stmt *statement;
    snprintf(path, sizeof path, "%s/orders.db", process->dir);
    assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
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

static void a_topic_is_decoded_enriched_and_stored(void **state)
{
    (void)state;
    struct process process;
    char text[64];
    process_init(&process, "stored");
    kafka_make_topic(producer, "stored", 3);
    send_orders("stored", 3, 3000);
    write_config(&process, "stored", TO_SQLITE);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(query(&process, "select count(*) from orders", NULL, 0), 3000);
    assert_int_equal(query(&process, "select count(distinct source) from orders", NULL, 0), 3000);
    query(&process, "select name from orders where order_id = 'o-1'", text, sizeof text);
    assert_string_equal(text, "Bo, jr.");
    assert_int_equal(query(&process, "select count(*) from orders where name is null", NULL, 0), 1000);
    query(&process, "select total from orders where order_id = 'o-7'", text, sizeof text);
    assert_string_equal(text, "7.5");
    assert_int_equal(process_number(&process, "receipt.json", "consumed"), 3000);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 3000);
    assert_int_equal(process_number(&process, "receipt.json", "0"), 1000);

    /* Again: everything is committed, nothing comes twice. */
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "consumed"), 0);
    assert_int_equal(query(&process, "select count(*) from orders", NULL, 0), 3000);
    process_fini(&process);
}

/* -- dead letters -- */

struct letters {
    unsigned count;
    char headers[1024]; /* of the first */
    char key[64], value[64];
    int64_t timestamp;
};

static void look_at_letter(const rd_kafka_message_t *message, void *arg)
{
    struct letters *letters = arg;
    rd_kafka_headers_t *headers;
    if (letters->count++ > 0)
        return;
    rd_kafka_timestamp_type_t type;
    letters->timestamp = rd_kafka_message_timestamp(message, &type);
    snprintf(letters->key, sizeof letters->key, "%.*s", (int)message->key_len, (const char *)message->key);
    snprintf(letters->value, sizeof letters->value, "%.*s", (int)message->len, (const char *)message->payload);
    assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
    const char *name;
    const void *value;
    size_t size, used = 0;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++)
        used += (size_t)snprintf(letters->headers + used, sizeof letters->headers - used, "%s=%.*s\n", name, (int)size,
                                 (const char *)value);
}

static void a_broken_record_is_a_dead_letter_with_its_origin(void **state)
{
    (void)state;
    struct process process;
    struct letters letters = {0};
    process_init(&process, "broken");
    kafka_make_topic(producer, "broken", 1);
    kafka_make_topic(producer, "broken.dlq", 1);
    send_record("broken", 0, "k-0", "{\"order_id\": \"good\"}");
    send_record("broken", 0, "k-1", "{\"order_id\": ");
    send_record("broken", 0, "k-2", "{\"order_id\": \"x\", \"status\": \"TEST\"}");
    flush_producer();
    char rest[sizeof TO_SQLITE + 128];
    snprintf(rest, sizeof rest, "%serrors: {dead_letter: {topic: broken.dlq}}\n", TO_SQLITE);
    write_config(&process, "broken", rest);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 1);
    assert_int_equal(process_number(&process, "receipt.json", "dead_lettered"), 1);
    assert_int_equal(process_number(&process, "receipt.json", "dropped"), 1);
    assert_int_equal(kafka_read_topic(broker, "broken.dlq", look_at_letter, &letters), 1);
    assert_string_equal(letters.key, "k-1");
    assert_string_equal(letters.value, "{\"order_id\": ");
    assert_int_equal(letters.timestamp, 1700000000123);
    static const char *const wanted[] = {"trace=t-1\n",
                                         "weir.error.stage=decode\n",
                                         "weir.error.class=json\n",
                                         "weir.error.message=",
                                         "weir.source.topic=broken\n",
                                         "weir.source.partition=0\n",
                                         "weir.source.offset=1\n",
                                         "weir.source.timestamp=",
                                         "weir.attempts=1\n",
                                         "weir.service=broken\n"};
    for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strstr(letters.headers, wanted[i]) == NULL)
            fail_msg("no %s in the dead letter's headers:\n%s", wanted[i], letters.headers);
    process_fini(&process);
}

static void without_dead_letters_it_stops_at_the_record_and_goes_on_there_when_they_are_configured(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "stops");
    kafka_make_topic(producer, "stops", 1);
    kafka_make_topic(producer, "stops.dlq", 1);
    send_orders("stops", 1, 500);
    send_record("stops", 0, "k", "no JSON");
    send_orders("stops", 1, 500);
    write_config(&process, "stops", TO_SQLITE);
    assert_int_equal(process_run(&process, RUN), 1);
    assert_true(process_said(&process, "stops/0@500"));
    assert_true(process_said(&process, "dead_letter"));
    assert_int_equal(query(&process, "select count(*) from orders", NULL, 0), 500);

    char rest[sizeof TO_SQLITE + 128];
    snprintf(rest, sizeof rest, "%serrors: {dead_letter: {topic: stops.dlq}}\n", TO_SQLITE);
    write_config(&process, "stops", rest);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(query(&process, "select count(*) from orders", NULL, 0), 1000);
    assert_int_equal(process_number(&process, "receipt.json", "dead_lettered"), 1);
    process_fini(&process);
}

/* Each of these values must become a dead letter, and the records around it be stored. */
static void hostile_values_are_dead_letters_and_nothing_else_is_lost(void **state)
{
    (void)state;
    struct process process;
    struct letters letters = {0};
    enum { DEEP = 10000 };
    static char deep[2 * DEEP + 1], wide[900 * 1000];
    memset(deep, '[', DEEP);
    memset(deep + DEEP, ']', DEEP);
    memset(wide, '1', sizeof wide);
    process_init(&process, "hostile");
    kafka_make_topic(producer, "hostile", 1);
    kafka_make_topic(producer, "hostile.dlq", 1);
    send_record("hostile", 0, "ok", "{\"order_id\": \"first\"}");
    send_bytes("hostile", 0, "utf8", "{\"order_id\": \"\xff\xfe\"}", 18);
    send_bytes("hostile", 0, "deep", deep, 2 * DEEP);
    send_bytes("hostile", 0, "number", wide, sizeof wide);
    send_bytes("hostile", 0, "nul", "{\"a\": 1}\0", 9);
    send_record("hostile", 0, "surrogate", "{\"a\": \"\\ud800\"}");
    send_record("hostile", 0, "bom", "\xef\xbb\xbf{}");
    send_record("hostile", 0, "infinity", "{\"a\": 1e400}");
    send_record("hostile", 0, "array", "[1, 2]");
    send_record("hostile", 0, "tombstone", NULL);
    send_record("hostile", 0, "empty", "");
    send_record("hostile", 0, "ok", "{\"order_id\": \"last\"}");
    flush_producer();
    char rest[sizeof TO_SQLITE + 128];
    snprintf(rest, sizeof rest, "%serrors: {dead_letter: {topic: hostile.dlq}}\n", TO_SQLITE);
    write_config(&process, "hostile", rest);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "consumed"), 12);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 2);
    assert_int_equal(process_number(&process, "receipt.json", "dead_lettered"), 10);
    assert_int_equal(kafka_read_topic(broker, "hostile.dlq", look_at_letter, &letters), 10);
    assert_int_equal(query(&process, "select count(*) from orders", NULL, 0), 2);
    process_fini(&process);
}

/* -- other ways in and out -- */

static void topics_by_pattern_go_into_another_topic_and_files(void **state)
{
    (void)state;
    struct process process;
    struct letters records = {0};
    process_init(&process, "pattern");
    kafka_make_topic(producer, "pattern-a", 1);
    kafka_make_topic(producer, "pattern-b", 2);
    kafka_make_topic(producer, "pattern.out", 2);
    send_orders("pattern-a", 1, 100);
    send_orders("pattern-b", 2, 100);
    write_config(&process, "^pattern-", "");
    process_file(&process, "weir.yaml",
                 "service: pattern\n"
                 "source: {kafka: {brokers: \"%s\", group: pattern, topics: [\"^pattern-.*\"], protocol: consumer}}\n"
                 "stages:\n"
                 "  - decode: {format: json}\n"
                 "  - enrich: {set: {from: \"{{topic}}\"}}\n"
                 "  - store:\n"
                 "      - kafka: {topic: pattern.out, key: \"{{key}}\"}\n"
                 "      - file: {path: \"out/%%Y-%%i.ndjson\"}\n",
                 broker);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 200);
    assert_int_equal(kafka_read_topic(broker, "pattern.out", look_at_letter, &records), 200);
    assert_memory_equal(records.key, "k-", 2);
    assert_non_null(strstr(records.value, "order_id"));
    char command[400];
    snprintf(command, sizeof command, "test \"$(cat %s/out/*.ndjson | grep -c '\"from\":\"pattern-')\" = 200",
             process.dir);
    assert_int_equal(system(command), 0);
    process_fini(&process);
}

static void standard_output_gets_one_line_a_record(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "lines");
    kafka_make_topic(producer, "lines", 1);
    send_orders("lines", 1, 10);
    write_config(&process, "lines", "stages:\n  - decode: {format: json}\n  - store: {stdout: {}}\n");
    assert_int_equal(process_run(&process, RUN), 0);
    char *text = process_read(&process, "stdout");
    unsigned lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 10);
    assert_memory_equal(text, "{\"order_id\": \"o-0\"", 18);
    free(text);
    process_fini(&process);
}

/* -- ends -- */

static void a_signal_drains_commits_and_leaves_the_group(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "drains");
    kafka_make_topic(producer, "drains", 3);
    send_orders("drains", 3, 3000);
    write_config(&process, "drains", TO_SQLITE);
    process_start(&process, SERVE);
    for (int64_t count = 0; count < 3000;)
        count = access(process.dir, F_OK) == 0 ? query(&process, "select count(*) from orders", NULL, 0) : -1;
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 3000);
    assert_int_equal(process_number(&process, "receipt.json", "abandoned"), 0);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "consumed"), 0);
    process_fini(&process);
}

/* A write lock on the database that another process holds. */
static sqlite3 *lock_database(const struct process *process)
{
    char path[256];
    sqlite3 *database;
    snprintf(path, sizeof path, "%s/orders.db", process->dir);
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, 10000);
    assert_int_equal(sqlite3_exec(database, "begin immediate", NULL, NULL, NULL), SQLITE_OK);
    return database;
}

static void a_drain_that_the_store_does_not_allow_is_said_by_the_exit_code(void **state)
{
    (void)state;
    struct process process;
    char rest[sizeof TO_SQLITE + 128];
    process_init(&process, "held");
    kafka_make_topic(producer, "held", 1);
    snprintf(rest, sizeof rest, "%sshutdown: 1s\n", TO_SQLITE);
    write_config(&process, "held", rest);
    assert_int_equal(process_run(&process, RUN), 0); /* makes the table */
    sqlite3 *lock = lock_database(&process);
    send_orders("held", 1, 1000);
    process_start(&process, SERVE);
    process_expect(&process, "locked");
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process), 75);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 0);
    assert_int_equal(process_number(&process, "receipt.json", "abandoned"), 1000);

    /* A second signal does not wait for `shutdown`. */
    write_config(&process, "held", TO_SQLITE);
    process_start(&process, SERVE);
    process_expect(&process, "locked");
    process_signal(&process, SIGINT);
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process), 75);

    /* Nothing is lost by either. */
    sqlite3_close(lock);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(query(&process, "select count(*) from orders", NULL, 0), 1000);
    process_fini(&process);
}

static void a_broker_that_is_away_is_waited_for_and_said(void **state)
{
    (void)state;
    struct process process;
    char text[4096];
    unsigned nobody = process_free_port(), admin = process_free_port();
    process_init(&process, "away");
    process_file(&process, "weir.yaml",
                 "service: away\nadmin: {listen: \"127.0.0.1:%u\"}\n"
                 "source: {kafka: {brokers: \"127.0.0.1:%u\", group: away, topics: [away]}}\n"
                 "stages:\n  - decode: {format: json}\n  - store: {stdout: {}}\n",
                 admin, nobody);
    process_start(&process, SERVE);
    process_expect(&process, "brokers are down");
    assert_int_equal(process_get(admin, "/healthz", text, sizeof text), 200);
    assert_int_equal(process_get(admin, "/readyz", text, sizeof text), 503);
    assert_non_null(strstr(text, "brokers are down"));
    assert_int_equal(process_get(admin, "/metrics", text, sizeof text), 200);
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process), 0);
    process_fini(&process);
}

static void a_running_service_is_ready_and_shows_its_metrics(void **state)
{
    (void)state;
    struct process process;
    static char text[256 * 1024];
    char rest[sizeof TO_SQLITE + 128];
    unsigned admin = process_free_port();
    process_init(&process, "ready");
    kafka_make_topic(producer, "ready", 2);
    send_orders("ready", 2, 100);
    snprintf(rest, sizeof rest, "%sadmin: {listen: \"127.0.0.1:%u\"}\n", TO_SQLITE, admin);
    write_config(&process, "ready", rest);
    process_start(&process, SERVE);
    for (int64_t until = 0; process_get(admin, "/readyz", text, sizeof text) != 200; until++)
        assert_true(until < 1000 * 1000);
    for (int tries = 0; strstr(text, "weir_verdicts_total{verdict=\"stored\"} 100") == NULL; tries++) {
        assert_int_equal(process_get(admin, "/metrics", text, sizeof text), 200);
        assert_true(tries < 1000 * 1000);
    }
    static const char *const wanted[] = {"weir_stage_records_in_total{stage=\"decode\"} 100",
                                         "weir_queue_capacity_bytes{",
                                         "weir_budget_size_bytes ",
                                         "weir_stage_workers{",
                                         "weir_kafka_lag_records{topic=\"ready\",partition=\"0\"} 0",
                                         "weir_kafka_partition_paused{topic=\"ready\",partition=\"1\"} 0",
                                         "weir_rebalances_total ",
                                         "weir_restarts_total ",
                                         "weir_build_info{",
                                         "weir_threads ",
                                         "weir_end_to_end_seconds_bucket{"};
    for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strstr(text, wanted[i]) == NULL)
            fail_msg("no %s in:\n%s", wanted[i], text);
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process), 0);
    process_fini(&process);
}

/* -- what can't run -- */

static void a_config_with_mistakes_does_not_start(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "mistakes");
    write_config(&process, "mistakes", "stages:\n  - decode: {formt: json}\n  - store: {stdout: {}}\nmemry: 5\n");
    assert_int_equal(process_run(&process, RUN), 78);
    assert_true(process_said(&process, "weir.yaml:7:14"));
    assert_true(process_said(&process, "did you mean `format`"));
    assert_true(process_said(&process, "memry"));
    process_fini(&process);
}

static void a_table_that_can_not_be_read_is_named(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "unreadable");
    kafka_make_topic(producer, "unreadable", 1);
    write_config(&process, "unreadable", TO_SQLITE);
    process_file(&process, "customers.csv", "id,name,tier\nc-0,Ada\n");
    assert_int_equal(process_run(&process, RUN), 1);
    assert_true(process_said(&process, "customers.csv:2"));
    char path[256];
    snprintf(path, sizeof path, "%s/customers.csv", process.dir);
    assert_int_equal(remove(path), 0);
    assert_int_equal(process_run(&process, RUN), 1);
    assert_true(process_said(&process, "customers.csv: No such file"));
    process_fini(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_topic_is_decoded_enriched_and_stored),
        cmocka_unit_test(a_broken_record_is_a_dead_letter_with_its_origin),
        cmocka_unit_test(without_dead_letters_it_stops_at_the_record_and_goes_on_there_when_they_are_configured),
        cmocka_unit_test(hostile_values_are_dead_letters_and_nothing_else_is_lost),
        cmocka_unit_test(topics_by_pattern_go_into_another_topic_and_files),
        cmocka_unit_test(standard_output_gets_one_line_a_record),
        cmocka_unit_test(a_signal_drains_commits_and_leaves_the_group),
        cmocka_unit_test(a_drain_that_the_store_does_not_allow_is_said_by_the_exit_code),
        cmocka_unit_test(a_broker_that_is_away_is_waited_for_and_said),
        cmocka_unit_test(a_running_service_is_ready_and_shows_its_metrics),
        cmocka_unit_test(a_config_with_mistakes_does_not_start),
        cmocka_unit_test(a_table_that_can_not_be_read_is_named),
    };
    return cmocka_run_group_tests(tests, connect_producer, disconnect_producer);
}
