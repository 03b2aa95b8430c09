#include "cli/top_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/text.h"
#include "processor/clock.h"
#include "processor/pipeline.h"

/* Lines that are being filled; those past the height go nowhere. */
struct page {
    const struct top_view *view;
    const struct columns_style *style;
    unsigned height, count;
    char (*lines)[COLUMNS_LINE_MAX];
    char nowhere[COLUMNS_LINE_MAX];
};

static struct columns begin_line(struct page *page)
{
    struct columns line;
    bool fits = page->count < page->height;
    columns_init(&line, fits ? page->lines[page->count] : page->nowhere, page->style);
    page->count += fits;
    return line;
}

static void add_label(struct columns *line, const char *label)
{
    columns_add(line, COLUMNS_DIM, "  %-11s", label);
}

/* -- numbers -- */

/* Between the two moments, a second; 0 when there is only one, or it went back. */
static int64_t rate(const struct top_view *view, int64_t now, int64_t before)
{
    int64_t ms = view->before != NULL ? view->now->at - view->before->at : 0;
    if (ms <= 0 || now <= before)
        return 0;
    return (int64_t)((double)(now - before) * 1000 / (double)ms + 0.5);
}

static const char *rate_text(char text[TEXT_MAX], const struct top_view *view, int64_t now, int64_t before)
{
    if (view->before == NULL)
        snprintf(text, TEXT_MAX, "-");
    else
        text_count(text, rate(view, now, before));
    return text;
}

static const struct snapshot_stage *stage_before(const struct top_view *view, const struct snapshot_stage *stage)
{
    static const struct snapshot_stage NONE = {0};
    for (unsigned i = 0; view->before != NULL && i < view->before->stage_count; i++) {
        if (strcmp(view->before->stages[i].name, stage->name) == 0)
            return &view->before->stages[i];
    }
    return &NONE;
}

static const char *short_time(char text[TEXT_MAX], int64_t ns)
{
    double us = (double)ns / 1e3;
    if (us < 999.5)
        snprintf(text, TEXT_MAX, "%.0f us", us);
    else if (us < 99950)
        snprintf(text, TEXT_MAX, "%.1f ms", us / 1e3);
    else if (us < 999500)
        snprintf(text, TEXT_MAX, "%.0f ms", us / 1e3);
    else
        snprintf(text, TEXT_MAX, "%.1f s", us / 1e6);
    return text;
}

/* Of what was observed between the two moments; "-" when nothing was. */
static const char *quantile_text(char text[TEXT_MAX], const struct snapshot_times *now,
                                 const struct snapshot_times *before, double quantile)
{
    uint64_t counts[METRIC_BUCKETS], total = 0;
    for (unsigned i = 0; i < METRIC_BUCKETS; i++) {
        counts[i] = now->buckets[i] > before->buckets[i] ? now->buckets[i] - before->buckets[i] : 0;
        total += counts[i];
    }
    if (total > 0)
        return short_time(text, metric_quantile_of(counts, quantile));
    snprintf(text, TEXT_MAX, "-");
    return text;
}

static const char *seconds_text(char text[TEXT_MAX], double seconds)
{
    static const double MOST = 1e9; /* some 30 years */
    return text_time(text, (int64_t)((seconds < 0 ? 0 : seconds < MOST ? seconds : MOST) * (double)CLOCK_SECOND));
}

/* -- the head -- */

static void add_title(struct page *page)
{
    char time[TEXT_MAX];
    const struct snapshot *now = page->view->now;
    struct columns line = begin_line(page);
    columns_add(&line, COLUMNS_BOLD, "%s", now->service);
    columns_add(&line, COLUMNS_PLAIN, "  ");
    if (page->view->trouble != NULL)
        columns_add(&line, COLUMNS_RED, "NO ANSWER");
    else
        columns_add(&line, now->ready ? COLUMNS_GREEN : COLUMNS_RED, "%s", now->ready ? "ready" : "NOT READY");
    columns_add(&line, COLUMNS_PLAIN, "  up %s", seconds_text(time, (double)now->uptime));
    if (now->restarts > 0)
        columns_add(&line, COLUMNS_YELLOW, "  rebuilt %" PRId64 " times", now->restarts);
    columns_add(&line, COLUMNS_DIM, "  weir %s  %s", now->version, page->view->url);
}

