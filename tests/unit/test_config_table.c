#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "config/table.h"
#include "config/units.h"
#include "tests/support/parse.h"

#define MS INT64_C(1000000)

static const char *const COLOURS[] = {"red", "green", "blue", NULL};

struct point {
    struct config_head head;
    int64_t x, y;
};

static const struct config_field POINT_FIELDS[] = {
    {.name = "x", .kind = CONFIG_INT, .offset = offsetof(struct point, x), .required = true, .min = -5, .max = 5},
    {.name = "y", .kind = CONFIG_INT, .offset = offsetof(struct point, y), .fallback = "7"},
    {0},
};
static const struct config_table POINT = {.name = "point", .size = sizeof(struct point), .fields = POINT_FIELDS};
static const struct config_field POINT_ITEM = {.kind = CONFIG_OBJECT, .table = &POINT};
static const struct config_field TEXT_ITEM = {.kind = CONFIG_STRING};
static const struct config_field NUMBER_ITEM = {.kind = CONFIG_INT};

/* A field of every kind. */
struct all {
    struct config_head head;
    const char *text, *password;
    bool flag;
    int64_t number, wait, range[2], size;
    double ratio;
    int colour;
    struct point point, other;
    struct config_list texts, points;
    struct config_map map, numbers;
    const struct config_node *node;
};

static unsigned checks;

static void check_all(const void *config, struct config_report *report)
{
    const struct all *all = config;
    checks++;
    if (all->number == 13)
        config_error(report, config_tree_get(all->head.node, "number"), "expected luck");
    for (uint32_t i = 0; i < all->texts.count; i++)
        assert_non_null(((const char *const *)all->texts.items)[i]);
    for (uint32_t i = 0; i < all->map.count; i++)
        assert_non_null(((const char *const *)all->map.values)[i]);
}

static const struct config_field ALL_FIELDS[] = {
    {.name = "text", .kind = CONFIG_STRING, .offset = offsetof(struct all, text), .fallback = "none"},
    {.name = "password", .kind = CONFIG_SECRET, .offset = offsetof(struct all, password)},
    {.name = "flag", .kind = CONFIG_BOOL, .offset = offsetof(struct all, flag), .fallback = "true"},
    {.name = "number", .kind = CONFIG_INT, .offset = offsetof(struct all, number), .fallback = "3", .max = 100},
    {.name = "wait",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct all, wait),
     .fallback = "10s",
     .min = MS,
     .max = 3600000 * MS},
    {.name = "range", .kind = CONFIG_RANGE, .offset = offsetof(struct all, range), .fallback = "100ms..30s", .min = MS},
    {.name = "size",
     .kind = CONFIG_SIZE,
     .offset = offsetof(struct all, size),
     .fallback = "1MiB",
     .min = 1024,
     .max = 1 << 30},
    {.name = "ratio", .kind = CONFIG_NUMBER, .offset = offsetof(struct all, ratio), .fallback = "0.5"},
    {.name = "colour",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct all, colour),
     .fallback = "green",
     .choices = COLOURS},
    {.name = "point", .kind = CONFIG_OBJECT, .offset = offsetof(struct all, point), .table = &POINT},
    {.name = "other", .kind = CONFIG_OBJECT, .offset = offsetof(struct all, other), .table = &POINT},
    {.name = "texts",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct all, texts),
     .item = &TEXT_ITEM,
     .min = 1,
     .max = 3},
    {.name = "points", .kind = CONFIG_LIST, .offset = offsetof(struct all, points), .item = &POINT_ITEM},
    {.name = "map", .kind = CONFIG_MAP, .offset = offsetof(struct all, map), .item = &TEXT_ITEM},
    {.name = "numbers", .kind = CONFIG_MAP, .offset = offsetof(struct all, numbers), .item = &NUMBER_ITEM, .max = 2},
    {.name = "node", .kind = CONFIG_NODE, .offset = offsetof(struct all, node)},
    {0},
};
static const struct config_table ALL = {
    .name = "all", .size = sizeof(struct all), .fields = ALL_FIELDS, .check = check_all};
