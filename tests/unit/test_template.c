/* {{...}} templates: what they are compiled to, and what they make of a record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "processor/clock.h"
#include "processor/template.h"
#include "processor/timestamp.h"
#include "tests/support/records.h"
#include "tests/support/text.h"

struct fixture {
    struct records records;
    struct batch *batch;
    struct record *record;
    struct arena config;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    records_init(&fixture->records);
    arena_init(&fixture->config, NULL);
    struct batch *batch = fixture->batch = records_batch(&fixture->records);
    struct record *record = fixture->record = records_add_json(
        batch, "{\"id\":7,\"name\":\"J\\u00f6rg \\\"J\\\"\",\"tags\":[\"a\",1],\"none\":null,\"paid\":true}");
    batch->partition = 3;
    record->key = bytes_of_string("key-\"1\"");
    record->offset = 1234567;
    record->timestamp = 1709251199123;
    records_header(batch, record, "trace", "first");
    records_header(batch, record, "trace", "abc");
    records_header(batch, record, "a.b c", "odd");
    records_header(batch, record, "null", NULL);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    batch_free(fixture->batch);
    arena_fini(&fixture->config);
    records_fini(&fixture->records);
    free(fixture);
    return 0;
}

static struct template *compile(struct fixture *fixture, const char *text)
{
    struct template *template = NULL;
    unsigned at = 0;
    char why[200] = "";
    if (template_compile(text, &fixture->config, &template, &at, why, sizeof why) != STATUS_OK)
        fail_msg("%s at %u: %s", text, at, why);
    return template;
}

static struct value value_of(struct fixture *fixture, const char *text)
{
    struct value value;
    assert_int_equal(
        template_value(compile(fixture, text), fixture->batch, fixture->record, &fixture->batch->arena, &value),
        STATUS_OK);
    return value;
}

static struct bytes text_of(struct fixture *fixture, const char *text)
{
    struct bytes found;
    assert_int_equal(
        template_text(compile(fixture, text), fixture->batch, fixture->record, &fixture->batch->arena, &found),
        STATUS_OK);
    return found;
}

static void one_expression_keeps_its_type(void **state)
{
    static const char *const cases[][2] = {
        {"{{topic}}", "\"orders\""},
        {"{{partition}}", "3"},
        {"{{offset}}", "1234567"},
        {"{{ offset\t}}", "1234567"},
        {"{{key}}", "\"key-\\\"1\\\"\""},
        {"{{timestamp}}", "\"2024-02-29T23:59:59.123Z\""},
        {"{{header.trace}}", "\"abc\""},
        {"{{header.a.b c}}", "\"odd\""},
        {"{{header.null}}", "null"},
        {"{{.id}}", "7"},
        {"{{.name}}", "\"J\\u00f6rg \\\"J\\\"\""},
        {"{{.tags}}", "[\"a\",1]"},
        {"{{ .tags[1] }}", "1"},
        {"{{.none}}", "null"},
        {"{{.paid}}", "true"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value value = value_of(*state, cases[i][0]);
        assert_text(value.text, cases[i][1]);
        assert_int_equal(value.type, json_value(bytes_of_string(cases[i][1])).type);
    }
}

static void a_missing_part_has_no_value(void **state)
{
    struct fixture *fixture = *state;
    fixture->record->timestamp = -1;
    static const char *const cases[] = {"{{.nothing}}", "{{.id.x}}", "{{header.nothing}}", "{{timestamp}}"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(value_of(fixture, cases[i]).type, VALUE_MISSING);
}

static void mixed_text_gives_a_string(void **state)
{
    static const char *const cases[][2] = {
        {"{{topic}}/{{partition}}/{{offset}}", "\"orders/3/1234567\""},
        {" {{.id}}", "\" 7\""},
        {"\"{{key}}\"\n", "\"\\\"key-\\\"1\\\"\\\"\\n\""},
        {"<{{.name}}>", "\"<J\\u00f6rg \\\"J\\\">\""},
        {"{{.tags}}!", "\"[\\\"a\\\",1]!\""},
        {"[{{.none}}{{.nothing}}{{header.null}}{{header.nothing}}]", "\"[]\""},
        {"{{.paid}}{{timestamp}}", "\"true2024-02-29T23:59:59.123Z\""},
        {"}} {{offset}}", "\"}} 1234567\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value value = value_of(*state, cases[i][0]);
        assert_int_equal(value.type, VALUE_STRING);
        assert_text(value.text, cases[i][1]);
    }
}

static void as_text_there_are_no_quotes_and_no_escapes(void **state)
{
    static const char *const cases[][2] = {
        {"{{topic}}.dlq", "orders.dlq"},
        {"{{key}}", "key-\"1\""},
        {"{{.name}}", "J\xc3\xb6rg \"J\""},
        {"<{{.name}}>", "<J\xc3\xb6rg \"J\">"},
        {"{{.tags}}", "[\"a\",1]"},
        {"{{offset}}", "1234567"},
        {"{{timestamp}}", "2024-02-29T23:59:59.123Z"},
        {"{{.none}}", ""},
        {"{{.nothing}}", ""},
        {"{{header.null}}", ""},
        {"plain \"text\"", "plain \"text\""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes text = text_of(*state, cases[i][0]);
        assert_non_null(text.data);
        assert_text(text, cases[i][1]);
    }
}

static void only_a_null_key_alone_is_null_as_text(void **state)
{
    struct fixture *fixture = *state;
    fixture->record->key = (struct bytes){0};
    assert_null(text_of(fixture, "{{key}}").data);
    assert_text(text_of(fixture, "k{{key}}"), "k");
    assert_int_equal(value_of(fixture, "{{key}}").type, VALUE_NULL);
    fixture->record->key = bytes_of_string("");
    assert_non_null(text_of(fixture, "{{key}}").data);
    assert_text(value_of(fixture, "{{key}}").text, "\"\"");
}

static void keys_and_headers_become_json_only_when_they_are_utf8(void **state)
{
    struct fixture *fixture = *state;
    struct arena *arena = &fixture->batch->arena;
    fixture->record->key = bytes_of_string("\xff\xfe");
    records_header(fixture->batch, fixture->record, "trace", "\xc3");
    static const char *const cases[] = {"{{key}}", "k{{key}}", "{{header.trace}}", "{{header.trace}}{{offset}}"};
    struct value value;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(template_value(compile(fixture, cases[i]), fixture->batch, fixture->record, arena, &value),
                         STATUS_FAILED);
    /* Bytes are bytes where no JSON is made of them. */
    assert_text(text_of(fixture, "{{key}}"), "\xff\xfe");
    assert_text(text_of(fixture, "k{{key}}"), "k\xff\xfe");
}

