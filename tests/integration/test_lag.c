/* `weir lag` against a real broker: what it tells of a group, and that it leaves the group alone. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "tests/support/kafka.h"
#include "tests/support/process.h"
#include "tests/support/scene.h"

static const char *const LAG[] = {"lag", "--timeout", "30s", "weir.yaml", NULL};
static const char *const LAG_JSON[] = {"lag", "--json", "--timeout", "30s", "weir.yaml", NULL};
static const char *const LAG_LONG[] = {"lag", "--json", "--for", "1500ms", "--every", "500ms", "weir.yaml", NULL};

static void a_group_that_committed_half_and_nothing(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "lag-half");
    kafka_make_topic(scene_producer, "lag-half", 3);
    scene_config(&process, "lag-half", SCENE_TO_SQLITE);
    for (int i = 0; i < 20; i++) {
        scene_send("lag-half", 0, "k", "{}");
        scene_send("lag-half", 1, "k", "{}");
    }
    scene_flush();
    scene_commit("lag-half", "lag-half", 0, 10);

    assert_int_equal(process_run(&process, LAG_JSON), 1);
    assert_holds(&process, "stdout", "\"offsets_kept_by\": \"group\", \"state\": \"STOP\", \"lag\": 30, ");
    assert_holds(&process, "stdout",
                 "\"partition\": 0, \"committed\": 10, \"start\": 0, \"end\": 20, \"lag\": 10, "
                 "\"lag_seconds\": ");
    assert_holds(&process, "stdout",
                 "\"partition\": 1, \"committed\": null, \"start\": 0, \"end\": 20, \"lag\": 20, "
                 "\"lag_seconds\": ");
    assert_holds(&process, "stdout",
                 "\"partition\": 2, \"committed\": null, \"start\": 0, \"end\": 0, \"lag\": 0, "
                 "\"lag_seconds\": null, \"member\": false, \"looks\": 1, \"state\": \"OK\"");
    /* scene_send's timestamp is of 2023. */
    assert_true(process_number(&process, "stdout", "lag_seconds") > 365 * 24 * 3600);
    assert_int_equal(process_run(&process, LAG), 1);
    assert_holds(&process, "stdout", "lag-half          1          -   20   20  ");
    assert_holds(&process, "stdout", "  STOP   no member of the group has it; nothing was committed yet\n");

    assert_int_equal(scene_committed("lag-half", "lag-half", 0), 10);
    assert_int_equal(scene_committed("lag-half", "lag-half", 1), -1);

    scene_commit("lag-half", "lag-half", 0, 20);
    scene_commit("lag-half", "lag-half", 1, 20);
    assert_int_equal(process_run(&process, LAG), 0);
    process_fini(&process);
}

static void a_topic_that_is_missing_is_told_and_not_made(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "lag-missing");
    scene_config(&process, "lag-missing", SCENE_TO_SQLITE);
    assert_int_equal(process_run(&process, LAG), 69);
    assert_holds(&process, "stdout", "lag-missing: there is no such topic\n");
    assert_int_equal(process_run(&process, LAG_JSON), 69);
    assert_holds(&process, "stdout", "\"partitions\": [], \"problems\": [{\"topic\": \"lag-missing\", \"problem\": ");
    assert_int_equal(kafka_partitions(scene_producer, "lag-missing"), 0);
    process_fini(&process);
}

static void a_broker_that_is_away_is_69_within_the_time_and_mistakes_are_78(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "lag-away");
    process_file(&process, "weir.yaml",
                 "service: s\nsource: {kafka: {brokers: \"127.0.0.1:%u\", group: g, topics: [t]}}\n"
                 "stages: [{store: {stdout: {}}}]\n",
                 process_free_port());
    int64_t began = clock_now();
    assert_int_equal(process_run(&process, (const char *const[]){"lag", "--timeout", "1s", "weir.yaml", NULL}), 69);
    assert_true(clock_now() - began < 20 * CLOCK_SECOND);
    assert_true(process_said(&process, "weir lag: expected a broker that answers in time: "));
    process_file(&process, "weir.yaml", "service: s\n");
    assert_int_equal(process_run(&process, LAG), 78);
    process_fini(&process);
}

