#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stages/json_document.h"
#include "stages/simdjson.h"

struct fixture {
    struct arena arena;
    struct simdjson_parser *parser;
    struct document document;
    struct json_fault fault;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    arena_init(&fixture->arena, NULL);
    fixture->parser = simdjson_new();
    assert_non_null(fixture->parser);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    simdjson_free(fixture->parser);
    arena_fini(&fixture->arena);
    free(fixture);
    return 0;
}

static enum status parse(struct fixture *fixture, struct bytes text)
{
    struct bytes copy = arena_copy(&fixture->arena, text);
    assert_non_null(copy.data);
    fixture->document = (struct document){.kind = 99};
    fixture->fault = (struct json_fault){.at = 99};
    return json_document(fixture->parser, copy, &fixture->arena, &fixture->document, &fixture->fault);
}

/* The members as `key=value` joined by `|`. */
static const char *members_of(struct fixture *fixture)
{
    static char text[4096];
    size_t used = 0;
    const struct document *document = &fixture->document;
    text[0] = '\0';
    for (uint32_t i = 0; i < document->member_count; i++) {
        const struct document_member *member = &document->members[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s=%.*s", i > 0 ? "|" : "",
                                 (int)member->key_size, document->text.data + member->key, (int)member->value_size,
                                 document->text.data + member->value);
    }
    return text;
}

static void expect_members(struct fixture *fixture, const char *json, const char *expected)
{
    enum status status = parse(fixture, bytes_of_string(json));
    if (status != STATUS_OK)
        fail_msg("%s: %s: %s", json, fixture->fault.class, fixture->fault.words);
    assert_int_equal(fixture->document.kind, DOCUMENT_OBJECT);
    assert_string_equal(members_of(fixture), expected);
}

static void members_are_indexed_with_their_spans(void **state)
{
    expect_members(*state, "{}", "");
    expect_members(*state, "{ }", "");
    expect_members(*state, "{\"a\":1}", "a=1");
    expect_members(*state, "{\"order_id\": \"o-1\", \"total\": 12.50}", "order_id=\"o-1\"|total=12.50");
    expect_members(*state, "{\"a\":true,\"b\":false,\"c\":null,\"d\":-1e5}", "a=true|b=false|c=null|d=-1e5");
    expect_members(*state, "{\"\":\"\"}", "=\"\"");
}

static void containers_are_passed_whole(void **state)
{
    expect_members(*state, "{\"a\": [1, [2, {\"x\": []}]], \"b\": {}, \"c\": {\"d\": {\"e\": 1}}, \"f\": []}",
                   "a=[1, [2, {\"x\": []}]]|b={}|c={\"d\": {\"e\": 1}}|f=[]");
    expect_members(*state, "{\"a\":[[[[[]]]]],\"b\":1}", "a=[[[[[]]]]]|b=1");
    expect_members(*state, "{\"a\":{\"brackets\":\"]}[{\"},\"b\":\"}\"}", "a={\"brackets\":\"]}[{\"}|b=\"}\"");
}

static void white_space_belongs_to_no_value(void **state)
{
    struct fixture *fixture = *state;
    expect_members(fixture, " \r\n{ \"a\" \t:\n 1 , \"b\" : \"x y \" \r\n, \"c\" : [ 1 , 2 ] } \n",
                   "a=1|b=\"x y \"|c=[ 1 , 2 ]");
    assert_int_equal(fixture->document.text.data[0], '{');
    assert_int_equal(fixture->document.text.data[fixture->document.text.size - 1], '}');
}

static void escapes_stay_as_they_are(void **state)
{
    expect_members(*state, "{\"a\\\"b\": \"x\\\\\", \"\\u0061\": \"\\\\\\\"\", \"c\": 1}",
                   "a\\\"b=\"x\\\\\"|\\u0061=\"\\\\\\\"\"|c=1");
}

static void duplicate_keys_are_all_there(void **state)
{
    expect_members(*state, "{\"a\": 1, \"b\": 2, \"a\": 3}", "a=1|b=2|a=3");
}

static void a_text_of_one_other_value_has_no_members(void **state)
{
    struct fixture *fixture = *state;
    static const char *const TEXTS[] = {"1", "\"x\"", "null", "[1, {\"a\": 2}]", "-0.5", "[]"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        char spaced[64];
        snprintf(spaced, sizeof spaced, " \n%s\t ", TEXTS[i]);
        assert_int_equal(parse(fixture, bytes_of_string(spaced)), STATUS_OK);
        assert_int_equal(fixture->document.kind, DOCUMENT_JSON);
        assert_int_equal(fixture->document.member_count, 0);
        assert_true(bytes_equal(fixture->document.text, bytes_of_string(TEXTS[i])));
    }
}

