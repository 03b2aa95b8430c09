#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "processor/brake.h"
#include "processor/clock.h"

static void draining_ends_the_soft_context_and_halts_nobody(void **state)
{
    (void)state;
    struct context *root = context_new(NULL, CLOCK_NEVER);
    struct brake brake;
    assert_int_equal(brake_init(&brake, root), STATUS_OK);
    assert_int_equal(context_status(brake.soft), STATUS_OK);
    brake_drain(&brake);
    brake_drain(&brake);
    assert_int_equal(context_status(brake.soft), STATUS_CANCELLED);
    assert_int_equal(context_status(root), STATUS_OK);
    assert_false(brake_is_halted(&brake));
    assert_false(brake_gives_up(&brake, 0));
    brake_fini(&brake);
    context_free(root);
}

static void a_stop_from_above_is_a_drain(void **state)
{
    (void)state;
    struct context *root = context_new(NULL, CLOCK_NEVER);
    struct brake brake;
    assert_int_equal(brake_init(&brake, root), STATUS_OK);
    context_cancel(root);
    assert_int_equal(context_status(brake.soft), STATUS_CANCELLED);
    assert_false(brake_is_halted(&brake));
    brake_fini(&brake);
    context_free(root);
}

static void the_first_halt_says_why(void **state)
{
    (void)state;
    struct brake brake;
    struct error first, second;
    assert_int_equal(brake_init(&brake, NULL), STATUS_OK);
    error_set(&first, ERROR_FATAL, "first");
    error_set(&second, ERROR_FATAL, "second");
    brake_halt(&brake, 2, &first);
    brake_halt(&brake, 1, &second);
    assert_true(brake_is_halted(&brake));
    assert_int_equal(context_status(brake.soft), STATUS_CANCELLED);
    assert_string_equal(brake.error.text, "first");
    brake_fini(&brake);
}

static void what_has_passed_the_stage_that_halted_goes_on(void **state)
{
    (void)state;
    struct brake brake;
    struct error error;
    assert_int_equal(brake_init(&brake, NULL), STATUS_OK);
    error_set(&error, ERROR_FATAL, "stop");
    brake_halt(&brake, 1, &error);
    assert_true(brake_gives_up(&brake, 0));
    assert_true(brake_gives_up(&brake, 1));
    assert_false(brake_gives_up(&brake, 2));
    brake_halt(&brake, 0, &error); /* an earlier one too: nothing changes for the others */
    assert_true(brake_gives_up(&brake, 1));
    brake_halt(&brake, BRAKE_STORE, &error);
    assert_true(brake_gives_up(&brake, 2));
    assert_true(brake_gives_up(&brake, 31));
    brake_fini(&brake);
}

static void what_was_never_made_can_be_taken_down(void **state)
{
    (void)state;
    struct brake brake = {0};
    brake_fini(&brake);
    assert_int_equal(brake_init(&brake, NULL), STATUS_OK);
    brake_fini(&brake);
    brake_fini(&brake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draining_ends_the_soft_context_and_halts_nobody),
        cmocka_unit_test(a_stop_from_above_is_a_drain),
        cmocka_unit_test(the_first_halt_says_why),
        cmocka_unit_test(what_has_passed_the_stage_that_halted_goes_on),
        cmocka_unit_test(what_was_never_made_can_be_taken_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
