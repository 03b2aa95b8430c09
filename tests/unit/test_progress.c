#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress_view.h"
#include "processor/clock.h"
#include "processor/metrics.h"

static void gauge(struct metrics *metrics, const char *name, const char *labels, int64_t value)
{
    metric_set(metrics_get(metrics, METRIC_GAUGE, name, "", labels), value);
}

static void counter(struct metrics *metrics, const char *name, const char *labels, int64_t value)
{
    metric_add(metrics_get(metrics, METRIC_COUNTER, name, "", labels), value);
}

static void queue(struct metrics *metrics, const char *name, int64_t records, int64_t bytes)
{
    char labels[64] = "";
    metrics_label(labels, sizeof labels, "queue", name);
    gauge(metrics, "weir_queue_records", labels, records);
    gauge(metrics, "weir_queue_bytes", labels, bytes);
    gauge(metrics, "weir_queue_capacity_records", labels, 1000);
    gauge(metrics, "weir_queue_capacity_bytes", labels, 1000000);
}

/* As the pipeline makes them. */
static struct metrics *some_metrics(void)
{
    struct metrics *metrics = metrics_new();
    queue(metrics, "decode", 480, 10);
    queue(metrics, "enrich", 10, 220000);
    queue(metrics, "sqlite", 970, 10);
    gauge(metrics, "weir_stage_workers", "stage=\"enrich\"", 3);
    counter(metrics, "weir_records_consumed_total", NULL, 4120334);
    counter(metrics, "weir_verdicts_total", "verdict=\"stored\"", 4101223);
    counter(metrics, "weir_verdicts_total", "verdict=\"dead_lettered\"", 4110);
    counter(metrics, "weir_verdicts_total", "verdict=\"dropped\"", 10023);
    gauge(metrics, "weir_records_in_flight", NULL, 4978);
    gauge(metrics, "weir_lag_records", NULL, 1204551);
    gauge(metrics, "weir_budget_used_bytes", NULL, 45 << 20);
    gauge(metrics, "weir_budget_size_bytes", NULL, 192 << 20);
    gauge(metrics, "weir_intake_paused", NULL, 0);
    gauge(metrics, "weir_kafka_partition_paused", "topic=\"orders\",partition=\"0\"", 0);
    gauge(metrics, "weir_kafka_partition_paused", "topic=\"orders\",partition=\"1\"", 0);
    return metrics;
}

static struct view view_of(struct metrics *metrics)
{
    struct view view = {.service = "orders", .elapsed = 75 * CLOCK_SECOND, .rate = 412003};
    view_read(&view, metrics);
    return view;
}

static void the_lines_show_what_the_metrics_say(void **state)
{
    (void)state;
    struct metrics *metrics = some_metrics();
    struct view view = view_of(metrics);
    char lines[VIEW_LINES][VIEW_LINE_MAX];
    assert_int_equal(view_lines(&view, &(struct columns_style){.width = 119}, lines), 4);
    assert_string_equal(lines[0], "orders  01:15  412,003/s  lag 1,204,551  consumed 4,120,334");
    assert_string_equal(lines[1], "  queues    decode ####.... 48 %  enrich ##...... 22 % x3  sqlite ######## 97 %");
    metrics_free(metrics);
}

static void verdicts_and_memory_are_shown(void **state)
{
    (void)state;
    struct metrics *metrics = some_metrics();
    struct view view = view_of(metrics);
    char lines[VIEW_LINES][VIEW_LINE_MAX];
    view_lines(&view, &(struct columns_style){.width = 119}, lines);
    assert_string_equal(lines[2], "  verdicts  stored 4,101,223  dead-lettered 4,110  dropped 10,023  in flight 4,978");
    assert_string_equal(lines[3], "  memory    45.0 MiB of 192 MiB  flowing");
    metrics_free(metrics);
}

static void it_says_whether_the_source_is_held_back_or_paused(void **state)
{
    (void)state;
    struct metrics *metrics = some_metrics();
    char lines[VIEW_LINES][VIEW_LINE_MAX];
    gauge(metrics, "weir_intake_paused", NULL, 1);
    struct view view = view_of(metrics);
    view_lines(&view, &(struct columns_style){.width = 119}, lines);
    assert_string_equal(lines[3], "  memory    45.0 MiB of 192 MiB  held back");
    gauge(metrics, "weir_kafka_partition_paused", "topic=\"orders\",partition=\"1\"", 1);
    view = view_of(metrics);
    view_lines(&view, &(struct columns_style){.width = 119}, lines);
    assert_string_equal(lines[3], "  memory    45.0 MiB of 192 MiB  held back, 1 of 2 partitions paused");
    metrics_free(metrics);
}

