#include "cli/stretch_view.h"

#include <inttypes.h>
#include <string.h>

#include "cli/text.h"
#include "processor/clock.h"
#include "processor/timestamp.h"

/* -- sums -- */

struct totals {
    int64_t records, left, bytes;  /* bytes -1: not known of every part */
    int64_t first_time, last_time; /* -1: none is known */
};

static struct totals totals_of(const struct stretch *stretch)
{
    struct totals totals = {.first_time = -1, .last_time = -1};
    for (unsigned i = 0; i < stretch->count; i++) {
        const struct stretch_part *part = &stretch->parts[i];
        totals.records += part->end - part->first;
        totals.left += part->end - part->next;
        if (part->bytes < 0 && part->next < part->end)
            totals.bytes = -1;
        else if (totals.bytes >= 0 && part->bytes > 0)
            totals.bytes += part->bytes;
        if (part->first_time >= 0 && (totals.first_time < 0 || part->first_time < totals.first_time))
            totals.first_time = part->first_time;
        if (part->last_time > totals.last_time)
            totals.last_time = part->last_time;
    }
    return totals;
}

bool stretch_view_is_empty(const struct stretch *stretch)
{
    return totals_of(stretch).records == 0;
}

/* -- how long it takes -- */

static double rate_of(const struct stretch *stretch)
{
    return stretch->rate > 0 ? stretch->rate : STRETCH_VIEW_RATE;
}

static double span_of(int64_t first_time, int64_t last_time)
{
    return first_time >= 0 && last_time > first_time ? (double)(last_time - first_time) / 1000 : 0;
}

/* Its share of the time by rate; by speed how long it is under way itself. */
static double part_seconds(const struct stretch *stretch, const struct stretch_part *part)
{
    double seconds = (double)(part->end - part->next) / rate_of(stretch);
    double by_speed = stretch->speed > 0 && part->next < part->end
                          ? span_of(part->first_time, part->last_time) / stretch->speed
                          : 0;
    return by_speed > seconds || (stretch->rate <= 0 && stretch->speed > 0) ? by_speed : seconds;
}

double stretch_view_seconds(const struct stretch *stretch, enum stretch_estimate *ret_by)
{
    struct totals totals = totals_of(stretch);
    int64_t records = stretch->max_records > 0 && stretch->max_records < totals.left ? stretch->max_records
                                                                                     : totals.left;
    double seconds = (double)records / rate_of(stretch), by_speed = 0;
    if (stretch->speed > 0 && totals.left > 0)
        by_speed = span_of(totals.first_time, totals.last_time) / stretch->speed * (double)records /
                   (double)totals.left;
    *ret_by = stretch->rate > 0 ? STRETCH_BY_RATE : stretch->speed > 0 ? STRETCH_BY_SPEED : STRETCH_ASSUMED;
    if (stretch->speed <= 0 || (*ret_by == STRETCH_BY_RATE && by_speed <= seconds))
        return seconds;
    *ret_by = STRETCH_BY_SPEED;
    return by_speed;
}

/* -- the table -- */

enum { TOPIC, PARTITION, FIRST, LAST, RECORDS, LEFT, BYTES, FROM, UNTIL, ESTIMATE, NOTE, COLUMNS, CELL_MAX = 256 };

struct row {
    char cells[COLUMNS][CELL_MAX];
};

static const struct row HEAD = {.cells = {"TOPIC", "PARTITION", "FIRST", "LAST", "RECORDS", "LEFT", "BYTES",
                                          "FIRST TIME", "LAST TIME", "ESTIMATE", "NOTE"}};

static void count_cell(char cell[CELL_MAX], int64_t count)
{
    char text[TEXT_MAX];
    snprintf(cell, CELL_MAX, "%s", text_count(text, count));
}

/* Offsets are to be copied into options: no commas. */
static void offset_cell(char cell[CELL_MAX], bool known, int64_t offset)
{
    if (known)
        snprintf(cell, CELL_MAX, "%" PRId64, offset);
    else
        snprintf(cell, CELL_MAX, "-");
}

static void bytes_cell(char cell[CELL_MAX], int64_t bytes)
{
    char text[TEXT_MAX];
    snprintf(cell, CELL_MAX, "%s", bytes >= 0 ? text_bytes(text, bytes) : "-");
}

static void time_cell(char cell[CELL_MAX], int64_t ms)
{
    if (ms < 0)
        snprintf(cell, CELL_MAX, "-");
    else
        cell[timestamp_write((uint8_t *)cell, ms)] = '\0';
}

static void estimate_cell(char cell[CELL_MAX], double seconds)
{
    char text[TEXT_MAX];
    snprintf(cell, CELL_MAX, "%s", text_time(text, (int64_t)(seconds * (double)CLOCK_SECOND)));
}

