/* How `weir run` ends, waits and refuses to start, as a process against a real broker. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "tests/support/kafka.h"
#include "tests/support/process.h"
#include "tests/support/scene.h"

static const char *const RUN[] = {"run", "weir.yaml", "--exit-at-end", "--receipt", "receipt.json", NULL};
static const char *const SERVE[] = {"run", "weir.yaml", "--receipt", "receipt.json", NULL};

static void a_signal_drains_commits_and_leaves_the_group(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "drains");
    kafka_make_topic(scene_producer, "drains", 3);
    scene_send_orders("drains", 3, 3000);
    scene_config(&process, "drains", SCENE_TO_SQLITE);
    process_start(&process, SERVE);
    scene_await_orders(&process, 3000);
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
    char rest[sizeof SCENE_TO_SQLITE + 128];
    process_init(&process, "held");
    kafka_make_topic(scene_producer, "held", 1);
    snprintf(rest, sizeof rest, "%sshutdown: 1s\n", SCENE_TO_SQLITE);
    scene_config(&process, "held", rest);
    assert_int_equal(process_run(&process, RUN), 0); /* makes the table */
    sqlite3 *lock = lock_database(&process);
    scene_send_orders("held", 1, 1000);
    process_start(&process, SERVE);
    process_expect(&process, "locked");
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process), 75);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 0);
    assert_int_equal(process_number(&process, "receipt.json", "abandoned"), 1000);

    /* A second signal does not wait for `shutdown`. */
    scene_config(&process, "held", SCENE_TO_SQLITE);
    process_start(&process, SERVE);
    process_expect(&process, "locked");
    process_signal(&process, SIGINT);
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process), 75);

    /* Nothing is lost by either. */
    sqlite3_close(lock);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), 1000);
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
    char rest[sizeof SCENE_TO_SQLITE + 128];
    unsigned admin = process_free_port();
    process_init(&process, "ready");
    kafka_make_topic(scene_producer, "ready", 2);
    scene_send_orders("ready", 2, 100);
    snprintf(rest, sizeof rest, "%sadmin: {listen: \"127.0.0.1:%u\"}\n", SCENE_TO_SQLITE, admin);
    scene_config(&process, "ready", rest);
    process_start(&process, SERVE);
    int64_t began = clock_now();
    while (process_get(admin, "/readyz", text, sizeof text) != 200)
        process_look_again(&process, began);
    while (strstr(text, "weir_verdicts_total{verdict=\"stored\"} 100") == NULL) {
        process_look_again(&process, began);
        assert_int_equal(process_get(admin, "/metrics", text, sizeof text), 200);
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
    scene_config(&process, "mistakes", "stages:\n  - decode: {formt: json}\n  - store: {stdout: {}}\nmemry: 5\n");
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
    kafka_make_topic(scene_producer, "unreadable", 1);
    scene_config(&process, "unreadable", SCENE_TO_SQLITE);
    process_file(&process, "customers.csv", "id,name,tier\nc-0,Ada\n");
    assert_int_equal(process_run(&process, RUN), 1);
    assert_true(process_said(&process, "customers.csv:2"));
    char path[256];
    snprintf(path, sizeof path, "%s/customers.csv", process.dir);
    assert_int_equal(remove(path), 0);
    assert_int_equal(process_run(&process, RUN), 1);
    assert_true(process_said(&process, "customers.csv: can't be opened: No such file"));
    process_fini(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_drains_commits_and_leaves_the_group),
        cmocka_unit_test(a_drain_that_the_store_does_not_allow_is_said_by_the_exit_code),
        cmocka_unit_test(a_broker_that_is_away_is_waited_for_and_said),
        cmocka_unit_test(a_running_service_is_ready_and_shows_its_metrics),
        cmocka_unit_test(a_config_with_mistakes_does_not_start),
        cmocka_unit_test(a_table_that_can_not_be_read_is_named),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
