/* Scenarios that are not as they say: everything that differs is told, and nothing else. (What passes is shown by tests/scenario.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/plan.h"
#include "cli/registry.h"
#include "processor/clock.h"
#include "processor/log.h"
#include "scenario/judge.h"

static char file[128];

static int set_up(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(file, sizeof file, "%s/weir-scenario-XXXXXX", tmp != NULL ? tmp : "/tmp");
    log_set(LOG_ERROR, false);
    int fd = mkstemp(file);
    return fd >= 0 ? close(fd) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(file);
}

/* Runs the one scenario of the text and gives what is found, "LINE: ABOUT: TEXT" each; the caller frees it. */
static char *run(const char *text)
{
    FILE *out = fopen(file, "we");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    struct suite *suite = suite_load(file, registry());
    if (!suite_is_good(suite))
        suite_print(suite, stderr, false);
    assert_true(suite_is_good(suite));
    struct plan *plan = plan_new(suite->scenarios[0].config, &(struct plan_changes){.exit_at_end = true});
    struct trial *trial = trial_new(&suite->scenarios[0], plan_pipeline(plan));
    struct findings findings = {0};
    char *words = NULL;
    size_t size = 0;
    trial_run(trial);
    judge(trial, &findings);
    out = open_memstream(&words, &size);
    for (size_t i = 0; i < findings.count; i++) {
        const struct finding *finding = &findings.items[i];
        fprintf(out, "%u: %s%s%s\n", finding->line, finding->about, finding->about[0] != '\0' ? ": " : "",
                finding->text);
    }
    assert_int_equal(fclose(out), 0);
    findings_fini(&findings);
    trial_free(trial);
    plan_free(plan);
    suite_free(suite);
    return words;
}

static void assert_found(const char *text, const char *expected)
{
    char *found = run(text);
    assert_string_equal(found, expected);
    free(found);
}

#define HEAD "name: a\nconfig: {stages: [decode: {}, enrich: [filter: {drop_when: {path: .drop, equals: true}}]]}\n"

static void an_output_that_differs_is_told_by_its_members(void **state)
{
    (void)state;
    assert_found(HEAD "input: [{value: {a: 1, b: [x]}}]\noutput:\n  - value:\n      a: 2\n      b: [y]\n",
                 "6: output[0] of stdout (input/0@0): value .a: expected 2, found 1\n"
                 "7: output[0] of stdout (input/0@0): value .b[0]: expected \"y\", found \"x\"\n");
    assert_found(HEAD "input: [{value: {a: 1}}]\noutput: [{offset: 4, partition: 1, value: {a: 1}}]\n",
                 "4: output[0] of stdout (input/0@0): partition: expected 1, found 0\n"
                 "4: output[0] of stdout (input/0@0): offset: expected 4, found 0\n");
    assert_found(
        HEAD "input: [{value: {a: 1}}]\noutput: [{row: {a: 1}, key: k}]\n",
        "4: output[0] of stdout (input/0@0): expected a message (topic, key, headers), and `stdout` stores none\n"
        "4: output[0] of stdout (input/0@0): expected a row, and `stdout` stores none\n");
    assert_found(
        HEAD
        "input: [{value: {a: {b: 1}, l: [0]}}]\noutput: [{contains: {a: {}}, absent: [.a.b, \".l[0]\", .l.x, .c]}]\n",
        "4: output[0] of stdout (input/0@0): .a.b: expected nothing, found 1\n"
        "4: output[0] of stdout (input/0@0): .l[0]: expected nothing, found 0\n");
}

static void nothing_may_come_that_is_not_declared(void **state)
{
    (void)state;
    assert_found(HEAD "input: [{value: {a: 1}}, {value: {drop: true}}, {value: x}]\n",
                 "3: input/0@0: not expected, and stored in stdout: {\"a\":1}\n"
                 "3: input/0@2: not expected, and a dead letter of decode: json: expected a value, at byte 0\n"
                 "3: input/0@1: not expected, and dropped by enrich (filter)\n");
    assert_found(
        HEAD "input: [{value: {a: 1}}, {value: {a: 2}}, {value: {a: 3}}]\noutput: [{value: {a: 1}}, {value: {a: 3}}]\n",
        "3: input/0@1: not expected, and stored in stdout: {\"a\":2}\n");
}

