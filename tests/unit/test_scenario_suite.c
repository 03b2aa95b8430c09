/* Scenario files: what they are taken for, and that every mistake in them is told at its place. Nothing is run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/registry.h"
#include "scenario/suite.h"

static char dir[128];

static int set_up(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/weir-suite-XXXXXX", tmp != NULL ? tmp : "/tmp");
    return mkdtemp(dir) != NULL && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const FILES[] = {"suite.yaml", "service.yaml"};
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++)
        (void)unlink(FILES[i]);
    return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static void write_file(const char *name, const char *text)
{
    FILE *out = fopen(name, "we");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static struct suite *load(const char *text)
{
    write_file("suite.yaml", text);
    return suite_load("suite.yaml", registry());
}

/* The mistakes as `weir test` tells them, without the lines of the file. */
static void assert_mistakes(const char *text, const char *expected)
{
    struct suite *suite = load(text);
    char *words = NULL, *found, *line, *next;
    size_t size = 0;
    FILE *out = open_memstream(&words, &size);
    suite_print(suite, out, false);
    assert_int_equal(fclose(out), 0);
    found = calloc(1, size + 1);
    for (line = words; *line != '\0'; line = next) {
        next = line + strcspn(line, "\n") + 1;
        if (line[0] != ' ')
            strncat(found, line, (size_t)(next - line));
    }
    assert_string_equal(found, expected);
    assert_int_equal(suite_is_good(suite), expected[0] == '\0');
    free(found);
    free(words);
    suite_free(suite);
}

#define PART "config: {stages: [decode: {}]}\n"

static void a_good_file_has_its_scenarios_with_what_they_share(void **state)
{
    (void)state;
    struct suite *suite = load(
        "now: 1970-01-01T00:00:01Z\n"
        "config: {source: {kafka: {brokers: b, group: g, topics: [t, u]}}, stages: [decode: {}]}\n"
        "stages: {decode: [{drop: true}]}\n"
        "scenarios:\n"
        "  - {name: a, input: [{value: 1}, {value: 2, partition: 1}, {value: 3, offset: 7}, {value: 4}]}\n"
        "  - {name: b, now: 5, input: {value: 1, topic: u}, drops: 1, stages: {decode: []}}\n");
    assert_true(suite_is_good(suite));
    assert_int_equal(suite->count, 2);
    const struct scenario *a = &suite->scenarios[0], *b = &suite->scenarios[1];
    const struct spec_record *records = a->spec->input.items;
    assert_int_equal(a->now, 1000);
    assert_int_equal(b->now, 5);
    assert_int_equal(b->drop_count, 1);
    assert_ptr_equal(a->config, b->config);
    assert_string_equal(records[0].topic, "t");
    assert_string_equal(((const struct spec_record *)b->spec->input.items)[0].topic, "u");
    assert_int_equal(records[0].offset, 0);
    assert_int_equal(records[1].offset, 0);
    assert_int_equal(records[2].offset, 7);
    assert_int_equal(records[3].offset, 8);
    assert_int_equal(a->steps[0].answers->count, 1);
    assert_int_equal(b->steps[0].answers->count, 0);
    suite_free(suite);
}

static void a_part_of_a_config_is_completed(void **state)
{
    (void)state;
    struct suite *suite = load("name: a\ninput: {value: 1}\nconfig:\n  stages: [enrich: [set: {a: 1}]]\n");
    assert_true(suite_is_good(suite));
    const struct config *config = suite->scenarios[0].config;
    assert_int_equal(config->stage_count, 2);
    assert_string_equal(config->stages[0].name, "decode");
    assert_int_equal(config->store_count, 1);
    assert_string_equal(config->stores[0].name, "stdout");
    assert_string_equal(config->errors.dead_letter.topic, "dead-letters");
    suite_free(suite);
    suite = load(
        "name: a\ninput: {value: 1}\nconfig:\n  errors: {}\n  service: own\n  stages: [decode: {format: raw}]\n");
    assert_true(suite_is_good(suite));
    config = suite->scenarios[0].config;
    assert_null(config->errors.dead_letter.topic);
    assert_string_equal(config->service, "own");
    assert_int_equal(config->stage_count, 1);
    suite_free(suite);
}

