#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stages/json_fault.h"
#include "stages/simdjson.h"

struct wrong {
    const char *text;
    long at;
    const char *words;
};

static const struct wrong WRONG[] = {
    {"", 0, "the text ends where a value was expected"},
    {" \r\n\t", 4, "the text ends where a value was expected"},
    {"\xef\xbb\xbf{}", 0, "byte order mark before the JSON text"},
    {"x", 0, "expected a value"},
    {"'a'", 0, "expected a value"},
    {"{\"a\": }", 6, "expected a value"},
    {"{\"a\": 1", 7, "the text ends inside an object"},
    {"{\"a\": 1,", 8, "the text ends inside an object"},
    {"{\"a\": 1,}", 8, "expected a key in double quotes"},
    {"{a: 1}", 1, "expected a key in double quotes"},
    {"{\"a\" 1}", 5, "expected a colon behind the key"},
    {"{\"a\": 1 \"b\": 2}", 8, "expected a comma or } in an object"},
    {"{\"a\": 1]", 7, "expected a comma or } in an object"},
    {"{} {}", 3, "something follows the JSON text"},
    {"[1, 2", 5, "the text ends inside an array"},
    {"[1 2]", 3, "expected a comma or ] in an array"},
    {"[1,]", 3, "expected a value"},
    {"[1}", 2, "expected a comma or ] in an array"},
    {"tru", 3, "expected true, false or null"},
    {"nulL", 3, "expected true, false or null"},
    {"truely", 4, "something follows the JSON text"},
    {"\"abc", 4, "the text ends inside a string"},
    {"\"a\nb\"", 2, "control character in a string (it must be escaped)"},
    {"\"a\\x\"", 3, "unknown escape in a string"},
    {"\"\\u12g4\"", 5, "expected four hexadecimal digits behind \\u"},
    {"\"\\ud800\"", 1, "half of a surrogate pair"},
    {"\"\\udc00\"", 1, "half of a surrogate pair"},
    {"\"ab\\ud800\\u0041\"", 3, "half of a surrogate pair"},
    {"01", 1, "a number must not begin with 0"},
    {"-", 1, "expected a digit"},
    {"+1", 0, "expected a value"},
    {".5", 0, "expected a value"},
    {"1.", 2, "expected a digit"},
    {"1e", 2, "expected a digit"},
    {"1e+", 3, "expected a digit"},
    {"NaN", 0, "expected a value"},
    {"[18446744073709551616]", 1, "integer past 64 bits"},
    {"[-9223372036854775809]", 1, "integer past 64 bits"},
    {"{\"n\": 1e400}", 6, "number past a double's range"},
};

enum { PADDING = 64 };

/* simdjson wants readable bytes behind the text. */
static uint8_t *padded(const void *text, size_t size)
{
    uint8_t *copy = calloc(1, size + PADDING);
    assert_non_null(copy);
    memcpy(copy, text, size);
    return copy;
}

static enum simdjson_answer parse(struct simdjson_parser *parser, const void *text, size_t size)
{
    struct simdjson_indexes indexes;
    uint8_t *copy = padded(text, size);
    enum simdjson_answer answer = simdjson_parse(parser, copy, size, &indexes, NULL);
    free(copy);
    return answer;
}

static void each_fault_is_found_where_it_is(void **state)
{
    (void)state;
    struct simdjson_parser *parser = simdjson_new();
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        const struct wrong *wrong = &WRONG[i];
        const char *words = "nothing";
        long at = json_fault_find(bytes_of_string(wrong->text), &words);
        if (at != wrong->at || strcmp(words, wrong->words) != 0)
            fail_msg("%s: expected '%s' at %ld, found '%s' at %ld", wrong->text, wrong->words, wrong->at, words, at);
        if (parse(parser, wrong->text, strlen(wrong->text)) == SIMDJSON_OK)
            fail_msg("%s: the parser takes it", wrong->text);
    }
    simdjson_free(parser);
}

static void valid_texts_have_no_fault(void **state)
{
    (void)state;
    static const char *const VALID[] = {
        "{}",
        "[]",
        "0",
        "-0",
        "-0.0e-0",
        "1E+5",
        "1e-400",
        "18446744073709551615",
        "-9223372036854775808",
        "\"\"",
        " [ 1 , { \"a\" : [ ] } ] ",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
        "null",
        "true",
        "false",
        "{\"\": {\"\": 0}}",
        "0.1e1",
        "\"\x7f\"",
        "\"\xf0\x9f\x98\x80\"",
    };
    struct simdjson_parser *parser = simdjson_new();
    for (size_t i = 0; i < sizeof VALID / sizeof *VALID; i++) {
        const char *words = "";
        if (json_fault_find(bytes_of_string(VALID[i]), &words) != -1)
            fail_msg("%s: %s", VALID[i], words);
        if (parse(parser, VALID[i], strlen(VALID[i])) != SIMDJSON_OK)
            fail_msg("%s: the parser refuses it", VALID[i]);
    }
    simdjson_free(parser);
}

static void long_numbers_are_judged_as_the_parser_judges_them(void **state)
{
    (void)state;
    static char text[4096];
    struct simdjson_parser *parser = simdjson_new();
    const char *words = "";
    memset(text, '9', 600);
    assert_int_not_equal(parse(parser, text, 600), SIMDJSON_OK);
    assert_int_equal(json_fault_find(bytes_of(text, 600), &words), 0);
    assert_string_equal(words, "integer past 64 bits");
    /* A double of 600 digits behind the point is one as any other. */
    text[1] = '.';
    assert_int_equal(parse(parser, text, 600), SIMDJSON_OK);
    assert_int_equal(json_fault_find(bytes_of(text, 600), &words), -1);
    simdjson_free(parser);
}