static void expect_fault(struct fixture *fixture, struct bytes text, const char *class, long at)
{
    assert_int_equal(parse(fixture, text), STATUS_FAILED);
    assert_string_equal(fixture->fault.class, class);
    assert_int_equal(fixture->fault.at, at);
    assert_non_null(fixture->fault.words);
    assert_int_equal(fixture->document.kind, 99); /* untouched */
}

static void what_is_wrong_is_told_by_class_and_place(void **state)
{
    expect_fault(*state, bytes_of_string("{\"a\": 1,}"), "json", 8);
    expect_fault(*state, bytes_of_string("{\"a\": "), "json", 6);
    expect_fault(*state, bytes_of_string("   "), "json", 3);
    expect_fault(*state, bytes_of_string("{\"a\": \"\xff\"}"), "utf8", 7);
    expect_fault(*state, bytes_of_string("\xef\xbb\xbf{}"), "json", 0);
    expect_fault(*state, bytes_of_string("{\"a\": \"\\ud800\"}"), "json", 7);
    expect_fault(*state, bytes_of_string("{\"a\": 123456789012345678901}"), "json", 6);
    expect_fault(*state, bytes_of_string("{\"a\": 1e999}"), "json", 6);
    expect_fault(*state, bytes_of("{\"a\": \0}", 8), "json", 6);
}

static void ten_thousand_brackets_are_refused_as_too_deep(void **state)
{
    struct fixture *fixture = *state;
    enum { DEPTH = 10000 };
    char *text = malloc(2 * DEPTH);
    memset(text, '[', DEPTH);
    memset(text + DEPTH, ']', DEPTH);
    expect_fault(fixture, bytes_of(text, 2 * DEPTH), "depth", -1);
    assert_int_equal(parse(fixture, bytes_of(text + DEPTH - SIMDJSON_DEPTH, 2 * SIMDJSON_DEPTH)), STATUS_OK);
    free(text);
}

/* {"k0":0,"k1":0,...} */
static struct bytes object_of(struct arena *arena, uint32_t members)
{
    uint8_t *text = arena_text(arena, (size_t)members * 16 + 2), *at = text;
    assert_non_null(text);
    *at++ = '{';
    for (uint32_t i = 0; i < members; i++)
        at += sprintf((char *)at, "%s\"k%u\":0", i > 0 ? "," : "", i);
    *at++ = '}';
    return bytes_of(text, (uint32_t)(at - text));
}

static void more_members_than_can_be_counted_are_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(parse(fixture, object_of(&fixture->arena, DOCUMENT_MAX_MEMBERS)), STATUS_OK);
    assert_int_equal(fixture->document.member_count, DOCUMENT_MAX_MEMBERS);
    const struct document_member *last = &fixture->document.members[DOCUMENT_MAX_MEMBERS - 1];
    assert_memory_equal(fixture->document.text.data + last->key, "k65534", 6);
    expect_fault(fixture, object_of(&fixture->arena, DOCUMENT_MAX_MEMBERS + 1), "size", -1);
}

static void members_of_containers_do_not_count_for_the_limit(void **state)
{
    struct fixture *fixture = *state;
    struct bytes inner = object_of(&fixture->arena, DOCUMENT_MAX_MEMBERS + 1);
    uint8_t *text = arena_text(&fixture->arena, inner.size + 32);
    int size = sprintf((char *)text, "{\"a\":%.*s,\"b\":1}", (int)inner.size, inner.data);
    assert_int_equal(parse(fixture, bytes_of(text, (uint32_t)size)), STATUS_OK);
    assert_int_equal(fixture->document.member_count, 2);
    assert_int_equal(fixture->document.members[0].value_size, inner.size);
}

