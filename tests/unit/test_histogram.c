#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/histogram.h"

static uint64_t sum(const struct histogram *histogram)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < histogram->used; i++)
        total += histogram->counts[i];
    return total;
}

static void times_that_are_near_stand_in_seconds(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_add(&histogram, 1700000005999);
    histogram_add(&histogram, 1700000003000);
    histogram_add(&histogram, 1700000005000);
    assert_int_equal(histogram_width(&histogram), 1000);
    assert_int_equal(histogram.used, 3);
    assert_int_equal(histogram_begin(&histogram, 0), 1700000003000);
    assert_int_equal(histogram.counts[0], 1);
    assert_int_equal(histogram.counts[1], 0);
    assert_int_equal(histogram.counts[2], 2);
    assert_int_equal(histogram_most(&histogram), 2);
}

static void bins_grow_with_the_times_and_lose_none(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    /* A minute apart over three hours, from the middle to both sides. */
    for (int64_t i = 0; i < 90; i++) {
        histogram_add(&histogram, 1700000000000 + i * 60000);
        histogram_add(&histogram, 1700000000000 - i * 60000);
        assert_int_equal(sum(&histogram), 2 * (i + 1));
        assert_true(histogram.used <= HISTOGRAM_BINS);
        assert_int_equal(histogram_begin(&histogram, 0) % histogram_width(&histogram), 0);
        assert_true(histogram_begin(&histogram, 0) <= 1700000000000 - i * 60000);
        assert_true(histogram_begin(&histogram, histogram.used) > 1700000000000 + i * 60000);
        assert_true(histogram.counts[0] > 0 && histogram.counts[histogram.used - 1] > 0);
    }
    assert_int_equal(histogram_width(&histogram), 15 * 60 * 1000);
}

static void any_two_times_fit(void **state)
{
    (void)state;
    static const int64_t TIMES[] = {0, 1, 1700000000000, 253402300799999, INT64_MAX};
    for (unsigned i = 0; i < sizeof TIMES / sizeof TIMES[0]; i++) {
        for (unsigned j = 0; j < sizeof TIMES / sizeof TIMES[0]; j++) {
            struct histogram histogram = {0};
            histogram_add(&histogram, TIMES[i]);
            histogram_add(&histogram, TIMES[j]);
            histogram_add(&histogram, TIMES[i]);
            assert_int_equal(sum(&histogram), 3);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_that_are_near_stand_in_seconds),
        cmocka_unit_test(bins_grow_with_the_times_and_lose_none),
        cmocka_unit_test(any_two_times_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
