/* `weir dlq redrive` against a real broker: what becomes of dead letters. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/dlq.h"
#include "tests/support/kafka.h"
#include "tests/support/process.h"
#include "tests/support/scene.h"

static const char *const LIST_JSON[] = {"dlq", "list", "weir.yaml", "--json", NULL};
static const char *const PLAN[] = {"dlq", "redrive", "weir.yaml", NULL};
static const char *const REDRIVE[] = {"dlq", "redrive", "weir.yaml", "--execute", "--receipt", "receipt.json", NULL};

static void after_the_fix_all_are_stored_and_none_twice(void **state)
{
    (void)state;
    struct process process;
    dlq_begin(&process, "dlq-fixed", "");
    dlq_fix_table(&process);
    int64_t before = scene_committed("dlq-fixed", "dlq-fixed", 0);
    assert_int_equal(process_run(&process, PLAN), 0);
    assert_holds(&process, "stdout", "dlq-fixed.dlq: 50 dead letters to redrive\n");
    assert_holds(&process, "stdout", "\nenrich  lookup       50  ");
    assert_holds(&process, "stdout", "\nnothing was done; add --execute\n");
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), DLQ_ORDERS - DLQ_BAD);
    assert_int_equal(scene_committed("dlq-fixed.redrive", "dlq-fixed.dlq", 0), -1);

    assert_int_equal(process_run(&process, REDRIVE), 0);
    assert_int_equal(process_number(&process, "receipt.json", "consumed"), DLQ_BAD);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), DLQ_BAD);
    assert_int_equal(process_number(&process, "receipt.json", "passed_over"), 0);
    dlq_assert_all_stored(&process, "dlq-fixed");
    assert_int_equal(scene_committed("dlq-fixed", "dlq-fixed", 0), before);

    /* Nothing is left, and so nothing comes twice. */
    assert_int_equal(process_run(&process, REDRIVE), 0);
    dlq_assert_all_stored(&process, "dlq-fixed");
    /* But by another name it is done again, and the store is the same. */
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--execute", "--name",
                                                                 "again", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), DLQ_BAD);
    dlq_assert_all_stored(&process, "dlq-fixed");
    /* And what a filter has passed over is there for another one, under the same name too. */
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--execute", "--name",
                                                                 "mixed", "--class", "other", NULL}),
                     0);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--execute", "--name",
                                                                 "mixed", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), DLQ_BAD);
    process_fini(&process);
}

/* What fails again does not go round, and is not taken up for ever. */
static void letters_that_fail_again_count_on_up_to_a_limit(void **state)
{
    (void)state;
    struct process process;
    dlq_begin(&process, "dlq-loop", "");
    for (int round = 2; round <= 3; round++) {
        assert_int_equal(process_run(&process, REDRIVE), 0);
        assert_int_equal(process_number(&process, "receipt.json", "consumed"), DLQ_BAD);
        assert_int_equal(process_number(&process, "receipt.json", "dead_lettered"), DLQ_BAD);
        assert_int_equal(process_run(&process, LIST_JSON), 0);
        assert_int_equal(process_number(&process, "stdout", "letters"), round * DLQ_BAD);
        assert_int_equal(process_number(&process, "stdout", "attempts_most"), round);
    }
    /* By this name nothing was done yet: the newest letters, of the third round, are what the records are now. */
    assert_int_equal(
        process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--max-attempts", "2", NULL}), 0);
    assert_holds(&process, "stdout", "dlq-loop.dlq: 0 dead letters to redrive, of 150 that were looked at\n");
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
    /* An empty stretch that nobody has redriven: nothing was passed over. */
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--from", "0@0", "--to",
                                                                 "0@0", NULL}),
                     0);
    assert_holds(&process, "stdout", "there is nothing in it to redrive\n");
    char *said = process_read(&process, "stdout");
    assert_null(strstr(said, "an earlier run passed over"));
    free(said);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--name", "a b", NULL}),
                     64);
    assert_holds(&process, "stderr", "weir dlq redrive: --name \"a b\": ");
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--max-attempts",
                                                                 "4294967296", "--json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "stdout", "letters"), DLQ_BAD);
    dlq_fix_table(&process);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--max-attempts", "10",
                                                                 "--execute", "--receipt", "receipt.json", NULL}),
                     0);
    /* Each once, of its three letters. */
    assert_int_equal(process_number(&process, "receipt.json", "stored"), DLQ_BAD);
    assert_int_equal(process_number(&process, "receipt.json", "passed_over"), 2 * DLQ_BAD);
    assert_int_equal(process_number(&process, "receipt.json", "superseded"), 2 * DLQ_BAD);
    dlq_assert_all_stored(&process, "dlq-loop");
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
    dlq_begin(&process, "dlq-some", "");
    scene_send("dlq-some", 0, "broken", "{");
    scene_flush();
    assert_int_equal(process_run(&process, DLQ_RUN), 0);
    dlq_fix_table(&process);
    assert_int_equal(
        process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--class", "lookup", "--key", "k-27",
                                                    "--execute", "--receipt", "receipt.json", NULL}),
        0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 1);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--stage", "enrich",
                                                                 "--execute", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), DLQ_BAD);
    assert_int_equal(process_number(&process, "receipt.json", "passed_over"), 1);
    assert_true(process_said(&process, "passed over: 1 (1 of another stage or class)"));
    dlq_assert_all_stored(&process, "dlq-some");
    process_fini(&process);
}