static void a_config_in_a_file_has_the_variables_of_the_scenario(void **state)
{
    (void)state;
    write_file("service.yaml", "service: ${SUITE_NAME}\n"
                               "source: {kafka: {brokers: b, group: g, topics: \"${SUITE_TOPIC:-t}\"}}\n"
                               "stages: [decode: {}, store: {stdout: {}}]\n");
    setenv("SUITE_TOPIC", "from-outside", 1);
    struct suite *suite = load("config: service.yaml\n"
                               "environment: {SUITE_NAME: shared}\n"
                               "scenarios:\n"
                               "  - {name: a, input: {value: 1}}\n"
                               "  - {name: b, input: {value: 1}, environment: {SUITE_NAME: own, SUITE_TOPIC: mine}}\n");
    assert_true(suite_is_good(suite));
    assert_string_equal(suite->scenarios[0].config->service, "shared");
    assert_string_equal(suite->scenarios[0].topic, "from-outside");
    assert_string_equal(suite->scenarios[1].config->service, "own");
    assert_string_equal(suite->scenarios[1].topic, "mine");
    suite_free(suite);
    assert_null(getenv("SUITE_NAME"));
    assert_string_equal(getenv("SUITE_TOPIC"), "from-outside");
    unsetenv("SUITE_TOPIC");
    assert_mistakes("config: service.yaml\nname: a\ninput: {value: 1}\n",
                    "suite.yaml:1:9: config: expected a config without mistakes, found 1 in service.yaml\n"
                    "service.yaml:1:10: service: expected the environment variable SUITE_NAME, which is not set "
                    "(${SUITE_NAME:-value} gives a default)\n");
}

static void a_config_in_the_scenario_file_can_not_have_them(void **state)
{
    (void)state;
    assert_mistakes(PART "environment: {A: b}\nname: a\ninput: {value: 1}\n",
                    "suite.yaml:2:14: environment: expected no variables for a config that stands in this file: its "
                    "${...} are those of the process\n");
    assert_mistakes(PART "scenarios: [{name: a, input: {value: 1}, environment: {A: b}}]\n",
                    "suite.yaml:2:55: scenarios[0].environment: expected no variables for a config that stands in "
                    "this file: its ${...} are those of the process\n");
}

static void a_record_is_of_a_topic_that_the_config_consumes(void **state)
{
    (void)state;
#define CONSUMES(topics)                                                                                               \
    "config: {source: {kafka: {brokers: b, group: g, topics: " topics "}}, stages: [decode: {}]}\n"                    \
    "name: a\ninput: {value: 1, topic: other}\n"
    assert_mistakes(CONSUMES("[t, u]"), "suite.yaml:3:26: input.topic: expected a topic that the config consumes (t or "
                                        "u), found `other`\n");
    assert_mistakes(CONSUMES("t"),
                    "suite.yaml:3:26: input.topic: expected a topic that the config consumes (t), found `other`\n");
    assert_mistakes(CONSUMES("[t, other]"), "");
    assert_mistakes(CONSUMES("[t, ^o.*]"), "");
    assert_mistakes(PART "name: a\ninput: {value: 1, topic: other}\n", "");
}

