/* `weir replay` against a real broker: just the records that are meant, beside a live group that does not notice, and on from where it was interrupted. */
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

/* 2026-11-20T10:00:00Z: when order 0 was sent; each is a second younger than the one before it. */
#define TEN INT64_C(1795168800000)
enum { ORDERS = 600, PARTITIONS = 2 };

/* The orders 125 to 304: among those that come together some are in it and some are not. */
#define WINDOW "--from", "2026-11-20T10:02:05Z", "--to", "2026-11-20T10:05:05Z"
enum { IN_WINDOW = 180 };

#define ARGUMENTS(...)                                                                                                 \
    ((const char *const[]){"replay", "weir.yaml", "--quiet", "--receipt", "receipt.json", __VA_ARGS__, NULL})

static const char COUNT[] = "select count(*) from orders", DISTINCT[] = "select count(distinct order_id) from orders";

static void send_one(const char *topic, int i, const char *value)
{
    char key[32];
    const char *tenant = i % 4 == 0 ? "acme" : "other";
    snprintf(key, sizeof key, "k-%d", i % 10);
    rd_kafka_resp_err_t err = rd_kafka_producev(
        scene_producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(i % PARTITIONS), RD_KAFKA_V_KEY(key, strlen(key)),
        RD_KAFKA_V_VALUE((void *)value, strlen(value)), RD_KAFKA_V_HEADER("tenant", tenant, -1),
        RD_KAFKA_V_TIMESTAMP(TEN + i * 1000), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    assert_int_equal(err, 0);
}

/* Five at a time in the wrong order: out of a partition they come by 4, 2, 0 and 3, 1. */
static void send_orders(const char *topic)
{
    for (int i = 0; i < ORDERS; i++) {
        char value[128];
        int id = i - i % 10 + 9 - i % 10;
        snprintf(value, sizeof value, "{\"order_id\": \"o-%d\", \"customer_id\": \"c-%d\", \"total\": %d.5}", id,
                 id % 3, id);
        send_one(topic, id, value);
    }
    scene_flush();
}

static const char TO_SQLITE[] =
    "stages:\n  - decode: {}\n  - store: {sqlite: {path: orders.db, table: orders, columns: "
    "{order_id: .order_id, total: .total}}}\n";

static void set_up(struct process *process, const char *name, const char *rest)
{
    process_init(process, name);
    kafka_make_topic(scene_producer, name, PARTITIONS);
    scene_config(process, name, rest);
    send_orders(name);
}

static void assert_window_stored(const struct process *process)
{
    assert_int_equal(scene_query(process, DISTINCT, NULL, 0), IN_WINDOW);
    assert_int_equal(scene_query(process, "select min(cast(substr(order_id, 3) as int)) from orders", NULL, 0), 125);
    assert_int_equal(scene_query(process, "select max(cast(substr(order_id, 3) as int)) from orders", NULL, 0), 304);
}

static void the_plan_alone_does_nothing(void **state)
{
    (void)state;
    struct process process;
    set_up(&process, "replay-plan", TO_SQLITE);
    assert_int_equal(process_run(&process, (const char *const[]){"replay", "weir.yaml", WINDOW, NULL}), 0);
    assert_holds(&process, "stdout", "replay as replay-plan.replay\n");
    assert_holds(&process, "stdout", "replay-plan          0     60  ");
    assert_holds(&process, "stdout", "into      sqlite: records that are there already are there TWICE afterwards\n");
    assert_holds(&process, "stdout", "nothing was done; add --execute\n");
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), -1);
    assert_int_equal(process_run(&process, (const char *const[]){"replay", "weir.yaml", WINDOW, "--json", NULL}), 0);
    assert_true(process_number(&process, "stdout", "records") >= IN_WINDOW);
    assert_int_equal(process_number(&process, "stdout", "from_time_ms"), TEN + 125000);
    process_fini(&process);
}

static void a_window_of_time_is_stored_exactly_and_the_live_group_stays_where_it_was(void **state)
{
    (void)state;
    struct process process;
    set_up(&process, "replay-window", TO_SQLITE);
    scene_commit("replay-window", "replay-window", 0, 17);
    assert_int_equal(process_run(&process, ARGUMENTS(WINDOW, "--execute")), 0);
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), IN_WINDOW);
    assert_window_stored(&process);
    assert_int_equal(process_number(&process, "receipt.json", "consumed"), IN_WINDOW);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), IN_WINDOW);
    assert_int_equal(scene_committed("replay-window", "replay-window", 0), 17);
    assert_int_equal(scene_committed("replay-window", "replay-window", 1), -1);
    process_fini(&process);
}

