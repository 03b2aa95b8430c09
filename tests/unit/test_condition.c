/* Conditions: each kind on each type of value, and how they join. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "processor/condition.h"
#include "tests/support/records.h"

struct fixture {
    struct records records;
    struct batch *batch;
    struct record *record;
    struct arena config;
};

static const char DOCUMENT[] =
    "{\"status\":\"PA\\u0049D\",\"n\":1.0,\"big\":9007199254740993,\"huge\":18446744073709551615,\"neg\":-5,"
    "\"yes\":true,\"nil\":null,\"list\":[1,2],\"sub\":{\"tier\":\"gold\"},\"line\":\"a\\nb\",\"empty\":\"\",\"digits\":"
    "\"12\"}";

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    records_init(&fixture->records);
    arena_init(&fixture->config, NULL);
    fixture->batch = records_batch(&fixture->records);
    fixture->record = records_add_json(fixture->batch, DOCUMENT);
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

static struct path path(struct fixture *fixture, const char *text)
{
    struct path path;
    unsigned at;
    const char *why;
    assert_int_equal(path_compile(text, &fixture->config, &path, &at, &why), STATUS_OK);
    return path;
}

static bool holds(struct fixture *fixture, const struct condition *condition)
{
    return condition_holds(condition, &fixture->record->document, &fixture->batch->arena);
}

static bool compares(struct fixture *fixture, enum condition_kind kind, const char *at, const char *json)
{
    struct value value = json_value(bytes_of_string(json));
    struct condition condition = {.kind = kind, .path = path(fixture, at), .values = &value, .count = 1};
    return holds(fixture, &condition);
}

static void values_are_compared_by_what_they_mean(void **state)
{
    static const struct {
        const char *at, *json;
        bool equal;
    } cases[] = {
        {"status", "\"PAID\"", true},
        {"status", "\"P\\u0041ID\"", true},
        {"status", "\"PAI\"", false},
        {"status", "\"paid\"", false},
        {"sub.tier", "\"gold\"", true},
        {"line", "\"a\\u000ab\"", true},
        {"n", "1", true},
        {"n", "10e-1", true},
        {"n", "1.5", false},
        {"n", "true", false},
        {"digits", "12", false},
        {"neg", "-5.0", true},
        /* Doubles could not tell these apart. */
        {"big", "9007199254740993", true},
        {"big", "9007199254740992", false},
        {"big", "9007199254740993.0", true},
        {"big", "9007199254740992.0", false},
        {"huge", "18446744073709551615", true},
        {"huge", "18446744073709551614", false},
        {"huge", "1.8446744073709551615e19", true},
        {"yes", "true", true},
        {"yes", "false", false},
        {"yes", "\"true\"", false},
        {"nil", "null", true},
        {"nil", "false", false},
        {"empty", "\"\"", true},
        {"empty", "null", false},
        {"list[1]", "2", true},
        {"list", "1", false},
        {"missing", "null", false},
        {"missing", "\"\"", false},
        {"n.x", "1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool equals = compares(*state, CONDITION_EQUALS, cases[i].at, cases[i].json);
        bool not_equals = compares(*state, CONDITION_NOT_EQUALS, cases[i].at, cases[i].json);
        if (equals != cases[i].equal || not_equals == cases[i].equal)
            fail_msg("%s and %s", cases[i].at, cases[i].json);
    }
}

static void in_holds_for_any_of_its_values(void **state)
{
    struct fixture *fixture = *state;
    struct value values[] = {json_value(bytes_of_string("\"TEST\"")), json_value(bytes_of_string("1")),
                             json_value(bytes_of_string("\"PAID\""))};
    struct condition condition = {.kind = CONDITION_IN, .values = values, .count = 3};
    condition.path = path(fixture, "status");
    assert_true(holds(fixture, &condition));
    condition.path = path(fixture, "n");
    assert_true(holds(fixture, &condition));
    condition.path = path(fixture, "neg");
    assert_false(holds(fixture, &condition));
    condition.path = path(fixture, "missing");
    assert_false(holds(fixture, &condition));
    condition.path = path(fixture, "status");
    condition.count = 2;
    assert_false(holds(fixture, &condition));
}

static bool matches(struct fixture *fixture, const char *at, const char *pattern)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    struct condition condition = {.kind = CONDITION_MATCHES, .path = path(fixture, at), .matches = &regex};
    bool found = holds(fixture, &condition);
    regfree(&regex);
    return found;
}

