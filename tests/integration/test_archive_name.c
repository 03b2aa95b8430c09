/* For what a --name of `weir archive` stands: what is done under it is nothing that another archive could do without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/support/process.h"
#include "tests/support/scene.h"

enum { ORDERS = 40 };

#define ARGUMENTS(...)                                                                                                 \
    ((const char *const[]){"archive", "weir.yaml", "--name", "n", "--quiet", "--receipt", "receipt.json", "--execute", \
                           __VA_ARGS__, NULL})
#define TEN_TIMES(text) text text text text text text text text text text

static const char REST[] = "stages:\n  - decode: {}\n  - store: {file: {path: out.ndjson}}\n";

static void set_up(struct process *process, const char *topic)
{
    process_init(process, topic);
    scene_config(process, topic, REST);
    kafka_make_topic(scene_producer, topic, 1);
    scene_send_orders(topic, 1, ORDERS);
}

static void assert_stored(struct process *process, const char *const *arguments, int64_t count)
{
    assert_int_equal(process_run(process, arguments), 0);
    assert_int_equal(process_number(process, "receipt.json", "stored"), count);
}

static void another_folder_is_not_that_of_before(void **state)
{
    (void)state;
    struct process process;
    set_up(&process, "archive-name-dir");
    assert_stored(&process, ARGUMENTS("--dir", "a", "--max-records", "30"), 30);
    assert_stored(&process, ARGUMENTS("--dir", "b"), ORDERS);
    assert_stored(&process, ARGUMENTS("--dir", "lines", "--format", "ndjson"), ORDERS);
    process_fini(&process);
}

static void the_same_folder_is_that_however_it_is_said(void **state)
{
    (void)state;
    struct process process;
    char link[200], absolute[200];
    set_up(&process, "archive-name-same");
    snprintf(link, sizeof link, "%s/link", process.dir);
    snprintf(absolute, sizeof absolute, "%s/a", process.dir);
    /* Not there yet at first. */
    assert_stored(&process, ARGUMENTS("--dir", "a", "--max-records", "10"), 10);
    assert_int_equal(symlink("a", link), 0);
    assert_stored(&process, ARGUMENTS("--dir", "./a/", "--max-records", "10"), 10);
    assert_int_equal(process_number(&process, "receipt.json", "passed_over"), 0);
    assert_stored(&process, ARGUMENTS("--dir", "link", "--max-records", "10"), 10);
    assert_int_equal(process_number(&process, "receipt.json", "passed_over"), 0);
    assert_stored(&process, ARGUMENTS("--dir", absolute), 10);
    assert_int_equal(process_number(&process, "receipt.json", "passed_over"), 0);
    process_fini(&process);
}

static void other_records_are_not_those_of_before(void **state)
{
    (void)state;
    struct process process;
    set_up(&process, "archive-name-key");
    scene_send("archive-name-key", 0, "one", "{}");
    scene_send("archive-name-key", 0, "two", "{}");
    scene_send("archive-name-key", 0, "two", "{}");
    scene_flush();
    assert_stored(&process, ARGUMENTS("--dir", "a", "--key", "one"), 1);
    assert_stored(&process, ARGUMENTS("--dir", "b", "--key", "two"), 2);
    assert_stored(&process, ARGUMENTS("--dir", "b", "--where", "header.trace=t-1", "--key", "two"), 0);
    assert_int_equal(process_number(&process, "receipt.json", "passed_over"), 2);
    process_fini(&process);
}

/* With what is put to it a name of 60 letters is too long. */
static void a_name_that_is_no_good_is_told_as_it_was_given(void **state)
{
    (void)state;
    static const char LONG[] = TEN_TIMES("letter");
    struct process process;
    process_init(&process, "archive-name-long");
    scene_config(&process, "archive-name-long", REST);
    const char *const archive[] = {"archive", "weir.yaml", "--dir", "a", "--name", LONG, NULL};
    const char *const replay[] = {"replay", "weir.yaml", "--key", "k", "--name", LONG, NULL};
    assert_int_equal(process_run(&process, archive), 64);
    assert_holds(&process, "stderr", "--name \"" TEN_TIMES("letter") "\": expected at most 47 letters here, not 60");
    assert_int_equal(process_run(&process, replay), 64);
    assert_holds(&process, "stderr", "--name \"" TEN_TIMES("letter") "\": expected at most 55 letters here, not 60");
    assert_int_equal(
        process_run(&process, (const char *const[]){"archive", "weir.yaml", "--dir", "a", "--name", "a b", NULL}), 64);
    assert_holds(&process, "stderr", "--name \"a b\": at position 2: ");
    assert_int_equal(
        process_run(&process, (const char *const[]){"archive", "weir.yaml", "--dir", "a", "--name", "", NULL}), 64);
    assert_holds(&process, "stderr", "--name \"\": at position 1: ");
    process_fini(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_folder_is_not_that_of_before),
        cmocka_unit_test(the_same_folder_is_that_however_it_is_said),
        cmocka_unit_test(other_records_are_not_those_of_before),
        cmocka_unit_test(a_name_that_is_no_good_is_told_as_it_was_given),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