/* Three minutes of records, ninety times as fast: the last one is due two seconds after the first. */
static void a_speed_is_kept_by_the_timestamps(void **state)
{
    (void)state;
    struct process process;
    set_up(&process, "replay-speed", TO_SQLITE);
    assert_int_equal(
        process_run(&process, (const char *const[]){"replay", "weir.yaml", WINDOW, "--speed", "90x", NULL}), 0);
    assert_holds(&process, "stdout", "at 90 times the speed at which the records came\n");
    int64_t began = clock_now();
    assert_int_equal(process_run(&process, ARGUMENTS(WINDOW, "--speed", "90x", "--execute")), 0);
    int64_t took = clock_now() - began;
    assert_true(took >= 179 * CLOCK_SECOND / 90 && took < 60 * CLOCK_SECOND);
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), IN_WINDOW);
    assert_window_stored(&process);
    process_fini(&process);
}

static void a_window_in_which_nothing_is_ends_well(void **state)
{
    (void)state;
    struct process process;
    set_up(&process, "replay-empty", TO_SQLITE);
    assert_int_equal(process_run(&process, (const char *const[]){"replay", "weir.yaml", "--from", "2026-11-21", "--to",
                                                                 "2026-11-22", "--execute", NULL}),
                     0);
    assert_holds(&process, "stderr", "there is nothing in it to replay\n");
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), -1);
    /* A receipt that was asked for is there in this case too, and of this run. */
    assert_int_equal(process_run(&process, ARGUMENTS("--from", "2026-11-21", "--to", "2026-11-22", "--execute")), 0);
    assert_int_equal(process_number(&process, "receipt.json", "consumed"), 0);
    process_fini(&process);
}

static void offsets_partitions_keys_headers_and_limits_choose_as_well(void **state)
{
    (void)state;
    struct process process;
    set_up(&process, "replay-choose", TO_SQLITE);
    /* The offsets 100 to 109 of one partition, the other is not in it. */
    assert_int_equal(process_run(&process, ARGUMENTS("--from", "replay-choose/0@100", "--to", "0@110", "--execute")),
                     0);
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), 10);
    /* Ten of 600 have the key, and all of them lie in one partition. */
    assert_int_equal(process_run(&process, ARGUMENTS("--key", "k-3", "--execute")), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 60);
    assert_int_equal(process_run(&process, ARGUMENTS("--partitions", "0", "--key", "k-3", "--execute")), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 0);
    assert_int_equal(process_run(&process, ARGUMENTS("--where", "header.tenant=acme", "--execute")), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), ORDERS / 4);
    assert_int_equal(process_run(&process, ARGUMENTS("--max-records", "25", "--execute")), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 25);
    char *receipt = process_read(&process, "receipt.json");
    assert_non_null(strstr(receipt, "\"finished\": false, "));
    free(receipt);
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), 10 + 60 + ORDERS / 4 + 25);
    process_fini(&process);
}

#define SLOWLY "--name", "fix", "--rate", "60/s"

static void killed_half_way_it_goes_on_and_a_finished_one_says_so(void **state)
{
    (void)state;
    struct process process;
    set_up(&process, "replay-killed", TO_SQLITE);
    process_start(&process, ARGUMENTS(WINDOW, SLOWLY, "--execute"));
    scene_await_orders(&process, IN_WINDOW / 2);
    process_signal(&process, SIGKILL);
    assert_int_equal(process_wait(&process), -SIGKILL);
    assert_true(scene_query(&process, COUNT, NULL, 0) < IN_WINDOW);

    assert_int_equal(process_run(&process, (const char *const[]){"replay", "weir.yaml", WINDOW, "--name", "fix", NULL}),
                     0);
    assert_holds(&process, "stdout", "progress  \"fix\", kept in the group replay-killed.fix; it goes on\n");
    assert_int_equal(process_run(&process, ARGUMENTS(WINDOW, "--name", "fix", "--execute")), 0);
    assert_window_stored(&process);
    assert_true(process_number(&process, "receipt.json", "stored") < IN_WINDOW);

    assert_int_equal(
        process_run(&process, (const char *const[]){"replay", "weir.yaml", WINDOW, "--name", "fix", "--execute", NULL}),
        0);
    assert_holds(&process, "stderr",
                 "\"fix\" is finished: nothing is left to replay; to do it again, or into another store, give it "
                 "another --name\n");
    /* Machines get the two lines that they always get: the plan and the receipt. */
    assert_int_equal(process_run(&process, (const char *const[]){"replay", "weir.yaml", WINDOW, "--name", "fix",
                                                                 "--execute", "--json", NULL}),
                     0);
    assert_holds(
        &process, "stderr",
        "\"finished\": true, \"empty\": false, \"exactly_once\": false, \"dry_run\": false, \"execute\": true, ");
    assert_holds(&process, "stderr", "{\"consumed\": 0, \"stored\": 0, ");
    assert_int_equal(scene_committed("replay-killed", "replay-killed", 0), -1);
    process_fini(&process);
}