static void partitions_that_went_away_are_not_counted(void **state)
{
    (void)state;
    struct metrics *metrics = some_metrics();
    metric_hide(
        metrics_get(metrics, METRIC_GAUGE, "weir_kafka_partition_paused", "", "topic=\"orders\",partition=\"0\""));
    assert_int_equal(view_of(metrics).partitions, 1);
    metric_hide(
        metrics_get(metrics, METRIC_GAUGE, "weir_kafka_partition_paused", "", "topic=\"orders\",partition=\"1\""));
    struct view view = view_of(metrics);
    char lines[VIEW_LINES][VIEW_LINE_MAX];
    view_lines(&view, &(struct columns_style){.width = 119}, lines);
    assert_non_null(strstr(lines[3], "no partitions assigned"));
    metrics_free(metrics);
}

static void a_known_total_shows_percent_and_time_to_go(void **state)
{
    (void)state;
    struct metrics *metrics = some_metrics();
    struct view view = view_of(metrics);
    char lines[VIEW_LINES][VIEW_LINE_MAX];
    view.total = 8240668;
    view_lines(&view, &(struct columns_style){.width = 119}, lines);
    assert_string_equal(lines[0], "orders  01:15  50 %  00:10 to go  412,003/s  lag 1,204,551  consumed 4,120,334");
    metrics_free(metrics);
}

/* The filter lets little through, and gaps are no records: what has been read is what counts. */
static void a_stretch_shows_how_far_it_has_been_read(void **state)
{
    (void)state;
    struct metrics *metrics = some_metrics();
    struct view view = view_of(metrics);
    char lines[VIEW_LINES][VIEW_LINE_MAX], text[VIEW_LINE_MAX];
    view.offsets = 4818204;
    view.offset_rate = 100000;
    view_read(&view, metrics);
    assert_int_equal(view.offsets_done, 4818204 - 1204551);
    assert_int_equal(view_percent(&view), 75);
    assert_int_equal(view_seconds_to_go(&view), 12);
    view_lines(&view, &(struct columns_style){.width = 119}, lines);
    assert_string_equal(lines[0],
                        "orders  01:15  ######.. 75 %  00:12 to go  412,003/s  left 1,204,551  consumed 4,120,334");
    view_json(&view, text, sizeof text);
    assert_string_equal(text, "{\"progress\": {\"seconds\": 75.000, \"percent\": 75, \"eta_seconds\": 12, "
                              "\"records_per_second\": 412003, \"consumed\": 4120334, \"stored\": 4101223, "
                              "\"dead_lettered\": 4110, \"dropped\": 10023, \"in_flight\": 4978, \"left\": 1204551}}");
    view_end(&view);
    assert_int_equal(view_percent(&view), 100);
    view_json(&view, text, sizeof text);
    assert_non_null(strstr(text, "\"percent\": 100, \"eta_seconds\": 0,"));
    assert_non_null(strstr(text, "\"left\": 0}}"));
    metrics_free(metrics);
}

static void a_narrow_terminal_shows_percent_and_time_to_go_and_no_number_is_cut(void **state)
{
    (void)state;
    struct metrics *metrics = some_metrics();
    struct view view = view_of(metrics);
    char lines[VIEW_LINES][VIEW_LINE_MAX];
    view.offsets = 4818204;
    view.offset_rate = 100000;
    view_read(&view, metrics);
    view_lines(&view, &(struct columns_style){.width = 60}, lines);
    assert_string_equal(lines[0], "orders  01:15  ######.. 75 %  00:12 to go  412,003/s");
    view_lines(&view, &(struct columns_style){.width = 45}, lines);
    assert_string_equal(lines[0], "orders  01:15  ######.. 75 %  00:12 to go");
    metrics_free(metrics);
}

/* Whichever end is nearer: of the stretch, or of the records that are wanted. */
static void a_limit_of_records_may_end_it_first(void **state)
{
    (void)state;
    struct view view = {
        .total = 100, .consumed = 90, .rate = 5, .offsets = 1000, .offsets_done = 500, .offset_rate = 10};
    assert_int_equal(view_percent(&view), 90);
    assert_int_equal(view_seconds_to_go(&view), 2);
    view.total = 0;
    assert_int_equal(view_percent(&view), 50);
    assert_int_equal(view_seconds_to_go(&view), 50);
    view.offset_rate = 0;
    assert_int_equal(view_seconds_to_go(&view), -1);
    view.offsets = 0;
    assert_int_equal(view_percent(&view), -1);
}

