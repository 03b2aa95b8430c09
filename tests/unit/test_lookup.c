#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "processor/log.h"
#include "tests/support/looked_up.h"

static void a_row_becomes_an_object_under_into(void **state)
{
    struct looked_up *fixture = *state;
    looked_up_begin(fixture, "{table: t.csv, match: customer_id, fields: [name, tier], into: customer}");
    looked_up_ask(fixture, "{\"customer_id\": \"c-1\", \"n\": 1}",
                  "{\"customer_id\": \"c-1\", \"n\": 1,\"customer\":{\"name\":\"Anna\",\"tier\":\"gold\"}}");
    looked_up_ask(fixture, "{\"customer\": 1, \"customer_id\": \"c-1\"}",
                  "{\"customer\": {\"name\":\"Anna\",\"tier\":\"gold\"},\"customer_id\": \"c-1\"}");
    assert_int_equal(looked_up_metric(fixture, METRIC_GAUGE, "weir_lookup_rows"), 2);
    assert_int_equal(looked_up_misses(fixture), 0);
    staged_fini(&fixture->staged);
}

static void without_into_columns_become_members_of_the_same_name(void **state)
{
    struct looked_up *fixture = *state;
    looked_up_begin(fixture, "{table: t.csv, match: customer_id, fields: [tier, name, odd.name]}");
    looked_up_ask(fixture, "{\"customer_id\": \"c-1\", \"name\": \"?\"}",
                  "{\"customer_id\": \"c-1\", \"name\": \"Anna\",\"tier\":\"gold\",\"odd.name\":\"1\"}");
    staged_fini(&fixture->staged);
}

static void keys_are_compared_by_their_text(void **state)
{
    struct looked_up *fixture = *state;
    looked_up_begin(fixture, "{table: t.csv, match: customer_id, fields: name}");
    looked_up_ask(fixture, "{\"customer_id\": 42}", "{\"customer_id\": 42,\"name\":\"Ben\"}");
    looked_up_ask(fixture, "{\"customer_id\": \"42\"}", "{\"customer_id\": \"42\",\"name\":\"Ben\"}");
    looked_up_ask(fixture, "{\"customer_id\": \"c\\u002d1\"}", "{\"customer_id\": \"c\\u002d1\",\"name\":\"Anna\"}");
    looked_up_ask(fixture, "{\"customer_id\": 42.0}", "{\"customer_id\": 42.0}");
    looked_up_ask(fixture, "{\"customer_id\": [42]}", "{\"customer_id\": [42]}");
    assert_int_equal(looked_up_misses(fixture), 2);
    staged_fini(&fixture->staged);
}

static void match_may_be_any_path_and_column_any_name(void **state)
{
    struct looked_up *fixture = *state;
    looked_up_begin(fixture,
                    "{table: t.csv, match: \".orders[1].who\", column: name, fields: [tier], into: who.customer}");
    looked_up_ask(fixture, "{\"orders\": [0, {\"who\": \"Anna\"}], \"who\": {}}",
                  "{\"orders\": [0, {\"who\": \"Anna\"}], \"who\": {\"customer\":{\"tier\":\"gold\"}}}");
    looked_up_ask(fixture, "{\"orders\": [0, {\"who\": \"Anna\"}], \"who\": 1}",
                  "reject type: can't set who.customer: what it stands in is not an object");
    staged_fini(&fixture->staged);
    looked_up_begin(fixture, "{table: t.csv, match: .order.customer_id, fields: [name]}");
    looked_up_ask(fixture, "{\"order\": {\"customer_id\": \"c-1\"}}",
                  "{\"order\": {\"customer_id\": \"c-1\"},\"name\":\"Anna\"}");
    staged_fini(&fixture->staged);
}

