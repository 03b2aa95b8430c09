/* `weir dlq` against a real broker: what it tells of dead letters, and what becomes of them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/kafka.h"
#include "tests/support/process.h"
#include "tests/support/scene.h"

enum { ORDERS = 1000, EVERY = 20, BAD = ORDERS / EVERY };

static const char *const RUN[] = {"run", "weir.yaml", "--exit-at-end", "--receipt", "receipt.json", NULL};
static const char *const LIST[] = {"dlq", "list", "weir.yaml", NULL};
static const char *const LIST_JSON[] = {"dlq", "list", "weir.yaml", "--json", NULL};
static const char *const PLAN[] = {"dlq", "redrive", "weir.yaml", NULL};
static const char *const REDRIVE[] = {"dlq", "redrive", "weir.yaml", "--execute", "--receipt", "receipt.json", NULL};

/* letters: of which topic the dead letters are in NAME.dlq */
static void configure(const struct process *process, const char *name, const char *letters, const char *more)
{
    char rest[2048];
    snprintf(
        rest, sizeof rest,
        "%sadmin: false\n"
        "stages:\n"
        "  - decode: {format: json}\n"
        "  - enrich:\n"
        "      - lookup: {table: customers.csv, match: customer_id, column: id, fields: [name], on_missing: reject}\n"
        "  - store:\n"
        "      sqlite: {path: orders.db, table: orders, mode: upsert, key: [order_id],\n"
        "               columns: {order_id: .order_id, name: .name, total: .total,\n"
        "                         source: \"{{topic}}/{{partition}}/{{offset}}\", trace: \"{{header.trace}}\",\n"
        "                         failed: \"{{header.weir.error.class}}\", at: \"{{timestamp}}\"}}\n"
        "errors:\n"
        "  dead_letter: {topic: %s.dlq}\n",
        more, letters);
    scene_config(process, name, rest);
}

/* Every EVERYth is of a customer that the table does not have. */
static void send_orders(const char *topic)
{
    for (int i = 0; i < ORDERS; i++) {
        char value[128], key[32];
        snprintf(key, sizeof key, "k-%d", i);
        snprintf(value, sizeof value, "{\"order_id\": \"o-%d\", \"customer_id\": \"c-%d\", \"total\": %d.5}", i,
                 i % EVERY == 7 ? 2 : i % 2, i);
        scene_send(topic, i % 3, key, value);
    }
    scene_flush();
}

static void fix_table(const struct process *process)
{
    process_file(process, "customers.csv", "id,name,tier\nc-0,Ada,gold\nc-1,Bo,silver\nc-2,Cy,iron\n");
}

/* A service that has run, with BAD dead letters. */
static void begin(struct process *process, const char *name, const char *more)
{
    char letters[64];
    process_init(process, name);
    snprintf(letters, sizeof letters, "%s.dlq", name);
    kafka_make_topic(scene_producer, name, 3);
    kafka_make_topic(scene_producer, letters, 2);
    send_orders(name);
    configure(process, name, name, more);
    assert_int_equal(process_run(process, RUN), 0);
    assert_int_equal(process_number(process, "receipt.json", "dead_lettered"), BAD);
    assert_int_equal(scene_query(process, "select count(*) from orders", NULL, 0), ORDERS - BAD);
}

static void assert_all_is_stored_as_it_came(const struct process *process, const char *topic)
{
    char sql[256];
    assert_int_equal(scene_query(process, "select count(*) from orders", NULL, 0), ORDERS);
    assert_int_equal(scene_query(process, "select count(distinct source) from orders", NULL, 0), ORDERS);
    snprintf(sql, sizeof sql,
             "select count(*) from orders where source like '%s/_/%%' and trace = 't-1' and failed is null and "
             "at = '2023-11-14T22:13:20.123Z'",
             topic);
    assert_int_equal(scene_query(process, sql, NULL, 0), ORDERS);
    assert_int_equal(scene_query(process, "select count(*) from orders where name = 'Cy'", NULL, 0), BAD);
}

