/* Writing JSON text: quotes, escapes, splices; and what is UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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

static void quoting_escapes_what_json_wants_escaped(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"\"\\", "\"\\\"\\\\\""},
        {"a\nb\tc\rd\be\ff\x01g\x1f", "\"a\\nb\\tc\\rd\\be\\ff\\u0001g\\u001f\""},
        {"gr\xc3\xbc\xc3\x9f dich, Welt \x7f", "\"gr\xc3\xbc\xc3\x9f dich, Welt \x7f\""},
        {"1234567\"1234567", "\"1234567\\\"1234567\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes plain = text_copy(cases[i][0]);
        uint8_t *out = malloc(JSON_QUOTED_MAX(plain.size));
        size_t size = json_quote(out, plain);
        assert_text(bytes_of(out, (uint32_t)size), cases[i][1]);
        free(out);
        text_free(plain);
    }
}

static void what_is_quoted_reads_back_as_it_was(void **state)
{
    (void)state;
    srand(2);
    for (int round = 0; round < 5000; round++) {
        uint8_t plain[64], *out;
        uint32_t size = (uint32_t)rand() % sizeof plain;
        for (uint32_t i = 0; i < size; i++)
            plain[i] = (uint8_t)(rand() % (round % 2 ? 128 : 40));
        out = malloc(JSON_QUOTED_MAX(size));
        struct value quoted = {VALUE_STRING, bytes_of(out, (uint32_t)json_quote(out, bytes_of(plain, size)))};
        struct bytes found;
        assert_ptr_equal(json_skip(out, out + quoted.text.size), out + quoted.text.size);
        assert_true(json_string(&quoted, &arena, &found));
        assert_int_equal(found.size, size);
        assert_memory_equal(found.data, plain, size);
        free(out);
    }
}

static void utf8_is_told_from_what_looks_like_it(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "ascii of more than eight bytes",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "12345678\xc3\xa4\xe2\x82\xac"
                                       "123456789\xf0\x9f\x98\x80"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2"
                                      "a",
                                      "\xe0\x9f\xbf",
                                      "\xe2\x82",
                                      "\xe2\x82"
                                      "a",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x9f\x98",
                                      "\xf0\x9f\x98"
                                      "a",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "12345678\x80",
                                      "1234567\xc3",
                                      "\xc3\xa4\xa4"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct bytes copy = text_copy(good[i]);
        assert_true(utf8_valid(copy));
        text_free(copy);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bytes copy = text_copy(bad[i]);
        if (utf8_valid(copy))
            fail_msg("number %zu", i);
        text_free(copy);
    }
}

/* keys: separated by blanks; json NULL removes. */
static enum status splice(const char *object, const char *keys, const char *json, struct bytes *ret)
{
    struct bytes names[JSON_SPLICE_MAX];
    unsigned n = 0;
    for (const char *at = keys;; at++) {
        size_t size = strcspn(at, " ");
        names[n++] = bytes_of(at, (uint32_t)size);
        at += size;
        if (*at == '\0')
            break;
    }
    return json_splice(text(object), names, n, json != NULL ? text(json) : (struct bytes){0}, &arena, ret);
}

static void splicing_sets_replaces_and_removes_at_any_depth(void **state)
{
    (void)state;
    static const char *const cases[][4] = {
        {"{}", "a", "1", "{\"a\":1}"},
        {"{ }", "a", "1", "{ \"a\":1}"},
        {"{}", "a b c", "[1]", "{\"a\":{\"b\":{\"c\":[1]}}}"},
        {"{\"x\":0}", "a b", "1", "{\"x\":0,\"a\":{\"b\":1}}"},
        {"{\"a\":1,\"b\":2}", "a", "\"new\"", "{\"a\":\"new\",\"b\":2}"},
        {"{\"a\":1, \"b\" : 2 , \"c\":3}", "b", "{}", "{\"a\":1,\"b\" : {} , \"c\":3}"},
        {"{\"a\":{\"b\":{\"c\":1},\"d\":2},\"e\":3}", "a b c", "9", "{\"a\":{\"b\":{\"c\":9},\"d\":2},\"e\":3}"},
        {"{\"a\":{\"b\":{}},\"e\":3}", "a b c d", "9", "{\"a\":{\"b\":{\"c\":{\"d\":9}}},\"e\":3}"},
        {"{\"a\":1,\"b\":2,\"a\":3,\"c\":4}", "a", "9", "{\"b\":2,\"a\":9,\"c\":4}"},
        {"{\"a\":{\"b\":0},\"a\":{\"b\":1},\"c\":4}", "a b", "9", "{\"a\":{\"b\":9},\"c\":4}"},
        {"{\"\\u0061\":1}", "a", "9", "{\"\\u0061\":9}"},
        {"{}", "q\"\n", "1", "{\"q\\\"\\n\":1}"},
        {"{\"a\":1}", "a", NULL, "{}"},
        {"{ \"a\" : 1 }", "a", NULL, "{}"},
        {"{\"a\":1,\"b\":2,\"c\":3}", "a", NULL, "{\"b\":2,\"c\":3}"},
        {"{\"a\":1,\"b\":2,\"c\":3}", "b", NULL, "{\"a\":1,\"c\":3}"},
        {"{\"a\":1,\"b\":2,\"c\":3}", "c", NULL, "{\"a\":1,\"b\":2}"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "a", NULL, "{\"b\":2}"},
        {"{\"a\":1,\"a\":3 , \"c\":1}", "a", NULL, "{ \"c\":1}"},
        {"{\"a\":{\"b\":1},\"c\":2}", "a b", NULL, "{\"a\":{},\"c\":2}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes found = {0};
        assert_int_equal(splice(cases[i][0], cases[i][1], cases[i][2], &found), STATUS_OK);
        assert_text(found, cases[i][3]);
    }
}

static void removing_what_is_not_there_gives_the_object_itself(void **state)
{
    (void)state;
    static const char object[] = "{\"a\":{\"b\":1}}";
    static const char *const keys[] = {"b", "a c", "c d e", "a c d"};
    /* Nor does it take any memory. */
    const uint8_t *next = arena_text(&arena, 1) + 1;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct bytes found = {0};
        assert_int_equal(splice(object, keys[i], NULL, &found), STATUS_OK);
        assert_ptr_equal(found.data, object);
        assert_int_equal(found.size, sizeof object - 1);
    }
    assert_ptr_equal(arena.next, next);
}

static void splicing_through_what_is_no_object_fails_and_touches_nothing(void **state)
{
    (void)state;
    struct bytes found = {0};
    assert_int_equal(splice("{\"a\":1}", "a b", "2", &found), STATUS_FAILED);
    assert_int_equal(splice("{\"a\":{\"b\":[1]}}", "a b c", "2", &found), STATUS_FAILED);
    assert_int_equal(splice("{\"a\":null}", "a b", NULL, &found), STATUS_FAILED);
    assert_null(found.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quoting_escapes_what_json_wants_escaped),
        cmocka_unit_test(what_is_quoted_reads_back_as_it_was),
        cmocka_unit_test(utf8_is_told_from_what_looks_like_it),
        cmocka_unit_test(splicing_sets_replaces_and_removes_at_any_depth),
        cmocka_unit_test(removing_what_is_not_there_gives_the_object_itself),
        cmocka_unit_test(splicing_through_what_is_no_object_fails_and_touches_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
