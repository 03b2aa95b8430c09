/* What `weir top` shows: out of the metrics, through /status and back, on the page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/snapshot.h"
#include "cli/parsed_json.h"
#include "cli/snapshot_parse.h"
#include "cli/top_view.h"
#include "processor/clock.h"
#include "processor/health.h"
#include "processor/metrics.h"

static struct metrics *metrics;
static struct health *health;

static int set_up(void **state)
{
    (void)state;
    metrics = metrics_new();
    health = health_new();
    return metrics != NULL && health != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    health_free(health);
    metrics_free(metrics);
    return 0;
}

static const char *labels_of(const char *name, const char *value)
{
    static char labels[128];
    labels[0] = '\0';
    metrics_label(labels, sizeof labels, name, value);
    return labels;
}

static struct metric *metric(enum metric_type type, const char *name, const char *labels)
{
    return metrics_get(metrics, type, name, "", labels);
}

static void gauge(const char *name, const char *labels, int64_t value)
{
    metric_set(metric(METRIC_GAUGE, name, labels), value);
}

static void count(const char *name, const char *labels, int64_t more)
{
    metric_add(metric(METRIC_COUNTER, name, labels), more);
}

static void queue(const char *name, int64_t records)
{
    const char *labels = labels_of("queue", name);
    gauge("weir_queue_records", labels, records);
    gauge("weir_queue_bytes", labels, 10);
    gauge("weir_queue_capacity_records", labels, 1000);
    gauge("weir_queue_capacity_bytes", labels, 1000000);
    labels = labels_of("stage", name);
    gauge("weir_stage_workers", labels, 2);
    gauge("weir_stage_blocking", labels, 0);
}

static void partition(const char *topic, int number, int64_t lag, bool paused, bool stalled)
{
    char labels[128];
    snprintf(labels, sizeof labels, "topic=\"%s\",partition=\"%d\"", topic, number);
    gauge("weir_kafka_lag_records", labels, lag);
    gauge("weir_kafka_partition_paused", labels, paused);
    gauge("weir_kafka_position", labels, 5000 + number);
    gauge("weir_kafka_committed", labels, 4000 + number);
    gauge("weir_kafka_partition_stalled", labels, stalled);
}

/* As a pipeline makes them, so much of it done. */
static void make_metrics(void)
{
    queue("decode", 100);
    queue("sqlite", 900);
    gauge("weir_stage_blocking", labels_of("stage", "sqlite"), 1);
    gauge("weir_budget_size_bytes", NULL, 100 << 20);
    gauge("weir_budget_used_bytes", NULL, 90 << 20);
    gauge("weir_intake_paused", NULL, 1);
    metric_observe(metric(METRIC_HISTOGRAM, "weir_store_flush_seconds", labels_of("stage", "sqlite")), CLOCK_SECOND, 0);
}

static void work(int64_t records)
{
    count("weir_records_consumed_total", NULL, records);
    count("weir_bytes_consumed_total", NULL, records * 1024);
    count("weir_verdicts_total", labels_of("verdict", "stored"), records / 2);
    count("weir_verdicts_total", labels_of("verdict", "dead_lettered"), records / 100);
    count("weir_stage_records_in_total", labels_of("stage", "decode"), records);
    count("weir_stage_records_out_total", labels_of("stage", "decode"), records / 2);
    count("weir_stage_answers_total", "stage=\"decode\",answer=\"reject\"", records / 100);
    count("weir_retries_total", labels_of("stage", "sqlite"), records / 1000);
    metric_observe(metric(METRIC_HISTOGRAM, "weir_stage_duration_seconds", labels_of("stage", "decode")), 200000, 100);
    metric_observe(metric(METRIC_HISTOGRAM, "weir_end_to_end_seconds", labels_of("stage", "sqlite")), 40000000, 100);
}

/* As it comes from the service: through JSON and back. */
static struct snapshot *look(int64_t at, bool with_errors)
{
    const struct snapshot_sources sources = {
        .service = "orders \"x\"", .metrics = metrics, .health = health, .with_errors = with_errors};
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    struct parsed_json *parsed = parsed_json_new();
    struct value object;
    size_t size = 0;
    char *text = snapshot_render(&sources, &size);
    assert_true(snapshot != NULL && parsed != NULL && text != NULL);
    assert_int_equal(strlen(text), size);
    if (!parsed_json_read(parsed, text, size, &object) || !snapshot_parse(&object, snapshot))
        fail_msg("not a status: %s", text);
    parsed_json_free(parsed);
    free(text);
    snapshot->at = at;
    snapshot->uptime = at / 1000;
    return snapshot;
}

