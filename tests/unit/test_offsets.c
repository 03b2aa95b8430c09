#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "processor/offsets.h"

struct seen {
    char text[512];
};

static void collect(const char *topic, int32_t partition, int64_t offset, void *arg)
{
    struct seen *seen = arg;
    size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof seen->text - used, "%s/%d@%lld ", topic, partition, (long long)offset);
}

static void they_come_in_the_order_of_topic_and_partition(void **state)
{
    (void)state;
    struct seen seen = {""};
    struct offsets *offsets = offsets_new();
    offsets_each(offsets, collect, &seen);
    assert_string_equal(seen.text, "");
    offsets_set(offsets, "b", 2, 5);
    offsets_set(offsets, "b", 10, 1);
    offsets_set(offsets, "a", 7, 0);
    offsets_set(offsets, "c", 0, 9);
    offsets_set(offsets, "b", 2, 6);
    offsets_set(offsets, "b", 1, INT64_MAX);
    offsets_each(offsets, collect, &seen);
    assert_string_equal(seen.text, "a/7@0 b/1@9223372036854775807 b/2@6 b/10@1 c/0@9 ");
    offsets_free(offsets);
    offsets_free(NULL);
}

static void the_topic_is_copied(void **state)
{
    (void)state;
    struct seen seen = {""};
    char topic[] = "orders";
    struct offsets *offsets = offsets_new();
    offsets_set(offsets, topic, 0, 1);
    topic[0] = 'x';
    offsets_set(offsets, "orders", 0, 2);
    offsets_each(offsets, collect, &seen);
    assert_string_equal(seen.text, "orders/0@2 ");
    offsets_free(offsets);
}

static void an_end_is_remembered_and_is_no_committed_offset(void **state)
{
    (void)state;
    struct seen seen = {""};
    struct offsets *offsets = offsets_new();
    assert_int_equal(offsets_get_end(offsets, "orders", 0), -1);
    assert_true(offsets_set_end(offsets, "orders", 0, 7));
    offsets_each(offsets, collect, &seen);
    assert_string_equal(seen.text, "");
    offsets_set(offsets, "orders", 0, 3);
    assert_int_equal(offsets_get_end(offsets, "orders", 0), 7);
    assert_int_equal(offsets_get_end(offsets, "orders", 1), -1);
    offsets_each(offsets, collect, &seen);
    assert_string_equal(seen.text, "orders/0@3 ");
    offsets_free(offsets);
}

static void what_is_committed_can_be_asked_for_and_what_was_taken_adds_up(void **state)
{
    (void)state;
    struct offsets *offsets = offsets_new();
    assert_int_equal(offsets_get(offsets, "orders", 0), -1);
    assert_true(offsets_set_end(offsets, "orders", 0, 7));
    assert_int_equal(offsets_get(offsets, "orders", 0), -1);
    offsets_set(offsets, "orders", 0, 3);
    assert_int_equal(offsets_get(offsets, "orders", 0), 3);
    assert_int_equal(offsets_get_taken(offsets), 0);
    offsets_add_taken(offsets, 5);
    offsets_add_taken(offsets, 2);
    assert_int_equal(offsets_get_taken(offsets), 7);
    offsets_free(offsets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_in_the_order_of_topic_and_partition),
        cmocka_unit_test(the_topic_is_copied),
        cmocka_unit_test(what_is_committed_can_be_asked_for_and_what_was_taken_adds_up),
        cmocka_unit_test(an_end_is_remembered_and_is_no_committed_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