static void add_trouble(struct page *page)
{
    char time[TEXT_MAX];
    const struct top_view *view = page->view;
    if (view->trouble == NULL)
        return;
    struct columns line = begin_line(page);
    if (view->now == NULL)
        columns_add(&line, COLUMNS_RED, "no answer: %s", view->trouble);
    else
        columns_add(&line, COLUMNS_RED, "no answer for %s: %s; this is the last that was seen",
                    text_time(time, view->silence), view->trouble);
}

static void add_problems(struct page *page)
{
    enum { PROBLEMS = 4 };
    const struct snapshot *now = page->view->now;
    size_t at = 0;
    for (unsigned i = 0; i < PROBLEMS && now->problems[at] != '\0'; i++) {
        struct columns line = begin_line(page);
        size_t size = strcspn(now->problems + at, "\n");
        columns_add(&line, COLUMNS_YELLOW, "  %.*s", (int)size, now->problems + at);
        at += size + (now->problems[at + size] == '\n');
    }
}

static void add_flow(struct page *page)
{
    char a[TEXT_MAX], b[TEXT_MAX], c[TEXT_MAX];
    const struct top_view *view = page->view;
    const struct snapshot *now = view->now, *before = view->before != NULL ? view->before : now;
    struct columns line = begin_line(page);
    add_label(&line, "in");
    columns_add(&line, COLUMNS_BOLD, "%s/s", rate_text(a, view, now->consumed, before->consumed));
    columns_add(&line, COLUMNS_PLAIN, "  %s/s  consumed %s  in flight %s",
                text_bytes(a, rate(view, now->bytes, before->bytes)), text_count(b, now->consumed),
                text_count(c, now->in_flight));
    line = begin_line(page);
    add_label(&line, "out");
    columns_add(&line, COLUMNS_BOLD, "%s/s", rate_text(a, view, now->stored, before->stored));
    columns_add(&line, COLUMNS_PLAIN, "  stored %s  dropped %s  ", text_count(a, now->stored),
                text_count(b, now->dropped));
    columns_add(&line, now->dead_lettered > before->dead_lettered ? COLUMNS_YELLOW : COLUMNS_PLAIN, "dead-lettered %s",
                text_count(a, now->dead_lettered));
    if (now->abandoned > 0)
        columns_add(&line, COLUMNS_PLAIN, "  abandoned %s", text_count(a, now->abandoned));
}

static void add_lag(struct page *page)
{
    char lag[TEXT_MAX], change[TEXT_MAX], time[TEXT_MAX];
    const struct top_view *view = page->view;
    const struct snapshot *now = view->now, *before = view->before != NULL ? view->before : now;
    int64_t grows = rate(view, now->lag, before->lag), shrinks = rate(view, before->lag, now->lag);
    struct columns line = begin_line(page);
    add_label(&line, "lag");
    columns_add(&line, COLUMNS_PLAIN, "%s", text_count(lag, now->lag));
    if (grows > 0)
        columns_add(&line, COLUMNS_YELLOW, ", growing by %s/s", text_count(change, grows));
    if (shrinks > 0)
        columns_add(&line, COLUMNS_PLAIN, ", shrinking by %s/s", text_count(change, shrinks));
    if (shrinks > 0 && now->lag > 0)
        columns_add(&line, COLUMNS_PLAIN, ", gone in %s", seconds_text(time, (double)now->lag / (double)shrinks));
    columns_add(&line, COLUMNS_PLAIN, "  in %" PRId64 " partition%s", now->partitions, now->partitions == 1 ? "" : "s");
    if (now->paused > 0)
        columns_add(&line, COLUMNS_YELLOW, ", %" PRId64 " paused", now->paused);
    if (now->stalled > 0)
        columns_add(&line, COLUMNS_RED, ", %" PRId64 " stalled", now->stalled);
}

