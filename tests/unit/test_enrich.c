#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/parse.h"
#include "tests/support/staged.h"

extern const struct stage_type set_stage, rename_stage, remove_stage, filter_stage;

/* One record through a stage of this config. */
static void expect(const struct stage_type *type, const char *yaml, const char *json, const char *expected)
{
    struct staged staged;
    staged_init(&staged, type, NULL, yaml);
    assert_string_equal(staged_ask(&staged, json), expected);
    staged_fini(&staged);
}

/* -- set -- */

static void set_adds_members_and_keeps_the_rest_as_it_is(void **state)
{
    (void)state;
    expect(&set_stage, "{source: weir}", "{\"a\":  1.50}", "{\"a\":  1.50,\"source\":\"weir\"}");
    expect(&set_stage, "{source: weir}", "{}", "{\"source\":\"weir\"}");
    expect(&set_stage, "{a: 2}", "{\"a\": 1, \"b\": 3}", "{\"a\": 2,\"b\": 3}");
}

static void set_keeps_the_type_that_a_constant_has_in_yaml(void **state)
{
    (void)state;
    expect(&set_stage, "{a: 1, b: 1.5, c: true, d: null, e: \"1\", f: text}", "{}",
           "{\"a\":1,\"b\":1.5,\"c\":true,\"d\":null,\"e\":\"1\",\"f\":\"text\"}");
}

static void set_warns_of_a_text_that_was_most_likely_meant_as_a_path(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(set_stage.config, "{a: .customer.name, b: \"{{.id}}\", c: ., d: ./x y, e: 0.5}");
    assert_non_null(parsed_config(parsed));
    const char *warning = strstr(parsed_report(parsed), "warning: a: this sets the text .customer.name");
    assert_non_null(warning);
    assert_non_null(strstr(warning, "\"{{.customer.name}}\""));
    assert_null(strstr(warning + 1, "warning: "));
    parsed_free(parsed);
}

static void set_makes_the_objects_on_the_way(void **state)
{
    (void)state;
    expect(&set_stage, "{.order.source.name: weir}", "{\"order\": {\"id\": 1}}",
           "{\"order\": {\"id\": 1,\"source\":{\"name\":\"weir\"}}}");
    expect(&set_stage, "{a.b.c: 1}", "{}", "{\"a\":{\"b\":{\"c\":1}}}");
}

static void set_rejects_where_something_else_stands_in_the_way(void **state)
{
    (void)state;
    expect(&set_stage, "{order.id: 1}", "{\"order\": \"o-1\"}",
           "reject type: can't set order.id: what it stands in is not an object");
}

static void set_evaluates_templates_in_their_order(void **state)
{
    (void)state;
    struct staged staged;
    staged_init(
        &staged, &set_stage, NULL,
        "{where: \"{{topic}}/{{partition}}/{{offset}}\", n: \"{{offset}}\", key: \"{{key}}\", copy: \"{{.items[1]}}\", "
        "again: \"{{.copy.sku}}\", none: \"{{.missing}}\", part: \"x{{.missing}}y\"}");
    struct batch *batch = records_batch(&staged.records);
    struct record *record = records_add_json(batch, "{\"items\": [{}, {\"sku\": \"a-1\"}]}");
    record->key = bytes_of_string("k\"1");
    record->offset = 42;
    staged_process(&staged, batch);
    assert_string_equal(staged_answer(&staged, batch, record),
                        "{\"items\": [{}, {\"sku\": \"a-1\"}],\"where\":\"orders/0/42\",\"n\":42,\"key\":\"k\\\"1\","
                        "\"copy\":{\"sku\": \"a-1\"},\"again\":\"a-1\",\"part\":\"xy\"}");
    batch_free(batch);
    staged_fini(&staged);
}

static void set_rejects_a_key_that_is_no_text(void **state)
{
    (void)state;
    struct staged staged;
    staged_init(&staged, &set_stage, NULL, "{key: \"{{key}}\"}");
    struct batch *batch = records_batch(&staged.records);
    struct record *record = records_add_json(batch, "{}");
    record->key = bytes_of("\xff\x01", 2);
    staged_process(&staged, batch);
    assert_string_equal(staged_answer(&staged, batch, record),
                        "reject utf8: can't set key: the key or header is not valid UTF-8");
    batch_free(batch);
    staged_fini(&staged);
}

/* -- rename -- */

