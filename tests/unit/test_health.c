#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "processor/clock.h"
#include "processor/context.h"
#include "processor/health.h"

static void it_is_ready_when_no_part_has_a_problem(void **state)
{
    (void)state;
    char why[256] = "old";
    struct health *health = health_new();
    assert_true(health_ready(health, why, sizeof why));
    assert_string_equal(why, "");
    health_problem(health, "store orders", "%s: %d", "disk full", 28);
    assert_false(health_ready(health, why, sizeof why));
    assert_string_equal(why, "store orders: disk full: 28\n");
    health_problem(health, "store orders", "still full");
    health_problem(health, "source", "not connected");
    assert_false(health_ready(health, why, sizeof why));
    assert_string_equal(why, "store orders: still full\nsource: not connected\n");
    health_ok(health, "store orders");
    assert_false(health_ready(health, NULL, 0));
    health_ok(health, "source");
    health_ok(health, "source");
    assert_true(health_ready(health, why, sizeof why));
    health_free(health);
    health_free(NULL);
}

static void a_problem_without_words_is_one(void **state)
{
    (void)state;
    char why[64];
    struct health *health = health_new();
    health_problem(health, "a", "%s", "");
    assert_false(health_ready(health, why, sizeof why));
    assert_memory_equal(why, "a: ", 3);
    health_free(health);
}

static void ok_for_a_part_that_was_never_named_is_fine(void **state)
{
    (void)state;
    struct health *health = health_new();
    for (unsigned i = 0; i < 10 * HEALTH_PARTS; i++) {
        char part[16];
        snprintf(part, sizeof part, "part %u", i);
        health_ok(health, part);
    }
    health_problem(health, "late", "there is room for it");
    assert_false(health_ready(health, NULL, 0));
    health_free(health);
}

static void the_reasons_are_cut_to_what_fits(void **state)
{
    (void)state;
    struct health *health = health_new();
    char why[40];
    for (unsigned i = 0; i < HEALTH_PARTS; i++) {
        char part[16];
        snprintf(part, sizeof part, "part %u", i);
        health_problem(health, part, "something that needs some words");
    }
    memset(why, 'x', sizeof why);
    assert_false(health_ready(health, why, 20));
    assert_int_equal(strlen(why), 19);
    assert_int_equal(why[20], 'x');
    why[0] = 'x';
    assert_false(health_ready(health, why, 0));
    assert_int_equal(why[0], 'x');
    health_free(health);
}

static void the_heart_tells_how_long_it_was_silent(void **state)
{
    (void)state;
    struct context *context = context_new(NULL, CLOCK_NEVER);
    int64_t begin = clock_now();
    struct health *health = health_new();
    assert_int_equal(context_sleep(context, 2 * CLOCK_MS), STATUS_OK);
    assert_true(health_silence(health) >= 2 * CLOCK_MS);
    int64_t beat = clock_now();
    health_beat(health);
    int64_t silence = health_silence(health);
    assert_true(silence >= 0 && silence <= clock_now() - beat);
    assert_true(beat > begin);
    health_free(health);
    context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_ready_when_no_part_has_a_problem),
        cmocka_unit_test(a_problem_without_words_is_one),
        cmocka_unit_test(ok_for_a_part_that_was_never_named_is_fine),
        cmocka_unit_test(the_reasons_are_cut_to_what_fits),
        cmocka_unit_test(the_heart_tells_how_long_it_was_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