static void a_signal_ends_it_in_order_and_it_says_how_to_go_on(void **state)
{
    (void)state;
    struct process process;
    set_up(&process, "replay-signal", TO_SQLITE);
    process_start(&process, (const char *const[]){"replay", "weir.yaml", WINDOW, SLOWLY, "--execute", NULL});
    scene_await_orders(&process, 1);
    process_signal(&process, SIGINT);
    assert_int_equal(process_wait(&process), 75);
    assert_true(process_said(&process, "to go on: the same command"));
    assert_true(process_said(&process, "replay-signal.fix: stopped before its end"));
    int64_t rows = scene_query(&process, COUNT, NULL, 0);
    assert_true(rows < IN_WINDOW);
    assert_int_equal(process_run(&process, ARGUMENTS(WINDOW, "--name", "fix", "--execute")), 0);
    /* In order: none was in flight, so none is there twice. */
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), IN_WINDOW);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), IN_WINDOW - rows);
    process_fini(&process);
}

static void exactly_once_it_has_offsets_of_its_own_and_wants_a_name(void **state)
{
    (void)state;
    struct process process;
    char rest[512];
    snprintf(rest, sizeof rest, "delivery: exactly_once\n%s", TO_SQLITE);
    set_up(&process, "replay-once", rest);
    /* An archive of the same name is another run. */
    assert_int_equal(process_run(&process, (const char *const[]){"archive", "weir.yaml", "--dir", "archive", WINDOW,
                                                                 "--name", "fix", "--execute", NULL}),
                     0);
    assert_int_equal(process_run(&process, (const char *const[]){"replay", "weir.yaml", WINDOW, NULL}), 0);
    assert_holds(&process, "stdout", "exactly-once delivery needs it: give it a --name\n");
    assert_int_equal(process_run(&process, ARGUMENTS(WINDOW, "--execute")), 64);
    assert_true(process_said(&process, "delivery is exactly_once: give it a --name"));
    /* The live service has stored all of it already, and has its own offsets. */
    assert_int_equal(process_run(&process, (const char *const[]){"run", "weir.yaml", "--exit-at-end", NULL}), 0);
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), ORDERS);
    process_start(&process, ARGUMENTS(WINDOW, SLOWLY, "--execute"));
    scene_await_orders(&process, ORDERS + IN_WINDOW / 2);
    process_signal(&process, SIGKILL);
    assert_int_equal(process_wait(&process), -SIGKILL);
    assert_int_equal(process_run(&process, ARGUMENTS(WINDOW, "--name", "fix", "--execute")), 0);
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), ORDERS + IN_WINDOW);
    assert_int_equal(scene_query(&process,
                                 "select count(*) from (select order_id from orders group by 1 having count(*) = 2)",
                                 NULL, 0),
                     IN_WINDOW);
    assert_int_equal(process_run(&process, (const char *const[]){"run", "weir.yaml", "--exit-at-end", NULL}), 0);
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), ORDERS + IN_WINDOW);
    process_fini(&process);
}

static void twice_into_an_upsert_store_is_as_once(void **state)
{
    (void)state;
    struct process process;
    char once[64], twice[64];
    static const char SUM[] =
        "select count(*) || ' ' || sum(total) || ' ' || group_concat(order_id) from (select * from "
        "orders order by order_id limit 5)";
    set_up(
        &process, "replay-upsert",
        "stages:\n  - decode: {}\n  - store: {sqlite: {path: orders.db, table: orders, mode: upsert, key: [order_id], "
        "columns: {order_id: .order_id, total: .total}}}\n");
    assert_int_equal(process_run(&process, ARGUMENTS(WINDOW, "--execute")), 0);
    assert_window_stored(&process);
    scene_query(&process, SUM, once, sizeof once);
    assert_int_equal(process_run(&process, ARGUMENTS(WINDOW, "--execute")), 0);
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), IN_WINDOW);
    scene_query(&process, SUM, twice, sizeof twice);
    assert_string_equal(once, twice);
    process_fini(&process);
}