static void a_record_without_a_row_is_forwarded_rejected_or_dropped(void **state)
{
    struct looked_up *fixture = *state;
    static const char *const NONE[] = {"{\"customer_id\": \"c-9\"}", "{\"customer_id\": null}",
                                       "{\"customer_id\": \"\"}", "{}"};
    looked_up_begin(fixture, "{table: t.csv, match: customer_id, fields: [name], on_missing: forward}");
    for (int i = 0; i < 4; i++)
        looked_up_ask(fixture, NONE[i], NONE[i]);
    assert_int_equal(looked_up_misses(fixture), 4);
    staged_fini(&fixture->staged);
    looked_up_begin(fixture, "{table: t.csv, match: customer_id, fields: [name], on_missing: drop}");
    for (int i = 0; i < 4; i++)
        looked_up_ask(fixture, NONE[i], "drop");
    assert_int_equal(looked_up_misses(fixture), 4);
    staged_fini(&fixture->staged);
    looked_up_begin(fixture, "{table: t.csv, match: customer_id, fields: [name], on_missing: reject}");
    looked_up_ask(fixture, NONE[0], "reject lookup: t.csv has no row for customer_id 'c-9'");
    for (int i = 1; i < 4; i++)
        looked_up_ask(fixture, NONE[i], "reject lookup: nothing at customer_id to look up in t.csv");
    looked_up_ask(fixture, "{\"customer_id\": \"c-1\"}", "{\"customer_id\": \"c-1\",\"name\":\"Anna\"}");
    assert_int_equal(looked_up_misses(fixture), 4);
    staged_fini(&fixture->staged);
}

static void a_field_that_a_row_lacks_is_not_set(void **state)
{
    struct looked_up *fixture = *state;
    looked_up_replace(fixture, "{\"id\": 1, \"a\": [1], \"b\": 2}\n{\"id\": 2, \"b\": null}\n");
    char path[80];
    snprintf(path, sizeof path, "%s.ndjson", fixture->path);
    assert_int_equal(rename(fixture->path, path), 0);
    staged_init(&fixture->staged, &lookup_stage, fixture->dir, "{table: t.csv.ndjson, match: id, fields: [a, b]}");
    looked_up_ask(fixture, "{\"id\": 1}", "{\"id\": 1,\"a\":[1],\"b\":2}");
    looked_up_ask(fixture, "{\"id\": \"2\", \"a\": 7}", "{\"id\": \"2\", \"a\": 7,\"b\":null}");
    staged_fini(&fixture->staged);
    unlink(path);
}

static void every_record_of_a_large_batch_gets_its_own_row(void **state)
{
    struct looked_up *fixture = *state;
    enum { RECORDS = 1000 };
    looked_up_begin(fixture, "{table: t.csv, match: customer_id, fields: [name], on_missing: drop}");
    struct batch *batch = records_batch(&fixture->staged.records);
    static const char *const IN[] = {"{\"customer_id\": \"c-1\"}", "{\"customer_id\": 42}", "{\"customer_id\": 43}",
                                     "[]"};
    for (int i = 0; i < RECORDS; i++) {
        records_add_json(batch, IN[i % 4]);
        if (i % 4 == 3)
            batch->records[i].answer = STAGE_SETTLED;
    }
    staged_process(&fixture->staged, batch);
    static const char *const OUT[] = {"{\"customer_id\": \"c-1\",\"name\":\"Anna\"}",
                                      "{\"customer_id\": 42,\"name\":\"Ben\"}", "drop", "settled"};
    for (int i = 0; i < RECORDS; i++)
        assert_string_equal(staged_answer(&fixture->staged, batch, &batch->records[i]), OUT[i % 4]);
    assert_int_equal(looked_up_misses(fixture), RECORDS / 4);
    batch_free(batch);
    staged_fini(&fixture->staged);
}

static void what_is_no_object_is_rejected_and_a_tombstone_passes(void **state)
{
    struct looked_up *fixture = *state;
    looked_up_begin(fixture, "{table: t.csv, match: customer_id, fields: [name], on_missing: drop}");
    looked_up_ask(fixture, "[1]", "reject type: expected a JSON object, found another JSON value");
    struct batch *batch = records_batch(&fixture->staged.records);
    struct record *record = records_add(batch, "k", NULL);
    record->document = (struct document){.kind = DOCUMENT_NULL};
    staged_process(&fixture->staged, batch);
    assert_int_equal(record->answer, STAGE_FORWARD);
    batch_free(batch);
    assert_int_equal(looked_up_misses(fixture), 0);
    staged_fini(&fixture->staged);
}

