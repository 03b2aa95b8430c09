#include "cli/progress_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/text.h"
#include "processor/clock.h"
#include "processor/metrics.h"

/* -- out of the metrics -- */

/* Queues come in the order in which they were made: from front to back, and all of them before the pools of workers behind them. */
static struct view_queue *queue_of(struct view *view, const struct metric *metric, const char *label, bool make)
{
    char name[sizeof view->queues[0].name];
    if (!metric_label(metric, label, name, sizeof name))
        return NULL;
    for (unsigned i = 0; i < view->queue_count; i++) {
        if (strcmp(view->queues[i].name, name) == 0)
            return &view->queues[i];
    }
    if (!make || view->queue_count == VIEW_QUEUES)
        return NULL;
    struct view_queue *queue = &view->queues[view->queue_count++];
    *queue = (struct view_queue){0};
    memcpy(queue->name, name, sizeof queue->name);
    return queue;
}

static bool read_queue(struct view *view, const struct metric *metric)
{
    static const struct {
        const char *name, *label;
        size_t offset;
    } FIELDS[] = {
        {"weir_queue_records", "queue", offsetof(struct view_queue, records)},
        {"weir_queue_bytes", "queue", offsetof(struct view_queue, bytes)},
        {"weir_queue_capacity_records", "queue", offsetof(struct view_queue, record_capacity)},
        {"weir_queue_capacity_bytes", "queue", offsetof(struct view_queue, byte_capacity)},
        {"weir_stage_workers", "stage", offsetof(struct view_queue, workers)},
    };
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
        if (strcmp(metric->name, FIELDS[i].name) != 0)
            continue;
        struct view_queue *queue = queue_of(view, metric, FIELDS[i].label, strcmp(FIELDS[i].label, "queue") == 0);
        if (queue != NULL)
            *(int64_t *)((char *)queue + FIELDS[i].offset) = metric_get(metric);
        return true;
    }
    return false;
}

static void read_verdict(struct view *view, const struct metric *metric)
{
    char verdict[32];
    if (!metric_label(metric, "verdict", verdict, sizeof verdict))
        return;
    if (strcmp(verdict, "stored") == 0)
        view->stored = metric_get(metric);
    else if (strcmp(verdict, "dropped") == 0)
        view->dropped = metric_get(metric);
    else if (strcmp(verdict, "dead_lettered") == 0)
        view->dead_lettered = metric_get(metric);
}

static void read_metric(const struct metric *metric, void *arg)
{
    static const struct {
        const char *name;
        size_t offset;
    } FIELDS[] = {
        {"weir_records_consumed_total", offsetof(struct view, consumed)},
        {"weir_records_in_flight", offsetof(struct view, in_flight)},
        {"weir_lag_records", offsetof(struct view, lag)},
        {"weir_budget_used_bytes", offsetof(struct view, budget_used)},
        {"weir_budget_size_bytes", offsetof(struct view, budget_size)},
    };
    struct view *view = arg;
    if (atomic_load_explicit(&metric->hidden, memory_order_relaxed) || read_queue(view, metric))
        return;
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
        if (strcmp(metric->name, FIELDS[i].name) == 0)
            *(int64_t *)((char *)view + FIELDS[i].offset) = metric_get(metric);
    }
    if (strcmp(metric->name, "weir_verdicts_total") == 0) {
        read_verdict(view, metric);
    } else if (strcmp(metric->name, "weir_intake_paused") == 0) {
        view->held_back = metric_get(metric) != 0;
    } else if (strcmp(metric->name, "weir_kafka_partition_paused") == 0) {
        view->partitions++;
        view->paused += metric_get(metric);
    }
}

void view_read(struct view *view, struct metrics *metrics)
{
    *view = (struct view){.service = view->service,
                          .elapsed = view->elapsed,
                          .total = view->total,
                          .offsets = view->offsets,
                          .offsets_done = view->offsets_done,
                          .lagged = view->lagged,
                          .rate = view->rate,
                          .offset_rate = view->offset_rate};
    metrics_each(metrics, read_metric, view);
    /* Nor is there lag without partitions: before they are there, and when they are left. */
    view->lagged = view->lagged || view->lag > 0;
    if (view->lagged && view->partitions > 0)
        view->offsets_done = view->offsets > view->lag ? view->offsets - view->lag : 0;
}

