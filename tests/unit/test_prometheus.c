/*
 * The exposition is judged by Prometheus's own Python client: what it parses is printed as lines, which are looked at here. By the system's Python, as it is
 * the one that has the package.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/usage.h"
#include "admin/prometheus.h"
#include "processor/clock.h"
#include "processor/metrics.h"

static const char PARSER[] =
    "import sys\n"
    "from prometheus_client.parser import text_string_to_metric_families as parse\n"
    "seen = set()\n"
    "for family in parse(open(sys.argv[1]).read()):\n"
    "    assert family.name not in seen, 'twice: ' + family.name\n"
    "    seen.add(family.name)\n"
    "    print('FAMILY', family.name, family.type, family.documentation.encode('unicode_escape').decode())\n"
    "    for s in family.samples:\n"
    "        labels = ','.join('%s=%r' % kv for kv in sorted(s.labels.items()))\n"
    "        print('SAMPLE', s.name + '{' + labels + '}', repr(s.value))\n";

/* What the parser says to the text; freed by the caller. Fails the test when it does not parse. */
static char *parse(const char *text)
{
    char input[] = "/tmp/test-prometheus-XXXXXX", script[] = "/tmp/test-prometheus-XXXXXX", command[256];
    int fd = mkstemp(input), script_fd = mkstemp(script);
    assert_true(fd >= 0 && script_fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(write(script_fd, PARSER, strlen(PARSER)), strlen(PARSER));
    close(fd);
    close(script_fd);
    snprintf(command, sizeof command, "/usr/bin/python3 %s %s", script, input);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    char *parsed = calloc(1, 1 << 20);
    assert_non_null(parsed);
    size_t size = fread(parsed, 1, (1 << 20) - 1, pipe);
    parsed[size] = '\0';
    int status = pclose(pipe);
    unlink(input);
    unlink(script);
    if (status != 0)
        print_error("not parsed:\n%s", text);
    assert_int_equal(status, 0);
    return parsed;
}

static char *render(struct metrics *metrics)
{
    size_t size = 0;
    char *text = prometheus_render(metrics, &size);
    assert_non_null(text);
    assert_int_equal(size, strlen(text));
    return text;
}

static char *render_and_parse(struct metrics *metrics)
{
    char *text = render(metrics);
    char *parsed = parse(text);
    free(text);
    return parsed;
}

static void assert_line(const char *parsed, const char *line)
{
    const char *at = strstr(parsed, line);
    size_t size = strlen(line);
    while (at != NULL && ((at != parsed && at[-1] != '\n') || (at[size] != '\n' && at[size] != '\0')))
        at = strstr(at + 1, line);
    if (at == NULL)
        print_error("no line \"%s\" in:\n%s", line, parsed);
    assert_non_null(at);
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        count++;
    return count;
}

static void a_counter_and_a_gauge_are_shown_with_their_labels(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    metric_add(metrics_get(metrics, METRIC_COUNTER, "weir_a_total", "Counts a.", "stage=\"decode\""), 41);
    metric_add(metrics_get(metrics, METRIC_COUNTER, "weir_a_total", "Counts a.", "stage=\"decode\""), 1);
    metric_set(metrics_get(metrics, METRIC_GAUGE, "weir_b", "Measures b.", NULL), -7);
    char *parsed = render_and_parse(metrics);
    assert_line(parsed, "SAMPLE weir_a_total{stage='decode'} 42.0");
    assert_line(parsed, "SAMPLE weir_b{} -7.0");
    assert_line(parsed, "FAMILY weir_a counter Counts a.");
    assert_line(parsed, "FAMILY weir_b gauge Measures b.");
    free(parsed);
    metrics_free(metrics);
}

static void help_and_type_stand_once_before_all_samples_of_a_name(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    metrics_get(metrics, METRIC_GAUGE, "weir_a", "A.", "n=\"1\"");
    metrics_get(metrics, METRIC_GAUGE, "weir_b", "B.", NULL);
    metrics_get(metrics, METRIC_GAUGE, "weir_a", "A.", "n=\"2\"");
    char *text = render(metrics);
    assert_int_equal(count_of(text, "# HELP weir_a "), 1);
    assert_int_equal(count_of(text, "# TYPE weir_a "), 1);
    assert_non_null(strstr(text, "# HELP weir_a A.\n# TYPE weir_a gauge\nweir_a{n=\"1\"} 0\nweir_a{n=\"2\"} 0\n"));
    free(text);
    metrics_free(metrics);
}

static void a_histogram_is_cumulative_and_in_seconds(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric *metric = metrics_get(metrics, METRIC_HISTOGRAM, "weir_time_seconds", "Time.", "stage=\"store\"");
    metric_observe(metric, 2000, 3);          /* 2 us */
    metric_observe(metric, 40 * CLOCK_MS, 2); /* 40 ms */
    metric_observe(metric, 3600 * CLOCK_SECOND, 1);
    char *parsed = render_and_parse(metrics);
    assert_line(parsed, "FAMILY weir_time_seconds histogram Time.");
    assert_line(parsed, "SAMPLE weir_time_seconds_bucket{le='1e-06',stage='store'} 0.0");
    assert_line(parsed, "SAMPLE weir_time_seconds_bucket{le='2.5e-06',stage='store'} 3.0");
    assert_line(parsed, "SAMPLE weir_time_seconds_bucket{le='0.025',stage='store'} 3.0");
    assert_line(parsed, "SAMPLE weir_time_seconds_bucket{le='0.05',stage='store'} 5.0");
    assert_line(parsed, "SAMPLE weir_time_seconds_bucket{le='25',stage='store'} 5.0");
    assert_line(parsed, "SAMPLE weir_time_seconds_bucket{le='+Inf',stage='store'} 6.0");
    assert_line(parsed, "SAMPLE weir_time_seconds_count{stage='store'} 6.0");
    assert_line(parsed, "SAMPLE weir_time_seconds_sum{stage='store'} 3600.080006");
    free(parsed);
    metrics_free(metrics);
}

static void a_histogram_without_labels_parses_too(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    metric_observe(metrics_get(metrics, METRIC_HISTOGRAM, "weir_x_seconds", "X.", NULL), 1, 1);
    char *parsed = render_and_parse(metrics);
    assert_line(parsed, "SAMPLE weir_x_seconds_bucket{le='1e-06'} 1.0");
    assert_line(parsed, "SAMPLE weir_x_seconds_count{} 1.0");
    free(parsed);
    metrics_free(metrics);
}

static void odd_label_values_and_help_come_back_as_they_were(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    char labels[256] = "";
    metrics_label(labels, sizeof labels, "topic", "a\"b\\c\nd{e},f=\"Zoë");
    metric_set(metrics_get(metrics, METRIC_GAUGE, "weir_odd", "One\\two\nthree \"four\".", labels), 1);
    char *parsed = render_and_parse(metrics);
    assert_line(parsed, "SAMPLE weir_odd{topic='a\"b\\\\c\\nd{e},f=\"Zoë'} 1.0");
    assert_line(parsed, "FAMILY weir_odd gauge One\\\\two\\nthree \"four\".");
    free(parsed);
    metrics_free(metrics);
}

static void hidden_metrics_are_left_out_until_they_are_set_again(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct metric *gone = metrics_get(metrics, METRIC_GAUGE, "weir_gone", "Gone.", NULL);
    struct metric *one = metrics_get(metrics, METRIC_GAUGE, "weir_some", "Some.", "n=\"1\"");
    metric_set(metrics_get(metrics, METRIC_GAUGE, "weir_some", "Some.", "n=\"2\""), 2);
    metric_hide(gone);
    metric_hide(one);
    char *parsed = render_and_parse(metrics);
    assert_null(strstr(parsed, "weir_gone"));
    assert_null(strstr(parsed, "n='1'"));
    assert_line(parsed, "FAMILY weir_some gauge Some.");
    assert_line(parsed, "SAMPLE weir_some{n='2'} 2.0");
    free(parsed);
    metric_set(gone, 5);
    parsed = render_and_parse(metrics);
    assert_line(parsed, "SAMPLE weir_gone{} 5.0");
    free(parsed);
    metrics_free(metrics);
}

static double sample(const char *parsed, const char *name)
{
    char line[128];
    snprintf(line, sizeof line, "SAMPLE %s{} ", name);
    const char *at = strstr(parsed, line);
    assert_non_null(at);
    return strtod(at + strlen(line), NULL);
}

static void what_the_kernel_knows_is_there_and_plausible(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    char *parsed = render_and_parse(metrics);
    struct usage now = usage_read();
    assert_true(sample(parsed, "weir_threads") == (double)now.threads);
    assert_true(sample(parsed, "process_open_fds") >= 3);
    assert_true(sample(parsed, "process_open_fds") <= sample(parsed, "process_max_fds"));
    assert_true(sample(parsed, "process_resident_memory_bytes") > 100e3);
    assert_true(sample(parsed, "process_resident_memory_bytes") <= (double)now.peak_resident_bytes + 1e6);
    assert_true(sample(parsed, "process_virtual_memory_bytes") >= sample(parsed, "process_resident_memory_bytes"));
    assert_true(sample(parsed, "process_cpu_seconds_total") > 0);
    double age = (double)clock_wall_ms() / 1000 - sample(parsed, "process_start_time_seconds");
    assert_true(age > -2 && age < 600);
    free(parsed);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_and_a_gauge_are_shown_with_their_labels),
        cmocka_unit_test(help_and_type_stand_once_before_all_samples_of_a_name),
        cmocka_unit_test(a_histogram_is_cumulative_and_in_seconds),
        cmocka_unit_test(a_histogram_without_labels_parses_too),
        cmocka_unit_test(odd_label_values_and_help_come_back_as_they_were),
        cmocka_unit_test(hidden_metrics_are_left_out_until_they_are_set_again),
        cmocka_unit_test(what_the_kernel_knows_is_there_and_plausible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
