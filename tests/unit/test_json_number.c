/* Numbers out of their JSON text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "processor/json.h"
#include "tests/support/text.h"

static struct bytes text(const char *string)
{
    return bytes_of_string(string);
}

static struct value value(const char *json)
{
    return json_value(text(json));
}

static void integers_are_read_when_they_are_exact_and_fit(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int64_t number;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"7", 7},
        {"-12", -12},
        {"1000000", 1000000},
        {"1.0", 1},
        {"1e3", 1000},
        {"1E+3", 1000},
        {"12.50e1", 125},
        {"120000e-4", 12},
        {"0.0", 0},
        {"0e999999999999", 0},
        {"-2.5e1", -25},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"922337203685477580.7e1", INT64_MAX},
        {"1e18", 1000000000000000000},
        {"100000000000000000000000e-5", 1000000000000000000},
        {"10203040506070809", 10203040506070809},
        {"0.00000000000000000000000000000000001e35", 1},
    };
    static const char *const bad[] = {
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "1.5",
        "1e-1",
        "1e19",
        "0.1",
        "1e400",
        "1e-99999999999999999999",
        "123456789012345678901234567890",
        "1e99999999999999999999",
        "\"12\"",
        "true",
        "null",
        "[1]",
        "100000000000000000001",
        "99999999999999999999999.5",
    };
    int64_t found;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct value number = {json_value(text(good[i].json)).type, text_copy(good[i].json)};
        if (!json_int64(&number, &found) || found != good[i].number)
            fail_msg("%s", good[i].json);
        text_free(number.text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct value number = value(bad[i]);
        if (json_int64(&number, &found))
            fail_msg("%s gave %lld", bad[i], (long long)found);
    }
}

static void assert_double(const char *json)
{
    struct value number = {json_value(text(json)).type, text_copy(json)};
    double expected = strtod(json, NULL), found = -1;
    if (!json_double(&number, &found) || memcmp(&found, &expected, sizeof found) != 0)
        fail_msg("%.60s gave %.17g, not %.17g", json, found, expected);
    text_free(number.text);
}

static void doubles_are_the_nearest_ones(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "0",
        "-0",
        "-0.0",
        "1",
        "0.1",
        "1234.56",
        "-1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "9007199254740993",
        "0.30000000000000004",
        "9007199254740992",
        "9007199254740993.0",
        "1.7976931348623157e308",
        "4.9e-324",
        "2e-324",
        "1e-400",
        "123456789012345678901234567890",
        "8.5e-23",
        "6.02214076e23",
        "1.00000000000000011102230246251565404236316680908203125",
        "0.000001e6",
        "3.14159265358979323846",
    };
    double found;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_double(cases[i]);
    struct value beyond = value("-1e400"), word = value("\"1\"");
    assert_false(json_double(&beyond, &found));
    assert_false(json_double(&word, &found));
}

static void random_doubles_come_back_as_they_were(void **state)
{
    (void)state;
    srand(1);
    for (int i = 0; i < 20000; i++) {
        char json[64];
        uint64_t bits = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
        double number;
        memcpy(&number, &bits, sizeof number);
        if (!isfinite(number))
            continue;
        snprintf(json, sizeof json, "%.17g", number);
        assert_double(json);
        snprintf(json, sizeof json, "%.*f", rand() % 8, (double)(rand() % 1000000) / 128);
        assert_double(json);
    }
}

/* Halfway between two doubles, and what comes after thousands of digits decides. */
static void numbers_of_thousands_of_digits_are_rounded_rightly(void **state)
{
    (void)state;
    enum { SIZE = 5000 };
    static const char *const begins[] = {"9007199254740993.", "-9007199254740993.", "0.", "1", "0.000"};
    static const char *const ends[] = {"", "1", "1e10", "e-3000", "e3", "5e-4990"};
    for (size_t b = 0; b < sizeof begins / sizeof *begins; b++) {
        for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) {
            char json[SIZE + 64];
            size_t at = strlen(begins[b]);
            memcpy(json, begins[b], at);
            memset(json + at, '0', SIZE);
            strcpy(json + at + SIZE, ends[e]);
            double expected = strtod(json, NULL), found;
            if (isfinite(expected)) {
                assert_double(json);
            } else {
                struct value number = value(json);
                assert_false(json_double(&number, &found));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_read_when_they_are_exact_and_fit),
        cmocka_unit_test(doubles_are_the_nearest_ones),
        cmocka_unit_test(random_doubles_come_back_as_they_were),
        cmocka_unit_test(numbers_of_thousands_of_digits_are_rounded_rightly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