static void add_memory(struct page *page)
{
    char used[TEXT_MAX], size[TEXT_MAX], resident[TEXT_MAX];
    const struct snapshot *now = page->view->now;
    struct columns line = begin_line(page);
    add_label(&line, "memory");
    columns_bar(&line, columns_percent(now->budget_used, now->budget_size), true);
    columns_add(&line, COLUMNS_PLAIN, " %s of %s  process %s, %" PRId64 " threads", text_bytes(used, now->budget_used),
                text_bytes(size, now->budget_size), text_bytes(resident, now->resident), now->threads);
}

const struct snapshot_stage *top_view_blocking(const struct snapshot *snapshot)
{
    for (unsigned i = 0; i < snapshot->stage_count; i++) {
        if (snapshot->stages[i].blocking)
            return &snapshot->stages[i];
    }
    return NULL;
}

static bool is_over_half(const struct snapshot_stage *stage)
{
    return stage->records > stage->record_capacity / 2 || stage->bytes > stage->byte_capacity / 2;
}

static void add_reason(struct columns *line, const struct snapshot_stage *stage)
{
    if (stage->stuck >= PIPELINE_STUCK / CLOCK_SECOND)
        columns_add(line, COLUMNS_PLAIN, ": nothing has come back of it for %" PRId64 " s", stage->stuck);
    else if (is_over_half(stage))
        columns_add(line, COLUMNS_PLAIN, ": its queue is the last that is over half full");
    else
        columns_add(line, COLUMNS_PLAIN, ": it fails, and is tried again");
}

static void add_blocking(struct page *page)
{
    const struct snapshot *now = page->view->now;
    const struct snapshot_stage *stage = top_view_blocking(now);
    struct columns line = begin_line(page);
    add_label(&line, "blocking");
    if (stage != NULL) {
        columns_add(&line, COLUMNS_RED, "%s", stage->name);
        add_reason(&line, stage);
    } else {
        columns_add(&line, COLUMNS_PLAIN, "nothing: no queue is over half full, and no store fails");
    }
    if (now->held_back)
        columns_add(&line, COLUMNS_YELLOW, "; nothing is taken in: %s",
                    columns_percent(now->budget_used, now->budget_size) >= 50 ? "the memory is in use"
                                                                              : "the first queue is full");
}

/* -- stages -- */

enum { NAME = 0, NAME_WIDTH = 14, QUEUE = 16, CELL = 10 };

static void add_cell(struct columns *line, unsigned end, enum columns_colour colour, const char *text)
{
    unsigned size = (unsigned)strlen(text);
    columns_to(line, end > size ? end - size : 0);
    columns_add(line, colour, "%s", text);
}

static void add_stage_head(struct page *page)
{
    static const char *const CELLS[] = {"WORKERS", "IN/S", "OUT/S", "P50", "P95", "P99"};
    struct columns line = begin_line(page);
    columns_add(&line, COLUMNS_DIM, "STAGE");
    columns_to(&line, QUEUE);
    columns_add(&line, COLUMNS_DIM, "QUEUE");
    for (unsigned i = 0; i < sizeof CELLS / sizeof CELLS[0]; i++)
        add_cell(&line, QUEUE + 14 + 9 + i * CELL - (i > 2 ? (i - 2) : 0), COLUMNS_DIM, CELLS[i]);
}

static void add_quantiles(struct columns *line, const char *name, const struct snapshot_times *now,
                          const struct snapshot_times *before)
{
    char p50[TEXT_MAX], p95[TEXT_MAX], p99[TEXT_MAX];
    columns_add(line, COLUMNS_DIM, "%s", name);
    columns_add(line, COLUMNS_PLAIN, " %s / %s / %s", quantile_text(p50, now, before, 0.5),
                quantile_text(p95, now, before, 0.95), quantile_text(p99, now, before, 0.99));
}