static void everything_that_is_declared_must_come(void **state)
{
    (void)state;
    assert_found(HEAD "input: [{value: {a: 1}}]\n"
                      "output:\n  - value: {a: 1}\n  - value: {a: 2}\n"
                      "dead_letters:\n  - {class: json}\n"
                      "drops:\n  - {offset: 3}\n",
                 "6: output[1] of stdout: expected, and not stored\n"
                 "8: dead_letters[0]: expected, and no dead letter\n"
                 "10: drops[0]: expected, and not dropped\n");
    assert_found(HEAD "input: [{value: {a: 1}}]\noutput: [{value: {a: 1}}]\ndrops: 2\n",
                 "5: drops: expected 2 dropped, found 0\n");
    assert_found(HEAD "input: [{value: {a: 1}}]\noutput: [{value: {a: 1}}]\nstops: memory\n",
                 "5: expected the service to stop (\"memory\"), and it did not\n");
}

static void dead_letters_and_drops_are_looked_at_closely(void **state)
{
    (void)state;
    assert_found(HEAD "input: [{key: k, value: x}, {key: l, value: {drop: true}}]\n"
                      "dead_letters: [{stage: enrich, class: utf8, message: nonsense, key: l, value: y}]\n"
                      "drops: [{key: k, stage: decode}]\n",
                 "4: dead_letters[0] (input/0@0): key: expected \"l\", found \"k\"\n"
                 "4: dead_letters[0] (input/0@0): value: expected \"y\", found \"x\"\n"
                 "4: dead_letters[0] (input/0@0): stage: expected \"enrich\", found \"decode\"\n"
                 "4: dead_letters[0] (input/0@0): class: expected \"utf8\", found \"json\"\n"
                 "4: dead_letters[0] (input/0@0): message: expected a text with \"nonsense\", found \"expected a "
                 "value, at byte 0\"\n"
                 "5: drops[0] (input/0@1): key: expected \"k\", found \"l\"\n"
                 "5: drops[0] (input/0@1): stage: expected \"decode\", found \"enrich\"\n");
}

static void the_order_within_a_partition_counts_and_between_partitions_none(void **state)
{
    (void)state;
    assert_found(HEAD "input: [{value: {a: 1}}, {value: {a: 2}}]\noutput: [{value: {a: 2}}, {value: {a: 1}}]\n",
                 "4: output[0] of stdout: expected, and not stored\n"
                 "3: input/0@1: not expected, and stored in stdout: {\"a\":2}\n");
    /* What is expected stands in the order of the input. */
    assert_found(HEAD
                 "batch: 1\ninput: [{partition: 1, value: {a: 1}}, {value: {a: 2}}, {partition: 1, value: {a: 3}}]\n"
                 "output: [{value: {a: 1}}, {value: {a: 2}}, {value: {a: 3}}]\n",
                 "");
}

static void messages_are_looked_at_with_topic_key_and_headers(void **state)
{
    (void)state;
    assert_found("name: a\nconfig: {stages: [decode: {}, store: {kafka: {topic: \"{{.t}}\"}}]}\n"
                 "input: [{key: k, headers: {a: x, b: null, c: z}, value: {t: out}}]\n"
                 "output: [{topic: in, key: null, headers: {a: y, b: null, d: 1}}]\n",
                 "4: output[0] of kafka (input/0@0): topic: expected \"in\", found \"out\"\n"
                 "4: output[0] of kafka (input/0@0): key: expected null, found \"k\"\n"
                 "4: output[0] of kafka (input/0@0): header a: expected \"y\", found \"x\"\n"
                 "4: output[0] of kafka (input/0@0): header d: expected 1, found nothing\n"
                 "4: output[0] of kafka (input/0@0): header c: expected nothing, found \"z\"\n");
}

