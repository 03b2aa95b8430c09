/* `weir check --live`, and what a batch job does without its topic, against a real broker. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libpq-fe.h>
#include <unistd.h>

#include "processor/clock.h"
#include "tests/support/kafka.h"
#include "tests/support/process.h"
#include "tests/support/scene.h"

static const char *const CHECK[] = {"check", "--live", "weir.yaml", NULL};

/* Waits for its end beside all other tests, as it takes half a minute. */
static struct process waiting;
static int64_t waiting_since;

static int set_up(void **state)
{
    if (scene_connect(state) != 0)
        return -1;
    process_init(&waiting, "no-topic");
    scene_config(&waiting, "check-no-topic", SCENE_TO_SQLITE);
    waiting_since = clock_now();
    process_start(&waiting,
                  (const char *const[]){"run", "weir.yaml", "--exit-at-end", "--receipt", "receipt.json", NULL});
    return 0;
}

static int tear_down(void **state)
{
    process_fini(&waiting);
    return scene_disconnect(state);
}

/* By a listing of all topics, which makes none. */
static bool topic_is_there(const char *topic)
{
    const struct rd_kafka_metadata *metadata;
    bool found = false;
    assert_int_equal(rd_kafka_metadata(scene_producer, 1, NULL, &metadata, KAFKA_WAIT_MS), 0);
    for (int i = 0; i < metadata->topic_cnt; i++)
        found |= strcmp(metadata->topics[i].topic, topic) == 0;
    rd_kafka_metadata_destroy(metadata);
    return found;
}

static bool group_is_there(const char *group)
{
    const struct rd_kafka_group_list *list;
    assert_int_equal(rd_kafka_list_groups(scene_producer, group, &list, KAFKA_WAIT_MS), 0);
    bool found = false;
    /* The broker describes a group that it does not know as dead. */
    for (int i = 0; i < list->group_cnt; i++)
        found |= list->groups[i].member_cnt > 0 || strcmp(list->groups[i].state, "Dead") != 0;
    rd_kafka_group_list_destroy(list);
    return found;
}

static bool file_is_there(const struct process *process, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", process->dir, name);
    return access(path, F_OK) == 0;
}

static void a_good_config_is_good_and_nothing_was_made(void **state)
{
    (void)state;
    struct process process;
    char rest[sizeof SCENE_TO_SQLITE + 256];
    process_init(&process, "check-good");
    kafka_make_topic(scene_producer, "check-good", 3);
    snprintf(rest, sizeof rest,
             "%s      file: {path: \"out/%%F/orders-%%i.ndjson\"}\nerrors: {dead_letter: {topic: check-good.dlq}}\n",
             SCENE_TO_SQLITE);
    /* Two stores are a list. */
    char *store = strstr(rest, "      sqlite:"), *file = strstr(rest, "      file:"),
         *columns = strstr(store, "\n") + 1;
    memcpy(store, "    - sqlite:", strlen("    - sqlite:"));
    memcpy(file, "    - file:", strlen("    - file:"));
    assert_true(columns < file);
    scene_config(&process, "check-good", rest);
    assert_int_equal(process_run(&process, CHECK), 0);
    assert_holds(&process, "stdout",
                 "weir.yaml: good: check-good: kafka -> decode -> enrich (set, lookup, filter) -> sqlite + "
                 "file; all of it answers\n");
    assert_holds(&process, "stdout",
                 "warning: errors.dead_letter.topic: there is no topic \"check-good.dlq\" yet: the brokers "
                 "make it when weir asks for it");
    assert_false(topic_is_there("check-good.dlq"));
    assert_false(group_is_there("check-good"));
    assert_false(file_is_there(&process, "orders.db"));
    assert_false(file_is_there(&process, "out"));
    assert_int_equal(process_run(&process, (const char *const[]){"check", "--live", "--json", "weir.yaml", NULL}), 0);
    assert_holds(&process, "stdout",
                 "\"pipeline\": \"kafka -> decode -> enrich (set, lookup, filter) -> sqlite + file\", "
                 "\"live\": true}\n");
    process_fini(&process);
}

static void what_is_out_of_reach_and_what_is_wrong_have_their_exit_codes(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "check-bad");
    scene_config(&process, "check-missing", SCENE_TO_SQLITE);
    assert_int_equal(process_run(&process, CHECK), 69);
    assert_holds(&process, "stdout", ": source.kafka.topics[0]: there is no topic \"check-missing\"\n");
    assert_holds(&process, "stdout", "weir.yaml: 1 out of reach\n");
    assert_false(topic_is_there("check-missing"));
    /* A mistake weighs more than what is only out of reach. */
    process_file(&process, "orders.db",
                 "no database at all, but long enough to be looked at as one, one would think\n");
    assert_int_equal(process_run(&process, CHECK), 78);
    assert_holds(&process, "stdout", "stages[2].store.sqlite: SQLite database orders.db: ");
    assert_holds(&process, "stdout", "weir.yaml: 1 mistake, 1 out of reach\n");
    process_fini(&process);
}

