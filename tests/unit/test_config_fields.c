#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "config/constant.h"
#include "config/fields.h"
#include "processor/condition.h"
#include "processor/path.h"
#include "processor/template.h"
#include "tests/support/parse.h"

static const struct config_field TEMPLATE = {.kind = CONFIG_CUSTOM, .custom = &config_template};
static const struct config_field PATH = {.kind = CONFIG_CUSTOM, .custom = &config_path};
static const struct config_field CONDITION = {.kind = CONFIG_CUSTOM, .custom = &config_condition};

static void assert_report(const struct config_field *field, const char *yaml, const char *words)
{
    struct parsed *parsed = parsed_new(field, yaml);
    if (parsed_config(parsed) != NULL || strstr(parsed_report(parsed), words) == NULL)
        fail_msg("expected \"%s\" for:\n%s\nfound:\n%s", words, yaml, parsed_report(parsed));
    parsed_free(parsed);
}

static void templates_are_compiled_and_constants_kept(void **state)
{
    (void)state;
    static const char *const constants[] = {"5", "\"5\"", "true", "null", "hello", "-1.5e3"};
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
        struct parsed *parsed = parsed_new(&TEMPLATE, constants[i]);
        assert_non_null(parsed_config(parsed));
        assert_true(template_is_constant(*(struct template *const *)parsed_config(parsed)));
        parsed_free(parsed);
    }
    struct parsed *parsed = parsed_new(&TEMPLATE, "\"{{topic}}/{{header.x}}\"");
    assert_non_null(parsed_config(parsed));
    assert_false(template_is_constant(*(struct template *const *)parsed_config(parsed)));
    assert_true(template_uses_headers(*(struct template *const *)parsed_config(parsed)));
    parsed_free(parsed);
    assert_report(&TEMPLATE, "\"ab {{topik}}\"", "in a template: ");
    assert_report(&TEMPLATE, "[a]", "expected a single value (a text, a number, true, false or null), found a list");
    assert_report(&TEMPLATE, "{{now}}", "a template needs quotes in YAML: expected \"{{now}}\"");
}

static bool parse_constant(struct config_loader *loader, const struct config_node *node, void *ret)
{
    return constant_parse(loader, node, ret);
}