static const struct config_field ALL_FIELD = {.kind = CONFIG_OBJECT, .table = &ALL};

static const struct all *good(const struct parsed *parsed)
{
    if (parsed_config(parsed) == NULL)
        fail_msg("expected a good config, found:\n%s", parsed_report(parsed));
    return parsed_config(parsed);
}

static void assert_report(const struct config_field *field, const char *yaml, const char *words)
{
    struct parsed *parsed = parsed_new(field, yaml);
    if (parsed_config(parsed) != NULL || strstr(parsed_report(parsed), words) == NULL)
        fail_msg("expected \"%s\" for:\n%s\nfound:\n%s", words, yaml, parsed_report(parsed));
    parsed_free(parsed);
}

static void every_kind_takes_its_value(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(
        &ALL_FIELD, "text: 007\nflag: false\nnumber: 42\nwait: 5m\nrange: 1ms..2h\nsize: 64KB\nratio: -1.5e3\n"
                    "colour: blue\npoint: {x: -5}\ntexts: [a, 1, true]\npoints: [{x: 1}, {x: 2, y: 3}]\n"
                    "map: {z: 1, a: \"\"}\nnumbers: {b: 2}\nnode: {any: [thing]}\n");
    const struct all *all = good(parsed);
    assert_string_equal(all->text, "007");
    assert_false(all->flag);
    assert_int_equal(all->number, 42);
    assert_int_equal(all->wait, 300000 * MS);
    assert_int_equal(all->range[0], MS);
    assert_int_equal(all->range[1], 7200000 * MS);
    assert_int_equal(all->size, 64000);
    assert_true(all->ratio == -1500.0);
    assert_int_equal(all->colour, 2);
    assert_int_equal(all->point.x, -5);
    assert_int_equal(all->point.y, 7);
    assert_non_null(all->point.head.node);
    assert_int_equal(all->texts.count, 3);
    assert_string_equal(((const char *const *)all->texts.items)[2], "true");
    assert_int_equal(all->points.count, 2);
    assert_int_equal(((const struct point *)all->points.items)[1].y, 3);
    assert_string_equal(all->map.keys[0], "z");
    assert_string_equal(((const char *const *)all->map.values)[1], "");
    assert_ptr_equal(all->map.nodes[1], config_tree_get(config_tree_get(all->head.node, "map"), "a"));
    assert_int_equal(((const int64_t *)all->numbers.values)[0], 2);
    assert_int_equal(all->node->kind, NODE_MAP);
    assert_string_equal(parsed_report(parsed), "");
    parsed_free(parsed);
}

static void what_is_not_given_takes_its_fallback(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(&ALL_FIELD, "{}");
    const struct all *all = good(parsed);
    assert_string_equal(all->text, "none");
    assert_null(all->password);
    assert_true(all->flag);
    assert_int_equal(all->number, 3);
    assert_int_equal(all->wait, 10000 * MS);
    assert_int_equal(all->range[1], 30000 * MS);
    assert_int_equal(all->size, 1 << 20);
    assert_true(all->ratio == 0.5);
    assert_int_equal(all->colour, 1);
    /* An object that is not given has its fallbacks, and what it requires is not missed. */
    assert_null(all->point.head.node);
    assert_int_equal(all->point.y, 7);
    assert_int_equal(all->texts.count, 0);
    assert_int_equal(all->map.count, 0);
    assert_null(all->node);
    parsed_free(parsed);
}

static void a_single_value_is_a_list_of_one(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(&ALL_FIELD, "texts: one\npoints: {x: 4}\n");
    const struct all *all = good(parsed);
    assert_int_equal(all->texts.count, 1);
    assert_string_equal(((const char *const *)all->texts.items)[0], "one");
    assert_int_equal(((const struct point *)all->points.items)[0].x, 4);
    parsed_free(parsed);
}