/* One dead-letter topic of several services. */
static void letters_of_another_services_topics_are_left_to_it(void **state)
{
    (void)state;
    struct process process;
    dlq_begin(&process, "dlq-shared", "");
    dlq_configure(&process, "dlq-elsewhere", "dlq-shared", "");
    for (int back = 0; back < 2; back++) {
        assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml",
                                                                     back ? "--to-source" : NULL, NULL}),
                         0);
        assert_holds(&process, "stdout", "dlq-shared.dlq: 0 dead letters to redrive, of 50 that were looked at\n");
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
    dlq_begin(&process, "dlq-back", "");
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--to-source",
                                                                 "--execute", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), DLQ_BAD);
    assert_int_equal(kafka_read_topic(scene_broker, "dlq-back", look_at_what_came_back, &back), DLQ_ORDERS + DLQ_BAD);
    assert_int_equal(back.count, DLQ_BAD);
    assert_int_equal(back.kept, DLQ_BAD);
    assert_int_equal(back.named, DLQ_BAD);
    assert_int_equal(back.dated, DLQ_BAD);
    /* They fail once more, as nothing was fixed, and count on. */
    assert_int_equal(process_run(&process, DLQ_RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "dead_lettered"), DLQ_BAD);
    assert_int_equal(process_run(&process, LIST_JSON), 0);
    assert_int_equal(process_number(&process, "stdout", "attempts_most"), 2);
    assert_int_equal(process_number(&process, "stdout", "letters"), 2 * DLQ_BAD);

    dlq_fix_table(&process);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--to-source",
                                                                 "--execute", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), DLQ_BAD);
    assert_int_equal(process_run(&process, DLQ_RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), DLQ_BAD);
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), DLQ_ORDERS);
    process_fini(&process);
}

/* With offsets in the store, also an append store has none twice. */
static void a_redrive_that_is_killed_goes_on_where_it_was(void **state)
{
    (void)state;
    static const char *const SLOWLY[] = {"dlq",    "redrive",   "weir.yaml", "--rate",       "20/s", "--name",
                                         "slowly", "--execute", "--receipt", "receipt.json", NULL};
    struct process process;
    dlq_begin(&process, "dlq-killed", "delivery: exactly_once\n");
    dlq_fix_table(&process);
    process_start(&process, SLOWLY);
    scene_await_orders(&process, DLQ_ORDERS - DLQ_BAD + DLQ_BAD / 4);
    process_signal(&process, SIGKILL);
    assert_int_equal(process_wait(&process), -SIGKILL);
    int64_t rows = scene_query(&process, "select count(*) from orders", NULL, 0);
    assert_in_range(rows, DLQ_ORDERS - DLQ_BAD + DLQ_BAD / 4, DLQ_ORDERS - 1);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--name", "slowly",
                                                                 "--execute", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), DLQ_ORDERS - rows);
    dlq_assert_all_stored(&process, "dlq-killed");
    process_fini(&process);
}

