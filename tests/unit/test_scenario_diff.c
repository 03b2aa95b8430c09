/* How documents, keys and whole values that were expected differ from those that came; and how two sequences are put side by side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/align.h"
#include "scenario/diff.h"

/* What is told, a line each. */
static char told[4096];

static bool tell(struct findings *findings, bool same)
{
    told[0] = '\0';
    for (size_t i = 0; i < findings->count; i++) {
        strcat(told, findings->items[i].text);
        strcat(told, "\n");
    }
    assert_int_equal(same, findings->count == 0);
    findings_fini(findings);
    return same;
}

static bool json_differs(const char *expected, const char *actual, bool part)
{
    struct findings findings = {0};
    struct value left, right;
    assert_true(diff_parse(bytes_of_string(expected), &left));
    assert_true(diff_parse(bytes_of_string(actual), &right));
    bool same = diff_json(&left, &right, part, "", NULL, &findings);
    assert_int_equal(diff_json(&left, &right, part, "", NULL, NULL), same);
    return !tell(&findings, same);
}

static bool given_differs(struct bytes expected, bool structure, struct bytes actual, bool part)
{
    struct findings findings = {0};
    const struct given given = {.bytes = expected, .structure = structure};
    bool same = diff_given(&given, actual, part, "value", &findings);
    return !tell(&findings, same);
}

static void assert_told(const char *lines)
{
    assert_string_equal(told, lines);
}

static void equal_documents_are_equal_however_they_are_written(void **state)
{
    (void)state;
    assert_false(json_differs("{\"a\":1,\"b\":[true,null]}", " { \"b\" : [ true , null ] ,\n\"a\" : 1 } ", false));
    assert_false(json_differs("\"\\u00e4/\"", "\"\xc3\xa4\\/\"", false));
    assert_false(json_differs("{\"\\u0061\": 1}", "{\"a\": 1}", false));
    assert_false(json_differs("{}", "{}", false));
    assert_false(json_differs("[]", "[ ]", false));
}

static void numbers_are_compared_by_their_value_to_the_last_digit(void **state)
{
    (void)state;
    static const char *const SAME[][2] = {{"1", "1.0"},       {"1", "1e0"},        {"100", "1E2"},
                                          {"0.1", "1e-1"},    {"0", "-0.0"},       {"12.50", "125e-1"},
                                          {"-1", "-1.00"},    {"1e300", "10e299"}, {"0.00120", "1.2e-3"},
                                          {"1200", "1.2e+3"}, {"10.01", "1001e-2"}};
    static const char *const OTHER[][2] = {{"1", "2"},
                                           {"1", "-1"},
                                           {"1", "10"},
                                           {"0.1", "0.01"},
                                           {"9007199254740992", "9007199254740993"},
                                           {"0.1", "0.10000000000000000001"},
                                           {"1", "1.01"},
                                           {"1e300", "1e301"}};
    for (size_t i = 0; i < sizeof SAME / sizeof SAME[0]; i++) {
        assert_false(json_differs(SAME[i][0], SAME[i][1], false));
        assert_false(json_differs(SAME[i][1], SAME[i][0], false));
    }
    for (size_t i = 0; i < sizeof OTHER / sizeof OTHER[0]; i++) {
        assert_true(json_differs(OTHER[i][0], OTHER[i][1], false));
        assert_true(json_differs(OTHER[i][1], OTHER[i][0], false));
    }
}

static void each_difference_is_told_with_its_path(void **state)
{
    (void)state;
    assert_true(json_differs("{\"a\": {\"b\": [1, {\"c\": \"x\"}, 3]}, \"gone\": 1, \"odd name\": true}",
                             "{\"a\": {\"b\": [1, {\"c\": \"y\"}]}, \"more\": [], \"odd name\": 1}", false));
    assert_told(".a.b[1].c: expected \"x\", found \"y\"\n"
                ".a.b[2]: expected 3, found nothing\n"
                ".gone: expected 1, found nothing\n"
                ".\"odd name\": expected true, found the number 1\n"
                ".more: expected nothing, found []\n");
    assert_true(json_differs("[]", "[1]", false));
    assert_told("[0]: expected nothing, found 1\n");
    assert_true(json_differs("1", "\"1\"", false));
    assert_told("expected 1, found the text \"1\"\n");
    assert_true(json_differs("{}", "[]", false));
    assert_told("expected {}, found the list []\n");
    assert_true(json_differs("{\"a\": null}", "{\"a\": false}", false));
    assert_told(".a: expected null, found false\n");
}

