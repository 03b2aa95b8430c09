/* `weir dlq list` and `weir dlq show` against a real broker: what they tell of dead letters. */
#include <setjmp.h>
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

static const char *const LIST[] = {"dlq", "list", "weir.yaml", NULL};
static const char *const LIST_JSON[] = {"dlq", "list", "weir.yaml", "--json", NULL};
static const char *const REDRIVE[] = {"dlq", "redrive", "weir.yaml", "--execute", "--receipt", "receipt.json", NULL};

static void they_are_listed_and_one_is_shown(void **state)
{
    (void)state;
    struct process process;
    dlq_begin(&process, "dlq-list", "");
    assert_int_equal(process_run(&process, LIST), 0);
    assert_holds(&process, "stdout", "dlq-list.dlq: 50 dead letters, of records from 2023-11-14T22:13:20Z to ");
    assert_holds(&process, "stdout", "\nenrich  lookup       50  2023-11-14T22:13:20Z  ");
    assert_holds(&process, "stdout", "\ndlq-list       50\n");
    assert_holds(&process, "stdout", "\n2023-11-14 22:13:20       50  ####");
    assert_holds(&process, "stdout", "\nSee one: weir dlq show weir.yaml ");
    assert_int_equal(process_run(&process, LIST_JSON), 0);
    assert_int_equal(process_number(&process, "stdout", "letters"), DLQ_BAD);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "list", "weir.yaml", "--class", "json", NULL}),
                     0);
    assert_holds(&process, "stdout", "dlq-list.dlq: none of 50 dead letters is of that stage and class\n");
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
    assert_int_equal(
        process_run(&process, (const char *const[]){"dlq", "show", "weir.yaml", "0@0", "--raw", "--hex", NULL}), 64);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "show", "weir.yaml", "0@5000", NULL}), 1);
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "show", "weir.yaml", "9@0", NULL}), 1);
    assert_true(process_said(&process, "there is no record dlq-list.dlq/9@0; `weir dlq list` tells where letters are"));
    assert_int_equal(process_run(&process, (const char *const[]){"dlq", "show", "weir.yaml", "x@1", NULL}), 64);
    /* Nothing was left behind. */
    assert_int_equal(scene_committed("dlq-list.redrive", "dlq-list.dlq", 0), -1);
    assert_int_equal(scene_committed("dlq-list", "dlq-list.dlq", 0), -1);
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
    dlq_configure(&process, "dlq-none", "dlq-none", "");
    assert_int_equal(process_run(&process, LIST), 78);
    char *said = process_read(&process, "stderr");
    assert_string_equal(said, "weir dlq list: dlq-none.dlq: there is no such topic\n");
    free(said);
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
        cmocka_unit_test(what_has_no_dead_letters_says_so),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