static void before_the_partitions_are_there_nothing_is_done(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct view view = {.offsets = 1000};
    view_read(&view, metrics);
    assert_int_equal(view_percent(&view), 0);
    /* Lag is told a moment after them. */
    gauge(metrics, "weir_kafka_partition_paused", "topic=\"orders\",partition=\"0\"", 0);
    gauge(metrics, "weir_lag_records", NULL, 0);
    view_read(&view, metrics);
    assert_int_equal(view_percent(&view), 0);
    gauge(metrics, "weir_lag_records", NULL, 400);
    view_read(&view, metrics);
    assert_int_equal(view_percent(&view), 60);
    gauge(metrics, "weir_lag_records", NULL, 0);
    view_read(&view, metrics);
    assert_int_equal(view_percent(&view), 100);
    metrics_free(metrics);
}

/* Columns as a terminal counts them: code points, without colours. */
static unsigned columns_of(const char *text)
{
    unsigned columns = 0;
    for (; *text != '\0'; text++) {
        if (*text == '\033')
            text = strchr(text, 'm');
        else
            columns += (*text & 0xc0) != 0x80;
    }
    return columns;
}

static void no_line_is_wider_than_the_terminal(void **state)
{
    (void)state;
    struct metrics *metrics = some_metrics();
    struct view view = view_of(metrics);
    char lines[VIEW_LINES][VIEW_LINE_MAX];
    for (unsigned width = 1; width < 200; width++) {
        for (unsigned i = 0; i < VIEW_LINES; i++) {
            view_lines(&view, &(struct columns_style){.width = width, .colour = true, .unicode = true}, lines);
            assert_true(columns_of(lines[i]) <= width);
        }
    }
    /* Wide enough, nothing is cut. */
    assert_non_null(strstr(lines[1], "97 %"));
    metrics_free(metrics);
}

static void colours_only_where_they_are_wanted(void **state)
{
    (void)state;
    struct metrics *metrics = some_metrics();
    struct view view = view_of(metrics);
    char lines[VIEW_LINES][VIEW_LINE_MAX];
    view_lines(&view, &(struct columns_style){.width = 119}, lines);
    for (unsigned i = 0; i < VIEW_LINES; i++)
        assert_null(strchr(lines[i], '\033'));
    view_lines(&view, &(struct columns_style){.width = 119, .colour = true}, lines);
    assert_non_null(strchr(lines[0], '\033'));
    metrics_free(metrics);
}

static void the_plain_line_has_it_all(void **state)
{
    (void)state;
    struct metrics *metrics = some_metrics();
    struct view view = view_of(metrics);
    char text[VIEW_LINE_MAX];
    view_plain(&view, text, sizeof text);
    assert_string_equal(text,
                        "orders: 01:15, 412,003/s, consumed 4,120,334, lag 1,204,551, stored 4,101,223, dead-lettered "
                        "4,110, dropped 10,023, memory 45.0 MiB of 192 MiB, flowing, queues decode 48 %, enrich 22 %, "
                        "sqlite 97 %");
    metrics_free(metrics);
}

static void before_anything_is_made_it_shows_zeros(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct view view = view_of(metrics);
    char lines[VIEW_LINES][VIEW_LINE_MAX];
    view_lines(&view, &(struct columns_style){.width = 119}, lines);
    assert_non_null(strstr(lines[0], "lag 0  consumed 0"));
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lines_show_what_the_metrics_say),
        cmocka_unit_test(verdicts_and_memory_are_shown),
        cmocka_unit_test(it_says_whether_the_source_is_held_back_or_paused),
        cmocka_unit_test(partitions_that_went_away_are_not_counted),
        cmocka_unit_test(a_known_total_shows_percent_and_time_to_go),
        cmocka_unit_test(a_stretch_shows_how_far_it_has_been_read),
        cmocka_unit_test(a_narrow_terminal_shows_percent_and_time_to_go_and_no_number_is_cut),
        cmocka_unit_test(a_limit_of_records_may_end_it_first),
        cmocka_unit_test(before_the_partitions_are_there_nothing_is_done),
        cmocka_unit_test(no_line_is_wider_than_the_terminal),
        cmocka_unit_test(colours_only_where_they_are_wanted),
        cmocka_unit_test(the_plain_line_has_it_all),
        cmocka_unit_test(before_anything_is_made_it_shows_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
