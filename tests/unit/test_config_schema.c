#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/registry.h"
#include "scenario/spec.h"
#include "tests/support/load.h"

static int run(const char *command)
{
    int code = system(command);
    assert_true(WIFEXITED(code));
    return WEXITSTATUS(code);
}

static void write_schema(char *path, size_t size)
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, size, "%s/weir-schema-XXXXXX", folder != NULL ? folder : "/tmp");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    config_schema(registry(), file);
    assert_int_equal(fclose(file), 0);
}

/* What differs from a good file in one place each. %s: where it differs. */
static const char SMALL[] = "service: s\n"
                            "source: {kafka: {brokers: b, group: g, topics: [t]}}\n"
                            "stages:\n"
                            "  - decode: {}\n"
                            "  - store: {stdout: {}}\n"
                            "%s\n";

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void the_schema_is_one_and_every_example_fits(void **state)
{
    (void)state;
    char schema[256], command[2048];
    write_schema(schema, sizeof schema);
    snprintf(command, sizeof command,
             "python3 '%s/tests/support/validate.py' %s '%s'/config/examples/*.yaml '%s'/deploy/compose-*.yaml >&2",
             load_root(), schema, load_root(), load_root());
    assert_int_equal(run(command), 0);
    unlink(schema);
}

static void every_scenario_fits_the_schema_of_scenarios(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "name: a\nconfig: c.yaml\ninput: {valeu: 1}\n",
        "name: a\nconfig: c.yaml\ninput: {value: 1}\noutput: {valeu: 1}\n",
        "config: c.yaml\nscenarios: [{name: a, input: {value: 1}, drops: many}]\n",
        "config: c.yaml\nscenarios: [{input: {value: 1}}]\n",
        "config: [1]\nname: a\ninput: {value: 1}\n",
        "service: s\n",
    };
    char schema[256], path[300], command[2048];
    write_schema(schema, sizeof schema);
    FILE *file = fopen(schema, "w");
    assert_non_null(file);
    spec_schema(file);
    assert_int_equal(fclose(file), 0);
    snprintf(command, sizeof command, "python3 '%s/tests/support/validate.py' %s '%s'/tests/scenario/*.yaml >&2",
             load_root(), schema, load_root());
    assert_int_equal(run(command), 0);
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        snprintf(path, sizeof path, "%s-wrong-%zu.yaml", schema, i);
        write_text(path, WRONG[i]);
    }
    snprintf(command, sizeof command, "python3 '%s/tests/support/validate.py' --refuse %s %s-wrong-*.yaml >&2",
             load_root(), schema, schema);
    assert_int_equal(run(command), 0);
    snprintf(command, sizeof command, "rm %s %s-wrong-*.yaml", schema, schema);
    assert_int_equal(run(command), 0);
}

static void schema_and_parser_agree(void **state)
{
    (void)state;
    static const struct {
        const char *addition;
        bool good;
    } cases[] = {
        {"", true},
        {"shutdown: 5m", true},
        {"shutdown: \"${WEIR_TEST_NONE:-5m}\"", true},
        {"shutdown: 0", true},
        {"shutdown: 5", false},
        {"shutdown: 5 m", false},
        {"memory: 64MiB", true},
        {"memory: 67108864", true},
        {"memory: 1024", false},
        {"memory: 64M", false},
        {"order: none", true},
        {"order: key", false},
        {"delivery: at_least_once", true},
        {"delivery: once", false},
        {"admin: false", true},
        {"admin: {listen: \"127.0.0.1:0\"}", true},
        {"admin: {port: 1}", false},
        {"admin: no-such", false},
        {"log: {level: loud}", false},
        {"errors: {retry: {max: 3, backoff: 1s..2s}}", true},
        {"errors: {retry: {max: 0}}", false},
        {"errors: {retry: {backoff: 1..2}}", false},
        {"errors: {dead_letter: {}}", false},
        {"errors: {dead_letter: {topic: d, properties: {linger.ms: 5}}}", true},
        {"surprise: 1", false},
    };
    char folder[256], path[512], text[1024], schema[256], command[2048];
    write_schema(schema, sizeof schema);
    snprintf(folder, sizeof folder, "%.200s-files", schema);
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct loaded_config loaded;
        snprintf(text, sizeof text, SMALL, cases[i].addition);
        load_text(&loaded, registry(), text);
        if ((loaded.config != NULL) != cases[i].good)
            fail_msg("%s: expected it to be %s, found:\n%s", cases[i].addition, cases[i].good ? "good" : "wrong",
                     loaded.words);
        load_fini(&loaded);
        snprintf(path, sizeof path, "%s/%s-%zu.yaml", folder, cases[i].good ? "good" : "wrong", i);
        write_text(path, text);
    }
    snprintf(command, sizeof command, "python3 '%s/tests/support/validate.py' %s %s/good-*.yaml >&2", load_root(),
             schema, folder);
    assert_int_equal(run(command), 0);
    snprintf(command, sizeof command, "python3 '%s/tests/support/validate.py' --refuse %s %s/wrong-*.yaml >&2",
             load_root(), schema, folder);
    assert_int_equal(run(command), 0);
    snprintf(command, sizeof command, "rm -r %s %s", folder, schema);
    assert_int_equal(run(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schema_is_one_and_every_example_fits),
        cmocka_unit_test(every_scenario_fits_the_schema_of_scenarios),
        cmocka_unit_test(schema_and_parser_agree),
    };
    return cmocka_run_group_tests(tests, load_environment, NULL);
}
