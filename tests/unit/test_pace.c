#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "processor/pace.h"

#define START (1000 * CLOCK_SECOND)

/* Takes what it may until `until`, as somebody who is there at the very moment; ret_calls: how often he had to come. */
static int64_t take_until(struct pace *pace, int64_t until, unsigned wanted, unsigned *ret_calls)
{
    int64_t taken = 0, now = START;
    *ret_calls = 0;
    while (now < until) {
        int64_t when = now;
        unsigned room = pace_room(pace, wanted, now, &when);
        assert_in_range(room, 0, wanted);
        ++*ret_calls;
        if (room == 0)
            assert_true(when > now);
        pace_took(pace, room);
        taken += room;
        now = room == 0 ? when : now;
    }
    return taken;
}

static void as_many_as_the_rate_says_are_let_through_in_a_minute(void **state)
{
    (void)state;
    const double rates[] = {0.5, 1, 7, 1000, 5000, 333333};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct pace pace;
        unsigned calls;
        pace_init(&pace, rates[i], 0, -1);
        int64_t taken = take_until(&pace, START + 60 * CLOCK_SECOND, 1024, &calls);
        assert_in_range(taken, (int64_t)(rates[i] * 59.9), (int64_t)(rates[i] * 60.1) + 1);
        /* Nobody is woken for each single record. */
        assert_true(calls < 60 * 60 * 2 + taken / 256);
    }
}

static void a_small_hand_gets_the_same_rate(void **state)
{
    (void)state;
    struct pace pace;
    unsigned calls;
    pace_init(&pace, 5000, 0, -1);
    assert_in_range(take_until(&pace, START + 10 * CLOCK_SECOND, 3, &calls), 49990, 50010);
}

static void after_a_long_stop_no_flood_comes(void **state)
{
    (void)state;
    struct pace pace;
    int64_t when;
    pace_init(&pace, 1000, 0, -1);
    pace_took(&pace, pace_room(&pace, 1024, START, &when));
    assert_in_range(pace_room(&pace, 100000, START + 3600 * CLOCK_SECOND, &when), 1, 200);
}

static void without_a_rate_all_that_is_wanted_has_room(void **state)
{
    (void)state;
    struct pace pace;
    int64_t when = 0;
    pace_init(&pace, 0, 10, -1);
    assert_int_equal(pace_room(&pace, 1024, START, &when), 1024);
    pace_took(&pace, 1024);
    assert_int_equal(pace_room(&pace, 1024, START, &when), 1024);
}

static void by_speed_a_record_is_due_so_much_sooner_than_it_came(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 0, 10, -1);
    assert_int_equal(pace_due(&pace, 1700000000000, START), 0);
    assert_int_equal(pace_due(&pace, 1700000060000, START), START + 6 * CLOCK_SECOND);
    assert_int_equal(pace_due(&pace, 1700000060000, START + 6 * CLOCK_SECOND - 1), START + 6 * CLOCK_SECOND);
    assert_int_equal(pace_due(&pace, 1700000060000, START + 6 * CLOCK_SECOND), 0);
    assert_int_equal(pace_due(&pace, 1700000060000, START + 9 * CLOCK_SECOND), 0);
}

static void by_speed_what_comes_late_or_has_no_timestamp_is_due_at_once(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 0, 1, 5000);
    assert_int_equal(pace_due(&pace, -1, START), 0);
    assert_int_equal(pace_due(&pace, 6000, START), START + CLOCK_SECOND);
    assert_int_equal(pace_due(&pace, 4000, START), 0);
    assert_int_equal(pace_due(&pace, 5000, START), 0);
}

static void without_a_speed_everything_is_due(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 100, 0, 0);
    assert_int_equal(pace_due(&pace, 1, START), 0);
    assert_int_equal(pace_due(&pace, INT64_MAX, START), 0);
}

static void the_slowest_pace_does_not_overflow(void **state)
{
    (void)state;
    struct pace pace;
    int64_t when = 0;
    pace_init(&pace, 1e-300, 1e-300, 0);
    assert_int_equal(pace_room(&pace, 1, START, &when), 1);
    pace_took(&pace, 1);
    assert_int_equal(pace_room(&pace, 1, START + 1, &when), 0);
    assert_int_equal(when, CLOCK_NEVER);
    assert_int_equal(pace_due(&pace, INT64_MAX, START), CLOCK_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_the_rate_says_are_let_through_in_a_minute),
        cmocka_unit_test(a_small_hand_gets_the_same_rate),
        cmocka_unit_test(after_a_long_stop_no_flood_comes),
        cmocka_unit_test(without_a_rate_all_that_is_wanted_has_room),
        cmocka_unit_test(by_speed_a_record_is_due_so_much_sooner_than_it_came),
        cmocka_unit_test(by_speed_what_comes_late_or_has_no_timestamp_is_due_at_once),
        cmocka_unit_test(without_a_speed_everything_is_due),
        cmocka_unit_test(the_slowest_pace_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
