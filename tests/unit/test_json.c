/* Reading JSON text that is valid: spans and escapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "processor/json.h"
#include "tests/support/text.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static struct bytes text(const char *string)
{
    return bytes_of_string(string);
}

static struct value value(const char *json)
{
    return json_value(text(json));
}

static void a_value_is_typed_by_its_text(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        enum value_type type;
    } cases[] = {
        {"null", VALUE_NULL},   {"true", VALUE_BOOL},          {"false", VALUE_BOOL},
        {"0", VALUE_INTEGER},   {"-12", VALUE_INTEGER},        {"1.0", VALUE_NUMBER},
        {"1e3", VALUE_NUMBER},  {"-2E-7", VALUE_NUMBER},       {"\"1.5\"", VALUE_STRING},
        {"[1.5]", VALUE_ARRAY}, {"{\"a\":1.5}", VALUE_OBJECT}, {"184467440737095516160000", VALUE_INTEGER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value found = value(cases[i].json);
        assert_string_equal(value_type_name(found.type), value_type_name(cases[i].type));
        assert_text(found.text, cases[i].json);
    }
}

static void members_are_walked_in_order_with_white_space_anywhere(void **state)
{
    (void)state;
    struct bytes object = text_copy(
        " { \"a\" : 1 ,\n\t\"b\":[ {\"]\":\"}\\\"\"} , 2 ] ,\"\":\"x\\\\\"\r,\"d\\n\":{ } } ");
    struct bytes trimmed = bytes_of(object.data + 1, object.size - 2);
    static const char *const expected[][2] = {
        {"a", "1"}, {"b", "[ {\"]\":\"}\\\"\"} , 2 ]"}, {"", "\"x\\\\\""}, {"d\\n", "{ }"}};
    const uint8_t *cursor = NULL;
    struct bytes key;
    struct value found;
    for (int i = 0; i < 4; i++) {
        assert_true(json_next_member(trimmed, &cursor, &key, &found));
        assert_text(key, expected[i][0]);
        assert_text(found.text, expected[i][1]);
    }
    assert_false(json_next_member(trimmed, &cursor, &key, &found));
    text_free(object);
}

static void an_empty_object_or_array_has_nothing_in_it(void **state)
{
    (void)state;
    const uint8_t *cursor = NULL;
    struct bytes key;
    struct value found;
    assert_false(json_next_member(text("{}"), &cursor, &key, &found));
    assert_false(json_next_member(text("{ \n }"), &cursor, &key, &found));
    assert_false(json_next_element(text("[ ]"), &cursor, &found));
    assert_int_equal(json_member(text("{}"), text("a")).type, VALUE_MISSING);
    assert_int_equal(json_element(text("[]"), 0).type, VALUE_MISSING);
}

static void elements_are_walked_and_found_by_index(void **state)
{
    (void)state;
    struct bytes array = text_copy("[1, \"two,]\",[3,[4]] ,{\"five\":[6]},true]");
    static const char *const expected[] = {"1", "\"two,]\"", "[3,[4]]", "{\"five\":[6]}", "true"};
    const uint8_t *cursor = NULL;
    struct value found;
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(json_next_element(array, &cursor, &found));
        assert_text(found.text, expected[i]);
        assert_text(json_element(array, i).text, expected[i]);
    }
    assert_false(json_next_element(array, &cursor, &found));
    assert_int_equal(json_element(array, 5).type, VALUE_MISSING);
    text_free(array);
}

static void skipping_knows_the_end_of_every_kind_of_value(void **state)
{
    (void)state;
    static const char *const values[] = {
        "null",
        "-12.5e+3",
        "\"\"",
        "\"a\\\\\"",
        "\"\\\"\\\\\\\"\"",
        "[[],{},\"]\"]",
        "{\"a\":{\"}\":\"{\\\\\"}}",
        "\"a string that is longer than what is looked at byte by byte, with \\\" in it\"",
        "\"0123456789abcde\"",
        "\"0123456789abcdef\"",
        "\"0123456789abcd\\\"\"",
        "\"0123456789abcde\\\\\"",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (int behind = 0; behind < 2; behind++) {
            char json[200];
            snprintf(json, sizeof json, "%s%s", values[i], behind ? ",\"\\\"]" : "");
            struct bytes copy = text_copy(json);
            assert_int_equal(json_skip(copy.data, copy.data + copy.size) - copy.data, strlen(values[i]));
            text_free(copy);
        }
    }
}

static void nesting_costs_no_stack(void **state)
{
    (void)state;
    enum { DEPTH = 4 * 1024 * 1024 };
    uint8_t *json = malloc(2 * DEPTH);
    assert_non_null(json);
    memset(json, '[', DEPTH);
    memset(json + DEPTH, ']', DEPTH);
    assert_ptr_equal(json_skip(json, json + 2 * DEPTH), json + 2 * DEPTH);
    free(json);
}

static void of_members_with_one_name_the_last_counts(void **state)
{
    (void)state;
    struct bytes object = text("{\"a\":1,\"b\":2,\"a\":3,\"\\u0061\":4,\"ab\":5}");
    assert_text(json_member(object, text("a")).text, "4");
    assert_text(json_member(object, text("b")).text, "2");
    assert_int_equal(json_member(object, text("c")).type, VALUE_MISSING);
}

static void a_name_is_compared_with_what_a_key_means(void **state)
{
    (void)state;
    static const struct {
        const char *key, *name;
        bool equal;
    } cases[] = {
        {"name", "name", true},
        {"name", "nam", false},
        {"nam", "name", false},
        {"n\\u0061me", "name", true},
        {"\\u006e\\u0061\\u006D\\u0065", "name", true},
        {"n\\u0061mes", "name", false},
        {"n\\u0062me", "name", false},
        {"na\\nme", "na\nme", true},
        {"a\\\\b", "a\\b", true},
        {"a\\\\b", "a\\\\b", false},
        {"a\\/b", "a/b", true},
        {"\\\"", "\"", true},
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"\\u00e9", "\xc3\xa9", true},
        {"\xc3\xa9", "\xc3\xa9", true},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80", true},
        {"x\\t", "x\\t", false},
        {"names\\t", "name", false},
        {"\\b\\f\\r", "\b\f\r", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes key = text_copy(cases[i].key), name = text_copy(cases[i].name);
        if (json_key_equals(key, name) != cases[i].equal)
            fail_msg("%s and %s", cases[i].key, cases[i].name);
        text_free(key);
        text_free(name);
    }
}

static void a_string_without_escapes_is_a_view(void **state)
{
    (void)state;
    struct value string = value("\"gr\xc3\xbc\xc3\x9f\"");
    struct bytes found;
    assert_true(json_string(&string, &arena, &found));
    assert_ptr_equal(found.data, string.text.data + 1);
    assert_text(found, "gr\xc3\xbc\xc3\x9f");
}

static void escapes_are_resolved(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\"a\\n\\t\\r\\b\\f\\/\\\\\\\"z\"", "a\n\t\r\b\f/\\\"z"},
        {"\"\\u0041\\u00DF\\u20ac\"", "A\xc3\x9f\xe2\x82\xac"},
        {"\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!"},
        {"\"\\uFFFF\"", "\xef\xbf\xbf"},
        {"\"\\ud83d\"", "\xef\xbf\xbd"}, /* lone surrogates: decode lets none pass */
        {"\"\\ude00x\"", "\xef\xbf\xbdx"},
        {"\"\\ud83d\\u0041\"", "\xef\xbf\xbd"
                               "A"},
        {"\"\\ud83d\\n\"", "\xef\xbf\xbd\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value string = {VALUE_STRING, text_copy(cases[i][0])};
        struct bytes found;
        assert_true(json_string(&string, &arena, &found));
        assert_text(found, cases[i][1]);
        text_free(string.text);
    }
}