static void a_kafka_store_is_asked_for_its_topic_without_making_it(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "check-store");
    kafka_make_topic(scene_producer, "check-store", 1);
    scene_config(&process, "check-store",
                 "stages: [{store: {kafka: {topic: check-store.out, properties: {compression.codec: lz4}}}}]\n");
    assert_int_equal(process_run(&process, CHECK), 0);
    assert_holds(&process, "stdout", "warning: stages[0].store.kafka.topic: there is no topic \"check-store.out\" yet");
    assert_false(topic_is_there("check-store.out"));
    process_fini(&process);
}

static PGresult *execute(PGconn *pg, const char *sql, ExecStatusType expected)
{
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != expected)
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    return result;
}

static void a_table_of_postgres_is_compared_with_the_columns_and_none_is_made(void **state)
{
    (void)state;
    static const char STORE[] =
        "delivery: exactly_once\nadmin: false\nstages:\n  - decode: {}\n  - store:\n      "
        "postgres:\n        dsn: ${WEIR_TEST_POSTGRES}\n        table: check_%s\n%s"
        "        columns:\n          id: {path: .id, type: bigint}\n"
        "          total: {path: .total, type: numeric}\n          nam: {path: .n, type: text}\n";
    struct process process;
    char rest[1024];
    process_init(&process, "check-postgres");
    kafka_make_topic(scene_producer, "check-postgres", 1);
    PGconn *pg = PQconnectdb(getenv("WEIR_TEST_POSTGRES"));
    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    PQclear(execute(pg, "CREATE TABLE public.check_one (id bigint, total text, name text)", PGRES_COMMAND_OK));

    snprintf(rest, sizeof rest, STORE, "one", "");
    scene_config(&process, "check-postgres", rest);
    assert_int_equal(process_run(&process, CHECK), 78);
    assert_holds(&process, "stdout",
                 "stages[1].store.postgres.columns.total: declared as numeric, but in the table \"check_one\" "
                 "it is text\n");
    assert_holds(&process, "stdout",
                 "stages[1].store.postgres.columns.nam: table \"check_one\" has no column \"nam\"; did you "
                 "mean \"name\"?");
    assert_holds(&process, "stdout", "weir.yaml: 2 mistakes\n");

    snprintf(rest, sizeof rest, STORE, "two", "");
    scene_config(&process, "check-postgres", rest);
    assert_int_equal(process_run(&process, CHECK), 78);
    assert_holds(&process, "stdout",
                 "has no table \"check_two\"; did you mean \"public.check_one\"?; make it, or set `create: true`\n");

    snprintf(rest, sizeof rest, STORE, "two", "        create: true\n");
    scene_config(&process, "check-postgres", rest);
    assert_int_equal(process_run(&process, CHECK), 0);
    PGresult *result = execute(pg, "SELECT to_regclass('public.check_two') IS NULL", PGRES_TUPLES_OK);
    assert_string_equal(PQgetvalue(result, 0, 0), "t");
    PQclear(result);
    PQclear(execute(pg, "DROP TABLE public.check_one", PGRES_COMMAND_OK));
    PQfinish(pg);
    process_fini(&process);
}

/* With the same group and instance, in the service's own folder. */
static void a_running_service_does_not_notice_a_check(void **state)
{
    (void)state;
    struct process service, check;
    kafka_make_topic(scene_producer, "check-running", 3);
    scene_send_orders("check-running", 3, 300);
    scene_start_beside(&service, &check, "check-running");
    scene_await_orders(&service, 300);
    assert_int_equal(process_run(&check, CHECK), 0);
    scene_send_orders("check-running", 3, 300);
    scene_await_orders(&service, 600);
    process_signal(&service, SIGTERM);
    assert_int_equal(process_wait(&service), 0);
    assert_int_equal(process_number(&service, "receipt.json", "consumed"), 600);
    assert_int_equal(process_number(&service, "receipt.json", "stored"), 600);
    assert_false(process_said(&service, "took over"));
    assert_false(process_said(&service, "revoked"));
    process_fini(&service);
    process_fini(&check);
}

static void a_batch_job_without_its_topic_gives_up_after_half_a_minute(void **state)
{
    (void)state;
    assert_int_equal(process_wait(&waiting), 69);
    assert_true(clock_now() - waiting_since >= 30 * CLOCK_SECOND);
    assert_true(process_said(&waiting, "there is no topic check-no-topic, for 30 s by now"));
    assert_int_equal(process_number(&waiting, "receipt.json", "consumed"), 0);
    assert_int_equal(process_number(&waiting, "receipt.json", "restarts"), 0);
    assert_false(topic_is_there("check-no-topic"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_config_is_good_and_nothing_was_made),
        cmocka_unit_test(what_is_out_of_reach_and_what_is_wrong_have_their_exit_codes),
        cmocka_unit_test(a_kafka_store_is_asked_for_its_topic_without_making_it),
        cmocka_unit_test(a_table_of_postgres_is_compared_with_the_columns_and_none_is_made),
        cmocka_unit_test(a_running_service_does_not_notice_a_check),
        cmocka_unit_test(a_batch_job_without_its_topic_gives_up_after_half_a_minute),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