static void fill_row(struct row *row, const struct stretch *stretch, const struct stretch_part *part)
{
    bool any = part->first < part->end;
    *row = (struct row){0};
    snprintf(row->cells[TOPIC], CELL_MAX, "%s", part->topic);
    snprintf(row->cells[PARTITION], CELL_MAX, "%d", (int)part->partition);
    offset_cell(row->cells[FIRST], any, part->first);
    offset_cell(row->cells[LAST], any, part->end - 1);
    count_cell(row->cells[RECORDS], part->end - part->first);
    count_cell(row->cells[LEFT], part->end - part->next);
    bytes_cell(row->cells[BYTES], any ? part->bytes : 0);
    time_cell(row->cells[FROM], part->first_time);
    time_cell(row->cells[UNTIL], part->last_time);
    estimate_cell(row->cells[ESTIMATE], part_seconds(stretch, part));
    snprintf(row->cells[NOTE], CELL_MAX, "%s", part->note);
}

static void fill_totals(struct row *row, const struct stretch *stretch)
{
    enum stretch_estimate by;
    struct totals totals = totals_of(stretch);
    *row = (struct row){0};
    snprintf(row->cells[TOPIC], CELL_MAX, "total");
    snprintf(row->cells[PARTITION], CELL_MAX, "%u", stretch->count);
    count_cell(row->cells[RECORDS], totals.records);
    count_cell(row->cells[LEFT], totals.left);
    bytes_cell(row->cells[BYTES], totals.bytes);
    time_cell(row->cells[FROM], totals.first_time);
    time_cell(row->cells[UNTIL], totals.last_time);
    estimate_cell(row->cells[ESTIMATE], stretch_view_seconds(stretch, &by));
}

/* LEFT is said only where a part of it has been done. */
static bool is_shown(int column, const struct stretch *stretch)
{
    return column != LEFT || stretch->resumed;
}

static void widen(int widths[COLUMNS], const struct row *row)
{
    for (int i = 0; i < COLUMNS; i++) {
        int width = (int)strlen(row->cells[i]);
        widths[i] = width > widths[i] ? width : widths[i];
    }
}

static void write_row(const struct row *row, const int widths[COLUMNS], const struct stretch *stretch, FILE *out)
{
    fprintf(out, "%-*s", widths[TOPIC], row->cells[TOPIC]);
    for (int i = PARTITION; i < NOTE; i++) {
        if (is_shown(i, stretch))
            fprintf(out, "  %*s", widths[i], row->cells[i]);
    }
    /* No blanks at the end of a line. */
    fprintf(out, "%s%s\n", row->cells[NOTE][0] != '\0' ? "  " : "", row->cells[NOTE]);
}

static void write_rows(const struct stretch *stretch, FILE *out)
{
    int widths[COLUMNS] = {0};
    bool noted = false;
    struct row row, head = HEAD, sum;
    fill_totals(&sum, stretch);
    for (unsigned i = 0; i < stretch->count; i++) {
        fill_row(&row, stretch, &stretch->parts[i]);
        widen(widths, &row);
        noted = noted || row.cells[NOTE][0] != '\0';
    }
    if (!noted)
        head.cells[NOTE][0] = '\0';
    widen(widths, &head);
    widen(widths, &sum);
    write_row(&head, widths, stretch, out);
    for (unsigned i = 0; i < stretch->count; i++) {
        fill_row(&row, stretch, &stretch->parts[i]);
        write_row(&row, widths, stretch, out);
    }
    write_row(&sum, widths, stretch, out);
}

/* -- what is to be said beside it -- */

/* What leaves records out that lie between the offsets; NULL: nothing does. */
static const char *what_leaves_out(const struct stretch_filter *filter)
{
    bool window = filter->from_time != INT64_MIN || filter->to_time != INT64_MAX;
    if (filter->key.data != NULL || filter->where != NULL)
        return window ? "the window or the filter leaves out" : "the filter leaves out";
    if (filter->also != NULL)
        return "is passed over";
    return window ? "the window leaves out" : NULL;
}

static void write_window(const struct stretch *stretch, FILE *out)
{
    char from[TIMESTAMP_MAX + 1] = "the beginning", to[TIMESTAMP_MAX + 1] = "the end";
    const struct stretch_filter *filter = &stretch->filter;
    if (filter->from_time == INT64_MIN && filter->to_time == INT64_MAX)
        return;
    if (filter->from_time != INT64_MIN)
        from[timestamp_write((uint8_t *)from, filter->from_time)] = '\0';
    if (filter->to_time != INT64_MAX)
        to[timestamp_write((uint8_t *)to, filter->to_time)] = '\0';
    fprintf(out, "window    from %s up to %s, by the records' timestamps\n", from, to);
}