static void a_table_that_cannot_be_read_keeps_the_stage_from_opening(void **state)
{
    struct looked_up *fixture = *state;
    static const char YAML[] = "{table: t.csv, match: customer_id, fields: [name]}";
    char expected[256];
    staged_refuse(&fixture->staged, &lookup_stage, fixture->dir, YAML);
    snprintf(expected, sizeof expected, "%s: can't be opened: No such file or directory", fixture->path);
    assert_string_equal(fixture->staged.answer, expected);
    looked_up_replace(fixture, "customer_id,name\nc-1\n");
    staged_refuse(&fixture->staged, &lookup_stage, fixture->dir, YAML);
    snprintf(expected, sizeof expected, "%s:2: expected 2 values, as the first row has, found 1", fixture->path);
    assert_string_equal(fixture->staged.answer, expected);
    looked_up_replace(fixture, LOOKED_UP_TABLE);
    staged_refuse(&fixture->staged, &lookup_stage, fixture->dir,
                  "{table: t.csv, match: customer_id, fields: [name], max_size: 10}");
    assert_non_null(strstr(fixture->staged.answer, "at most 10 are allowed"));
}

static void mistakes_in_its_config_are_told(void **state)
{
    (void)state;
    staged_expect_mistake(&lookup_stage, "{match: a, fields: [b]}", "table");
    staged_expect_mistake(&lookup_stage, "{table: t, fields: [b]}", "match");
    staged_expect_mistake(&lookup_stage, "{table: t, match: a}", "fields");
    staged_expect_mistake(&lookup_stage, "{table: t, match: a, fields: []}", "fields");
    staged_expect_mistake(&lookup_stage, "{table: t, match: \"a[0]\", fields: [b]}",
                          "expected a path that ends in a name, or `column:` beside it");
    staged_expect_mistake(&lookup_stage, "{table: t, match: ., fields: [b]}", "expected a path that ends in a name");
    staged_expect_mistake(&lookup_stage, "{table: t, match: a, fields: [b, c, b]}", "'b' is named twice");
    staged_expect_mistake(&lookup_stage, "{table: t, match: a, fields: [b], into: \"c[1]\"}", "expected names only");
    staged_expect_mistake(&lookup_stage, "{table: t, match: a, fields: [b], on_missing: skip}", "forward");
    staged_expect_mistake(&lookup_stage, "{table: t, match: a, field: [b]}", "fields");
}

int main(void)
{
    log_set(LOG_ERROR, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_row_becomes_an_object_under_into, looked_up_set_up, looked_up_tear_down),
        cmocka_unit_test_setup_teardown(without_into_columns_become_members_of_the_same_name, looked_up_set_up,
                                        looked_up_tear_down),
        cmocka_unit_test_setup_teardown(keys_are_compared_by_their_text, looked_up_set_up, looked_up_tear_down),
        cmocka_unit_test_setup_teardown(match_may_be_any_path_and_column_any_name, looked_up_set_up,
                                        looked_up_tear_down),
        cmocka_unit_test_setup_teardown(a_record_without_a_row_is_forwarded_rejected_or_dropped, looked_up_set_up,
                                        looked_up_tear_down),
        cmocka_unit_test_setup_teardown(a_field_that_a_row_lacks_is_not_set, looked_up_set_up, looked_up_tear_down),
        cmocka_unit_test_setup_teardown(every_record_of_a_large_batch_gets_its_own_row, looked_up_set_up,
                                        looked_up_tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_object_is_rejected_and_a_tombstone_passes, looked_up_set_up,
                                        looked_up_tear_down),
        cmocka_unit_test_setup_teardown(a_table_that_cannot_be_read_keeps_the_stage_from_opening, looked_up_set_up,
                                        looked_up_tear_down),
        cmocka_unit_test_setup_teardown(mistakes_in_its_config_are_told, looked_up_set_up, looked_up_tear_down),
    };
    return cmocka_run_group_tests_name("lookup", tests, NULL, NULL);
}