void view_end(struct view *view)
{
    view->ended = true;
    if (view->total == 0 || view->consumed < view->total)
        view->offsets_done = view->offsets;
}

/* -- how it looks -- */

/* A queue is as full as the fuller of its two capacities. */
static int queue_percent(const struct view_queue *queue)
{
    int records = columns_percent(queue->records, queue->record_capacity),
        bytes = columns_percent(queue->bytes, queue->byte_capacity);
    return records > bytes ? records : bytes;
}

int view_percent(const struct view *view)
{
    if (view->ended)
        return 100;
    int percent = view->total > 0 ? columns_percent(view->consumed, view->total) : -1;
    /* What has been read of a stretch counts: the filter may let little of it through, and gaps are no records. */
    int offsets = view->offsets > 0 ? columns_percent(view->offsets_done, view->offsets) : -1;
    percent = offsets > percent ? offsets : percent;
    return percent > 100 ? 100 : percent;
}

/* Of a stretch offsets, else records. */
static int64_t left(const struct view *view)
{
    return view->offsets > 0 ? view->offsets - view->offsets_done : view->lag;
}

/* -1: not known. */
static int64_t seconds_left(int64_t done, int64_t all, int64_t rate)
{
    if (all <= 0)
        return -1;
    return done >= all ? 0 : rate > 0 ? (all - done) / rate : -1;
}

int64_t view_seconds_to_go(const struct view *view)
{
    if (view->ended)
        return 0;
    int64_t records = seconds_left(view->consumed, view->total, view->rate);
    int64_t offsets = seconds_left(view->offsets_done, view->offsets, view->offset_rate);
    if (records < 0 || offsets < 0)
        return records > offsets ? records : offsets;
    return records < offsets ? records : offsets;
}

static const char *clock_text(char text[TEXT_MAX], int64_t ns)
{
    int64_t seconds = ns / CLOCK_SECOND;
    if (seconds < 3600)
        snprintf(text, TEXT_MAX, "%02d:%02d", (int)(seconds / 60), (int)(seconds % 60));
    else
        snprintf(text, TEXT_MAX, "%" PRId64 ":%02d:%02d", seconds / 3600, (int)(seconds / 60 % 60),
                 (int)(seconds % 60));
    return text;
}

/* What is wanted most comes first: a narrow terminal cuts the rest off. */
static void add_head(struct columns *line, const struct view *view)
{
    char time[TEXT_MAX], rate[TEXT_MAX], consumed[TEXT_MAX], lag[TEXT_MAX];
    columns_add(line, COLUMNS_BOLD, "%s", view->service);
    int percent = view_percent(view);
    int64_t seconds = view_seconds_to_go(view);
    columns_add_whole(line, "  %s", clock_text(time, view->elapsed));
    if (view->offsets > 0) {
        columns_add(line, COLUMNS_PLAIN, "  ");
        columns_bar(line, percent, false);
    }
    if (percent >= 0)
        columns_add_whole(line, "%s%d %%", view->offsets > 0 ? " " : "  ", percent);
    if (seconds > 0)
        columns_add_whole(line, "  %s to go", clock_text(time, seconds * CLOCK_SECOND));
    columns_add_whole(line, "  %s/s", text_count(rate, view->rate));
    columns_add_whole(line, "  %s %s", view->offsets > 0 ? "left" : "lag", text_count(lag, left(view)));
    columns_add_whole(line, "  consumed %s", text_count(consumed, view->consumed));
}

static void add_queues(struct columns *line, const struct view *view)
{
    columns_add(line, COLUMNS_DIM, "  queues    ");
    for (unsigned i = 0; i < view->queue_count; i++) {
        const struct view_queue *queue = &view->queues[i];
        columns_add(line, COLUMNS_PLAIN, "%s%s ", i > 0 ? "  " : "", queue->name);
        columns_bar(line, queue_percent(queue), true);
        columns_add(line, COLUMNS_PLAIN, " %d %%", queue_percent(queue));
        if (queue->workers > 1)
            columns_add(line, COLUMNS_DIM, " x%" PRId64, queue->workers);
    }
}