static void of_a_part_only_what_is_named_counts(void **state)
{
    (void)state;
    assert_false(json_differs("{\"a\": {\"b\": 1}}", "{\"x\": 0, \"a\": {\"b\": 1, \"c\": 2}}", true));
    assert_false(json_differs("{\"l\": [{\"b\": 1}, {}]}", "{\"l\": [{\"b\": 1, \"c\": 2}, {\"d\": 3}]}", true));
    assert_true(json_differs("{\"l\": [1]}", "{\"l\": [1, 2]}", true));
    assert_told(".l[1]: expected nothing, found 2\n");
    assert_true(json_differs("{\"a\": 1}", "{\"b\": 1}", true));
    assert_told(".a: expected 1, found nothing\n");
}

static void long_texts_are_shown_from_where_they_differ(void **state)
{
    (void)state;
    char left[600], right[600];
    memset(left, 'a', sizeof left);
    memset(right, 'a', sizeof right);
    left[0] = right[0] = '"';
    memcpy(left + 400, "left", 4);
    memcpy(right + 400, "right", 5);
    strcpy(left + 597, "\"");
    strcpy(right + 597, "\"");
    assert_true(json_differs(left, right, false));
    assert_non_null(strstr(told, "expected ...aaaaaaaaaaaaaaaaaaaaaaaaleftaaa"));
    assert_non_null(strstr(told, "found ...aaaaaaaaaaaaaaaaaaaaaaaarightaaa"));
    assert_true(strlen(told) < 500);
}

static void bytes_are_compared_as_they_are_and_as_json_when_both_are(void **state)
{
    (void)state;
    struct bytes none = {0}, raw = bytes_of("\xff\x00", 2);
    assert_false(given_differs(bytes_of_string("abc"), false, bytes_of_string("abc"), false));
    assert_false(given_differs(bytes_of_string("{\"a\": 1}"), false, bytes_of_string("{\"a\":1.0}"), false));
    assert_false(given_differs(none, false, none, false));
    assert_false(given_differs(raw, false, raw, false));
    assert_false(given_differs(bytes_of("", 0), false, bytes_of("", 0), false));
    assert_true(given_differs(none, false, bytes_of("", 0), false));
    assert_told("value: expected null, found \"\"\n");
    assert_true(given_differs(bytes_of("", 0), false, none, false));
    assert_told("value: expected \"\", found null\n");
    assert_true(given_differs(bytes_of_string("abc"), false, raw, false));
    assert_told("value: expected \"abc\", found the bytes ff00\n");
    assert_true(given_differs(bytes_of_string("{\"a\":1}"), true, bytes_of_string("abc"), false));
    assert_told("value: expected {\"a\":1}, found \"abc\"\n");
    assert_true(given_differs(bytes_of_string("{\"a\":1}"), true, bytes_of_string("{\"a\":2}"), false));
    assert_told("value .a: expected 1, found 2\n");
}

static void a_piece_of_a_text_is_a_part_of_it(void **state)
{
    (void)state;
    assert_false(given_differs(bytes_of_string("piece"), false, bytes_of_string("a piece of it"), true));
    assert_true(given_differs(bytes_of_string("piece"), false, bytes_of_string("a piece of it"), false));
    assert_true(given_differs(bytes_of_string("peace"), false, bytes_of_string("a piece of it"), true));
}

