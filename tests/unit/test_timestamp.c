/* Points in time as text, against the C library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "processor/decimal.h"
#include "processor/timestamp.h"
#include "tests/support/text.h"

static void assert_written(int64_t ms, const char *expected)
{
    uint8_t out[TIMESTAMP_MAX];
    assert_text(bytes_of(out, (uint32_t)timestamp_write(out, ms)), expected);
}

static void known_points_in_time_are_written_right(void **state)
{
    (void)state;
    assert_written(0, "1970-01-01T00:00:00.000Z");
    assert_written(-1, "1969-12-31T23:59:59.999Z");
    assert_written(1709251199123, "2024-02-29T23:59:59.123Z");
    assert_written(1709251200000, "2024-03-01T00:00:00.000Z");
    assert_written(951782400005, "2000-02-29T00:00:00.005Z");
    assert_written(-2203891200000, "1900-03-01T00:00:00.000Z");
    assert_written(253402300799999, "9999-12-31T23:59:59.999Z");
    assert_written(-62167219200000, "0000-01-01T00:00:00.000Z");
    assert_written(INT64_MAX, "+292278994-08-17T07:12:55.807Z");
    assert_written(INT64_MIN, "-292275055-05-16T16:47:04.192Z");
}

static void what_was_written_is_read_again(void **state)
{
    (void)state;
    static const int64_t POINTS[] = {
        0, -1, 1709251199123, 1709251200000, 951782400005, -2203891200000, 253402300799999, -62167219200000};
    for (size_t i = 0; i < sizeof POINTS / sizeof POINTS[0]; i++) {
        char text[TIMESTAMP_MAX + 1];
        int64_t ms = 7;
        text[timestamp_write((uint8_t *)text, POINTS[i])] = '\0';
        assert_true(timestamp_read(text, &ms));
        assert_int_equal(ms, POINTS[i]);
    }
}

static void other_forms_of_rfc_3339_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } GOOD[] = {
        {"1970-01-02", 86400000},
        {"1970-01-01t00:00:01z", 1000},
        {"1970-01-01 01:00:00+01:00", 0},
        {"1969-12-31T23:30:00-00:30", 0},
        {"1970-01-01T00:00:00.5Z", 500},
        {"1970-01-01T00:00:00.1239999Z", 123},
        {"2016-12-31T23:59:60Z", 1483228800000},
    };
    static const char *const BAD[] = {"",
                                      "now",
                                      "1970",
                                      "1970-13-01",
                                      "2023-02-29",
                                      "1970-01-00",
                                      "1970-01-01T00:00:00",
                                      "1970-01-01T24:00:00Z",
                                      "1970-01-01T00:00:61Z",
                                      "1970-01-01T00:00Z",
                                      "1970-01-01T00:00:00.Z",
                                      "1970-01-01T00:00:00+0100",
                                      "1970-01-01T00:00:00Z "};
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
        int64_t ms = -7;
        assert_true(timestamp_read(GOOD[i].text, &ms));
        assert_int_equal(ms, GOOD[i].ms);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        int64_t ms = -7;
        assert_false(timestamp_read(BAD[i], &ms));
        assert_int_equal(ms, -7);
    }
}

static void years_of_more_digits_have_a_sign(void **state)
{
    (void)state;
    assert_written(253402300800000, "+010000-01-01T00:00:00.000Z");
    assert_written(-62167219200001, "-000001-12-31T23:59:59.999Z");
    assert_written(INT64_MAX, "+292278994-08-17T07:12:55.807Z");
    assert_written(INT64_MIN, "-292275055-05-16T16:47:04.192Z");
}

static void every_day_of_eight_centuries_is_the_c_librarys(void **state)
{
    (void)state;
    const time_t day = 86400;
    for (time_t at = -200 * 365 * day; at < 600 * 365 * day; at += day) {
        char expected[40];
        time_t seconds = at + at / day % day;
        struct tm tm;
        size_t size = strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.042Z", gmtime_r(&seconds, &tm));
        assert_int_equal(size, 24);
        assert_written((int64_t)seconds * 1000 + 42, expected);
    }
}

static void integers_are_written_as_printf_does(void **state)
{
    (void)state;
    static const int64_t edges[] = {0, 9, 10, 99, 100, 101, 999, 1000, -1, -10, -100, INT64_MAX, INT64_MIN};
    srand(3);
    for (int i = 0; i < 20000; i++) {
        int64_t number = (int64_t)((uint64_t)rand() << 33 ^ (uint64_t)rand()) >> rand() % 64;
        if (i < (int)(sizeof edges / sizeof *edges))
            number = edges[i];
        char expected[DECIMAL_MAX + 1];
        uint8_t *out = malloc(DECIMAL_MAX);
        snprintf(expected, sizeof expected, "%lld", (long long)(i % 2 && number != INT64_MIN ? -number : number));
        size_t size = decimal_write(out, i % 2 && number != INT64_MIN ? -number : number);
        assert_text(bytes_of(out, (uint32_t)size), expected);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_points_in_time_are_written_right),
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(other_forms_of_rfc_3339_are_read),
        cmocka_unit_test(years_of_more_digits_have_a_sign),
        cmocka_unit_test(every_day_of_eight_centuries_is_the_c_librarys),
        cmocka_unit_test(integers_are_written_as_printf_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