static void a_service_that_stops_has_failed_unless_it_was_to(void **state)
{
    (void)state;
    static const char STOPS[] = "name: a\nconfig: {errors: {}, stages: [decode: {}]}\n"
                                "input: [{value: {a: 1}}, {value: x}]\noutput: [{value: {a: 1}}]\n";
    char text[512];
    char *found = run(STOPS);
    assert_non_null(strstr(found, "1: the service stopped: decode: record input/0@1: json: "));
    free(found);
    snprintf(text, sizeof text, "%sstops: something else\n", STOPS);
    found = run(text);
    assert_non_null(strstr(found, "5: stops: expected a text with \"something else\", found \"decode: record"));
    free(found);
    snprintf(text, sizeof text, "%sstops: decode\n", STOPS);
    assert_found(text, "");
}

static void a_store_that_never_answers_is_told_by_its_records(void **state)
{
    (void)state;
    int64_t begin = clock_now();
    char *found = run("name: a\nconfig: {stages: [decode: {}]}\ntimeout: 200ms\n"
                      "stores: {stdout: [{offset: 1, fail: {times: 1000000, message: away}}]}\n"
                      "input: [{value: {a: 1}}, {value: {a: 2}}]\n");
    assert_true(clock_now() - begin < 20 * CLOCK_SECOND);
    assert_non_null(strstr(found, "1: not done within 0.2"));
    assert_non_null(
        strstr(found, "5: input/0@1: no verdict: neither stored in stdout, nor dropped, nor a dead letter\n"));
    free(found);
}

static void a_declared_failure_passes_as_often_as_it_is_declared(void **state)
{
    (void)state;
    assert_found("name: a\nconfig: {errors: {retry: {max: 3}, dead_letter: {topic: d}}, stages: [decode: {}, enrich: "
                 "[set: {a: 1}]]}\n"
                 "stages: {set: [{key: short, fail: {times: 2}}, {key: long, fail: {times: 3, class: slow}}]}\n"
                 "stores: {stdout: [{key: short, fail: {times: 5, at: flush}}]}\n"
                 "input: [{key: short, value: {b: 1}}, {key: long, value: {b: 2}}]\n"
                 "output: [{value: {b: 1}}]\n"
                 "dead_letters: [{key: long, class: slow}]\n",
                 "");
}

static void time_stands_still_only_where_it_is_said(void **state)
{
    (void)state;
    static const char TEXT[] = "name: a\nconfig: {stages: [decode: {}, enrich: [set: {at: \"{{now}}\"}]]}\n"
                               "input: [{value: {}}]\noutput: [{value: {at: \"1970-01-01T00:00:00.005Z\"}}]\n";
    char text[512];
    snprintf(text, sizeof text, "%snow: 5\n", TEXT);
    assert_found(text, "");
    char *found = run(TEXT);
    assert_non_null(strstr(found, "value .at: expected \"1970-01-01T00:00:00.005Z\", found \"20"));
    free(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_output_that_differs_is_told_by_its_members),
        cmocka_unit_test(nothing_may_come_that_is_not_declared),
        cmocka_unit_test(everything_that_is_declared_must_come),
        cmocka_unit_test(dead_letters_and_drops_are_looked_at_closely),
        cmocka_unit_test(the_order_within_a_partition_counts_and_between_partitions_none),
        cmocka_unit_test(messages_are_looked_at_with_topic_key_and_headers),
        cmocka_unit_test(a_service_that_stops_has_failed_unless_it_was_to),
        cmocka_unit_test(a_store_that_never_answers_is_told_by_its_records),
        cmocka_unit_test(a_declared_failure_passes_as_often_as_it_is_declared),
        cmocka_unit_test(time_stands_still_only_where_it_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