static void add_rests(struct columns *line, const struct top_view *view, const struct snapshot_stage *now,
                      const struct snapshot_stage *before)
{
    const struct {
        const char *name;
        int64_t now, before;
    } RESTS[] = {{"dropped", now->dropped, before->dropped},
                 {"rejected", now->rejected, before->rejected},
                 {"tried again", now->retries, before->retries}};
    char text[TEXT_MAX];
    for (unsigned i = 0; i < sizeof RESTS / sizeof RESTS[0]; i++) {
        if (view->before != NULL && RESTS[i].now > RESTS[i].before)
            columns_add(line, i == 0 ? COLUMNS_PLAIN : COLUMNS_YELLOW, "  %s %s/s", RESTS[i].name,
                        text_count(text, rate(view, RESTS[i].now, RESTS[i].before)));
    }
}

static void add_stage(struct page *page, const struct snapshot_stage *stage)
{
    char percent[16], cells[6][TEXT_MAX];
    const struct top_view *view = page->view;
    const struct snapshot_stage *before = stage_before(view, stage);
    int records = columns_percent(stage->records, stage->record_capacity),
        bytes = columns_percent(stage->bytes, stage->byte_capacity);
    struct columns line = begin_line(page);
    columns_add(&line, stage->blocking ? COLUMNS_RED : COLUMNS_BOLD, "%.*s", NAME_WIDTH, stage->name);
    columns_to(&line, QUEUE);
    columns_bar(&line, records > bytes ? records : bytes, true);
    snprintf(percent, sizeof percent, "%d %%", records > bytes ? records : bytes);
    add_cell(&line, QUEUE + 14, COLUMNS_PLAIN, percent);
    snprintf(cells[0], TEXT_MAX, "%" PRId64, stage->workers);
    rate_text(cells[1], view, stage->in, before->in);
    rate_text(cells[2], view, stage->out, before->out);
    quantile_text(cells[3], &stage->batch, &before->batch, 0.5);
    quantile_text(cells[4], &stage->batch, &before->batch, 0.95);
    quantile_text(cells[5], &stage->batch, &before->batch, 0.99);
    for (unsigned i = 0; i < 6; i++)
        add_cell(&line, QUEUE + 14 + 9 + i * CELL - (i > 2 ? (i - 2) : 0), COLUMNS_PLAIN, cells[i]);
    add_rests(&line, view, stage, before);
    if (!stage->store)
        return;
    line = begin_line(page);
    columns_to(&line, QUEUE);
    add_quantiles(&line, "flush", &stage->flush, &before->flush);
    add_quantiles(&line, "  end to end", &stage->end_to_end, &before->end_to_end);
}

/* -- partitions and errors -- */

static bool is_worth_a_line(const struct snapshot_partition *partition)
{
    return partition->lag > 0 || partition->paused || partition->stalled;
}

static unsigned count_partitions(const struct snapshot *now)
{
    unsigned count = 0;
    for (unsigned i = 0; i < now->shown; i++)
        count += is_worth_a_line(&now->worst[i]);
    return count;
}

static void add_partition(struct page *page, const struct snapshot_partition *partition)
{
    char lag[TEXT_MAX], position[TEXT_MAX], committed[TEXT_MAX];
    struct columns line = begin_line(page);
    columns_add(&line, COLUMNS_PLAIN, "%s/%" PRId64, partition->topic, partition->partition);
    unsigned from = line.columns > 24 ? line.columns : 24;
    add_cell(&line, from + 14, COLUMNS_PLAIN, text_count(lag, partition->lag));
    add_cell(&line, from + 30, COLUMNS_PLAIN, text_count(position, partition->position));
    add_cell(&line, from + 46, COLUMNS_PLAIN,
             partition->committed >= 0 ? text_count(committed, partition->committed) : "-");
    if (partition->stalled)
        columns_add(&line, COLUMNS_RED, "  stalled");
    if (partition->paused)
        columns_add(&line, COLUMNS_YELLOW, "  paused");
}