static void the_index_takes_only_the_memory_of_what_it_found(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(parse(fixture, bytes_of_string("{\"a\": [1,2,3,4,5,6,7,8,9,10], \"b\": 1}")), STATUS_OK);
    assert_ptr_equal(fixture->arena.next, (const uint8_t *)(fixture->document.members + 2));
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

struct generator {
    char text[8192];
    uint32_t used;
    uint64_t random;
};

static void add(struct generator *generator, const char *text)
{
    size_t size = strlen(text);
    assert_true(generator->used + size < sizeof generator->text);
    memcpy(generator->text + generator->used, text, size);
    generator->used += (uint32_t)size;
}

static void add_space(struct generator *generator)
{
    static const char *const SPACES[] = {"", "", "", " ", "  ", "\n", "\t \r\n"};
    add(generator, SPACES[next_random(&generator->random) % 7]);
}

static void add_string(struct generator *generator)
{
    static const char *const STRINGS[] = {"\"\"",
                                          "\"a\"",
                                          "\"x y\"",
                                          "\"\\\"\"",
                                          "\"\\\\\"",
                                          "\"{[,:]}\"",
                                          "\"caf\xc3\xa9 \"",
                                          "\"a long one, longer than a whole block of sixty-four bytes: "
                                          "so that it crosses one\""};
    add(generator, STRINGS[next_random(&generator->random) % 8]);
}

static void add_value(struct generator *generator, int depth)
{
    static const char *const SCALARS[] = {"0", "-12.5e3", "true", "false", "null", "1234567890"};
    uint32_t kind = next_random(&generator->random) % (depth > 0 ? 10 : 7);
    if (kind < 5) {
        add(generator, SCALARS[next_random(&generator->random) % 6]);
    } else if (kind < 7) {
        add_string(generator);
    } else {
        bool object = kind == 7;
        add(generator, object ? "{" : "[");
        for (uint32_t i = 0, count = next_random(&generator->random) % 4; i < count; i++) {
            add(generator, i > 0 ? "," : "");
            add_space(generator);
            if (object) {
                add_string(generator);
                add_space(generator);
                add(generator, ":");
            }
            add_value(generator, depth - 1);
            add_space(generator);
        }
        add(generator, object ? "}" : "]");
    }
}

/* Objects made at random, whose members' spans are known from their making. */
static void the_index_agrees_with_how_the_text_was_made(void **state)
{
    struct fixture *fixture = *state;
    struct generator generator = {.random = 7};
    for (int round = 0; round < 20000; round++) {
        struct document_member expected[8];
        uint32_t count = next_random(&generator.random) % 8;
        generator.used = 0;
        add_space(&generator);
        uint32_t start = generator.used;
        add(&generator, "{");
        for (uint32_t i = 0; i < count; i++) {
            add(&generator, i > 0 ? "," : "");
            add_space(&generator);
            expected[i].key = generator.used + 1 - start;
            add_string(&generator);
            expected[i].key_size = generator.used - 1 - start - expected[i].key;
            add_space(&generator);
            add(&generator, ":");
            add_space(&generator);
            expected[i].value = generator.used - start;
            add_value(&generator, 3);
            expected[i].value_size = generator.used - start - expected[i].value;
            add_space(&generator);
        }
        add(&generator, "}");
        uint32_t size = generator.used - start;
        add_space(&generator);
        struct bytes text = bytes_of(generator.text, generator.used);
        if (parse(fixture, text) != STATUS_OK)
            fail_msg("%.*s: %s", (int)text.size, text.data, fixture->fault.words);
        assert_int_equal(fixture->document.text.size, size);
        assert_int_equal(fixture->document.member_count, count);
        if (count > 0)
            assert_memory_equal(fixture->document.members, expected, count * sizeof *expected);
        arena_reset(&fixture->arena);
    }
}

static void a_parser_takes_texts_of_any_size_in_any_order(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t MEMBERS[] = {1, 60000, 2, 1000, 65000, 3};
    for (size_t i = 0; i < sizeof MEMBERS / sizeof *MEMBERS; i++) {
        assert_int_equal(parse(fixture, object_of(&fixture->arena, MEMBERS[i])), STATUS_OK);
        assert_int_equal(fixture->document.member_count, MEMBERS[i]);
        simdjson_shrink(fixture->parser, i % 2 == 0 ? 4096 : 1 << 30);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_are_indexed_with_their_spans, set_up, tear_down),
        cmocka_unit_test_setup_teardown(containers_are_passed_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(white_space_belongs_to_no_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(escapes_stay_as_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(duplicate_keys_are_all_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_text_of_one_other_value_has_no_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_told_by_class_and_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ten_thousand_brackets_are_refused_as_too_deep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_members_than_can_be_counted_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(members_of_containers_do_not_count_for_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_index_takes_only_the_memory_of_what_it_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_index_agrees_with_how_the_text_was_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_parser_takes_texts_of_any_size_in_any_order, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("json_document", tests, NULL, NULL);
}