static void write_limits(const struct stretch_view *view, FILE *out)
{
    const struct stretch *stretch = view->stretch;
    const struct stretch_filter *filter = &stretch->filter;
    char text[TEXT_MAX];
    if (view->key != NULL)
        fprintf(out, "key       \"%s\"\n", view->key);
    if (view->where != NULL)
        fprintf(out, "where     %s\n", view->where);
    if (stretch->max_records > 0)
        fprintf(out, "at most   %s record%s\n", text_count(text, stretch->max_records),
                stretch->max_records == 1 ? "" : "s");
    const char *what = what_leaves_out(filter);
    if (what != NULL && !stretch_view_is_empty(stretch))
        fprintf(out, "          records and bytes are those between the offsets: what %s is among them\n", what);
}

static void write_estimate(const struct stretch *stretch, FILE *out)
{
    enum stretch_estimate by;
    char time[TEXT_MAX], rate[TEXT_MAX];
    double seconds = stretch_view_seconds(stretch, &by);
    fprintf(out, "takes     %s ", text_time(time, (int64_t)(seconds * (double)CLOCK_SECOND)));
    if (by == STRETCH_BY_RATE)
        fprintf(out, "at %g records/s\n", stretch->rate);
    else if (by == STRETCH_BY_SPEED)
        fprintf(out, "at %g times the speed at which the records came\n", stretch->speed);
    else
        fprintf(out, "at %s records/s, which is only assumed: the slowest of brokers, stages and stores decides\n",
                text_count(rate, STRETCH_VIEW_RATE));
}

static const char *again(const struct stretch_view_store *store)
{
    if (store->passes_over)
        return "records that are there already are passed over";
    return store->replaces ? "records replace the rows that their keys have there, newer ones as well; a second time "
                             "changes nothing"
                           : "records that are there already are there TWICE afterwards";
}

static void write_stores(const struct stretch_view *view, FILE *out)
{
    for (unsigned i = 0; i < view->store_count; i++) {
        const struct stretch_view_store *store = &view->stores[i];
        bool named = strcmp(store->name, store->type) != 0;
        fprintf(out, "into      %s%s%s%s%s%s: %s\n", store->name, named ? " (" : "", named ? store->type : "",
                named ? ")" : "", store->place != NULL ? " in " : "", store->place != NULL ? store->place : "",
                view->dry_run ? "nothing is written (dry run), nor are dead letters" : again(store));
    }
    if (view->exactly_once)
        fprintf(out, "delivery  exactly once, with offsets of its own as %s\n", view->service);
}

static void write_progress(const struct stretch_view *view, FILE *out)
{
    const struct stretch *stretch = view->stretch;
    char text[TEXT_MAX];
    if (view->dry_run)
        fputs("progress  none is kept (dry run)\n", out);
    else if (stretch->progress == NULL && view->exactly_once)
        fputs("progress  none is kept, and exactly-once delivery needs it: give it a --name\n", out);
    else if (stretch->progress == NULL)
        fputs("progress  none is kept: what is interrupted starts over; with --name NAME it goes on\n", out);
    else
        fprintf(out, "progress  \"%s\", kept in %s%s\n", stretch->progress,
                stretch->kept[0] != '\0' ? stretch->kept : "the source", stretch->resumed ? "; it goes on" : "");
    if (stretch->resumed)
        fprintf(out, "left      %s of it\n", text_count(text, stretch_left(stretch)));
}

static void write_end(const struct stretch_view *view, FILE *out)
{
    const struct stretch *stretch = view->stretch;
    if (stretch_view_is_empty(stretch))
        fprintf(out, "there is nothing in it to %s\n", view->what);
    else if (stretch_finished(stretch))
        fprintf(out,
                "\"%s\" is finished: nothing is left to %s; to do it again, or into another store, give it another "
                "--name\n",
                stretch->progress != NULL ? stretch->progress : view->service, view->what);
    else if (!view->execute)
        fputs("nothing was done; add --execute\n", out);
}

void stretch_view_table(const struct stretch_view *view, FILE *out)
{
    const struct stretch *stretch = view->stretch;
    fprintf(out, "%s as %s\n", view->what, view->service);
    if (stretch->count > 0)
        write_rows(stretch, out);
    write_window(stretch, out);
    write_limits(view, out);
    if (!stretch_view_is_empty(stretch) && !stretch_finished(stretch)) {
        write_estimate(stretch, out);
        write_stores(view, out);
        write_progress(view, out);
    }
    write_end(view, out);
}