static void only_whole_json_is_json(void **state)
{
    (void)state;
    static const char *const NOT[] = {"", " ", "{", "{\"a\": 1} 2", "nul", "01", "'a'", "{\"a\"}", "\"\xff\""};
    struct value value;
    for (size_t i = 0; i < sizeof NOT / sizeof NOT[0]; i++)
        assert_false(diff_parse(bytes_of_string(NOT[i]), &value));
    assert_true(diff_parse(bytes_of_string(" 12 \n"), &value));
    assert_int_equal(value.type, VALUE_INTEGER);
    assert_int_equal(value.text.size, 2);
}

/* -- sequences -- */

struct texts {
    const char *expected, *actual;
};

static bool letters_fit(void *arg, uint32_t expected, uint32_t actual)
{
    const struct texts *texts = arg;
    return texts->expected[expected] == texts->actual[actual];
}

/* "aa b. .c": a pair each, '.' for none. */
static void assert_aligned(const char *expected, const char *actual, const char *pairs)
{
    struct texts texts = {expected, actual};
    struct align_pair found[64];
    char text[256] = "";
    uint32_t count = align((uint32_t)strlen(expected), (uint32_t)strlen(actual), letters_fit, &texts, found);
    for (uint32_t i = 0; i < count; i++) {
        char pair[4] = {i > 0 ? ' ' : '\0', '\0'};
        strcat(text, pair);
        pair[0] = found[i].expected != ALIGN_NONE ? expected[found[i].expected] : '.';
        pair[1] = found[i].actual != ALIGN_NONE ? actual[found[i].actual] : '.';
        pair[2] = '\0';
        strcat(text, pair);
    }
    assert_string_equal(text, pairs);
}

static void one_that_is_missing_does_not_make_all_behind_it_wrong(void **state)
{
    (void)state;
    assert_aligned("abcd", "abcd", "aa bb cc dd");
    assert_aligned("abcd", "acd", "aa b. cc dd");
    assert_aligned("acd", "abcd", "aa .b cc dd");
    assert_aligned("abcd", "bcd", "a. bb cc dd");
    assert_aligned("abc", "abcd", "aa bb cc .d");
    assert_aligned("", "ab", ".a .b");
    assert_aligned("ab", "", "a. b.");
    assert_aligned("", "", "");
}

static void two_that_do_not_fit_stand_side_by_side(void **state)
{
    (void)state;
    assert_aligned("abc", "axc", "aa bx cc");
    assert_aligned("a", "x", "ax");
    assert_aligned("abcd", "xbcy", "ax bb cc dy");
    assert_aligned("ab", "ba", "a. bb .a");
}

static bool never_fits(void *arg, uint32_t expected, uint32_t actual)
{
    (void)arg;
    return expected == 10000 && actual == 10000;
}

static void long_sequences_are_paired_as_they_stand(void **state)
{
    (void)state;
    enum { EXPECTED = 3000, ACTUAL = 2000 };
    struct align_pair *pairs = calloc(EXPECTED + ACTUAL, sizeof *pairs);
    assert_non_null(pairs);
    assert_int_equal(align(EXPECTED, ACTUAL, never_fits, NULL, pairs), EXPECTED);
    assert_int_equal(pairs[1999].actual, 1999);
    assert_int_equal(pairs[2000].actual, ALIGN_NONE);
    assert_int_equal(pairs[2999].expected, 2999);
    free(pairs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_documents_are_equal_however_they_are_written),
        cmocka_unit_test(numbers_are_compared_by_their_value_to_the_last_digit),
        cmocka_unit_test(each_difference_is_told_with_its_path),
        cmocka_unit_test(of_a_part_only_what_is_named_counts),
        cmocka_unit_test(long_texts_are_shown_from_where_they_differ),
        cmocka_unit_test(bytes_are_compared_as_they_are_and_as_json_when_both_are),
        cmocka_unit_test(a_piece_of_a_text_is_a_part_of_it),
        cmocka_unit_test(only_whole_json_is_json),
        cmocka_unit_test(one_that_is_missing_does_not_make_all_behind_it_wrong),
        cmocka_unit_test(two_that_do_not_fit_stand_side_by_side),
        cmocka_unit_test(long_sequences_are_paired_as_they_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
