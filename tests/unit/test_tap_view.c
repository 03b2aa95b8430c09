/* How `weir tap` shows a line of /tap, and tells its counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "admin/tap_request.h"
#include "cli/http.h"
#include "cli/parsed_json.h"
#include "cli/tap_view.h"

/* The line of a record; the caller frees it. */
static char *line_of(const char *json, bool colour)
{
    char *text = NULL;
    size_t size = 0;
    struct value object;
    struct parsed_json *parsed = parsed_json_new();
    FILE *out = open_memstream(&text, &size);
    assert_true(parsed_json_read(parsed, json, strlen(json), &object));
    tap_view_record(&object, colour, out);
    assert_int_equal(fclose(out), 0);
    parsed_json_free(parsed);
    return text;
}

static void assert_line(const char *json, bool colour, const char *expected)
{
    char *text = line_of(json, colour);
    assert_string_equal(text, expected);
    free(text);
}

static void a_record_is_one_line(void **state)
{
    (void)state;
    assert_line("{\"stage\":\"decode\",\"answer\":\"forwarded\",\"topic\":\"orders\",\"partition\":3,\"offset\":17,"
                "\"timestamp\":1700000000123,\"key\":\"k\",\"headers\":[{\"name\":\"a\",\"value\":\"b\"},{\"name\":"
                "\"a\",\"value\":null}],\"document\":{\"id\": 7}}",
                false,
                "orders/3@17  2023-11-14T22:13:20.123Z  forwarded  key \"k\"  {\"a\":\"b\",\"a\":null}  {\"id\": 7}\n");
    assert_line("{\"answer\":\"stored\",\"topic\":\"t\",\"partition\":0,\"offset\":1,\"key\":null,\"value\":null}",
                true, "t/0@1  \033[32mstored\033[0m  key null  value null\n");
    assert_line("{\"answer\":\"dropped\",\"topic\":\"t\",\"partition\":0,\"offset\":1,\"key\":{\"hex\":\"00\"},"
                "\"value_hex\":\"ff\",\"value_bytes\":5000}",
                true, "t/0@1  \033[33mdropped\033[0m  key {\"hex\":\"00\"}  hex \"ff\" (of 5000 bytes)\n");
}

static void a_rejected_one_says_why_and_gives_the_terminal_no_orders(void **state)
{
    (void)state;
    assert_line(
        "{\"answer\":\"rejected\",\"class\":\"json\",\"message\":\"bad \\u001b[2J\\nline\",\"topic\":\"t\\u0007\","
        "\"partition\":0,\"offset\":1,\"key\":\"\\u001b[31m\",\"value\":\"x\\u001b\xc2\x9b\x7f\"}",
        false, "t /0@1  rejected json: bad  [2J line  key \"\\u001b[31m\"  value \"x\\u001b   \"\n");
}

static void a_report_is_told_from_a_record_and_says_what_was_not_shown(void **state)
{
    (void)state;
    static const char *const LINE = "{\"end\":\"time\",\"tap\":{\"passed\":1000,\"unlooked\":5,\"matched\":900,"
                                    "\"over_rate\":20,\"dropped\":7,\"shown\":3}}";
    struct tap_view_counts counts;
    struct value object;
    char *text = NULL;
    size_t size = 0;
    struct parsed_json *parsed = parsed_json_new();
    assert_true(parsed_json_read(parsed, "{\"topic\":\"t\"}", 13, &object));
    assert_false(tap_view_counts(&object, &counts));
    assert_true(parsed_json_read(parsed, LINE, strlen(LINE), &object));
    assert_true(tap_view_counts(&object, &counts));
    FILE *out = open_memstream(&text, &size);
    tap_view_report(&counts, "decode", out);
    counts = (struct tap_view_counts){.passed = 1, .matched = 1, .shown = 1, .last = true};
    tap_view_report(&counts, "decode", out);
    counts = (struct tap_view_counts){.shown = 5};
    tap_view_report(&counts, "decode", out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "3 records shown of 1,000 that passed decode; 900 matched; 5 not looked at (more than "
                              "100000 a second); 20 more than the rate; 7 dropped (the tap was full)\n"
                              "1 record shown of 1 that passed decode\n"
                              "5 records shown of at least 5 that passed decode\n");
    free(text);
    parsed_json_free(parsed);
}

static void arguments_are_encoded(void **state)
{
    (void)state;
    char url[64] = "http://h/tap", small[16] = "http://h/tap";
    assert_true(http_add_argument(url, sizeof url, "stage", "a b"));
    assert_true(http_add_argument(url, sizeof url, "where", "x=1&\xc3\xa9"));
    assert_string_equal(url, "http://h/tap?stage=a%20b&where=x%3D1%26%C3%A9");
    assert_false(http_add_argument(small, sizeof small, "s", "too long"));
}

static void what_is_asked_is_understood(void **state)
{
    (void)state;
    struct tap_request request;
    struct error error;
    tap_request_init(&request);
    assert_int_equal(tap_request_set(&request, "sample", "1/100", &error), STATUS_OK);
    assert_int_equal(request.options.every, 100);
    assert_int_equal(tap_request_set(&request, "sample", "5/s", &error), STATUS_OK);
    assert_int_equal(request.options.rate, 5);
    assert_int_equal(tap_request_set(&request, "answer", "stored,rejected", &error), STATUS_OK);
    assert_int_equal(request.options.answers, TAP_STORED | TAP_REJECTED);
    assert_int_equal(tap_request_set(&request, "limit", "7", &error), STATUS_OK);
    assert_int_equal(request.limit, 7);
    assert_int_equal(tap_request_set(&request, "for", "5m", &error), STATUS_OK);
    assert_int_equal(request.span, 300 * CLOCK_SECOND);
    static const char *const wrong[][2] = {{"sample", "1/s/"},     {"sample", "0/s"},  {"sample", "99999999999/s"},
                                           {"answer", "stored,"},  {"answer", ""},     {"limit", "-1"},
                                           {"limit", "1x"},        {"for", "0"},       {"stage", ""},
                                           {"where", "key=1 && "}, {"colour", "never"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(tap_request_set(&request, wrong[i][0], wrong[i][1], &error), STATUS_FAILED);
    assert_int_equal(tap_request_set(&request, "where", "key=1 && x", &error), STATUS_FAILED);
    assert_string_equal(error.text, "where: expected header.NAME, key or .path, then = or != and a value, at \"x\" "
                                    "(character 10)");
    tap_request_fini(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_one_line),
        cmocka_unit_test(a_rejected_one_says_why_and_gives_the_terminal_no_orders),
        cmocka_unit_test(a_report_is_told_from_a_record_and_says_what_was_not_shown),
        cmocka_unit_test(arguments_are_encoded),
        cmocka_unit_test(what_is_asked_is_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