/* -- JSON -- */

static void write_known(FILE *out, const char *key, bool known, int64_t value)
{
    if (known)
        fprintf(out, ", \"%s\": %" PRId64, key, value);
    else
        fprintf(out, ", \"%s\": null", key);
}

static void write_factor(FILE *out, const char *key, double factor)
{
    if (factor > 0)
        fprintf(out, ", \"%s\": %.17g", key, factor);
    else
        fprintf(out, ", \"%s\": null", key);
}

static void write_text(FILE *out, const char *key, const char *text)
{
    fprintf(out, ", \"%s\": ", key);
    if (text != NULL)
        text_json(out, text);
    else
        fputs("null", out);
}

static void write_part(const struct stretch *stretch, const struct stretch_part *part, FILE *out)
{
    fputs("{\"topic\": ", out);
    text_json(out, part->topic);
    fprintf(out,
            ", \"partition\": %d, \"first\": %" PRId64 ", \"end\": %" PRId64 ", \"next\": %" PRId64
            ", \"records\": %" PRId64 ", \"left\": %" PRId64,
            (int)part->partition, part->first, part->end, part->next, part->end - part->first, part->end - part->next);
    write_known(out, "bytes", part->bytes >= 0, part->bytes);
    write_known(out, "first_time_ms", part->first_time >= 0, part->first_time);
    write_known(out, "last_time_ms", part->last_time >= 0, part->last_time);
    fprintf(out, ", \"estimate_seconds\": %.3f", part_seconds(stretch, part));
    write_text(out, "note", part->note[0] != '\0' ? part->note : NULL);
    putc('}', out);
}

static void write_store(const struct stretch_view_store *store, FILE *out)
{
    fputs("{\"name\": ", out);
    text_json(out, store->name);
    write_text(out, "type", store->type);
    write_text(out, "place", store->place);
    fprintf(out, ", \"again\": \"%s\"}", store->passes_over ? "passed over" : store->replaces ? "replaced" : "added");
}

static void write_sums(const struct stretch_view *view, FILE *out)
{
    static const char *const BY[] = {
        [STRETCH_BY_RATE] = "rate", [STRETCH_BY_SPEED] = "speed", [STRETCH_ASSUMED] = "assumed_rate"};
    const struct stretch *stretch = view->stretch;
    struct totals totals = totals_of(stretch);
    enum stretch_estimate by;
    double seconds = stretch_view_seconds(stretch, &by);
    write_known(out, "from_time_ms", stretch->filter.from_time != INT64_MIN, stretch->filter.from_time);
    write_known(out, "to_time_ms", stretch->filter.to_time != INT64_MAX, stretch->filter.to_time);
    write_text(out, "key", view->key);
    write_text(out, "where", view->where);
    write_known(out, "max_records", stretch->max_records > 0, stretch->max_records);
    write_factor(out, "rate", stretch->rate);
    write_factor(out, "speed", stretch->speed);
    fprintf(out, ", \"records\": %" PRId64 ", \"left\": %" PRId64, totals.records, totals.left);
    write_known(out, "bytes", totals.bytes >= 0, totals.bytes);
    fprintf(out, ", \"estimate_seconds\": %.3f, \"estimate_by\": \"%s\"", seconds, BY[by]);
}

void stretch_view_json(const struct stretch_view *view, FILE *out)
{
    static const char *const BOOL[] = {"false", "true"};
    const struct stretch *stretch = view->stretch;
    fputs("{\"plan\": ", out);
    text_json(out, view->what);
    write_text(out, "service", view->service);
    write_text(out, "name", stretch->progress);
    write_text(out, "kept_in", stretch->kept[0] != '\0' ? stretch->kept : NULL);
    fprintf(out,
            ", \"resumed\": %s, \"finished\": %s, \"empty\": %s, \"exactly_once\": %s, \"dry_run\": %s, \"execute\": "
            "%s",
            BOOL[stretch->resumed], BOOL[stretch_finished(stretch)], BOOL[stretch_view_is_empty(stretch)],
            BOOL[view->exactly_once], BOOL[view->dry_run], BOOL[view->execute]);
    write_sums(view, out);
    fputs(", \"partitions\": [", out);
    for (unsigned i = 0; i < stretch->count; i++) {
        fputs(i > 0 ? ", " : "", out);
        write_part(stretch, &stretch->parts[i], out);
    }
    fputs("], \"stores\": [", out);
    for (unsigned i = 0; i < view->store_count; i++) {
        fputs(i > 0 ? ", " : "", out);
        write_store(&view->stores[i], out);
    }
    fputs("]}\n", out);
}