static const char *page(const struct top_view *view, unsigned width, unsigned height, bool colour)
{
    static char lines[TOP_LINES][COLUMNS_LINE_MAX], text[TOP_LINES * COLUMNS_LINE_MAX];
    const struct columns_style style = {.width = width, .colour = colour};
    unsigned lines_count = top_view_lines(view, &style, height, lines);
    size_t used = 0;
    assert_true(lines_count <= height);
    for (unsigned i = 0; i < lines_count; i++) {
        assert_null(strchr(lines[i], '\n'));
        if (!colour)
            assert_true(strlen(lines[i]) <= width);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\n", lines[i]);
    }
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" in:\n%s", part, text);
}

static void rates_and_latencies_are_of_the_time_between_two_looks(void **state)
{
    (void)state;
    make_metrics();
    gauge("weir_lag_records", NULL, 5000);
    work(1000000);
    metric_observe(metric(METRIC_HISTOGRAM, "weir_stage_duration_seconds", labels_of("stage", "decode")), CLOCK_SECOND,
                   100000);
    struct snapshot *before = look(10000, true);
    work(20000);
    gauge("weir_lag_records", NULL, 3000);
    struct snapshot *now = look(12000, true);
    const struct top_view view = {.now = now, .before = before, .url = "http://127.0.0.1:8080"};
    const char *text = page(&view, 120, 50, false);
    assert_has(text, "orders \"x\"  ready  up 12.0 s");
    assert_has(text, "  in         10,000/s  9.8 MiB/s  consumed 1,020,000");
    assert_has(text, "  out        5,000/s  stored 510,000  dropped 0  dead-lettered 10,200");
    assert_has(text, "  lag        3,000, shrinking by 1,000/s, gone in 3.00 s");
    assert_has(
        text,
        "decode          #.......  10 %        2    10,000     5,000   175 us   242 us   248 us  rejected 100/s\n");
    assert_has(
        text,
        "sqlite          #######.  90 %        2         0         0        -        -        -  tried again 10/s\n");
    assert_has(text, "flush - / - / -  end to end 37.5 ms / 48.8 ms / 49.8 ms\n");
    free(before);
    free(now);
}

static void without_an_earlier_look_there_are_no_rates(void **state)
{
    (void)state;
    make_metrics();
    work(1000000);
    struct snapshot *now = look(10000, true);
    const struct top_view view = {.now = now, .url = "u"};
    const char *text = page(&view, 100, 50, false);
    assert_has(text, "  in         -/s  0 B/s  consumed 1,000,000");
    assert_lacks(text, "rejected");
    free(now);
}

static void what_blocks_is_named(void **state)
{
    (void)state;
    make_metrics();
    struct snapshot *now = look(10000, true);
    const struct top_view view = {.now = now, .url = "u"};
    assert_string_equal(top_view_blocking(now)->name, "sqlite");
    assert_has(page(&view, 120, 50, false),
               "  blocking   sqlite: its queue is the last that is over half full; nothing is "
               "taken in: the memory is in use\n");
    free(now);
    gauge("weir_queue_records", labels_of("queue", "sqlite"), 0);
    now = look(10000, true);
    const struct top_view failing = {.now = now, .url = "u"};
    assert_has(page(&failing, 120, 50, false), "  blocking   sqlite: it fails, and is tried again; nothing is");
    free(now);
    gauge("weir_stage_stuck_seconds", labels_of("stage", "sqlite"), 12);
    now = look(10000, true);
    const struct top_view hanging = {.now = now, .url = "u"};
    assert_has(page(&hanging, 120, 50, false), "  blocking   sqlite: nothing has come back of it for 12 s; nothing is");
    free(now);
    gauge("weir_stage_blocking", labels_of("stage", "sqlite"), 0);
    gauge("weir_stage_stuck_seconds", labels_of("stage", "sqlite"), 0);
    gauge("weir_intake_paused", NULL, 0);
    now = look(10000, true);
    assert_null(top_view_blocking(now));
    const struct top_view calm = {.now = now, .url = "u"};
    assert_has(page(&calm, 120, 50, false), "  blocking   nothing: no queue is over half full, and no store fails\n");
    free(now);
}

