#include "cli/lag_view.h"

#include <inttypes.h>
#include <string.h>

#include "cli/text.h"
#include "config/config.h"
#include "processor/clock.h"

/* -- sums -- */

struct totals {
    int64_t lag, age; /* age: the oldest; -1 none is known */
    enum lag_state worst;
};

static struct totals totals_of(const struct lag_view *view)
{
    struct totals totals = {.age = -1};
    char reason[LAG_REASON_MAX];
    for (unsigned i = 0; i < view->report.count; i++) {
        const struct lag_partition *partition = &view->report.partitions[i];
        enum lag_state state = lag_judge(partition, reason);
        int64_t age = lag_age(partition, view->at);
        totals.lag += lag_records(partition);
        totals.age = age > totals.age ? age : totals.age;
        totals.worst = state > totals.worst ? state : totals.worst;
    }
    return totals;
}

enum lag_state lag_view_worst(const struct lag_view *view)
{
    return totals_of(view).worst;
}

/* -- the table -- */

enum { TOPIC, PARTITION, COMMITTED, END, LAG, AGE, STATE, REASON, COLUMNS, CELL_MAX = 256 };

struct row {
    char cells[COLUMNS][CELL_MAX];
    enum lag_state state;
};

static const struct row HEAD = {
    .cells = {"TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "TIME LAG", "STATE", "REASON"}};

static void age_cell(char cell[CELL_MAX], int64_t age)
{
    char text[TEXT_MAX];
    snprintf(cell, CELL_MAX, "%s", age >= 0 ? text_time(text, age * CLOCK_MS) : "-");
}

static void count_cell(char cell[CELL_MAX], int64_t count)
{
    char text[TEXT_MAX];
    snprintf(cell, CELL_MAX, "%s", count >= 0 ? text_count(text, count) : "-");
}

static void fill_row(struct row *row, const struct lag_view *view, const struct lag_partition *partition)
{
    snprintf(row->cells[TOPIC], CELL_MAX, "%s", partition->topic);
    snprintf(row->cells[PARTITION], CELL_MAX, "%d", (int)partition->partition);
    count_cell(row->cells[COMMITTED], partition->latest.committed);
    count_cell(row->cells[END], partition->latest.end);
    count_cell(row->cells[LAG], lag_records(partition));
    age_cell(row->cells[AGE], lag_age(partition, view->at));
    row->state = lag_judge(partition, row->cells[REASON]);
    snprintf(row->cells[STATE], CELL_MAX, "%s", lag_state_name(row->state));
}
_Static_assert((int)CELL_MAX >= (int)LAG_REASON_MAX, "a reason fits");

static void fill_totals(struct row *row, const struct lag_view *view)
{
    struct totals totals = totals_of(view);
    snprintf(row->cells[TOPIC], CELL_MAX, "total");
    snprintf(row->cells[PARTITION], CELL_MAX, "%u", view->report.count);
    count_cell(row->cells[LAG], totals.lag);
    age_cell(row->cells[AGE], totals.age);
    snprintf(row->cells[STATE], CELL_MAX, "%s", lag_state_name(totals.worst));
    row->state = totals.worst;
}

static void widen(int widths[COLUMNS], const struct row *row)
{
    for (int i = 0; i < COLUMNS; i++) {
        int width = (int)strlen(row->cells[i]);
        widths[i] = width > widths[i] ? width : widths[i];
    }
}

static const char *colour_of(enum lag_state state)
{
    return state >= LAG_STALL ? "\033[31m" : state == LAG_WARN ? "\033[33m" : state == LAG_OK ? "\033[32m" : "";
}

static void write_row(const struct row *row, const int widths[COLUMNS], bool colour, FILE *out)
{
    const char *begin = colour ? colour_of(row->state) : "", *end = begin[0] != '\0' ? "\033[0m" : "";
    fprintf(out, "%-*s", widths[TOPIC], row->cells[TOPIC]);
    for (int i = PARTITION; i <= AGE; i++)
        fprintf(out, "  %*s", widths[i], row->cells[i]);
    /* No blanks at the end of a line. */
    if (row->cells[REASON][0] != '\0')
        fprintf(out, "  %s%-*s%s  %s\n", begin, widths[STATE], row->cells[STATE], end, row->cells[REASON]);
    else
        fprintf(out, "  %s%s%s\n", begin, row->cells[STATE], end);
}

static void write_rows(const struct lag_view *view, bool colour, FILE *out)
{
    int widths[COLUMNS] = {0};
    struct row row, sum = {0};
    fill_totals(&sum, view);
    widen(widths, &HEAD);
    widen(widths, &sum);
    for (unsigned i = 0; i < view->report.count; i++) {
        fill_row(&row, view, &view->report.partitions[i]);
        widen(widths, &row);
    }
    write_row(&HEAD, widths, false, out);
    for (unsigned i = 0; i < view->report.count; i++) {
        fill_row(&row, view, &view->report.partitions[i]);
        write_row(&row, widths, colour, out);
    }
    write_row(&sum, widths, colour, out);
}

static const char IN_STORE[] = "delivery is exactly_once: the store keeps the offsets that count, and what the group "
                               "has committed only follows them";

void lag_view_table(const struct lag_view *view, bool colour, FILE *out)
{
    char text[TEXT_MAX];
    fprintf(out, "%s: %u look%s", view->config->service, view->looks, view->looks == 1 ? "" : "s");
    if (view->looks > 1)
        fprintf(out, " within %s", text_time(text, view->window));
    fputs(view->in_store ? "; " : "\n", out);
    if (view->in_store)
        fprintf(out, "%s\n", IN_STORE);
    if (view->report.count > 0)
        write_rows(view, colour, out);
    for (unsigned i = 0; i < view->report.problem_count; i++) {
        const struct lag_problem *problem = &view->report.problems[i];
        fprintf(out, "%s%s%s\n", problem->topic != NULL ? problem->topic : "", problem->topic != NULL ? ": " : "",
                problem->text);
    }
}

/* -- JSON -- */

static void write_seconds(int64_t ms, FILE *out)
{
    if (ms < 0)
        fputs("null", out);
    else
        fprintf(out, "%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
}

static void write_partition(const struct lag_view *view, const struct lag_partition *partition, FILE *out)
{
    static const char *const MEMBER[] = {"null", "false", "true", "true"};
    char reason[LAG_REASON_MAX];
    const struct lag_sample *latest = &partition->latest;
    enum lag_state state = lag_judge(partition, reason);
    fputs("{\"topic\": ", out);
    text_json(out, partition->topic);
    fprintf(out, ", \"partition\": %d, \"committed\": ", (int)partition->partition);
    if (latest->committed >= 0)
        fprintf(out, "%" PRId64, latest->committed);
    else
        fputs("null", out);
    fprintf(out, ", \"start\": %" PRId64 ", \"end\": %" PRId64 ", \"lag\": %" PRId64 ", \"lag_seconds\": ", latest->low,
            latest->end, lag_records(partition));
    write_seconds(lag_age(partition, view->at), out);
    fprintf(out, ", \"member\": %s, \"looks\": %u, \"state\": \"%s\", \"reason\": ", MEMBER[latest->owner],
            partition->samples, lag_state_name(state));
    text_json(out, reason);
    putc('}', out);
}

static void write_problem(const struct lag_problem *problem, FILE *out)
{
    fputs("{\"topic\": ", out);
    if (problem->topic != NULL)
        text_json(out, problem->topic);
    else
        fputs("null", out);
    fputs(", \"problem\": ", out);
    text_json(out, problem->text);
    putc('}', out);
}

void lag_view_json(const struct lag_view *view, FILE *out)
{
    struct totals totals = totals_of(view);
    fputs("{\"service\": ", out);
    text_json(out, view->config->service);
    fprintf(out, ", \"at_ms\": %" PRId64 ", \"looks\": %u, \"window_seconds\": ", view->at, view->looks);
    write_seconds(view->window / CLOCK_MS, out);
    fprintf(out, ", \"offsets_kept_by\": \"%s\", \"state\": \"%s\", \"lag\": %" PRId64 ", \"lag_seconds\": ",
            view->in_store ? "store" : "group", lag_state_name(totals.worst), totals.lag);
    write_seconds(totals.age, out);
    fputs(", \"partitions\": [", out);
    for (unsigned i = 0; i < view->report.count; i++) {
        fputs(i > 0 ? ", " : "", out);
        write_partition(view, &view->report.partitions[i], out);
    }
    fputs("], \"problems\": [", out);
    for (unsigned i = 0; i < view->report.problem_count; i++) {
        fputs(i > 0 ? ", " : "", out);
        write_problem(&view->report.problems[i], out);
    }
    fputs("]}\n", out);
}
