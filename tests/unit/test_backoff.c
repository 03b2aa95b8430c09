#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "processor/backoff.h"
#include "processor/clock.h"

static void every_wait_lies_between_half_the_least_and_the_limit_of_its_attempt(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        struct backoff backoff;
        int64_t limit = 100 * CLOCK_MS;
        backoff_init(&backoff, limit, 30 * CLOCK_SECOND);
        for (unsigned attempt = 0; attempt < 12; attempt++) {
            int64_t wait = backoff_next(&backoff);
            assert_true(wait >= 50 * CLOCK_MS);
            assert_true(wait <= limit);
            limit = limit * 2 < 30 * CLOCK_SECOND ? limit * 2 : 30 * CLOCK_SECOND;
        }
    }
}

static void waits_spread_over_the_whole_range(void **state)
{
    (void)state;
    struct backoff backoff;
    unsigned low = 0, high = 0;
    backoff_init(&backoff, CLOCK_MS, CLOCK_SECOND);
    for (unsigned i = 0; i < 20; i++)
        (void)backoff_next(&backoff);
    for (unsigned i = 0; i < 1000; i++) {
        int64_t wait = backoff_next(&backoff);
        low += wait < CLOCK_SECOND / 4;
        high += wait > CLOCK_SECOND * 3 / 4;
    }
    /* 250 are expected in each quarter; ten standard deviations are 137. */
    assert_in_range(low, 113, 387);
    assert_in_range(high, 113, 387);
}

static void two_that_begin_together_do_not_wait_alike(void **state)
{
    (void)state;
    struct backoff one, other;
    unsigned alike = 0;
    backoff_init(&one, CLOCK_SECOND, 1000 * CLOCK_SECOND);
    backoff_init(&other, CLOCK_SECOND, 1000 * CLOCK_SECOND);
    for (unsigned i = 0; i < 20; i++)
        alike += backoff_next(&one) == backoff_next(&other);
    assert_true(alike < 10);
}

static void a_reset_begins_again_with_the_least(void **state)
{
    (void)state;
    struct backoff backoff;
    backoff_init(&backoff, CLOCK_MS, 1000 * CLOCK_SECOND);
    for (unsigned i = 0; i < 20; i++)
        (void)backoff_next(&backoff);
    backoff_reset(&backoff);
    assert_true(backoff_next(&backoff) <= CLOCK_MS);
}

static void from_nothing_it_grows_too(void **state)
{
    (void)state;
    struct backoff backoff;
    int64_t longest = 0;
    backoff_init(&backoff, 0, CLOCK_SECOND);
    for (unsigned i = 0; i < 100; i++) {
        int64_t wait = backoff_next(&backoff);
        longest = wait > longest ? wait : longest;
        assert_true(wait > 0);
    }
    assert_true(longest > CLOCK_SECOND / 4);
    assert_true(longest <= CLOCK_SECOND);
}

static void a_most_below_the_least_is_the_least(void **state)
{
    (void)state;
    struct backoff backoff;
    backoff_init(&backoff, CLOCK_SECOND, CLOCK_MS);
    for (unsigned i = 0; i < 10; i++)
        assert_in_range(backoff_next(&backoff), CLOCK_SECOND / 2, CLOCK_SECOND);
}

static void the_longest_times_do_not_overflow(void **state)
{
    (void)state;
    struct backoff backoff;
    backoff_init(&backoff, 1, INT64_MAX);
    for (unsigned i = 0; i < 200; i++)
        assert_true(backoff_next(&backoff) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_wait_lies_between_half_the_least_and_the_limit_of_its_attempt),
        cmocka_unit_test(waits_spread_over_the_whole_range),
        cmocka_unit_test(two_that_begin_together_do_not_wait_alike),
        cmocka_unit_test(a_reset_begins_again_with_the_least),
        cmocka_unit_test(from_nothing_it_grows_too),
        cmocka_unit_test(a_most_below_the_least_is_the_least),
        cmocka_unit_test(the_longest_times_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