static void rename_moves_members_and_passes_over_those_that_are_not_there(void **state)
{
    (void)state;
    expect(&rename_stage, "{id: order_id}", "{\"id\": [1], \"x\": 2}", "{\"x\": 2,\"order_id\":[1]}");
    expect(&rename_stage, "{id: order_id}", "{\"x\": 2}", "{\"x\": 2}");
    expect(&rename_stage, "{a.b: c, d: e.f}", "{\"a\": {\"b\": 1, \"x\": 2}, \"d\": null}",
           "{\"a\": { \"x\": 2},\"c\":1,\"e\":{\"f\":null}}");
}

static void rename_lets_two_members_change_places(void **state)
{
    (void)state;
    expect(&rename_stage, "{a: b, b: a}", "{\"a\": 1, \"b\": 2}", "{\"a\": 2,\"b\": 1}");
    expect(&rename_stage, "{a: b, b: c, c: a}", "{\"a\": 1, \"b\": 2, \"c\": 3}", "{\"a\": 3,\"b\": 1,\"c\": 2}");
}

static void rename_replaces_what_stands_at_the_new_name(void **state)
{
    (void)state;
    expect(&rename_stage, "{a: b}", "{\"a\": 1, \"b\": 2}", "{\"b\": 1}");
    expect(&rename_stage, "{a: a.b}", "{\"a\": 1}", "{\"a\": {\"b\":1}}");
}

/* -- remove -- */

static void remove_takes_members_away_wherever_they_are(void **state)
{
    (void)state;
    expect(&remove_stage, "[card, customer.email, nothing, customer.name.first]",
           "{\"card\": 1, \"a\": 2, \"customer\": {\"email\": 3, \"id\": 4, \"name\": \"x\"}}",
           "{\"a\": 2, \"customer\": { \"id\": 4, \"name\": \"x\"}}");
    expect(&remove_stage, "a", "{\"a\": 1}", "{}");
    expect(&remove_stage, "a", "{\"a\": 1, \"b\": 2, \"a\": 3}", "{\"b\": 2}");
}

/* -- filter -- */

static void filter_drops_by_its_condition(void **state)
{
    (void)state;
    static const char DROP[] = "{drop_when: {path: .status, in: [TEST, DUMMY]}}";
    expect(&filter_stage, DROP, "{\"status\": \"TEST\"}", "drop");
    expect(&filter_stage, DROP, "{\"status\": \"NEW\"}", "{\"status\": \"NEW\"}");
    expect(&filter_stage, DROP, "{}", "{}");
    static const char KEEP[] = "{keep_when: {path: .total, above: 10}}";
    expect(&filter_stage, KEEP, "{\"total\": 10.01}", "{\"total\": 10.01}");
    expect(&filter_stage, KEEP, "{\"total\": 10}", "drop");
    expect(&filter_stage, KEEP, "{}", "drop");
}

/* -- all of them -- */

static void records_with_a_verdict_are_left_alone(void **state)
{
    (void)state;
    const struct stage_type *const types[] = {&set_stage, &rename_stage, &remove_stage, &filter_stage};
    const char *const yamls[] = {"{a: 2}", "{a: b}", "[a]", "{drop_when: {path: .a, exists: true}}"};
    for (size_t i = 0; i < 4; i++) {
        struct staged staged;
        staged_init(&staged, types[i], NULL, yamls[i]);
        struct batch *batch = records_batch(&staged.records);
        for (int k = 0; k < 3; k++)
            records_add_json(batch, "{\"a\": 1}");
        batch->records[1].answer = STAGE_SETTLED;
        staged_process(&staged, batch);
        assert_string_equal(records_encode(batch, &batch->records[1]), "{\"a\": 1}");
        assert_int_equal(batch->records[1].answer, STAGE_SETTLED);
        batch_free(batch);
        staged_fini(&staged);
    }
}