/* depth opening brackets, the innermost around `inside`, and as many closing ones. */
static size_t nest(char *text, size_t depth, const char *inside)
{
    size_t size = strlen(inside);
    memset(text, '[', depth);
    memcpy(text + depth, inside, size);
    memset(text + depth + size, ']', depth);
    return 2 * depth + size;
}

static void nesting_is_refused_at_the_depth_where_the_parser_does(void **state)
{
    (void)state;
    static char text[2 * 10000 + 16];
    struct simdjson_parser *parser = simdjson_new();
    const char *words = "";
    /* An empty container inside of the last one is a value to the parser. */
    static const char *const INSIDE[] = {"1", "[]", "{}", "{ }"};
    for (size_t i = 0; i < sizeof INSIDE / sizeof *INSIDE; i++) {
        for (size_t depth = 126; depth <= 131; depth++) {
            size_t size = nest(text, depth, INSIDE[i]);
            bool fits = depth <= SIMDJSON_DEPTH;
            assert_int_equal(parse(parser, text, size), fits ? SIMDJSON_OK : SIMDJSON_TOO_DEEP);
            assert_int_equal(json_fault_find(bytes_of(text, (uint32_t)size), &words), fits ? -1 : SIMDJSON_DEPTH);
        }
    }
    size_t size = nest(text, 10000, "");
    assert_int_equal(parse(parser, text, size), SIMDJSON_TOO_DEEP);
    assert_int_equal(json_fault_find(bytes_of(text, (uint32_t)size), &words), SIMDJSON_DEPTH);
    simdjson_free(parser);
}

static void bad_utf8_is_found_where_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        long at;
    } CASES[] = {
        {"plain ascii, longer than eight bytes", -1},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", -1},
        {"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
         -1}, /* the last before the surrogates, the first behind, the last of all */
        {"0123456789\xff", 10},
        {"ab\x80", 2}, /* a continuation by itself */
        {"ab\xc3", 2}, /* cut off */
        {"ab\xe2\x82", 2},
        {"ab\xf0\x9f\x98", 2},
        {"ab\xc0\x80", 2}, /* overlong */
        {"ab\xc1\xbf", 2},
        {"ab\xe0\x9f\xbf", 2},
        {"ab\xf0\x8f\xbf\xbf", 2},
        {"ab\xed\xa0\x80", 2},     /* a surrogate */
        {"ab\xf4\x90\x80\x80", 2}, /* past U+10FFFF */
        {"ab\xf5\x80\x80\x80", 2},
        {"\xc3\xa9\xc3(", 2},
    };
    struct simdjson_parser *parser = simdjson_new();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        long at = json_fault_utf8(bytes_of_string(CASES[i].text));
        if (at != CASES[i].at)
            fail_msg("case %zu: expected %ld, found %ld", i, CASES[i].at, at);
        char quoted[64];
        size_t size = strlen(CASES[i].text);
        quoted[0] = '"';
        memcpy(quoted + 1, CASES[i].text, size);
        quoted[size + 1] = '"';
        enum simdjson_answer answer = parse(parser, quoted, size + 2);
        if ((answer == SIMDJSON_OK) != (CASES[i].at < 0))
            fail_msg("case %zu: the parser answers %d", i, answer);
    }
    simdjson_free(parser);
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Texts that are a little wrong: the parser refuses one if and only if a fault is found in it. */
static void a_fault_is_found_in_whatever_the_parser_refuses_and_in_nothing_else(void **state)
{
    (void)state;
    static const char SEED[] =
        "{\"order_id\": \"o-\\u00e91\\ud83d\\ude00\", \"n\": [0, -1.5e+3, 18446744073709551615], "
        "\"x\": {\"y\": [true, false, null, {}], \"z\": \"caf\xc3\xa9\\n\"}, \"e\": []}";
    static const char BYTES[] = "{}[]:,\"\\0123456789.eE+-tfnu \n\x01\xc3\xa9\xed\xa0 dDcC8";
    struct simdjson_parser *parser = simdjson_new();
    uint64_t random = 1;
    unsigned accepted = 0, refused = 0;
    for (int round = 0; round < 200000; round++) {
        char text[sizeof SEED];
        size_t size = sizeof SEED - 1;
        memcpy(text, SEED, size);
        for (uint32_t i = 0; i <= next_random(&random) % 3; i++)
            text[next_random(&random) % size] = BYTES[next_random(&random) % (sizeof BYTES - 1)];
        if (next_random(&random) % 8 == 0)
            size = next_random(&random) % size;
        bool good = parse(parser, text, size) == SIMDJSON_OK;
        const char *words = "";
        struct bytes bytes = bytes_of(text, (uint32_t)size);
        bool found = json_fault_find(bytes, &words) >= 0 || json_fault_utf8(bytes) >= 0;
        if (good == found)
            fail_msg("%.*s: the parser %s it, and the fault is '%s'", (int)size, text, good ? "takes" : "refuses",
                     words);
        *(good ? &accepted : &refused) += 1;
    }
    assert_true(accepted > 1000 && refused > 1000);
    simdjson_free(parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_found_where_it_is),
        cmocka_unit_test(valid_texts_have_no_fault),
        cmocka_unit_test(long_numbers_are_judged_as_the_parser_judges_them),
        cmocka_unit_test(nesting_is_refused_at_the_depth_where_the_parser_does),
        cmocka_unit_test(bad_utf8_is_found_where_it_is),
        cmocka_unit_test(a_fault_is_found_in_whatever_the_parser_refuses_and_in_nothing_else),
    };
    return cmocka_run_group_tests_name("json_fault", tests, NULL, NULL);
}