/* The topic has a clock of its own, as it has where the broker refused the record's timestamp. */
static void a_window_is_of_the_times_of_the_records_and_not_of_their_letters(void **state)
{
    (void)state;
    static const char *const PAST[] = {"dlq",        "redrive", "weir.yaml",  "--from",
                                       "2023-11-14", "--to",    "2023-11-15", NULL};
    struct process process;
    scene_make_topic("dlq-times.dlq", 2,
                     (const struct kafka_property[]){{"message.timestamp.type", "LogAppendTime"}, {NULL, NULL}});
    dlq_begin(&process, "dlq-times", "");
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "list", "weir.yaml", "--json", "--from",
                                                                 "2023-11-14", "--to", "2023-11-15", NULL}),
                     0);
    assert_int_equal(process_number(&process, "stdout", "letters"), DLQ_BAD);
    assert_int_equal(
        process_run(&process, (const char *const[]){"dlq", "list", "weir.yaml", "--json", "--from", "-2h", NULL}), 0);
    assert_int_equal(process_number(&process, "stdout", "letters"), 0);
    assert_int_equal(process_run(&process, PAST), 0);
    assert_holds(&process, "stdout", "dlq-times.dlq: 50 dead letters to redrive\n");
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--from", "-2h", NULL}),
                     0);
    assert_holds(&process, "stdout", "dlq-times.dlq: 0 dead letters to redrive\n");
    /* Letters of a second time lie elsewhere, and have the time of the first ones. */
    assert_int_equal(process_run(&process, REDRIVE), 0);
    assert_int_equal(process_number(&process, "receipt.json", "dead_lettered"), DLQ_BAD);
    assert_int_equal(process_run(&process, PAST), 0);
    assert_holds(&process, "stdout", "dlq-times.dlq: 50 dead letters to redrive, of 100 that were looked at\n");
    assert_holds(&process, "stdout", "passed over: 50 (50 superseded by a newer letter); they stay in the topic\n");
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
    assert_int_equal(process_run(process, DLQ_RUN), 0);
    assert_int_equal(process_number(process, "receipt.json", "dead_lettered"), count);
    dlq_fix_table(process);
}

/* With offsets in the store: those of one redrive are where the next begins, and those whose progress is gone pass no letter over. */
static void what_came_since_is_taken_where_the_store_keeps_offsets(void **state)
{
    (void)state;
    struct process process;
    dlq_begin(&process, "dlq-once", "delivery: exactly_once\n");
    dlq_fix_table(&process);
    assert_int_equal(process_run(&process, REDRIVE), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), DLQ_BAD);
    for (int round = 0; round < 2; round++) {
        add_letters(&process, "dlq-once", DLQ_ORDERS + 9 * round, 9);
        assert_int_equal(process_run(&process, REDRIVE), 0);
        assert_int_equal(process_number(&process, "receipt.json", "stored"), 9);
    }
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), DLQ_ORDERS + 18);

    add_letters(&process, "dlq-once", DLQ_ORDERS + 18, 9);
    scene_delete_group("dlq-once.redrive");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(process_run(&process, REDRIVE), 1);
        assert_true(process_said(&process, "of an earlier run under the name \"redrive\", whose progress is gone"));
    }
    assert_int_equal(scene_committed("dlq-once.redrive", "dlq-once.dlq", 0), -1);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "redrive", "weir.yaml", "--execute", "--name",
                                                                 "again", "--receipt", "receipt.json", NULL}),
                     0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), DLQ_BAD + 27);
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), DLQ_ORDERS + 27);
    process_fini(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_the_fix_all_are_stored_and_none_twice),
        cmocka_unit_test(letters_that_fail_again_count_on_up_to_a_limit),
        cmocka_unit_test(only_what_the_filter_says_is_taken_and_the_rest_counted),
        cmocka_unit_test(letters_of_another_services_topics_are_left_to_it),
        cmocka_unit_test(they_go_back_to_their_topic_for_the_service_to_take),
        cmocka_unit_test(a_redrive_that_is_killed_goes_on_where_it_was),
        cmocka_unit_test(a_window_is_of_the_times_of_the_records_and_not_of_their_letters),
        cmocka_unit_test(what_came_since_is_taken_where_the_store_keeps_offsets),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