static void one_of_the_stores_can_be_chosen(void **state)
{
    (void)state;
    struct process process;
    set_up(&process, "replay-store",
           "stages:\n  - decode: {}\n  - store:\n    - {name: rows, sqlite: {path: orders.db, table: orders, columns: "
           "{order_id: .order_id}}}\n    - {name: lines, file: {path: lines.ndjson}}\n");
    assert_int_equal(process_run(&process, ARGUMENTS(WINDOW, "--store", "nothing", "--execute")), 64);
    assert_true(process_said(&process, "--store \"nothing\": expected one of the stores of weir.yaml: rows, lines"));
    assert_int_equal(process_run(&process, ARGUMENTS(WINDOW, "--store", "rows", "--execute")), 0);
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), IN_WINDOW);
    assert_null(process_read(&process, "lines.ndjson"));
    assert_int_equal(process_run(&process, ARGUMENTS(WINDOW, "--store", "file", "--execute")), 0);
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), IN_WINDOW);
    char *lines = process_read(&process, "lines.ndjson");
    assert_non_null(lines);
    free(lines);
    process_fini(&process);
}

static void ignore(const rd_kafka_message_t *message, void *arg)
{
    (void)message;
    (void)arg;
}

static void a_dry_run_does_all_but_the_write(void **state)
{
    (void)state;
    struct process process;
    char rest[512];
    snprintf(rest, sizeof rest, "%serrors: {dead_letter: {topic: replay-dry.dlq}}\n", TO_SQLITE);
    set_up(&process, "replay-dry", rest);
    kafka_make_topic(scene_producer, "replay-dry.dlq", 1);
    for (int i = 0; i < 12; i++)
        send_one("replay-dry", 200, "{\"order_id\": ");
    scene_flush();
    assert_int_equal(process_run(&process, (const char *const[]){"replay", "weir.yaml", "--name", "fix", "--receipt",
                                                                 "receipt.json", "--dry-run-store", "--execute", NULL}),
                     0);
    assert_true(process_said(&process, "nothing is written (dry run), nor are dead letters\n"));
    assert_true(process_said(&process, "  would store"));
    assert_true(process_said(&process, "would be a dead letter: decode: json: "));
    assert_true(process_said(&process, "2 more would be dead letters"));
    assert_int_equal(process_number(&process, "receipt.json", "stored"), ORDERS);
    assert_int_equal(process_number(&process, "receipt.json", "dead_lettered"), 12);
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), -1);
    assert_int_equal(kafka_read_topic(scene_broker, "replay-dry.dlq", ignore, NULL), 0);
    assert_int_equal(scene_committed("replay-dry.fix", "replay-dry", 0), -1);
    /* The real one has all of it still. */
    assert_int_equal(process_run(&process, ARGUMENTS("--name", "fix", "--execute")), 0);
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), ORDERS);
    process_fini(&process);
}

static void beside_the_live_service_it_needs_no_port_and_takes_no_partition(void **state)
{
    (void)state;
    struct process live, process;
    char rest[512];
    set_up(&live, "replay-beside", "");
    process_init(&process, "replay-beside-it");
    snprintf(rest, sizeof rest, "%sadmin: {listen: \"127.0.0.1:%u\"}\n", TO_SQLITE, process_free_port());
    scene_config(&live, "replay-beside", rest);
    scene_config(&process, "replay-beside", rest);
    process_start(&live, (const char *const[]){"run", "weir.yaml", NULL});
    scene_await_orders(&live, ORDERS);
    assert_int_equal(
        process_run(&process, (const char *const[]){"replay", "weir.yaml", WINDOW, "--name", "fix", "--execute", NULL}),
        0);
    assert_false(process_said(&process, "WARN"));
    assert_false(process_said(&process, "admin"));
    assert_int_equal(scene_query(&process, COUNT, NULL, 0), IN_WINDOW);
    process_signal(&live, SIGTERM);
    assert_int_equal(process_wait(&live), 0);
    assert_false(process_said(&live, "revoked"));
    assert_int_equal(scene_query(&live, COUNT, NULL, 0), ORDERS);
    assert_int_equal(scene_committed("replay-beside", "replay-beside", 0), ORDERS / PARTITIONS);
    process_fini(&process);
    process_fini(&live);
}