static void they_are_listed_and_one_is_shown(void **state)
{
    (void)state;
    struct process process;
    begin(&process, "dlq-list", "");
    assert_int_equal(process_run(&process, LIST), 0);
    assert_holds(&process, "stdout", "dlq-list.dlq: 50 dead letters, of records from 2023-11-14T22:13:20Z to ");
    assert_holds(&process, "stdout", "\nenrich  lookup       50  2023-11-14T22:13:20Z  ");
    assert_holds(&process, "stdout", "\ndlq-list       50\n");
    assert_holds(&process, "stdout", "\n2023-11-14 22:13:20       50  ####");
    assert_holds(&process, "stdout", "\nSee one: weir dlq show weir.yaml ");
    assert_int_equal(process_run(&process, LIST_JSON), 0);
    assert_int_equal(process_number(&process, "stdout", "letters"), BAD);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "list", "weir.yaml", "--class", "json", NULL}),
                     0);
    assert_holds(&process, "stdout", "dlq-list.dlq: no dead letters\n");
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "list", "weir.yaml", "--json", "--key", "k-27",
                                                                 "--from", "2023-11-14", NULL}),
                     0);
    assert_int_equal(process_number(&process, "stdout", "letters"), 1);

    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "show", "weir.yaml", "0@0", NULL}), 0);
    assert_holds(&process, "stdout", "letter     dlq-list.dlq/0@0\n");
    assert_holds(&process, "stdout", "\nfrom       dlq-list/");
    assert_holds(&process, "stdout", "\nheaders    trace: t-1\n");
    assert_holds(&process, "stdout", "{\n  \"order_id\": \"o-");
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "show", "weir.yaml", "--last", "--key", "k-27",
                                                                 "--raw", NULL}),
                     0);
    char *value = process_read(&process, "stdout");
    assert_string_equal(value, "{\"order_id\": \"o-27\", \"customer_id\": \"c-2\", \"total\": 27.5}");
    free(value);
    /* However far behind the last one of its partition it is. */
    for (int i = 0; i < 300; i++)
        scene_send("dlq-list.dlq", i % 2, "other", "{}");
    scene_flush();
    assert_int_equal(
        process_run(&process, (const char *const[]){"dlq", "show", "weir.yaml", "--last", "--key", "k-27", NULL}), 0);
    assert_int_equal(
        process_run(&process, (const char *const[]){"dlq", "show", "weir.yaml", "--last", "--stage", "x", NULL}), 1);
    assert_int_equal(
        process_run(&process, (const char *const[]){"dlq", "show", "weir.yaml", "0@0", "--stage", "x", NULL}), 64);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "show", "weir.yaml", "0@5000", NULL}), 1);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "show", "weir.yaml", "x@1", NULL}), 64);
    /* Nothing was left behind. */
    assert_int_equal(scene_committed("dlq-list.redrive", "dlq-list.dlq", 0), -1);
    assert_int_equal(scene_committed("dlq-list", "dlq-list.dlq", 0), -1);
    process_fini(&process);
}

static void after_the_fix_all_are_stored_and_none_twice(void **state)
{
    (void)state;
    struct process process;
    begin(&process, "dlq-fixed", "");
    fix_table(&process);
    int64_t before = scene_committed("dlq-fixed", "dlq-fixed", 0);
    assert_int_equal(process_run(&process, PLAN), 0);
    assert_holds(&process, "stdout", "dlq-fixed.dlq: 50 dead letters to redrive");
    assert_holds(&process, "stdout", "\nenrich  lookup       50  ");
    assert_holds(&process, "stdout", "\nnothing was done; add --execute\n");
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), ORDERS - BAD);
    assert_int_equal(scene_committed("dlq-fixed.redrive", "dlq-fixed.dlq", 0), -1);

    assert_int_equal(process_run(&process, REDRIVE), 0);
    assert_int_equal(process_number(&process, "receipt.json", "consumed"), BAD);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), BAD);
    assert_int_equal(process_number(&process, "receipt.json", "passed_over"), 0);
    assert_all_is_stored_as_it_came(&process, "dlq-fixed");
    assert_int_equal(scene_committed("dlq-fixed", "dlq-fixed", 0), before);

    /* Nothing is left, and so nothing comes twice. */
    assert_int_equal(process_run(&process, REDRIVE), 0);
    assert_all_is_stored_as_it_came(&process, "dlq-fixed");
    /* But by another name it is done again, and the store is the same. */
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--execute", "--name",
                                                                 "again", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), BAD);
    assert_all_is_stored_as_it_came(&process, "dlq-fixed");
    /* And what a filter has passed over is there for another one, under the same name too. */
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--execute", "--name",
                                                                 "mixed", "--class", "other", NULL}),
                     0);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--execute", "--name",
                                                                 "mixed", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), BAD);
    process_fini(&process);
}