/* most: lines, with the head and the empty one before it. */
static void add_partitions(struct page *page, unsigned most)
{
    const struct snapshot *now = page->view->now;
    unsigned wanted = count_partitions(now);
    if (wanted == 0 || most < 3)
        return;
    (void)begin_line(page);
    struct columns line = begin_line(page);
    columns_add(&line, COLUMNS_DIM, "PARTITION");
    add_cell(&line, 24 + 14, COLUMNS_DIM, "LAG");
    add_cell(&line, 24 + 30, COLUMNS_DIM, "POSITION");
    add_cell(&line, 24 + 46, COLUMNS_DIM, "COMMITTED");
    for (unsigned i = 0, left = most - 2; i < now->shown && left > 0; i++) {
        if (!is_worth_a_line(&now->worst[i]))
            continue;
        add_partition(page, &now->worst[i]);
        left--;
    }
}

static void add_error(struct page *page, const struct log_entry *entry)
{
    char time[16];
    struct tm tm;
    time_t seconds = (time_t)(entry->wall_ms / 1000);
    if (gmtime_r(&seconds, &tm) == NULL || strftime(time, sizeof time, "%H:%M:%SZ", &tm) == 0)
        time[0] = '\0';
    struct columns line = begin_line(page);
    columns_add(&line, COLUMNS_PLAIN, "%s  ", time);
    columns_add(&line, entry->level == LOG_ERROR ? COLUMNS_RED : COLUMNS_YELLOW, "%s", entry->part);
    if (entry->count > 1)
        columns_add(&line, COLUMNS_DIM, " x%u", entry->count);
    columns_add(&line, COLUMNS_PLAIN, "  %s", entry->text);
}

static void add_errors(struct page *page)
{
    const struct snapshot *now = page->view->now;
    if (now->error_count == 0 && !now->errors_hidden)
        return;
    (void)begin_line(page);
    struct columns line = begin_line(page);
    columns_add(&line, COLUMNS_DIM, "LAST ERRORS%s",
                now->errors_hidden
                    ? " are not shown, as they may have parts of records in them: see `admin: {tap: always}`"
                    : "");
    for (unsigned i = 0; i < now->error_count; i++)
        add_error(page, &now->errors[i]);
}

/* -- all of it -- */

static void add_all(struct page *page)
{
    const struct snapshot *now = page->view->now;
    add_title(page);
    add_trouble(page);
    add_problems(page);
    add_flow(page);
    add_lag(page);
    add_memory(page);
    add_blocking(page);
    (void)begin_line(page);
    add_stage_head(page);
    for (unsigned i = 0; i < now->stage_count; i++)
        add_stage(page, &now->stages[i]);
    /* Errors have half of what is left, and what the partitions do not need. */
    unsigned left = page->height - page->count, errors = now->error_count > 0 ? now->error_count + 2 : 0;
    unsigned half = errors < left / 2 ? errors : left / 2;
    add_partitions(page, left - half);
    add_errors(page);
}

unsigned top_view_lines(const struct top_view *view, const struct columns_style *style, unsigned height,
                        char lines[TOP_LINES][COLUMNS_LINE_MAX])
{
    struct page page = {
        .view = view, .style = style, .height = height < TOP_LINES ? height : TOP_LINES, .lines = lines};
    if (view->now != NULL) {
        add_all(&page);
    } else {
        struct columns line = begin_line(&page);
        columns_add(&line, COLUMNS_BOLD, "weir top");
        columns_add(&line, COLUMNS_DIM, "  %s", view->url);
        add_trouble(&page);
    }
    return page.count;
}