static void a_large_key_is_quoted_whole_without_room_for_six_times_its_size(void **state)
{
    struct fixture *fixture = *state;
    enum { SIZE = 3 * 1024 * 1024 };
    uint8_t *key = malloc(SIZE), *expected = malloc(JSON_QUOTED_MAX(SIZE));
    for (int i = 0; i < SIZE; i++)
        key[i] = (uint8_t)("abcdefgh\n\"\\\x01xyz"[i % 15]);
    fixture->record->key = bytes_of(key, SIZE);
    size_t size = json_quote(expected, fixture->record->key), held = fixture->batch->arena.held;
    struct value value = value_of(fixture, "{{key}}");
    assert_int_equal(value.text.size, size);
    assert_memory_equal(value.text.data, expected, size);
    assert_true(fixture->batch->arena.held - held < 2 * SIZE);
    free(key);
    free(expected);
}

static void now_is_read_once_a_batch(void **state)
{
    struct fixture *fixture = *state;
    uint8_t before[TIMESTAMP_MAX], after[TIMESTAMP_MAX];
    fixture->batch->entered = 1;
    size_t size = timestamp_write(before, clock_wall_ms());
    struct bytes first = text_of(fixture, "{{now}}");
    timestamp_write(after, clock_wall_ms());
    assert_int_equal(first.size, size);
    assert_true(memcmp(before, first.data, size) <= 0 && memcmp(first.data, after, size) <= 0);
    /* Later on it says the same for this batch, and another time for the next, though it has the same memory. */
    int64_t until = clock_now() + 20 * CLOCK_SECOND, ms = clock_wall_ms();
    while (clock_wall_ms() == ms && clock_now() < until)
        ;
    struct bytes second = text_of(fixture, "{{now}}");
    assert_true(bytes_equal(first, second));
    fixture->batch->entered = 2;
    struct bytes third = text_of(fixture, "{{now}}");
    assert_false(bytes_equal(first, third));
    struct value value = value_of(fixture, "{{now}}");
    assert_int_equal(value.type, VALUE_STRING);
    assert_memory_equal(value.text.data + 1, third.data, third.size);
}

static void now_can_stand_still(void **state)
{
    struct fixture *fixture = *state;
    fixture->batch->entered = 1;
    template_fix_now(1709251199123);
    assert_text(text_of(fixture, "{{now}}"), "2024-02-29T23:59:59.123Z");
    template_fix_now(-1);
    fixture->batch->entered = 2;
    struct bytes now = text_of(fixture, "{{now}}");
    assert_true(now.size == 24 && memcmp(now.data, "2024-02", 7) != 0);
}

static void text_without_expressions_is_constant(void **state)
{
    struct fixture *fixture = *state;
    struct template *template = compile(fixture, "say \"hi\"");
    assert_true(template_is_constant(template));
    assert_false(template_uses_headers(template));
    assert_text(value_of(fixture, "say \"hi\"").text, "\"say \\\"hi\\\"\"");
    assert_false(template_is_constant(compile(fixture, "{{key}}")));
}