static void the_worst_partitions_come_first_and_idle_ones_are_left_out(void **state)
{
    (void)state;
    make_metrics();
    for (int i = 0; i < 200; i++)
        partition("orders", i, i < 100 ? 0 : i, false, i == 3);
    partition("orders", 7, 0, true, false);
    struct snapshot *now = look(10000, true);
    assert_int_equal(now->partitions, 200);
    assert_int_equal(now->stalled, 1);
    assert_int_equal(now->paused, 1);
    assert_int_equal(now->shown, SNAPSHOT_PARTITIONS);
    assert_int_equal(now->worst[0].partition, 3);
    assert_int_equal(now->worst[1].partition, 7);
    assert_int_equal(now->worst[2].partition, 199);
    assert_int_equal(now->worst[2].position, 5199);
    assert_int_equal(now->worst[2].committed, 4199);
    const struct top_view view = {.now = now, .url = "u"};
    const char *text = page(&view, 100, 24, false);
    assert_has(text, "  in 200 partitions, 1 paused, 1 stalled\n");
    char rows[400];
    snprintf(rows, sizeof rows, "%-24s%14s%16s%16s  stalled\n%-24s%14s%16s%16s  paused\n%-24s%14s%16s%16s\n",
             "orders/3", "0", "5,003", "4,003", "orders/7", "0", "5,007", "4,007", "orders/199", "199", "5,199",
             "4,199");
    assert_has(text, rows);
    assert_lacks(text, "orders/50 ");
    free(now);
}

static void problems_and_the_last_errors_are_shown_where_they_may_be(void **state)
{
    (void)state;
    make_metrics();
    log_remember("decode", "record %d rejected: \033[31m%s", 7, "json");
    log_remember("decode", "record %d rejected: \033[31m%s", 7, "json");
    health_problem(health, "store sqlite", "disk full");
    struct snapshot *now = look(10000, true);
    const struct top_view view = {.now = now, .url = "u"};
    const char *text = page(&view, 100, 50, false);
    assert_has(text, "NOT READY");
    assert_has(text, "\n  store sqlite: disk full\n");
    assert_has(text, "Z  decode x2  record 7 rejected:  [31mjson\n");
    free(now);
    now = look(10000, false);
    const struct top_view hidden = {.now = now, .url = "u"};
    text = page(&hidden, 120, 50, false);
    assert_has(text, "LAST ERRORS are not shown");
    assert_lacks(text, "record 7");
    free(now);
}

static void a_service_that_has_gone_is_said_so_beside_what_was_seen_last(void **state)
{
    (void)state;
    make_metrics();
    struct snapshot *now = look(10000, true);
    const struct top_view view = {.now = now, .url = "u", .trouble = "refused", .silence = 12 * CLOCK_SECOND};
    const char *text = page(&view, 100, 50, false);
    assert_has(text, "no answer for 12.0 s: refused; this is the last that was seen\n");
    assert_has(text, "orders \"x\"  NO ANSWER  up 10.0 s");
    assert_has(text, "sqlite");
    free(now);
    const struct top_view never = {.url = "http://u", .trouble = "refused"};
    assert_string_equal(page(&never, 100, 50, false), "weir top  http://u\nno answer: refused\n");
}

/* page() asserts the width and the height. */
static void it_fits_any_window(void **state)
{
    (void)state;
    make_metrics();
    work(1000);
    for (int i = 0; i < 80; i++)
        partition("a-topic-with-a-rather-long-name-that-goes-on", i, 1000 + i, true, true);
    for (int i = 0; i < 20; i++) {
        char part[32];
        snprintf(part, sizeof part, "part-%d", i);
        log_remember(part, "%s", "something");
    }
    struct snapshot *now = look(10000, true);
    const struct top_view view = {.now = now, .before = now, .url = "http://127.0.0.1:8080"};
    for (unsigned width = 1; width < 200; width += 13) {
        for (unsigned height = 1; height < TOP_LINES + 10; height += 7)
            (void)page(&view, width, height, false);
    }
    const char *text = page(&view, 100, 40, false);
    assert_has(text, "\nPARTITION ");
    assert_has(text, "\nLAST ERRORS\n");
    assert_has(page(&view, 100, 40, true), "\033[31msqlite\033[0m");
    free(now);
}

