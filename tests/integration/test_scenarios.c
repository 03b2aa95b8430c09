/* `weir test` as a process: what it runs, what it says to people, to machines and to CI servers, and its exit codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "tests/support/process.h"

static struct process process;

static int set_up(void **state)
{
    (void)state;
    process_init(&process, "scenarios");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    process_fini(&process);
    return 0;
}

static void make_folder(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", process.dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void assert_not_said(const char *file, const char *text)
{
    char *whole = process_read(&process, file);
    if (whole != NULL && strstr(whole, text) != NULL)
        fail_msg("\"%s\" in %s:\n%s", text, file, whole);
    free(whole);
}

#define RUN(...) process_run(&process, (const char *const[]){"test", __VA_ARGS__, NULL})

#define CONFIG "config: {stages: [decode: {}]}\n"

static void write_scenarios(void)
{
    process_file(&process, "good.yaml", CONFIG "name: it passes\ninput: {value: {a: 1}}\noutput: {value: {a: 1}}\n");
    process_file(
        &process, "bad.yaml",
        CONFIG "scenarios:\n"
               "  - {name: 'it <fails> & \"says\" so', input: {value: {a: 1}}, output: {value: {a: \"<&>\\u0001\"}}}\n"
               "  - {name: it passes too, input: {value: {a: 1}}, output: {value: {a: 1}}}\n");
    process_file(&process, "wrong.yaml", CONFIG "name: it is wrong\nimput: {value: 1}\ninput: {value: 1}\n");
}

static void exit_codes_say_what_became_of_it(void **state)
{
    (void)state;
    write_scenarios();
    assert_int_equal(RUN("good.yaml"), 0);
    assert_holds(&process, "stdout", "ok      good.yaml: it passes\n1 scenario in 1 file: 1 passed, 0 failed (");
    assert_int_equal(RUN("good.yaml", "bad.yaml"), 1);
    assert_holds(&process, "stdout", "FAILED  bad.yaml:3: it <fails>");
    assert_holds(&process, "stdout", "\n        bad.yaml:3:");
    assert_holds(&process, "stdout",
                 "output[0] of stdout (input/0@0): value .a: expected \"<&>\\u0001\", found the number 1\n");
    assert_holds(&process, "stdout", "3 scenarios in 2 files: 2 passed, 1 failed (");
    assert_int_equal(RUN("bad.yaml", "wrong.yaml", "good.yaml"), 78);
    assert_holds(&process, "stdout",
                 "wrong.yaml:3:1: imput: expected a key that is known here, found `imput`; did you mean `input`?");
    assert_holds(&process, "stdout", "; 1 file with mistakes, not run");
    assert_int_equal(RUN("no-such-file.yaml"), 78);
    assert_int_equal(process_run(&process, (const char *const[]){"test", NULL}), 64);
    assert_int_equal(RUN("--nonsense", "good.yaml"), 64);
    assert_int_equal(RUN("good.yaml", "--filter", "no such name"), 64);
}

static void a_filter_runs_only_what_it_names(void **state)
{
    (void)state;
    write_scenarios();
    assert_int_equal(RUN("bad.yaml", "good.yaml", "--filter", "passes"), 0);
    assert_holds(&process, "stdout", "ok      bad.yaml: it passes too\n");
    assert_holds(&process, "stdout", "2 scenarios in 2 files: 2 passed");
    assert_int_equal(RUN("bad.yaml", "good.yaml", "-q"), 1);
    assert_not_said("stdout", "it passes");
    assert_holds(&process, "stdout", "FAILED  bad.yaml");
}

static void a_folder_is_searched_for_scenarios_in_the_order_of_their_names(void **state)
{
    (void)state;
    make_folder("all");
    make_folder("all/b");
    make_folder("all/.hidden");
    process_file(&process, "all/c.yaml", CONFIG "name: third\ninput: {value: 1}\noutput: {value: 1}\n");
    process_file(&process, "all/b/x.yml", CONFIG "name: second\ninput: {value: 1}\noutput: {value: 1}\n");
    process_file(&process, "all/a.yaml",
                 "config: b/service.yaml\nscenarios: [{name: first, input: {value: 1}, output: {value: 1}}]\n");
    process_file(
        &process, "all/b/service.yaml",
        "service: s\nsource: {kafka: {brokers: b, group: g, topics: t}}\nstages: [decode: {}, store: {stdout: {}}]\n");
    process_file(&process, "all/.hidden/d.yaml", "input: 1\n");
    process_file(&process, "all/notes.txt", "input: 1\n");
    assert_int_equal(RUN("all"), 0);
    assert_holds(&process, "stdout",
                 "ok      all/a.yaml: first\nok      all/b/x.yml: second\nok      all/c.yaml: third\n"
                 "3 scenarios in 3 files: 3 passed, 0 failed (");
    assert_holds(&process, "stdout", "1 other YAML file: no `scenarios:` or `input:` at the beginning of a line\n");
    make_folder("none");
    assert_int_equal(RUN("none"), 64);
    assert_holds(&process, "stderr", "weir test: there is no scenario\n");
}

static void json_has_a_line_for_each_scenario_and_mistake(void **state)
{
    (void)state;
    write_scenarios();
    assert_int_equal(RUN("--json", "good.yaml", "bad.yaml", "wrong.yaml"), 78);
    assert_holds(
        &process, "stdout",
        "{\"file\": \"good.yaml\", \"scenario\": \"it passes\", \"line\": 1, \"result\": \"passed\", \"seconds\": ");
    assert_holds(&process, "stdout",
                 "\"scenario\": \"it <fails> & \\\"says\\\" so\", \"line\": 3, \"result\": \"failed\", ");
    assert_holds(&process, "stdout",
                 "\"about\": \"output[0] of stdout (input/0@0)\", \"message\": \"value .a: expected ");
    assert_holds(&process, "stdout",
                 "{\"file\": \"wrong.yaml\", \"line\": 3, \"column\": 1, \"path\": \"imput\", \"severity\": \"error\"");
    assert_holds(&process, "stdout", "{\"file\": \"wrong.yaml\", \"result\": \"wrong\"}\n");
    assert_not_said("stdout", "scenarios in");
}

/* Whatever the scenarios say, the file can be read by who reads XML; checked where Python is. */
static void junit_can_be_read_and_has_every_scenario(void **state)
{
    (void)state;
    static const char CHECK[] =
        "import sys, xml.etree.ElementTree as tree\n"
        "root = tree.parse(sys.argv[1]).getroot()\n"
        "assert root.tag == 'testsuites' and root.get('tests') == '4', root.attrib\n"
        "assert (root.get('failures'), root.get('errors')) == ('1', '1'), root.attrib\n"
        "suites = {suite.get('name'): suite for suite in root}\n"
        "assert list(suites) == ['good.yaml', 'bad.yaml', 'wrong.yaml'], list(suites)\n"
        "bad = suites['bad.yaml']\n"
        "assert [case.get('name') for case in bad] == ['it <fails> & \"says\" so', 'it passes too']\n"
        "assert bad.get('failures') == '1' and float(bad.get('time')) > 0\n"
        "failure = bad[0].find('failure')\n"
        "assert failure.get('message').startswith('value .a: expected \"<&>'), failure.attrib\n"
        "assert 'bad.yaml:3:' in failure.text\n"
        "assert bad[1].find('failure') is None\n"
        "assert 'imput' in suites['wrong.yaml'][0].find('error').text\n";
    char command[512];
    write_scenarios();
    process_file(&process, "check.py", "%s", CHECK);
    assert_int_equal(RUN("good.yaml", "bad.yaml", "wrong.yaml", "--junit", "results.xml"), 78);
    assert_holds(&process, "results.xml",
                 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"weir test\" tests=\"4\" "
                 "failures=\"1\" errors=\"1\"");
    assert_holds(&process, "results.xml", "name=\"it &lt;fails&gt; &amp; &quot;says&quot; so\"");
    if (system("command -v python3 >/dev/null") == 0) {
        snprintf(command, sizeof command, "python3 %s/check.py %s/results.xml", process.dir, process.dir);
        assert_int_equal(system(command), 0);
    }
    assert_int_equal(RUN("good.yaml", "--junit", "no/such/folder.xml"), 1);
    assert_holds(&process, "stderr", "weir test: cannot write no/such/folder.xml: No such file or directory\n");
    assert_int_equal(RUN("good.yaml", "--junit", "-"), 64);
}