/* One stopped by SIGSTOP is a member still, and does not move. */
static void a_service_that_hangs_is_stalled_and_does_not_notice_the_looks(void **state)
{
    (void)state;
    struct process service, lag;
    kafka_make_topic(scene_producer, "lag-service", 2);
    scene_send_orders("lag-service", 2, 100);
    scene_start_beside(&service, &lag, "lag-service");
    for (int64_t began = clock_now(); scene_committed("lag-service", "lag-service", 0) < 50 ||
                                      scene_committed("lag-service", "lag-service", 1) < 50;)
        process_look_again(&service, began);
    assert_int_equal(process_run(&lag, LAG_LONG), 0);
    assert_holds(&lag, "stdout", "\"member\": true");
    assert_holds(&lag, "stdout", "\"looks\": 4, \"window_seconds\": 1.");

    process_signal(&service, SIGSTOP);
    scene_send_orders("lag-service", 2, 100);
    assert_int_equal(process_run(&lag, LAG_LONG), 1);
    assert_holds(&lag, "stdout", "\"state\": \"STALL\", \"lag\": 100, ");
    assert_holds(&lag, "stdout",
                 "\"member\": true, \"looks\": 4, \"state\": \"STALL\", \"reason\": \"a static member has it, or ");
    process_signal(&service, SIGCONT);

    scene_await_orders(&service, 200);
    process_signal(&service, SIGTERM);
    assert_int_equal(process_wait(&service), 0);
    assert_int_equal(process_number(&service, "receipt.json", "consumed"), 200);
    assert_false(process_said(&service, "revoked"));
    process_fini(&service);
    process_fini(&lag);
}

/* Stops a service that has stored all of a topic, adds to that, and looks. */
static void look_after_stop(const char *name, const char *more, const char *words)
{
    struct process service;
    process_init(&service, name);
    kafka_make_topic(scene_producer, name, 1);
    scene_send_orders(name, 1, 20);
    process_file(&service, "weir.yaml",
                 "service: s\nadmin: false\nsource: {kafka: {brokers: \"%s\", group: %s, topics: [%s], start: "
                 "earliest%s}}\nstages: [{decode: {}}, {store: {stdout: {}}}]\n",
                 scene_broker, name, name, more);
    process_start(&service, (const char *const[]){"run", "weir.yaml", NULL});
    for (int64_t began = clock_now(); scene_committed(name, name, 0) < 20;)
        process_look_again(&service, began);
    process_signal(&service, SIGTERM);
    assert_int_equal(process_wait(&service), 0);
    scene_send_orders(name, 1, 20);
    assert_int_equal(process_run(&service, LAG_LONG), 1);
    assert_holds(&service, "stdout", words);
    process_fini(&service);
}

static void a_service_that_was_stopped_is_told_from_one_that_hangs(void **state)
{
    (void)state;
    look_after_stop("lag-stopped", "", "\"member\": false, \"looks\": 4, \"state\": \"STOP\"");
    look_after_stop("lag-stopped-new", ", protocol: consumer", "\"member\": false, \"looks\": 4, \"state\": \"STOP\"");
    look_after_stop("lag-stopped-static", ", instance: one",
                    "\"state\": \"STALL\", \"reason\": \"a static member has it, or stopped less than its session "
                    "timeout ago: ");
}

static void a_store_that_keeps_the_offsets_is_named(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "lag-store");
    kafka_make_topic(scene_producer, "lag-store", 1);
    scene_config(
        &process, "lag-store",
        "delivery: exactly_once\nstages:\n  - decode: {}\n  - store: {sqlite: {path: orders.db, table: orders, "
        "columns: {order_id: .order_id}}}\n");
    assert_int_equal(process_run(&process, LAG_JSON), 0);
    assert_holds(&process, "stdout", "\"offsets_kept_by\": \"store\", \"state\": \"OK\", \"lag\": 0, ");
    assert_int_equal(process_run(&process, LAG), 0);
    assert_holds(&process, "stdout", "the store keeps the offsets that count");
    process_fini(&process);
}