static void what_is_no_status_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"{}", "[]", "7", "{\"service\": 1, \"stages\": []}", "{\"service\": \"x\"}"};
    struct parsed_json *parsed = parsed_json_new();
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    struct value object;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(parsed_json_read(parsed, cases[i], strlen(cases[i]), &object));
        assert_false(snapshot_parse(&object, snapshot));
    }
    assert_false(parsed_json_read(parsed, "{\"a\": ", 6, &object));
    assert_false(parsed_json_read(parsed, "", 0, &object));
    const char *odd = "{\"service\": \"x\", \"stages\": [{\"name\": 7, \"batch\": [1,\"a\",-3], \"queue\": []}, 7], "
                      "\"errors\": [null]}";
    assert_true(parsed_json_read(parsed, odd, strlen(odd), &object));
    assert_true(snapshot_parse(&object, snapshot));
    assert_int_equal(snapshot->stage_count, 2);
    assert_int_equal(snapshot->stages[0].batch.buckets[0], 1);
    assert_int_equal(snapshot->stages[0].batch.buckets[2], 0);
    free(snapshot);
    parsed_json_free(parsed);
}

static void read_absurd(struct parsed_json *parsed, const char *number, const char *at, struct snapshot *ret)
{
    char text[512];
    struct value object;
    int size = snprintf(text, sizeof text,
                        "{\"service\": \"x\", \"stages\": [{\"in\": %1$s, \"queue\": {\"records\": %1$s, "
                        "\"capacity_records\": 3}}], \"at_ms\": %2$s, \"uptime_seconds\": %1$s, \"records\": "
                        "{\"consumed\": %1$s, \"lag\": %1$s}, \"errors\": [{\"at_ms\": %1$s}]}",
                        number, at);
    assert_true(parsed_json_read(parsed, text, (size_t)size, &object) && snapshot_parse(&object, ret));
}

/* UBSan would say what overflows. */
static void absurd_numbers_are_shown_as_what_can_be_shown(void **state)
{
    (void)state;
    struct parsed_json *parsed = parsed_json_new();
    struct snapshot *least = calloc(1, sizeof *least), *most = calloc(1, sizeof *most);
    read_absurd(parsed, "-9223372036854775808", "1000", least);
    read_absurd(parsed, "9223372036854775807", "2000", most);
    assert_has(page(&(struct top_view){.now = most, .before = least, .url = "u"}, 160, 40, false), "up 277777 h");
    least->at = 3000;
    assert_has(page(&(struct top_view){.now = least, .before = most, .url = "u"}, 160, 40, false), "up 0.00 s");
    free(least);
    free(most);
    parsed_json_free(parsed);
}

/* It can't be that what is gone goes. */
static void lag_that_is_gone_is_not_said_to_be_gone_in_no_time(void **state)
{
    (void)state;
    struct snapshot *before = look(1000, true), *now = look(2000, true);
    const struct top_view view = {.now = now, .before = before, .url = "u"};
    before->lag = 500;
    now->lag = 100;
    assert_has(page(&view, 160, 40, false), "shrinking by 400/s, gone in 0.25 s");
    now->lag = 0;
    assert_has(page(&view, 160, 40, false), "shrinking by 500/s  in ");
    free(before);
    free(now);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rates_and_latencies_are_of_the_time_between_two_looks),
        TEST(without_an_earlier_look_there_are_no_rates),
        TEST(what_blocks_is_named),
        TEST(the_worst_partitions_come_first_and_idle_ones_are_left_out),
        TEST(problems_and_the_last_errors_are_shown_where_they_may_be),
        TEST(a_service_that_has_gone_is_said_so_beside_what_was_seen_last),
        TEST(it_fits_any_window),
        TEST(what_is_no_status_is_refused),
        TEST(absurd_numbers_are_shown_as_what_can_be_shown),
        TEST(lag_that_is_gone_is_not_said_to_be_gone_in_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
