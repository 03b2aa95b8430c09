/* A write that fails with earlier batches in hand: the flush tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "processor/lost.h"

static const struct error AWAY = {.class = ERROR_TRANSIENT, .text = "the disk is full"};
static const struct error BROKEN = {.class = ERROR_FATAL, .text = "no such table"};

static void the_first_write_tells_by_itself(void **state)
{
    struct error lost = {0}, error = {0};
    (void)state;
    assert_int_equal(lost_end_write(&lost, true, STATUS_FAILED, &AWAY, &error), STATUS_FAILED);
    assert_int_equal(error.class, ERROR_TRANSIENT);
    assert_string_equal(error.text, AWAY.text);
    assert_int_equal(lost.class, ERROR_NONE);
}

static void a_later_one_leaves_it_to_the_flush_once(void **state)
{
    struct error lost = {0}, error = {0};
    (void)state;
    assert_int_equal(lost_end_write(&lost, false, STATUS_FAILED, &AWAY, &error), STATUS_OK);
    assert_int_equal(error.class, ERROR_NONE);
    assert_int_equal(lost.class, ERROR_TRANSIENT);
    assert_int_equal(lost_tell(&lost, &error), STATUS_FAILED);
    assert_int_equal(error.class, ERROR_TRANSIENT);
    assert_string_equal(error.text, AWAY.text);
    assert_int_equal(lost.class, ERROR_NONE);
}

static void what_no_second_attempt_helps_is_told_at_once(void **state)
{
    struct error lost = {0}, error = {0};
    (void)state;
    assert_int_equal(lost_end_write(&lost, false, STATUS_FAILED, &BROKEN, &error), STATUS_FAILED);
    assert_int_equal(error.class, ERROR_FATAL);
    assert_int_equal(lost.class, ERROR_NONE);
}

static void a_context_that_ended_is_told_at_once(void **state)
{
    struct error lost = {0};
    (void)state;
    assert_int_equal(lost_end_write(&lost, false, STATUS_CANCELLED, &AWAY, NULL), STATUS_CANCELLED);
    assert_int_equal(lost.class, ERROR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_write_tells_by_itself),
        cmocka_unit_test(a_later_one_leaves_it_to_the_flush_once),
        cmocka_unit_test(what_no_second_attempt_helps_is_told_at_once),
        cmocka_unit_test(a_context_that_ended_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