static void nothing_is_connected_to_and_nothing_is_made(void **state)
{
    (void)state;
    char path[256];
    struct stat info;
    process_file(&process, "apart.yaml",
                 "config:\n"
                 "  source: {kafka: {brokers: 'nowhere.invalid:1', group: g, topics: t}}\n"
                 "  errors: {dead_letter: {topic: d}}\n"
                 "  stages:\n"
                 "    - decode: {}\n"
                 "    - store:\n"
                 "        - sqlite: {path: made.db, table: t, columns: {a: .a}}\n"
                 "        - file: {path: made.ndjson}\n"
                 "        - postgres: {dsn: 'host=nowhere.invalid', table: t, columns: {a: .a}}\n"
                 "        - kafka: {topic: out}\n"
                 "name: apart from the world\n"
                 "input: [{value: {a: 1}}, {value: x}]\n"
                 "output:\n"
                 "  sqlite: [{row: {a: 1}}]\n"
                 "  file: [{value: {a: 1}}]\n"
                 "  postgres: [{row: {a: 1}}]\n"
                 "  kafka: [{topic: out, value: {a: 1}}]\n"
                 "dead_letters: {class: json}\n");
    assert_int_equal(RUN("apart.yaml"), 0);
    snprintf(path, sizeof path, "%s/made.db", process.dir);
    assert_int_not_equal(stat(path, &info), 0);
    snprintf(path, sizeof path, "%s/made.ndjson", process.dir);
    assert_int_not_equal(stat(path, &info), 0);
    assert_holds(&process, "stdout", "1 scenario in 1 file: 1 passed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exit_codes_say_what_became_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_filter_runs_only_what_it_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_is_searched_for_scenarios_in_the_order_of_their_names, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(json_has_a_line_for_each_scenario_and_mistake, set_up, tear_down),
        cmocka_unit_test_setup_teardown(junit_can_be_read_and_has_every_scenario, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_connected_to_and_nothing_is_made, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
