/* Documents: what is read out of them, and what comes out when they have been changed. Also against a naive model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "processor/document.h"
#include "tests/support/records.h"
#include "tests/support/text.h"

static struct records records;
static struct arena paths;

static int set_up(void **state)
{
    records_init(&records);
    arena_init(&paths, NULL);
    *state = records_batch(&records);
    return 0;
}

static int tear_down(void **state)
{
    batch_free(*state);
    arena_fini(&paths);
    records_fini(&records);
    return 0;
}

static const struct path *path(const char *text)
{
    struct path *path = arena_alloc(&paths, sizeof *path);
    unsigned at = 0;
    const char *why = "";
    if (path_compile(text, &paths, path, &at, &why) != STATUS_OK)
        fail_msg("%s: %s", text, why);
    return path;
}

static struct value get(struct batch *batch, const struct record *record, const char *at)
{
    return document_get(&record->document, path(at), &batch->arena);
}

static enum status set(struct batch *batch, struct record *record, const char *at, const char *json)
{
    return document_set(&record->document, path(at), bytes_of_string(json), &batch->arena);
}

static enum status take(struct batch *batch, struct record *record, const char *at)
{
    return document_remove(&record->document, path(at), &batch->arena);
}

/* changes: "path=json" sets and "path" removes, until NULL. */
static void assert_changed(struct batch *batch, const char *json, const char *const *changes, const char *expected)
{
    struct record *record = records_add_json(batch, json);
    for (; *changes != NULL; changes++) {
        char at[100];
        const char *equals = strchr(*changes, '=');
        snprintf(at, sizeof at, "%.*s", (int)(equals != NULL ? equals - *changes : 99), *changes);
        if (equals != NULL)
            assert_int_equal(set(batch, record, at, equals + 1), STATUS_OK);
        else
            assert_int_equal(take(batch, record, at), STATUS_OK);
    }
    const char *found = records_encode(batch, record);
    assert_string_equal(found, expected);
    /* What is said about the whole is what is stored, and it is JSON still. */
    assert_text(get(batch, record, ".").text, expected);
    records_add_json(batch, expected);
}