/* What fails again does not go round, and is not taken up for ever. */
static void letters_that_fail_again_count_on_up_to_a_limit(void **state)
{
    (void)state;
    struct process process;
    begin(&process, "dlq-loop", "");
    for (int round = 2; round <= 3; round++) {
        assert_int_equal(process_run(&process, REDRIVE), 0);
        assert_int_equal(process_number(&process, "receipt.json", "consumed"), BAD);
        assert_int_equal(process_number(&process, "receipt.json", "dead_lettered"), BAD);
        assert_int_equal(process_run(&process, LIST_JSON), 0);
        assert_int_equal(process_number(&process, "stdout", "letters"), round * BAD);
        assert_int_equal(process_number(&process, "stdout", "attempts_most"), round);
    }
    /* By this name nothing was done yet: the newest letters, of the third round, are what the records are now. */
    assert_int_equal(
        process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--max-attempts", "2", NULL}), 0);
    assert_holds(&process, "stdout", "dlq-loop.dlq: 0 dead letters to redrive");
    assert_holds(&process, "stdout",
                 "passed over: 150 (100 superseded by a newer letter, 50 refused 2 times or more: see "
                 "--max-attempts); they stay in the topic\n");
    for (int again = 0; again < 2; again++)
        assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--max-attempts",
                                                                     "2", "--execute", NULL}),
                         0);
    assert_holds(&process, "stderr",
                 "there is nothing in it to redrive\nletters that an earlier run passed over, as they were refused 2 "
                 "times or more, are not taken up again by themselves; take them with --max-attempts N\n");
    fix_table(&process);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--max-attempts", "10",
                                                                 "--execute", "--receipt", "receipt.json", NULL}),
                     0);
    /* Each once, of its three letters. */
    assert_int_equal(process_number(&process, "receipt.json", "stored"), BAD);
    assert_int_equal(process_number(&process, "receipt.json", "passed_over"), 2 * BAD);
    assert_int_equal(process_number(&process, "receipt.json", "superseded"), 2 * BAD);
    assert_all_is_stored_as_it_came(&process, "dlq-loop");
    /* The first letters' places came along: it is the record that is told of, not the letter before. */
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "show", "weir.yaml", "--last", "--where",
                                                                 "header.weir.attempts=3", NULL}),
                     0);
    assert_holds(&process, "stdout", "\nfrom       dlq-loop/");
    assert_holds(&process, "stdout", "\nattempts   3\n");
    process_fini(&process);
}

static void only_what_the_filter_says_is_taken_and_the_rest_counted(void **state)
{
    (void)state;
    struct process process;
    begin(&process, "dlq-some", "");
    scene_send("dlq-some", 0, "broken", "{");
    scene_flush();
    assert_int_equal(process_run(&process, RUN), 0);
    fix_table(&process);
    assert_int_equal(
        process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--class", "lookup", "--key", "k-27",
                                                    "--execute", "--receipt", "receipt.json", NULL}),
        0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 1);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--stage", "enrich",
                                                                 "--execute", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), BAD);
    assert_int_equal(process_number(&process, "receipt.json", "passed_over"), 1);
    assert_true(process_said(&process, "passed over: 1 (1 of another stage or class)"));
    assert_all_is_stored_as_it_came(&process, "dlq-some");
    process_fini(&process);
}

/* One dead-letter topic of several services. */
static void letters_of_another_services_topics_are_left_to_it(void **state)
{
    (void)state;
    struct process process;
    begin(&process, "dlq-shared", "");
    configure(&process, "dlq-elsewhere", "dlq-shared", "");
    for (int back = 0; back < 2; back++) {
        assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml",
                                                                     back ? "--to-source" : NULL, NULL}),
                         0);
        assert_holds(&process, "stdout", "dlq-shared.dlq: 0 dead letters to redrive");
        assert_holds(&process, "stdout",
                     "passed over: 50 (50 from topics that weir.yaml does not consume); they stay in the topic\n");
    }
    process_fini(&process);
}

struct back {
    unsigned count, kept, named, dated;
};

static void look_at_what_came_back(const rd_kafka_message_t *message, void *arg)
{
    struct back *back = arg;
    rd_kafka_headers_t *headers;
    rd_kafka_timestamp_type_t type;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) != 0 ||
        rd_kafka_header_get_last(headers, "weir.attempts", &value, &size) != 0)
        return;
    back->count++;
    back->kept += size == 1 && *(const char *)value == '1' && rd_kafka_header_cnt(headers) == 2 &&
                  rd_kafka_header_get_last(headers, "trace", &value, &size) == 0;
    back->named += message->key_len > 2 && memcmp(message->key, "k-", 2) == 0;
    back->dated += rd_kafka_message_timestamp(message, &type) == 1700000000123;
}

static void they_go_back_to_their_topic_for_the_service_to_take(void **state)
{
    (void)state;
    struct process process;
    struct back back = {0};
    begin(&process, "dlq-back", "");
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--to-source",
                                                                 "--execute", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), BAD);
    assert_int_equal(kafka_read_topic(scene_broker, "dlq-back", look_at_what_came_back, &back), ORDERS + BAD);
    assert_int_equal(back.count, BAD);
    assert_int_equal(back.kept, BAD);
    assert_int_equal(back.named, BAD);
    assert_int_equal(back.dated, BAD);
    /* They fail once more, as nothing was fixed, and count on. */
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "dead_lettered"), BAD);
    assert_int_equal(process_run(&process, LIST_JSON), 0);
    assert_int_equal(process_number(&process, "stdout", "attempts_most"), 2);
    assert_int_equal(process_number(&process, "stdout", "letters"), 2 * BAD);

    fix_table(&process);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--to-source",
                                                                 "--execute", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), BAD);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), BAD);
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), ORDERS);
    process_fini(&process);
}