static void an_admin_port_is_there_when_it_is_asked_for(void **state)
{
    (void)state;
    struct process process;
    char port[16], page[16384];
    unsigned number = process_free_port();
    set_up(&process, "replay-admin", TO_SQLITE);
    snprintf(port, sizeof port, "%u", number);
    assert_int_equal(process_run(&process, ARGUMENTS("--admin", "70000")), 64);
    process_start(&process, ARGUMENTS(WINDOW, "--rate", "20/s", "--admin", port, "--execute"));
    scene_await_orders(&process, 1);
    assert_int_equal(process_get(number, "/readyz", page, sizeof page), 200);
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process), 75);
    assert_true(process_said(&process, "no progress was kept, the same command starts over"));
    process_fini(&process);
}

static void machines_read_plan_progress_and_receipt(void **state)
{
    (void)state;
    struct process process;
    set_up(&process, "replay-json", TO_SQLITE);
    assert_int_equal(process_run(&process, (const char *const[]){"replay", "weir.yaml", WINDOW, "--rate", "90/s",
                                                                 "--json", "--execute", NULL}),
                     0);
    assert_true(process_said(&process, "{\"plan\": \"replay\", \"service\": \"replay-json.replay\", "));
    assert_true(process_said(&process, "\"estimate_by\": \"rate\""));
    assert_true(process_said(&process, "{\"progress\": {\"seconds\": 1."));
    assert_true(process_said(&process, "{\"consumed\": 180, \"stored\": 180, "));
    assert_true(process_said(&process, "\"finished\": true, \"dry_run\": false}\n"));
    process_fini(&process);
}

static void what_is_wrong_is_told_before_anything_is_asked(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "replay-wrong");
    scene_config(&process, "replay-wrong", TO_SQLITE);
    assert_int_equal(process_run(&process, (const char *const[]){"replay", "weir.yaml", "--from", "2026-11-31", NULL}),
                     64);
    assert_true(
        process_said(&process, "weir replay: --from \"2026-11-31\": at position 9: expected a day of that month"));
    assert_int_equal(
        process_run(&process, (const char *const[]){"replay", "weir.yaml", "--from", "now", "--to", "0@5", NULL}), 64);
    assert_true(process_said(&process, "weir replay: --from \"now\" is later than --to \"0@5\"\n"));
    assert_int_equal(process_run(&process, (const char *const[]){"replay", "weir.yaml", NULL}), 78);
    assert_true(process_said(&process, "weir replay: "));
    process_file(&process, "away.yaml",
                 "service: s\nsource: {kafka: {brokers: \"127.0.0.1:%u\", group: g, topics: [t]}}\n"
                 "stages: [{store: {stdout: {}}}]\n",
                 process_free_port());
    int64_t began = clock_now();
    assert_int_equal(process_run(&process, (const char *const[]){"replay", "away.yaml", "--timeout", "1s", NULL}), 69);
    assert_true(clock_now() - began < 20 * CLOCK_SECOND);
    process_fini(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plan_alone_does_nothing),
        cmocka_unit_test(a_window_of_time_is_stored_exactly_and_the_live_group_stays_where_it_was),
        cmocka_unit_test(a_speed_is_kept_by_the_timestamps),
        cmocka_unit_test(a_window_in_which_nothing_is_ends_well),
        cmocka_unit_test(offsets_partitions_keys_headers_and_limits_choose_as_well),
        cmocka_unit_test(killed_half_way_it_goes_on_and_a_finished_one_says_so),
        cmocka_unit_test(a_signal_ends_it_in_order_and_it_says_how_to_go_on),
        cmocka_unit_test(exactly_once_it_has_offsets_of_its_own_and_wants_a_name),
        cmocka_unit_test(twice_into_an_upsert_store_is_as_once),
        cmocka_unit_test(one_of_the_stores_can_be_chosen),
        cmocka_unit_test(a_dry_run_does_all_but_the_write),
        cmocka_unit_test(beside_the_live_service_it_needs_no_port_and_takes_no_partition),
        cmocka_unit_test(an_admin_port_is_there_when_it_is_asked_for),
        cmocka_unit_test(machines_read_plan_progress_and_receipt),
        cmocka_unit_test(what_is_wrong_is_told_before_anything_is_asked),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