static void a_constant_has_the_type_of_its_json(void **state)
{
    struct fixture *fixture = *state;
    static const char *const cases[][2] = {
        {"12.50", "12.50"}, {"true", "true"}, {"null", ""}, {"\"a\\nb\"", "a\nb"}, {"[1]", "[1]"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[20];
        strcpy(json, cases[i][0]);
        struct template *template = template_constant(bytes_of_string(json), &fixture->config);
        struct value value;
        struct bytes text;
        /* It is the template's own. */
        memset(json, 'x', sizeof json);
        assert_true(template_is_constant(template));
        assert_int_equal(template_value(template, fixture->batch, fixture->record, &fixture->batch->arena, &value),
                         STATUS_OK);
        assert_text(value.text, cases[i][0]);
        assert_int_equal(value.type, json_value(bytes_of_string(cases[i][0])).type);
        assert_int_equal(template_text(template, fixture->batch, fixture->record, &fixture->batch->arena, &text),
                         STATUS_OK);
        assert_text(text, cases[i][1]);
    }
}

static void a_template_knows_whether_it_needs_headers(void **state)
{
    struct fixture *fixture = *state;
    assert_true(template_uses_headers(compile(fixture, "{{header.trace}}")));
    assert_true(template_uses_headers(compile(fixture, "{{key}}/{{header.trace}}")));
    assert_false(template_uses_headers(compile(fixture, "{{key}}/{{.header}}")));
}

static void names_in_quotes_may_have_braces_in_them(void **state)
{
    struct fixture *fixture = *state;
    struct path_step step = {.name = bytes_of_string("a}}\"b")};
    struct path path = {.text = "", .count = 1, .steps = &step};
    assert_int_equal(document_set(&fixture->record->document, &path, bytes_of_string("[5]"), &fixture->batch->arena),
                     STATUS_OK);
    assert_text(text_of(fixture, "{{.\"a}}\\\"b\"[0]}}!"), "5!");
}

static void a_mistake_is_told_with_its_position(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        unsigned at;
        const char *why;
    } cases[] = {
        {"{{", 0, "expected }} behind this {{"},
        {"ab {{topic} x", 3, "expected }} behind this {{"},
        {"{{.\"open}}", 0, "expected }} behind this {{"},
        {"{{}}", 2, "expected topic, partition, offset, key, timestamp, now, header.NAME or a .path, found ''"},
        {"x{{ order_id }}", 4,
         "expected topic, partition, offset, key, timestamp, now, header.NAME or a .path, found 'order_id'"},
        {"{{header.}}", 2,
         "expected topic, partition, offset, key, timestamp, now, header.NAME or a .path, found 'header.'"},
        {"{{Topic}}", 2,
         "expected topic, partition, offset, key, timestamp, now, header.NAME or a .path, found 'Topic'"},
        {"{{topic}}{{ .a..b }}", 15, "expected a name (in \"quotes\" when it has blanks, dots, brackets or quotes)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct template *template = NULL;
        unsigned at = 99;
        char why[200] = "";
        if (template_compile(cases[i].text, &fixture->config, &template, &at, why, sizeof why) != STATUS_FAILED)
            fail_msg("%s was accepted", cases[i].text);
        assert_string_equal(why, cases[i].why);
        if (at != cases[i].at)
            fail_msg("%s: at %u", cases[i].text, at);
        assert_null(template);
    }
}

static void a_template_has_at_most_31_expressions_and_says_so(void **state)
{
    struct fixture *fixture = *state;
    char text[40 * 9] = "", why[200] = "";
    for (int i = 0; i < 31; i++)
        strcat(text, "-{{key}}");
    compile(fixture, text);
    strcat(text, "-{{key}}");
    strcat(text, "-{{key}}");
    struct template *template;
    unsigned at = 0;
    assert_int_equal(template_compile(text, &fixture->config, &template, &at, why, sizeof why), STATUS_FAILED);
    assert_string_equal(why, "expected fewer expressions: a template has room for 31");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_expression_keeps_its_type),
        TEST(a_missing_part_has_no_value),
        TEST(mixed_text_gives_a_string),
        TEST(as_text_there_are_no_quotes_and_no_escapes),
        TEST(only_a_null_key_alone_is_null_as_text),
        TEST(keys_and_headers_become_json_only_when_they_are_utf8),
        TEST(a_large_key_is_quoted_whole_without_room_for_six_times_its_size),
        TEST(now_is_read_once_a_batch),
        TEST(now_can_stand_still),
        TEST(text_without_expressions_is_constant),
        TEST(a_constant_has_the_type_of_its_json),
        TEST(a_template_knows_whether_it_needs_headers),
        TEST(names_in_quotes_may_have_braces_in_them),
        TEST(a_mistake_is_told_with_its_position),
        TEST(a_template_has_at_most_31_expressions_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