/* A mark ends each transaction: an offset behind the last record is one before the end, and nothing is left. */
static void the_mark_behind_a_transaction_is_no_lag(void **state)
{
    (void)state;
    struct process process;
    const struct kafka_property properties[] = {{"transactional.id", "lag-marks"}, {NULL, NULL}};
    process_init(&process, "lag-marks");
    kafka_make_topic(scene_producer, "lag-marks", 1);
    scene_config(&process, "lag-marks", SCENE_TO_SQLITE);
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_PRODUCER, scene_broker, properties, NULL);
    assert_null(rd_kafka_init_transactions(rk, KAFKA_WAIT_MS));
    assert_null(rd_kafka_begin_transaction(rk));
    assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("lag-marks"), RD_KAFKA_V_VALUE("{}", 2), RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_null(rd_kafka_commit_transaction(rk, KAFKA_WAIT_MS));
    rd_kafka_destroy(rk);
    scene_commit("lag-marks", "lag-marks", 0, 1);
    assert_int_equal(process_run(&process, LAG_JSON), 0);
    assert_holds(&process, "stdout", "\"committed\": 1, \"start\": 0, \"end\": 2, \"lag\": 0, \"lag_seconds\": null, ");
    assert_holds(&process, "stdout", "caught up: what is left are no records");
    process_fini(&process);
}

/* An instance that hangs in the middle of a transaction holds an offset that is not settled: just then somebody looks. */
static void an_offset_in_an_open_transaction_holds_no_look(void **state)
{
    (void)state;
    struct process process;
    const struct kafka_property properties[] = {{"transactional.id", "lag-open"}, {NULL, NULL}};
    process_init(&process, "lag-open");
    kafka_make_topic(scene_producer, "lag-open", 2);
    scene_config(&process, "lag-open", SCENE_TO_SQLITE);
    scene_send_orders("lag-open", 2, 20);
    scene_commit("lag-open", "lag-open", 0, 4);
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_PRODUCER, scene_broker, properties, NULL);
    assert_null(rd_kafka_init_transactions(rk, KAFKA_WAIT_MS));
    assert_null(rd_kafka_begin_transaction(rk));
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(2);
    rd_kafka_topic_partition_list_add(offsets, "lag-open", 0)->offset = 7;
    rd_kafka_topic_partition_list_add(offsets, "lag-open", 1)->offset = 7;
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new("lag-open");
    assert_null(rd_kafka_send_offsets_to_transaction(rk, offsets, group, KAFKA_WAIT_MS));
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);

    assert_int_equal(
        process_run(&process, (const char *const[]){"lag", "--json", "--timeout", "5s", "weir.yaml", NULL}), 1);
    assert_holds(&process, "stdout", "\"partition\": 0, \"committed\": 4, \"start\": 0, \"end\": 10, \"lag\": 6, ");
    assert_holds(&process, "stdout", "\"partition\": 1, \"committed\": null, \"start\": 0, \"end\": 10, \"lag\": 10, ");
    /* Nor a check of whether all of it answers. */
    assert_int_equal(process_run(&process, (const char *const[]){"check", "--live", "weir.yaml", NULL}), 0);
    assert_null(rd_kafka_commit_transaction(rk, KAFKA_WAIT_MS));
    rd_kafka_destroy(rk);
    assert_int_equal(process_run(&process, LAG_JSON), 1);
    assert_holds(&process, "stdout", "\"partition\": 1, \"committed\": 7, \"start\": 0, \"end\": 10, \"lag\": 3, ");
    process_fini(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_that_committed_half_and_nothing),
        cmocka_unit_test(a_topic_that_is_missing_is_told_and_not_made),
        cmocka_unit_test(a_broker_that_is_away_is_69_within_the_time_and_mistakes_are_78),
        cmocka_unit_test(a_service_that_hangs_is_stalled_and_does_not_notice_the_looks),
        cmocka_unit_test(a_service_that_was_stopped_is_told_from_one_that_hangs),
        cmocka_unit_test(a_store_that_keeps_the_offsets_is_named),
        cmocka_unit_test(the_mark_behind_a_transaction_is_no_lag),
        cmocka_unit_test(an_offset_in_an_open_transaction_holds_no_look),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