static void matches_sees_the_text_of_the_value_and_nothing_behind_it(void **state)
{
    assert_true(matches(*state, "status", "^PAID$"));
    assert_true(matches(*state, "status", "AI"));
    assert_false(matches(*state, "status", "PAID\""));
    assert_true(matches(*state, "sub.tier", "^gold$"));
    assert_true(matches(*state, "line", "^a\nb$"));
    assert_true(matches(*state, "empty", "^$"));
    assert_true(matches(*state, "neg", "^-5$"));
    assert_true(matches(*state, "n", "^1\\.0$"));
    assert_true(matches(*state, "yes", "^true$"));
    static const char *const never[] = {"nil", "list", "sub", "missing"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        assert_false(matches(*state, never[i], ""));
}

static bool exists(struct fixture *fixture, const char *at, bool wanted)
{
    struct condition condition = {.kind = CONDITION_EXISTS, .path = path(fixture, at), .exists = wanted};
    return holds(fixture, &condition);
}

static void exists_tells_null_from_missing(void **state)
{
    assert_true(exists(*state, "nil", true));
    assert_false(exists(*state, "nil", false));
    assert_true(exists(*state, "sub.tier", true));
    assert_false(exists(*state, "missing", true));
    assert_true(exists(*state, "missing", false));
    assert_true(exists(*state, "sub.missing", false));
}

static bool bound(struct fixture *fixture, enum condition_kind kind, const char *at, double number)
{
    struct condition condition = {.kind = kind, .path = path(fixture, at), .bound = number};
    return holds(fixture, &condition);
}

static void above_and_below_are_for_numbers_and_do_not_include_the_bound(void **state)
{
    assert_true(bound(*state, CONDITION_ABOVE, "n", 0.99));
    assert_false(bound(*state, CONDITION_ABOVE, "n", 1));
    assert_false(bound(*state, CONDITION_BELOW, "n", 1));
    assert_true(bound(*state, CONDITION_BELOW, "n", 1.01));
    assert_true(bound(*state, CONDITION_BELOW, "neg", -4.5));
    assert_true(bound(*state, CONDITION_ABOVE, "big", 9007199254740992.0));
    assert_true(bound(*state, CONDITION_ABOVE, "huge", 1e19));
    static const char *const never[] = {"digits", "yes", "nil", "list", "missing", "empty"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        assert_false(bound(*state, CONDITION_ABOVE, never[i], -1e300));
        assert_false(bound(*state, CONDITION_BELOW, never[i], 1e300));
    }
}

static void conditions_join_by_all_any_and_not(void **state)
{
    struct fixture *fixture = *state;
    struct condition yes = {.kind = CONDITION_EXISTS, .path = path(fixture, "n"), .exists = true}, no = yes;
    no.exists = false;
    static const struct {
        enum condition_kind kind;
        unsigned count;
        bool parts[3], holds;
    } cases[] = {
        {CONDITION_ALL, 3, {true, true, true}, true},
        {CONDITION_ALL, 3, {true, false, true}, false},
        {CONDITION_ALL, 3, {true, true, false}, false},
        {CONDITION_ANY, 3, {false, false, true}, true},
        {CONDITION_ANY, 3, {false, false, false}, false},
        {CONDITION_ANY, 1, {true}, true},
        {CONDITION_NOT, 1, {true}, false},
        {CONDITION_NOT, 1, {false}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct condition parts[3];
        for (unsigned p = 0; p < 3; p++)
            parts[p] = cases[i].parts[p] ? yes : no;
        struct condition joined = {.kind = cases[i].kind, .parts = parts, .count = cases[i].count};
        struct condition outer = {.kind = CONDITION_NOT, .parts = &joined, .count = 1};
        assert_int_equal(holds(fixture, &joined), cases[i].holds);
        assert_int_equal(holds(fixture, &outer), !cases[i].holds);
    }
}

static void conditions_see_what_enrichers_changed(void **state)
{
    struct fixture *fixture = *state;
    struct path status = path(fixture, "status"), added = path(fixture, "added");
    struct arena *arena = &fixture->batch->arena;
    assert_int_equal(document_set(&fixture->record->document, &added, bytes_of_string("5"), arena), STATUS_OK);
    assert_int_equal(document_remove(&fixture->record->document, &status, arena), STATUS_OK);
    assert_true(compares(fixture, CONDITION_EQUALS, "added", "5"));
    assert_true(exists(fixture, "status", false));
}

static void a_document_without_members_has_nothing_that_could_be_compared(void **state)
{
    struct fixture *fixture = *state;
    fixture->record = records_add_json(fixture->batch, "\"TEST\"");
    assert_true(exists(fixture, "status", false));
    assert_true(compares(fixture, CONDITION_EQUALS, ".", "\"TEST\""));
    fixture->record = records_add(fixture->batch, NULL, NULL);
    fixture->record->document.kind = DOCUMENT_NULL;
    assert_true(exists(fixture, "status", false));
    assert_true(compares(fixture, CONDITION_EQUALS, ".", "null"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_are_compared_by_what_they_mean),
        TEST(in_holds_for_any_of_its_values),
        TEST(matches_sees_the_text_of_the_value_and_nothing_behind_it),
        TEST(exists_tells_null_from_missing),
        TEST(above_and_below_are_for_numbers_and_do_not_include_the_bound),
        TEST(conditions_join_by_all_any_and_not),
        TEST(conditions_see_what_enrichers_changed),
        TEST(a_document_without_members_has_nothing_that_could_be_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