static void mistakes_have_their_places_and_what_was_meant(void **state)
{
    (void)state;
    assert_mistakes(PART "scenarios: [{name: a, imput: {value: 1}}]\n",
                    "suite.yaml:2:23: scenarios[0].imput: expected a key that is known here, found `imput`; did you "
                    "mean `input`?\n");
    assert_mistakes(PART "name: a\ninput: [{vale: 1}]\n",
                    "suite.yaml:3:9: input[0]: expected the key `value` (null for a tombstone), found none\n"
                    "suite.yaml:3:10: input[0].vale: expected a key that is known here, found `vale`; did you mean "
                    "`value`?\n");
    assert_mistakes(PART "name: a\ninput: {value: {hex: 0g}}\noutput: {value: {base64: A}}\n",
                    "suite.yaml:3:23: input.value.hex: expected pairs of hexadecimal digits, found something else\n"
                    "suite.yaml:4:27: output.value.base64: expected base64 (RFC 4648), found an end in the middle\n");
    assert_mistakes(PART "name: a\ninput: {value: {a: 0x10}}\n",
                    "suite.yaml:3:20: input.value.a: expected a number as JSON has them, or a text in quotes, found "
                    "\"0x10\"\n");
    assert_mistakes(
        PART "name: a\nnow: soon\ninput: {value: 1, timestamp: 2026-02-30}\n",
        "suite.yaml:3:6: now: expected a time (2026-01-02T03:04:05Z) or milliseconds since 1970, found "
        "\"soon\"\n"
        "suite.yaml:4:30: input.timestamp: expected a time (2026-01-02T03:04:05Z) or milliseconds since 1970, found "
        "\"2026-02-30\"\n");
    assert_mistakes(PART "name: a\ninput: [{value: 1, offset: 3}, {value: 2, offset: 3}]\n",
                    "suite.yaml:3:51: input[1].offset: expected an offset behind the partition's last one (3), found "
                    "3\n");
    assert_mistakes("config: {stages: [decode: {formt: json}]}\nname: a\ninput: {value: 1}\n",
                    "suite.yaml:1:28: config.stages[0].decode.formt: expected a key that is known here, found "
                    "`formt`; did you mean `format`?\n");
    assert_mistakes(PART "name: a\ninput: [{value: 1, offset: 3}, {value: 2, offset: 3}, {value: 3, offset: 1}]\n",
                    "suite.yaml:3:51: input[1].offset: expected an offset behind the partition's last one (3), found "
                    "3\n"
                    "suite.yaml:3:74: input[2].offset: expected an offset behind the partition's last one (3), found "
                    "1\n");
    assert_mistakes("config: {stages: [decode: {formt: json}]}\nname: a\ninput: {value: 1}\n"
                    "output: [{vale: 1}]\ndrops: [{ofset: 1}]\n",
                    "suite.yaml:1:28: config.stages[0].decode.formt: expected a key that is known here, found "
                    "`formt`; did you mean `format`?\n"
                    "suite.yaml:4:11: output[0].vale: expected a key that is known here, found `vale`; did you mean "
                    "`value`?\n"
                    "suite.yaml:5:10: drops[0].ofset: expected a key that is known here, found `ofset`; did you mean "
                    "`offset`?\n");
    assert_mistakes(PART "scenarios: [{name: a, input: {value: 1}}, {name: a, input: {value: 1}}]\n",
                    "suite.yaml:2:50: scenarios[1].name: expected a name that no other scenario of this file has, "
                    "found \"a\" again\n");
    assert_mistakes("name: a\ninput: {value: 1}\n", "suite.yaml:1:1: expected the key `config`, found none\n");
}

static void names_are_found_in_the_config(void **state)
{
    (void)state;
    static const char TWO[] =
        "name: a\ninput: {value: 1}\nconfig: {stages: [decode: {}, enrich: [set: {a: 1}, set: {b: 1}], "
        "store: [stdout: {}, {name: out, kafka: {topic: x}}]]}\n";
    char text[1024];
    snprintf(text, sizeof text, "%soutput: {stdot: [{value: 1}]}\n", TWO);
    assert_mistakes(text, "suite.yaml:4:10: output.stdot: expected the name of a store (stdout or out), found `stdot`; "
                          "did you mean `stdout`?\n");
    snprintf(text, sizeof text, "%soutput: [{value: 1}]\n", TWO);
    assert_mistakes(text,
                    "suite.yaml:4:9: output: expected a map of lists, by the names of the stores (stdout or out), "
                    "found one list\n");
    snprintf(text, sizeof text, "%sstages: {set: [{drop: true}]}\n", TWO);
    assert_mistakes(text, "suite.yaml:4:10: stages.set: expected the name of one step, found `set`, which may be "
                          "enrich[0] or enrich[1]\n");
    snprintf(text, sizeof text, "%sstages: {lookup: [{drop: true}]}\n", TWO);
    assert_mistakes(text,
                    "suite.yaml:4:10: stages.lookup: expected the name of a stage or of one of its steps (decode, "
                    "set or set), found `lookup`\n");
    snprintf(text, sizeof text,
             "%sstages: {\"enrich[1]\": [{drop: true}]}\nstores: {out: [{key: k, reject: {class: x}}]}\n", TWO);
    assert_mistakes(text, "");
    snprintf(text, sizeof text, "%sstores: {kafka: []}\n", TWO);
    assert_mistakes(text,
                    "suite.yaml:4:10: stores.kafka: expected the name of a store (stdout or out), found `kafka`\n");
}