static void add_verdicts(struct columns *line, const struct view *view)
{
    char stored[TEXT_MAX], dead[TEXT_MAX], dropped[TEXT_MAX], flying[TEXT_MAX];
    columns_add(line, COLUMNS_DIM, "  verdicts  ");
    columns_add(line, COLUMNS_PLAIN, "stored %s  ", text_count(stored, view->stored));
    columns_add(line, view->dead_lettered > 0 ? COLUMNS_YELLOW : COLUMNS_PLAIN, "dead-lettered %s",
                text_count(dead, view->dead_lettered));
    columns_add(line, COLUMNS_PLAIN, "  dropped %s  in flight %s", text_count(dropped, view->dropped),
                text_count(flying, view->in_flight));
}

static const char *flow_text(const struct view *view, char *text, size_t size)
{
    if (view->paused > 0)
        snprintf(text, size, "held back, %" PRId64 " of %" PRId64 " partitions paused", view->paused, view->partitions);
    else if (view->partitions == 0)
        snprintf(text, size, "no partitions assigned");
    else
        snprintf(text, size, "%s", view->held_back ? "held back" : "flowing");
    return text;
}

static void add_memory(struct columns *line, const struct view *view)
{
    char used[TEXT_MAX], size[TEXT_MAX], flow[80];
    columns_add(line, COLUMNS_DIM, "  memory    ");
    columns_add(line, COLUMNS_PLAIN, "%s of %s  ", text_bytes(used, view->budget_used),
                text_bytes(size, view->budget_size));
    columns_add(line, view->held_back || view->paused > 0 || view->partitions == 0 ? COLUMNS_YELLOW : COLUMNS_PLAIN,
                "%s", flow_text(view, flow, sizeof flow));
}

unsigned view_lines(const struct view *view, const struct columns_style *style, char lines[VIEW_LINES][VIEW_LINE_MAX])
{
    static void (*const PARTS[VIEW_LINES])(struct columns * line, const struct view *view) = {add_head, add_queues,
                                                                                              add_verdicts, add_memory};
    for (unsigned i = 0; i < VIEW_LINES; i++) {
        struct columns line;
        columns_init(&line, lines[i], style);
        PARTS[i](&line, view);
    }
    return VIEW_LINES;
}

void view_plain(const struct view *view, char *text, size_t size)
{
    char t[8][TEXT_MAX], flow[80];
    int used = snprintf(
        text, size, "%s: %s, %s/s, consumed %s, %s %s, stored %s, dead-lettered %s, dropped %s, memory %s of %s, %s",
        view->service, clock_text(t[0], view->elapsed), text_count(t[1], view->rate), text_count(t[2], view->consumed),
        view->offsets > 0 ? "left" : "lag", text_count(t[3], left(view)), text_count(t[4], view->stored),
        text_count(t[5], view->dead_lettered), text_count(t[6], view->dropped), text_bytes(t[7], view->budget_used),
        text_bytes((char[TEXT_MAX]){0}, view->budget_size), flow_text(view, flow, sizeof flow));
    if (view_percent(view) >= 0 && used >= 0 && (size_t)used < size)
        used += snprintf(text + used, size - (size_t)used, ", %d %% done", view_percent(view));
    for (unsigned i = 0; i < view->queue_count && used >= 0 && (size_t)used < size; i++)
        used += snprintf(text + used, size - (size_t)used, "%s%s %d %%", i == 0 ? ", queues " : ", ",
                         view->queues[i].name, queue_percent(&view->queues[i]));
}

void view_json(const struct view *view, char *text, size_t size)
{
    int percent = view_percent(view);
    int64_t seconds = view_seconds_to_go(view);
    char known[2][24] = {"null", "null"};
    if (percent >= 0)
        snprintf(known[0], sizeof known[0], "%d", percent);
    if (seconds >= 0)
        snprintf(known[1], sizeof known[1], "%" PRId64, seconds);
    snprintf(text, size,
             "{\"progress\": {\"seconds\": %.3f, \"percent\": %s, \"eta_seconds\": %s, \"records_per_second\": %" PRId64
             ", \"consumed\": %" PRId64 ", \"stored\": %" PRId64 ", \"dead_lettered\": %" PRId64
             ", \"dropped\": %" PRId64 ", \"in_flight\": %" PRId64 ", \"left\": %" PRId64 "}}",
             (double)view->elapsed / (double)CLOCK_SECOND, known[0], known[1], view->rate, view->consumed, view->stored,
             view->dead_lettered, view->dropped, view->in_flight, left(view));
}