static void what_is_no_object_is_rejected_and_a_tombstone_passes(void **state)
{
    (void)state;
    const struct stage_type *const types[] = {&set_stage, &rename_stage, &remove_stage};
    const char *const yamls[] = {"{a: 2}", "{a: b}", "[a]"};
    for (size_t i = 0; i < 3; i++) {
        struct staged staged;
        staged_init(&staged, types[i], NULL, yamls[i]);
        assert_string_equal(staged_ask(&staged, "[1]"),
                            "reject type: expected a JSON object, found another JSON value");
        struct batch *batch = records_batch(&staged.records);
        struct record *raw = records_add(batch, NULL, "x");
        raw->document = (struct document){.kind = DOCUMENT_RAW, .text = raw->value};
        struct record *none = records_add(batch, NULL, "{}");
        struct record *tombstone = records_add(batch, "k", NULL);
        tombstone->document = (struct document){.kind = DOCUMENT_NULL};
        raw = none - 1;
        none = tombstone - 1;
        staged_process(&staged, batch);
        assert_string_equal(staged_answer(&staged, batch, raw),
                            "reject type: expected a JSON object, found raw bytes (decode has `format: raw`)");
        assert_string_equal(staged_answer(&staged, batch, none),
                            "reject type: expected a JSON object, found a value that no decode stage has seen");
        assert_int_equal(tombstone->answer, STAGE_FORWARD);
        assert_int_equal(tombstone->document.kind, DOCUMENT_NULL);
        batch_free(batch);
        staged_fini(&staged);
    }
}

static void a_tombstone_passes_every_filter(void **state)
{
    (void)state;
    const char *const yamls[] = {"{keep_when: {path: .a, exists: true}}", "{drop_when: {path: .a, exists: false}}"};
    for (size_t i = 0; i < 2; i++) {
        struct staged staged;
        staged_init(&staged, &filter_stage, NULL, yamls[i]);
        struct batch *batch = records_batch(&staged.records);
        struct record *record = records_add(batch, "k", NULL);
        record->document = (struct document){.kind = DOCUMENT_NULL};
        staged_process(&staged, batch);
        assert_int_equal(record->answer, STAGE_FORWARD);
        batch_free(batch);
        staged_fini(&staged);
    }
}

static void mistakes_in_their_configs_are_told(void **state)
{
    (void)state;
    staged_expect_mistake(&set_stage, "{}", "expected a map of members and their values");
    staged_expect_mistake(&set_stage, "[a]", "found a list");
    staged_expect_mistake(&set_stage, "{\"a[0]\": 1}", "expected names only: an array's element can't be written");
    staged_expect_mistake(&set_stage, "{.: 1}", "expected the name of a member, found the whole document");
    staged_expect_mistake(&set_stage, "{a: \"{{.b\"}", "template");
    staged_expect_mistake(&rename_stage, "{a: \"b[0]\"}", "expected names only");
    staged_expect_mistake(&rename_stage, "a", "expected a map of old and new names");
    staged_expect_mistake(&remove_stage, "[]", "1");
    staged_expect_mistake(&remove_stage, "[\"a..b\"]", "path");
    staged_expect_mistake(&filter_stage, "{}", "expected drop_when or keep_when, found neither");
    staged_expect_mistake(&filter_stage, "{path: .status, equals: TEST}", "did you mean drop_when: {path: ...}?");
    staged_expect_mistake(&filter_stage, "{any: [{path: a, equals: 1}]}", "did you mean drop_when: {any: ...}?");
    staged_expect_mistake(&filter_stage, "{drop_when: {path: a, equals: 1}, keep_when: {path: b, equals: 1}}",
                          "expected drop_when or keep_when, found both");
    staged_expect_mistake(&filter_stage, "{drop_if: {path: a, equals: 1}}", "drop_when");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_adds_members_and_keeps_the_rest_as_it_is),
        cmocka_unit_test(set_keeps_the_type_that_a_constant_has_in_yaml),
        cmocka_unit_test(set_warns_of_a_text_that_was_most_likely_meant_as_a_path),
        cmocka_unit_test(set_makes_the_objects_on_the_way),
        cmocka_unit_test(set_rejects_where_something_else_stands_in_the_way),
        cmocka_unit_test(set_evaluates_templates_in_their_order),
        cmocka_unit_test(set_rejects_a_key_that_is_no_text),
        cmocka_unit_test(rename_moves_members_and_passes_over_those_that_are_not_there),
        cmocka_unit_test(rename_lets_two_members_change_places),
        cmocka_unit_test(rename_replaces_what_stands_at_the_new_name),
        cmocka_unit_test(remove_takes_members_away_wherever_they_are),
        cmocka_unit_test(filter_drops_by_its_condition),
        cmocka_unit_test(records_with_a_verdict_are_left_alone),
        cmocka_unit_test(what_is_no_object_is_rejected_and_a_tombstone_passes),
        cmocka_unit_test(a_tombstone_passes_every_filter),
        cmocka_unit_test(mistakes_in_their_configs_are_told),
    };
    return cmocka_run_group_tests_name("enrich", tests, NULL, NULL);
}