/* What an output means depends on the config's stores: where that is wrong, only what is one in any case is judged. */
static void a_mistake_in_the_config_makes_no_others(void **state)
{
    (void)state;
    static const char WRONG[] = "config: {stages: [decode: {formt: json}]}\nname: a\ninput: {value: 1}\noutput: ";
    static const char TOLD[] = "suite.yaml:1:28: config.stages[0].decode.formt: expected a key that is known here, "
                               "found `formt`; did you mean `format`?\n";
    static const char *const OUTPUTS[] = {"{value: [{a: 1}]}\n", "{contains: [{a: 1}], absent: [.b]}\n",
                                          "{vale: [{a: 1}]}\n", "{value: {a: 1}, other: [{a: 1}]}\n"};
    char text[512], told[512];
    assert_mistakes(PART "name: a\ninput: {value: 1}\noutput: {value: [{a: 1}]}\n", "");
    for (size_t i = 0; i < sizeof OUTPUTS / sizeof OUTPUTS[0]; i++) {
        snprintf(text, sizeof text, "%s%s", WRONG, OUTPUTS[i]);
        assert_mistakes(text, TOLD);
    }
    snprintf(text, sizeof text, "%s{orders: [{vale: 1}]}\n", WRONG);
    snprintf(told, sizeof told,
             "%ssuite.yaml:4:20: output.orders[0].vale: expected a key that is known here, found `vale`; did you mean "
             "`value`?\n",
             TOLD);
    assert_mistakes(text, told);
}

static void an_answer_is_one_answer(void **state)
{
    (void)state;
    assert_mistakes(PART "name: a\ninput: {value: 1}\nstages: {decode: [{drop: true, set: {a: 1}}]}\n",
                    "suite.yaml:4:32: stages.decode[0].set: expected one answer, found `set` beside `drop`\n");
    assert_mistakes(PART "name: a\ninput: {value: 1}\nstages: {decode: [{document: {a: 1}, set: {b: 2}}]}\n", "");
    assert_mistakes(PART "name: a\ninput: {value: 1}\nstages: {decode: [{set: {\"a[0]\": 1}}]}\n",
                    "suite.yaml:4:26: stages.decode[0].set.a[0]: 'a[0]' as a path: expected names only: an array's "
                    "element can't be written\n");
    assert_mistakes(PART "name: a\ninput: {value: 1, partition: -1}\n",
                    "suite.yaml:3:30: input.partition: expected an integer from 0 to 2147483647, found \"-1\"\n");
    assert_mistakes(PART "name: a\ninput: {value: 1}\nstores: {stdout: [{drop: true}]}\n",
                    "suite.yaml:4:20: stores.stdout[0].drop: expected a key that is known here, found `drop`, which "
                    "belongs under `stages.*[]`\n");
}

static void a_config_is_no_scenario_file(void **state)
{
    (void)state;
    static const char CONFIG[] = "service: a\nsource: {kafka: {brokers: b, group: g, topics: t}}\nstages: []\n";
    assert_mistakes(CONFIG, "suite.yaml: expected `scenarios`, or `input` of a single one, and found a config: `weir "
                            "check` is for these\n");
    assert_false(suite_is_one("suite.yaml"));
    write_file("suite.yaml", "# scenarios:\n  input: 1\n");
    assert_false(suite_is_one("suite.yaml"));
    write_file("suite.yaml", "a: 1\nscenarios :\n  - {}\n");
    assert_true(suite_is_one("suite.yaml"));
    write_file("suite.yaml", "input: {}");
    assert_true(suite_is_one("suite.yaml"));
    struct suite *suite = suite_load("no-such.yaml", registry());
    assert_int_equal(suite_mistakes(suite), 1);
    suite_free(suite);
}

static void what_can_not_be_read_is_told_and_not_passed_over(void **state)
{
    (void)state;
    write_file("suite.yaml", "\xef\xbb\xbfinput: {}");
    assert_true(suite_is_one("suite.yaml"));
    assert_true(suite_is_one("no-such.yaml")); /* a link that leads nowhere */
    assert_int_equal(mkfifo("pipe.yaml", 0600), 0);
    assert_false(suite_is_one("pipe.yaml"));
    assert_int_equal(unlink("pipe.yaml"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file_has_its_scenarios_with_what_they_share),
        cmocka_unit_test(a_part_of_a_config_is_completed),
        cmocka_unit_test(a_config_in_a_file_has_the_variables_of_the_scenario),
        cmocka_unit_test(a_config_in_the_scenario_file_can_not_have_them),
        cmocka_unit_test(a_record_is_of_a_topic_that_the_config_consumes),
        cmocka_unit_test(mistakes_have_their_places_and_what_was_meant),
        cmocka_unit_test(names_are_found_in_the_config),
        cmocka_unit_test(a_mistake_in_the_config_makes_no_others),
        cmocka_unit_test(an_answer_is_one_answer),
        cmocka_unit_test(a_config_is_no_scenario_file),
        cmocka_unit_test(what_can_not_be_read_is_told_and_not_passed_over),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