/* With offsets in the store, also an append store has none twice. */
static void a_redrive_that_is_killed_goes_on_where_it_was(void **state)
{
    (void)state;
    static const char *const SLOWLY[] = {"dlq",    "redrive",   "weir.yaml", "--rate",       "20/s", "--name",
                                         "slowly", "--execute", "--receipt", "receipt.json", NULL};
    struct process process;
    begin(&process, "dlq-killed", "delivery: exactly_once\n");
    fix_table(&process);
    process_start(&process, SLOWLY);
    scene_await_orders(&process, ORDERS - BAD + BAD / 4);
    process_signal(&process, SIGKILL);
    assert_int_equal(process_wait(&process), -SIGKILL);
    int64_t rows = scene_query(&process, "select count(*) from orders", NULL, 0);
    assert_in_range(rows, ORDERS - BAD + BAD / 4, ORDERS - 1);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--name", "slowly",
                                                                 "--execute", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), ORDERS - rows);
    assert_all_is_stored_as_it_came(&process, "dlq-killed");
    process_fini(&process);
}

/* `count` orders more of the customer that is missing, which become letters, and then the customer. */
static void add_letters(struct process *process, const char *topic, int from, int count)
{
    process_file(process, "customers.csv", "id,name,tier\nc-0,Ada,gold\nc-1,Bo,silver\n");
    for (int i = from; i < from + count; i++) {
        char value[128];
        snprintf(value, sizeof value, "{\"order_id\": \"o-%d\", \"customer_id\": \"c-2\", \"total\": 1}", i);
        scene_send(topic, i % 3, "k", value);
    }
    scene_flush();
    assert_int_equal(process_run(process, RUN), 0);
    assert_int_equal(process_number(process, "receipt.json", "dead_lettered"), count);
    fix_table(process);
}

/* With offsets in the store: those of one redrive are where the next begins, and those whose progress is gone pass no letter over. */
static void what_came_since_is_taken_where_the_store_keeps_offsets(void **state)
{
    (void)state;
    struct process process;
    begin(&process, "dlq-once", "delivery: exactly_once\n");
    fix_table(&process);
    assert_int_equal(process_run(&process, REDRIVE), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), BAD);
    for (int round = 0; round < 2; round++) {
        add_letters(&process, "dlq-once", ORDERS + 9 * round, 9);
        assert_int_equal(process_run(&process, REDRIVE), 0);
        assert_int_equal(process_number(&process, "receipt.json", "stored"), 9);
    }
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), ORDERS + 18);

    add_letters(&process, "dlq-once", ORDERS + 18, 9);
    scene_delete_group("dlq-once.redrive");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(process_run(&process, REDRIVE), 1);
        assert_true(process_said(&process, "of an earlier run under the name \"redrive\", whose progress is gone"));
    }
    assert_int_equal(scene_committed("dlq-once.redrive", "dlq-once.dlq", 0), -1);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--execute", "--name",
                                                                 "again", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), BAD + 27);
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), ORDERS + 27);
    process_fini(&process);
}

static void what_has_no_dead_letters_says_so(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "dlq-none");
    scene_config(&process, "dlq-none", SCENE_TO_SQLITE);
    assert_int_equal(process_run(&process, LIST), 78);
    assert_true(process_said(&process, "weir dlq list: weir.yaml has no errors.dead_letter.topic"));
    configure(&process, "dlq-none", "dlq-none", "");
    assert_int_equal(process_run(&process, LIST), 78);
    assert_true(process_said(&process, "dlq-none.dlq"));
    kafka_make_topic(scene_producer, "dlq-none.dlq", 1);
    assert_int_equal(process_run(&process, LIST), 0);
    assert_holds(&process, "stdout", "dlq-none.dlq: no dead letters\n");
    assert_int_equal(process_run(&process, REDRIVE), 0);
    process_fini(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_listed_and_one_is_shown),
        cmocka_unit_test(after_the_fix_all_are_stored_and_none_twice),
        cmocka_unit_test(letters_that_fail_again_count_on_up_to_a_limit),
        cmocka_unit_test(only_what_the_filter_says_is_taken_and_the_rest_counted),
        cmocka_unit_test(letters_of_another_services_topics_are_left_to_it),
        cmocka_unit_test(they_go_back_to_their_topic_for_the_service_to_take),
        cmocka_unit_test(a_redrive_that_is_killed_goes_on_where_it_was),
        cmocka_unit_test(what_came_since_is_taken_where_the_store_keeps_offsets),
        cmocka_unit_test(what_has_no_dead_letters_says_so),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