static void values_are_found_at_any_depth(void **state)
{
    struct batch *batch = *state;
    struct record *record = records_add_json(
        batch, "{\"a\":1,\"b\":{\"c\":[10,{\"d\":\"x\"}]},\"n\":null,\"a b\":true,\"a\":2,\"e\\u0301\":3,\"\":4}");
    static const char *const cases[][2] = {
        {"a", "2"},    {".b.c[0]", "10"},   {"b.c[1].d", "\"x\""}, {"b.c", "[10,{\"d\":\"x\"}]"},
        {"n", "null"}, {"\"a b\"", "true"}, {"e\xcc\x81", "3"},    {"\"\"", "4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_text(get(batch, record, cases[i][0]).text, cases[i][1]);
    static const char *const missing[] = {"x", "a.b", "b.c[2]", "b.c.d", "b[0]", "n.x", "[0]", "b.c[0].d", "aa"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        assert_int_equal(get(batch, record, missing[i]).type, VALUE_MISSING);
}

static void what_is_no_object_can_be_read_but_not_changed(void **state)
{
    struct batch *batch = *state;
    struct record *array = records_add_json(batch, " [1,{\"a\":2}] ");
    assert_int_equal(array->document.kind, DOCUMENT_JSON);
    assert_text(get(batch, array, ".").text, "[1,{\"a\":2}]");
    assert_text(get(batch, array, "[1].a").text, "2");
    assert_int_equal(get(batch, array, "a").type, VALUE_MISSING);
    assert_int_equal(set(batch, array, "a", "1"), STATUS_FAILED);
    assert_int_equal(take(batch, array, "a"), STATUS_FAILED);
    assert_string_equal(records_encode(batch, array), "[1,{\"a\":2}]");
}

static void raw_bytes_have_no_members_and_a_tombstone_is_null(void **state)
{
    struct batch *batch = *state;
    struct record *raw = records_add(batch, NULL, "{\"a\":1}"), *tombstone = records_add(batch, NULL, NULL);
    raw->document = (struct document){.kind = DOCUMENT_RAW, .text = raw->value};
    tombstone->document = (struct document){.kind = DOCUMENT_NULL};
    assert_int_equal(get(batch, raw, "a").type, VALUE_MISSING);
    assert_int_equal(get(batch, raw, ".").type, VALUE_MISSING);
    assert_int_equal(set(batch, raw, "a", "1"), STATUS_FAILED);
    assert_string_equal(records_encode(batch, raw), "{\"a\":1}");
    assert_int_equal(get(batch, tombstone, ".").type, VALUE_NULL);
    assert_int_equal(get(batch, tombstone, "a").type, VALUE_MISSING);
    assert_string_equal(records_encode(batch, tombstone), "");
}

static void an_unchanged_document_comes_out_byte_for_byte(void **state)
{
    struct batch *batch = *state;
    static const char text[] = "{ \"a\" : 1.50 ,\n\"a\":\"\\u0061\" }";
    struct record *record = records_add_json(batch, text);
    assert_int_equal(document_encoded_max(&record->document), sizeof text - 1);
    assert_string_equal(records_encode(batch, record), text);
}

static void members_that_are_new_are_added_behind_the_text_in_their_order(void **state)
{
    assert_changed(*state, "{\"a\":1}", (const char *[]){"z=1", "y=\"2\"", "x=[3]", NULL},
                   "{\"a\":1,\"z\":1,\"y\":\"2\",\"x\":[3]}");
    assert_changed(*state, "{ \"a\" : 1 }", (const char *[]){"b=2", NULL}, "{ \"a\" : 1 ,\"b\":2}");
    assert_changed(*state, "{}", (const char *[]){"a=1", "b=2", NULL}, "{\"a\":1,\"b\":2}");
    assert_changed(*state, " { } ", (const char *[]){"a=1", NULL}, "{ \"a\":1}");
    assert_changed(*state, "{}", (const char *[]){"\"a\\\"b\"=1", NULL}, "{\"a\\\"b\":1}");
}

static void a_member_that_was_added_can_be_set_again_and_removed(void **state)
{
    assert_changed(*state, "{\"a\":1}", (const char *[]){"b=1", "c=2", "b=3", NULL}, "{\"a\":1,\"b\":3,\"c\":2}");
    assert_changed(*state, "{\"a\":1}", (const char *[]){"b=1", "c=2", "b", NULL}, "{\"a\":1,\"c\":2}");
    assert_changed(*state, "{\"a\":1}", (const char *[]){"b=1", "c=2", "b", "b=4", NULL}, "{\"a\":1,\"c\":2,\"b\":4}");
    assert_changed(*state, "{\"a\":1}", (const char *[]){"b=1", "b", NULL}, "{\"a\":1}");
}

static void a_member_that_is_replaced_keeps_its_place(void **state)
{
    assert_changed(*state, "{\"a\":1,\"b\":2,\"c\":3}", (const char *[]){"a=9", NULL}, "{\"a\":9,\"b\":2,\"c\":3}");
    assert_changed(*state, "{\"a\":1, \"b\" : 2 , \"c\":3 }", (const char *[]){"b=9", NULL},
                   "{\"a\":1, \"b\" : 9,\"c\":3}");
    assert_changed(*state, "{\"a\":1,\"b\":2,\"c\":3}", (const char *[]){"c=9", "d=4", "a=8", NULL},
                   "{\"a\":8,\"b\":2,\"c\":9,\"d\":4}");
    assert_changed(*state, "{\"a\":1,\"b\":2}", (const char *[]){"b=3", "b=4", NULL}, "{\"a\":1,\"b\":4}");
}

static void members_of_the_text_can_be_removed_and_set_again_in_their_place(void **state)
{
    assert_changed(*state, "{\"a\":1,\"b\":2,\"c\":3}", (const char *[]){"a", NULL}, "{\"b\":2,\"c\":3}");
    assert_changed(*state, "{\"a\":1,\"b\":2,\"c\":3}", (const char *[]){"b", NULL}, "{\"a\":1,\"c\":3}");
    assert_changed(*state, "{\"a\":1,\"b\":2,\"c\":3}", (const char *[]){"c", "a", NULL}, "{\"b\":2}");
    assert_changed(*state, "{ \"a\" : 1 }", (const char *[]){"a", NULL}, "{}");
    assert_changed(*state, "{ \"a\" : 1 }", (const char *[]){"a", "z=1", NULL}, "{\"z\":1}");
    assert_changed(*state, "{\"a\":1,\"b\":2}", (const char *[]){"a", "b", "a=3", NULL}, "{\"a\":3}");
    assert_changed(*state, "{\"a\":1}", (const char *[]){"x", "x.y", "a=2", NULL}, "{\"a\":2}");
}

static void of_members_with_one_name_a_change_leaves_one_or_none(void **state)
{
    static const char text[] = "{\"a\":1,\"b\":2,\"\\u0061\":3,\"a\":4,\"c\":5}";
    assert_changed(*state, text, (const char *[]){"a=9", NULL}, "{\"b\":2,\"a\":9,\"c\":5}");
    assert_changed(*state, text, (const char *[]){"a", NULL}, "{\"b\":2,\"c\":5}");
    assert_changed(*state, text, (const char *[]){"b", "a=9", "c", NULL}, "{\"a\":9}");
    assert_changed(*state, "{\"a\":1,\"b\":1,\"a\":2,\"b\":2}", (const char *[]){"a=8", "b=9", NULL},
                   "{\"a\":8,\"b\":9}");
    /* Nobody touched it, so it is not ours to tidy. */
    assert_changed(*state, text, (const char *[]){"b=7", NULL}, "{\"a\":1,\"b\":7,\"\\u0061\":3,\"a\":4,\"c\":5}");
}

static void a_key_with_escapes_is_known_by_its_name_and_stays_as_it_is_written(void **state)
{
    assert_changed(*state, "{\"n\\u0061me\":1,\"x\":2}", (const char *[]){"name=9", NULL},
                   "{\"n\\u0061me\":9,\"x\":2}");
    assert_changed(*state, "{\"n\\u0061me\":1,\"x\":2}", (const char *[]){"name", NULL}, "{\"x\":2}");
    assert_changed(*state, "{\"a\\\\b\":1}", (const char *[]){"\"a\\\\b\"=2", NULL}, "{\"a\\\\b\":2}");
    /* A name of backslashes that looks like the key's text is another name. */
    assert_changed(*state, "{\"a\\\\b\":1}", (const char *[]){"\"a\\\\\\\\b\"=2", NULL},
                   "{\"a\\\\b\":1,\"a\\\\\\\\b\":2}");
}

static void nested_members_are_set_and_removed(void **state)
{
    assert_changed(*state, "{\"c\":{\"name\":\"x\",\"tier\":1},\"d\":2}", (const char *[]){"c.name=\"y\"", NULL},
                   "{\"c\":{\"name\":\"y\",\"tier\":1},\"d\":2}");
    assert_changed(*state, "{\"d\":2}", (const char *[]){"c.name.first=\"y\"", NULL},
                   "{\"d\":2,\"c\":{\"name\":{\"first\":\"y\"}}}");
    assert_changed(*state, "{\"d\":2}", (const char *[]){"c={}", "c.a=1", "c.b=2", "c.a=3", NULL},
                   "{\"d\":2,\"c\":{\"a\":3,\"b\":2}}");
    assert_changed(*state, "{\"c\":{\"name\":\"x\",\"tier\":1},\"d\":2}", (const char *[]){"c.name", NULL},
                   "{\"c\":{\"tier\":1},\"d\":2}");
    assert_changed(*state, "{\"c\":{\"a\":1},\"c\":{\"b\":2}}", (const char *[]){"c.x=1", NULL},
                   "{\"c\":{\"b\":2,\"x\":1}}");
    assert_changed(*state, "{\"c\":1}", (const char *[]){"c", "c.a=2", NULL}, "{\"c\":{\"a\":2}}");
    /* Nothing there: nothing changes, not even white space. */
    assert_changed(*state, "{ \"c\" : { \"a\":1 } }", (const char *[]){"c.b", "c.b.d", "e.f", NULL},
                   "{ \"c\" : { \"a\":1 } }");
}

static void nothing_is_changed_when_what_is_on_the_way_is_no_object(void **state)
{
    struct batch *batch = *state;
    static const char text[] = "{\"a\":1,\"b\":{\"c\":[]},\"n\":null}";
    struct record *record = records_add_json(batch, text);
    static const char *const ways[] = {"a.b", "b.c.d", "n.x"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        assert_int_equal(set(batch, record, ways[i], "1"), STATUS_FAILED);
        assert_int_equal(take(batch, record, ways[i]), STATUS_FAILED);
    }
    assert_string_equal(records_encode(batch, record), text);
}

static void changes_are_seen_by_who_reads(void **state)
{
    struct batch *batch = *state;
    struct record *record = records_add_json(batch, "{\"a\":1,\"c\":{\"x\":1}}");
    assert_int_equal(set(batch, record, "a", "\"new\""), STATUS_OK);
    assert_int_equal(set(batch, record, "c.y", "2"), STATUS_OK);
    assert_int_equal(set(batch, record, "d", "[1,2]"), STATUS_OK);
    assert_text(get(batch, record, "a").text, "\"new\"");
    assert_text(get(batch, record, "c.x").text, "1");
    assert_text(get(batch, record, "c.y").text, "2");
    assert_text(get(batch, record, "d[1]").text, "2");
    assert_int_equal(take(batch, record, "a"), STATUS_OK);
    assert_int_equal(get(batch, record, "a").type, VALUE_MISSING);
    assert_text(get(batch, record, ".").text, "{\"c\":{\"x\":1,\"y\":2},\"d\":[1,2]}");
}

static void two_members_can_change_places(void **state)
{
    struct batch *batch = *state;
    struct record *record = records_add_json(batch, "{\"a\":1,\"b\":2}");
    struct value a = get(batch, record, "a"), b = get(batch, record, "b");
    assert_int_equal(take(batch, record, "a"), STATUS_OK);
    assert_int_equal(take(batch, record, "b"), STATUS_OK);
    assert_int_equal(document_set(&record->document, path("b"), a.text, &batch->arena), STATUS_OK);
    assert_int_equal(document_set(&record->document, path("a"), b.text, &batch->arena), STATUS_OK);
    assert_string_equal(records_encode(batch, record), "{\"a\":2,\"b\":1}");
}

/* -- against a model: a list of names and values, changed in the plainest way -- */

enum { MODEL_MAX = 64, NAMES = 8 };

static const char *const PLAIN[NAMES] = {"a", "b", "ab", "name", "n\xc3\xa4me", "q\"q", "b\\s", ""};
static const char *const WRITTEN[NAMES][2] = {{"a", "\\u0061"},
                                              {"b", "b"},
                                              {"ab", "a\\u0062"},
                                              {"name", "n\\u0061m\\u0065"},
                                              {"n\xc3\xa4me", "n\\u00e4me"},
                                              {"q\\\"q", "q\\u0022q"},
                                              {"b\\\\s", "b\\u005cs"},
                                              {"", ""}};
static const char *const VALUES[] = {
    "1",    "-2.5e3", "\"x\"", "\"}\\\"{\"", "[]", "[1, {\"a\":2}]", "{}", "{ \"a\":1 }", "{\"b\":{\"c\":1}}",
    "null", "true"};
enum { VALUE_COUNT = sizeof VALUES / sizeof *VALUES };

struct model {
    unsigned count;
    struct {
        unsigned name;
        const char *value;
    } members[MODEL_MAX];
};

static unsigned model_last(const struct model *model, unsigned name)
{
    unsigned last = model->count;
    for (unsigned i = 0; i < model->count; i++) {
        if (model->members[i].name == name)
            last = i;
    }
    return last;
}

/* Deletes those of the name but number `keep`. */
static void model_sweep(struct model *model, unsigned name, unsigned keep)
{
    unsigned count = 0;
    for (unsigned i = 0; i < model->count; i++) {
        if (model->members[i].name != name || i == keep)
            model->members[count++] = model->members[i];
    }
    model->count = count;
}

static const char *blank(void)
{
    static const char *const blanks[] = {"", "", "", " ", "\n\t"};
    return blanks[rand() % 5];
}

static void write_random(struct model *model, char *json, size_t room)
{
    size_t used = (size_t)snprintf(json, room, "{%s", blank());
    model->count = (unsigned)rand() % 8;
    for (unsigned i = 0; i < model->count; i++) {
        unsigned name = (unsigned)rand() % NAMES;
        const char *value = VALUES[rand() % VALUE_COUNT];
        model->members[i].name = name;
        model->members[i].value = value;
        used += (size_t)snprintf(json + used, room - used, "%s\"%s\"%s:%s%s%s", i > 0 ? "," : "",
                                 WRITTEN[name][rand() % 2], blank(), blank(), value, blank());
    }
    snprintf(json + used, room - used, "}");
}

static void assert_is_model(struct batch *batch, const struct model *model, const struct record *record)
{
    struct bytes text = bytes_of_string(records_encode(batch, record)), key;
    const uint8_t *cursor = NULL;
    struct value value;
    for (unsigned i = 0; i < model->count; i++) {
        if (!json_next_member(text, &cursor, &key, &value) ||
            !json_key_equals(key, bytes_of_string(PLAIN[model->members[i].name])))
            fail_msg("member %u of %s", i, (const char *)text.data);
        assert_text(value.text, model->members[i].value);
    }
    assert_false(json_next_member(text, &cursor, &key, &value));
    records_add_json(batch, (const char *)text.data);
}

static const struct path *name_path(unsigned name)
{
    struct path *path = arena_alloc(&paths, sizeof *path);
    struct path_step *step = arena_alloc(&paths, sizeof *step);
    *step = (struct path_step){.name = bytes_of_string(PLAIN[name])};
    *path = (struct path){.text = PLAIN[name], .count = 1, .steps = step};
    return path;
}

/* One change of both. The model has no old places that a member of the text would return to, so these are not set again once they are gone. */
static void change_random(struct batch *batch, struct record *record, struct model *model, const bool *in_text)
{
    unsigned name = (unsigned)rand() % NAMES, last = model_last(model, name);
    bool absent = last == model->count;
    if (rand() % 3 == 0) {
        assert_int_equal(document_remove(&record->document, name_path(name), &batch->arena), STATUS_OK);
        model_sweep(model, name, MODEL_MAX);
    } else if (!absent || !in_text[name]) {
        struct bytes value = bytes_of_string(VALUES[rand() % VALUE_COUNT]);
        assert_int_equal(document_set(&record->document, name_path(name), value, &batch->arena), STATUS_OK);
        model->members[last].name = name;
        model->members[last].value = (const char *)value.data;
        model->count += absent;
        model_sweep(model, name, last);
    }
}

static void any_changes_give_what_a_naive_model_gives(void **state)
{
    srand(4);
    for (int round = 0; round < 20000; round++) {
        struct batch *batch = *state;
        struct model model;
        bool in_text[NAMES] = {false};
        char json[2048];
        if (batch->count > 50) {
            batch_free(batch);
            *state = batch = records_batch(&records);
            arena_reset(&paths);
        }
        write_random(&model, json, sizeof json);
        for (unsigned i = 0; i < model.count; i++)
            in_text[model.members[i].name] = true;
        struct record *record = records_add_json(batch, json);
        for (int changes = rand() % 10; changes > 0; changes--)
            change_random(batch, record, &model, in_text);
        assert_is_model(batch, &model, record);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_are_found_at_any_depth),
        TEST(what_is_no_object_can_be_read_but_not_changed),
        TEST(raw_bytes_have_no_members_and_a_tombstone_is_null),
        TEST(an_unchanged_document_comes_out_byte_for_byte),
        TEST(members_that_are_new_are_added_behind_the_text_in_their_order),
        TEST(a_member_that_was_added_can_be_set_again_and_removed),
        TEST(a_member_that_is_replaced_keeps_its_place),
        TEST(members_of_the_text_can_be_removed_and_set_again_in_their_place),
        TEST(of_members_with_one_name_a_change_leaves_one_or_none),
        TEST(a_key_with_escapes_is_known_by_its_name_and_stays_as_it_is_written),
        TEST(nested_members_are_set_and_removed),
        TEST(nothing_is_changed_when_what_is_on_the_way_is_no_object),
        TEST(changes_are_seen_by_who_reads),
        TEST(two_members_can_change_places),
        TEST(any_changes_give_what_a_naive_model_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