static void a_zero_byte_in_a_string_is_a_byte_like_others(void **state)
{
    (void)state;
    struct value string = value("\"a\\u0000b\"");
    struct bytes found;
    assert_true(json_string(&string, &arena, &found));
    assert_int_equal(found.size, 3);
    assert_memory_equal(found.data, "a\0b", 3);
}

static void any_value_has_a_plain_text(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"\"x\\u0079\"", "xy"}, {"12.50", "12.50"},   {"true", "true"},
                                           {"null", ""},           {"[1, 2]", "[1, 2]"}, {"\"\"", ""}};
    struct bytes found;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value each = value(cases[i][0]);
        assert_true(json_text(&each, &arena, &found));
        assert_non_null(found.data);
        assert_text(found, cases[i][1]);
    }
    assert_true(json_text(&(struct value){.type = VALUE_MISSING}, &arena, &found));
    assert_int_equal(found.size, 0);
}

static void strings_are_equal_however_they_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"\"abc\"", "\"abc\"", true},     {"\"a\\u0062c\"", "\"abc\"", true}, {"\"a\\u0062c\"", "\"a\\u0063c\"", false},
        {"\"ab\"", "\"abc\"", false},     {"\"abc\"", "\"ab\"", false},       {"\"\\u00e9\"", "\"\xc3\xa9\"", true},
        {"\"\\n\"", "\"\\u000A\"", true}, {"\"\"", "\"\\u0000\"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value a = value(cases[i].a), b = value(cases[i].b);
        assert_int_equal(json_strings_equal(&a, &b), cases[i].equal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_typed_by_its_text),
        cmocka_unit_test(members_are_walked_in_order_with_white_space_anywhere),
        cmocka_unit_test(an_empty_object_or_array_has_nothing_in_it),
        cmocka_unit_test(elements_are_walked_and_found_by_index),
        cmocka_unit_test(skipping_knows_the_end_of_every_kind_of_value),
        cmocka_unit_test(nesting_costs_no_stack),
        cmocka_unit_test(of_members_with_one_name_the_last_counts),
        cmocka_unit_test(a_name_is_compared_with_what_a_key_means),
        cmocka_unit_test(a_string_without_escapes_is_a_view),
        cmocka_unit_test(escapes_are_resolved),
        cmocka_unit_test(a_zero_byte_in_a_string_is_a_byte_like_others),
        cmocka_unit_test(any_value_has_a_plain_text),
        cmocka_unit_test(strings_are_equal_however_they_are_escaped),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