static void variables_give_numbers_with_and_without_quotes(void **state)
{
    (void)state;
    setenv("WEIR_TEST_NUMBER", "5", 1);
    setenv("WEIR_TEST_FLAG", "false", 1);
    struct parsed *parsed = parsed_new(&ALL_FIELD, "number: ${WEIR_TEST_NUMBER}\npoint: {x: \"${WEIR_TEST_NUMBER}\"}\n"
                                                   "flag: \"${WEIR_TEST_FLAG}\"\nratio: ${WEIR_TEST_NONE:-2}\n");
    const struct all *all = good(parsed);
    assert_int_equal(all->number, 5);
    assert_int_equal(all->point.x, 5);
    assert_false(all->flag);
    assert_true(all->ratio == 2);
    parsed_free(parsed);
}

static void each_kind_says_what_it_expected_and_found(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *words;
    } cases[] = {
        {"text: [a]\n", "test.yaml:1:7: text: expected a text, found a list"},
        {"text:\n", "text: expected a text, found nothing"},
        {"flag: yes\n", "flag: expected true or false, found \"yes\""},
        {"flag: \"true\"\n", "flag: expected true or false, found \"true\" in quotes"},
        {"number: many\n", "number: expected an integer from 0 to 100, found \"many\""},
        {"number: \"5\"\n", "number: expected an integer from 0 to 100, found \"5\" in quotes"},
        {"number: 101\n", "number: expected an integer from 0 to 100, found \"101\""},
        {"number: -1\n", "number: expected an integer from 0 to 100, found \"-1\""},
        {"number: 5x\n", "number: expected an integer"},
        {"number: 99999999999999999999\n", "number: expected an integer"},
        {"number: 1.5\n", "number: expected an integer"},
        {"number:\n", "number: expected an integer from 0 to 100, found nothing"},
        {"ratio: 1..2\n", "ratio: expected a number"},
        {"ratio: .inf\n", "ratio: expected a number"},
        {"ratio: {a: 1}\n", "ratio: expected a number, found a map"},
        {"wait: 30\n", "wait: expected a duration with its unit (250us, 100ms, 10s, 5m, 1h or 7d), found \"30\""},
        {"wait: 30sec\n", "wait: expected a duration with its unit"},
        {"wait: 10us\n", "wait: expected a duration from 1ms to 1h, found \"10us\""},
        {"wait: 2h\n", "wait: expected a duration from 1ms to 1h, found \"2h\""},
        {"wait: 99999999999999d\n", "wait: expected a duration with its unit"},
        {"range: 30s..100ms\n", "range: expected two durations (100ms..30s), the smaller one first"},
        {"range: fast\n", "range: expected two durations (100ms..30s) or one"},
        {"range: 0..1s\n", "range: expected durations of at least 1ms"},
        {"size: 64K\n",
         "size: expected a size in bytes (65536, 64KiB, 16MiB, 1GiB; KB, MB and GB are powers of 1000), found \"64K\""},
        {"size: 1\n", "size: expected a size from 1KiB to 1GiB, found \"1\""},
        {"size: 2GiB\n", "size: expected a size from 1KiB to 1GiB"},
        {"colour: bleu\n", "colour: expected red, green or blue, found \"bleu\"; did you mean blue?"},
        {"colour: Red\n", "colour: expected red, green or blue, found \"Red\"; did you mean red?"},
        {"colour: purple\n", "colour: expected red, green or blue, found \"purple\"\n"},
        {"point: 5\n", "point: expected a map of settings, found \"5\""},
        {"point: {y: 1}\n", "test.yaml:1:1: point: expected the key `x`, found none"},
        {"point: {x: 6}\n", "point.x: expected an integer from -5 to 5, found \"6\""},
        {"point:\n", "point: expected the key `x`, found none"},
        {"texts: []\n", "texts: expected at least 1 item, found 0"},
        {"texts: [a, b, c, d]\n", "texts: expected at most 3 items, found 4"},
        {"texts: [a, {b: c}]\n", "texts[1]: expected a text, found a map"},
        {"texts:\n", "texts: expected a list, or a single item of it, found nothing"},
        {"points: [{x: 1}, {y: 1}]\n", "points[1]: expected the key `x`, found none"},
        {"map: [a]\n", "map: expected a map, found a list"},
        {"map: {a: [b]}\n", "map.a: expected a text, found a list"},
        {"numbers: {a: 1, b: 2, c: 3}\n", "numbers: expected at most 2 keys, found 3"},
        {"[a]\n", "test.yaml:1:1: expected a map of settings, found a list"},
        {"number: 13\n", "number: expected luck"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_report(&ALL_FIELD, cases[i].yaml, cases[i].words);
}

static void a_variable_that_is_wrong_is_not_shown(void **state)
{
    (void)state;
    setenv("WEIR_TEST_NUMBER", "canary", 1);
    struct parsed *parsed = parsed_new(
        &ALL_FIELD, "number: ${WEIR_TEST_NUMBER}\nwait: ${WEIR_TEST_NUMBER}\ncolour: ${WEIR_TEST_NUMBER}\n");
    assert_null(parsed_config(parsed));
    assert_null(strstr(parsed_report(parsed), "canary"));
    assert_non_null(strstr(parsed_report(parsed), "found a value that is not shown"));
    parsed_free(parsed);
}

static void a_literal_secret_is_warned_of_and_masked(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(&ALL_FIELD, "{password: canary-literal, wait: 5}");
    assert_null(strstr(parsed_report(parsed), "canary"));
    assert_non_null(strstr(parsed_report(parsed), "warning: password: a secret stands in the file as it is"));
    assert_non_null(strstr(parsed_report(parsed), "{password: ***, wait: 5}"));
    parsed_free(parsed);

    setenv("WEIR_TEST_SECRET", "canary-variable", 1);
    parsed = parsed_new(&ALL_FIELD, "password: ${WEIR_TEST_SECRET}\n");
    assert_string_equal(good(parsed)->password, "canary-variable");
    assert_string_equal(parsed_report(parsed), "");
    parsed_free(parsed);

    /* A misspelt one, and one that stands in the wrong place. */
    parsed = parsed_new(&ALL_FIELD, "pasword: canary-misspelt\npoint: {x: 1, password: canary-misplaced}\n");
    assert_null(strstr(parsed_report(parsed), "canary"));
    parsed_free(parsed);
}

static void an_unknown_key_is_explained(void **state)
{
    (void)state;
    assert_report(&ALL_FIELD, "nubmer: 1\n",
                  "test.yaml:1:1: nubmer: expected a key that is known here, found `nubmer`; did you mean `number`?");
    assert_report(
        &ALL_FIELD, "y: 1\n",
        "y: expected a key that is known here, found `y`, which belongs under `point`, `other` or `points[]`");
    assert_report(&ALL_FIELD, "point: {x: 1, ratio: 1}\n",
                  "test.yaml:1:15: point.ratio: expected a key that is known here, found `ratio`, which belongs under "
                  "the top level");
    assert_report(&POINT_ITEM, "x: 1\nzebra: 2\n", "zebra: expected x or y, found `zebra`");
}

static void a_misspelt_key_is_not_missing_as_well(void **state)
{
    (void)state;
    static const struct config_field FIELDS[] = {
        {.name = "brokers", .kind = CONFIG_STRING, .offset = sizeof(struct config_head), .required = true}, {0}};
    static const struct config_table TABLE = {
        .name = "t", .size = sizeof(struct config_head) + sizeof(char *), .fields = FIELDS};
    static const struct config_field FIELD = {.kind = CONFIG_OBJECT, .table = &TABLE};
    struct parsed *parsed = parsed_new(&FIELD, "brokrs: a\n");
    assert_non_null(strstr(parsed_report(parsed), "did you mean `brokers`?"));
    assert_null(strstr(parsed_report(parsed), "found none"));
    parsed_free(parsed);
    assert_report(&FIELD, "brokers: \"\"\n", "brokers: expected a text that is not empty");
}

static void all_mistakes_are_told_at_once_and_none_twice(void **state)
{
    (void)state;
    unsetenv("WEIR_TEST_NONE");
    checks = 0;
    struct parsed *parsed = parsed_new(&ALL_FIELD, "number: 13\nwait: soon\nwaite: 1\npoint: {x: a, y: b}\n"
                                                   "texts: [[a], b]\nsize: ${WEIR_TEST_NONE}\nmap: {a: {b: c}}\n");
    const char *report = parsed_report(parsed);
    static const char *const words[] = {"test.yaml:1:9: number: expected luck",
                                        "test.yaml:2:7: wait: ",
                                        "test.yaml:3:1: waite: ",
                                        "test.yaml:4:12: point.x: ",
                                        "test.yaml:4:18: point.y: ",
                                        "test.yaml:5:9: texts[0]: ",
                                        "test.yaml:6:7: size: expected the environment variable WEIR_TEST_NONE",
                                        "test.yaml:7:10: map.a: "};
    unsigned lines = 0;
    for (const char *at = report; (at = strstr(at, "test.yaml:")) != NULL; at++)
        lines++;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_non_null(strstr(report, words[i]));
    assert_int_equal(lines, sizeof words / sizeof words[0]);
    assert_int_equal(checks, 1); /* rules across fields are looked at though some fields are wrong */
    assert_null(parsed_config(parsed));
    parsed_free(parsed);
}

static unsigned freed;

static void count_free(void *arg)
{
    freed += *(unsigned *)arg;
}

static bool parse_owner(struct config_loader *loader, const struct config_node *node, void *ret)
{
    static unsigned one = 1;
    *(const char **)ret = node->text;
    config_loader_on_free(loader, count_free, &one);
    return true;
}

static const struct config_custom OWNER = {.name = "an owner", .size = sizeof(char *), .parse = parse_owner};

static void what_a_field_owns_is_freed_with_the_config(void **state)
{
    (void)state;
    static const struct config_field ITEM = {.kind = CONFIG_CUSTOM, .custom = &OWNER};
    static const struct config_field LIST = {.kind = CONFIG_LIST, .item = &ITEM};
    freed = 0;
    struct parsed *parsed = parsed_new(&LIST, "[a, b, c]");
    assert_int_equal(((const struct config_list *)parsed_config(parsed))->count, 3);
    assert_int_equal(freed, 0);
    parsed_free(parsed);
    assert_int_equal(freed, 3);
}

static void units_are_written_as_they_are_read(void **state)
{
    (void)state;
    static const char *const durations[] = {"250us", "100ms", "10s", "5m", "1h", "7d", "90m", "36h"};
    static const char *const sizes[] = {"1", "1000", "1KiB", "64KiB", "16MiB", "1GiB", "1536MiB"};
    char text[UNITS_TEXT_MAX];
    int64_t value;
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        assert_true(units_duration(durations[i], strlen(durations[i]), &value));
        assert_string_equal(units_duration_text(value, text), durations[i]);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_true(units_size(sizes[i], strlen(sizes[i]), &value));
        assert_string_equal(units_size_text(value, text), sizes[i]);
    }
    assert_true(units_size("3GB", 3, &value));
    assert_int_equal(value, 3000000000);
    static const char *const wrong[] = {"", "s", "1.5s", "1 s", "-1s", "1S", "1h30m"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(units_duration(wrong[i], strlen(wrong[i]), &value));
    assert_false(units_size("9223372036854775807KiB", 22, &value));
    assert_false(units_size("1kb", 3, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_takes_its_value),
        cmocka_unit_test(what_is_not_given_takes_its_fallback),
        cmocka_unit_test(a_single_value_is_a_list_of_one),
        cmocka_unit_test(variables_give_numbers_with_and_without_quotes),
        cmocka_unit_test(each_kind_says_what_it_expected_and_found),
        cmocka_unit_test(a_variable_that_is_wrong_is_not_shown),
        cmocka_unit_test(a_literal_secret_is_warned_of_and_masked),
        cmocka_unit_test(an_unknown_key_is_explained),
        cmocka_unit_test(a_misspelt_key_is_not_missing_as_well),
        cmocka_unit_test(all_mistakes_are_told_at_once_and_none_twice),
        cmocka_unit_test(what_a_field_owns_is_freed_with_the_config),
        cmocka_unit_test(units_are_written_as_they_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