static void constants_become_json_of_their_own_type(void **state)
{
    (void)state;
    static const struct config_custom custom = {
        .name = "a constant", .size = sizeof(struct value), .parse = parse_constant};
    static const struct config_field field = {.kind = CONFIG_CUSTOM, .custom = &custom};
    static const struct {
        const char *yaml, *json;
        enum value_type type;
    } cases[] = {
        {"5", "5", VALUE_INTEGER},
        {"-0", "-0", VALUE_INTEGER},
        {"1.50", "1.50", VALUE_NUMBER},
        {"1e3", "1e3", VALUE_NUMBER},
        {"\"5\"", "\"5\"", VALUE_STRING},
        {"'true'", "\"true\"", VALUE_STRING},
        {"true", "true", VALUE_BOOL},
        {"False", "false", VALUE_BOOL},
        {"~", "null", VALUE_NULL},
        {"yes", "\"yes\"", VALUE_STRING},
        {"1.2.3", "\"1.2.3\"", VALUE_STRING},
        {"1_000", "\"1_000\"", VALUE_STRING},
        {"2024-01-02", "\"2024-01-02\"", VALUE_STRING},
        {"'a\"b\\'", "\"a\\\"b\\\\\"", VALUE_STRING},
        {"\"a\\nb\"", "\"a\\nb\"", VALUE_STRING},
        {"12345678901234567890123", "12345678901234567890123", VALUE_INTEGER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct parsed *parsed = parsed_new(&field, cases[i].yaml);
        const struct value *value = parsed_config(parsed);
        assert_non_null(value);
        assert_int_equal(value->type, cases[i].type);
        assert_int_equal(value->text.size, strlen(cases[i].json));
        assert_memory_equal(value->text.data, cases[i].json, value->text.size);
        parsed_free(parsed);
    }
    static const char *const odd[] = {"007", "+1", ".5", "1.", "0x1f", "0o17", "-.inf", ".nan", "-01.5"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        assert_report(&field, odd[i], "expected a number as JSON has them, or a text in quotes, found ");
}

static void paths_are_compiled(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(&PATH, ".customer.items[2]");
    const struct path *path = parsed_config(parsed);
    assert_non_null(path);
    assert_int_equal(path->count, 3);
    assert_int_equal(path->steps[2].index, 2);
    parsed_free(parsed);
    assert_report(&PATH, ".a[x]", "in a path: ");
    assert_report(&PATH, "{a: b}", "expected a path (.customer.name), found a map");
    assert_report(&PATH, "", "empty");
}

static void conditions_take_their_closed_form(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(
        &CONDITION, "all:\n  - {path: .status, in: [TEST, 5, null]}\n  - not: {path: .a, exists: false}\n"
                    "  - any: {path: .total, above: 1.5}\n  - {path: .b, matches: \"^x+$\"}\n"
                    "  - {path: .c, equals: \"5\"}\n");
    const struct condition *condition = parsed_config(parsed);
    if (condition == NULL)
        fail_msg("%s", parsed_report(parsed));
    assert_int_equal(condition->kind, CONDITION_ALL);
    assert_int_equal(condition->count, 5);
    const struct condition *parts = condition->parts;
    assert_int_equal(parts[0].kind, CONDITION_IN);
    assert_int_equal(parts[0].count, 3);
    assert_int_equal(parts[0].values[1].type, VALUE_INTEGER);
    assert_int_equal(parts[0].values[2].type, VALUE_NULL);
    assert_int_equal(parts[1].kind, CONDITION_NOT);
    assert_int_equal(parts[1].count, 1);
    assert_int_equal(parts[1].parts[0].kind, CONDITION_EXISTS);
    assert_false(parts[1].parts[0].exists);
    assert_int_equal(parts[2].kind, CONDITION_ANY);
    assert_true(parts[2].parts[0].bound == 1.5);
    assert_int_equal(regexec(parts[3].matches, "xx", 0, NULL, 0), 0);
    assert_int_equal(parts[4].values[0].type, VALUE_STRING);
    parsed_free(parsed);
}

static void other_conditions_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *words;
    } cases[] = {
        {"x", "expected a condition: {path: .status, equals: PAID}"},
        {"{}", "found an empty map"},
        {"{path: .a}", "found only `path`"},
        {"{equals: 1}", "expected a `path` beside `equals`, found none"},
        {"{path: .a, equals: 1, above: 2}", "expected one test in a condition, found `above` beside `equals`"},
        {"{path: .a, equal: 1}", "did you mean `equals`?"},
        {"{path: .a, equals: [1]}", "expected a single value"},
        {"{path: .a, in: []}", "expected a list of values, found an empty list"},
        {"{path: .a, above: high}", "expected a number, found \"high\""},
        {"{path: .a, exists: maybe}", "expected true or false"},
        {"{path: .a, matches: \"(\"}", "expected a regular expression (POSIX extended), found a wrong one: "},
        {"{path: .a, all: [{path: .b, equals: 1}]}", "expected no `path` beside `all`"},
        {"{any: []}", "expected a list of conditions, found an empty list"},
        {"{not: [{path: .b, equals: 1}]}", "expected a condition: "},
        {"{all: [{path: .b, equals: 1}, {path: .c}]}", "all[1]: expected a condition"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_report(&CONDITION, cases[i].yaml, cases[i].words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_compiled_and_constants_kept),
        cmocka_unit_test(constants_become_json_of_their_own_type),
        cmocka_unit_test(paths_are_compiled),
        cmocka_unit_test(conditions_take_their_closed_form),
        cmocka_unit_test(other_conditions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
