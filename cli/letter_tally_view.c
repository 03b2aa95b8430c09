#include <inttypes.h>
#include <string.h>

#include "cli/letter_tally.h"
#include "cli/text.h"
#include "processor/check.h"
#include "processor/timestamp.h"

enum { BAR = 40, CELL_MAX = 512 };

/* To the second: "2026-11-25T10:00:00Z". */
static const char *when(char text[TIMESTAMP_MAX], int64_t ms)
{
    if (ms < 0)
        return "-";
    size_t size = timestamp_write((uint8_t *)text, ms);
    memcpy(text + size - strlen(".000Z"), "Z", sizeof "Z");
    return text;
}

/* What others wrote into a header, on one line of a terminal: no control character may get there. Cut at the size of a cell. */
static const char *plain(char cell[CELL_MAX], const char *text)
{
    FILE *out = fmemopen(cell, CELL_MAX, "w");
    CHECK(out != NULL);
    cell[0] = '\0'; /* an empty text writes nothing, not even its end */
    text_plain(out, text, strnlen(text, CELL_MAX - 1));
    CHECK(fclose(out) == 0);
    return cell;
}

static int width_of(int width, const char *text)
{
    char cell[CELL_MAX];
    int size = (int)strlen(plain(cell, text));
    return size > width ? size : width;
}

/* -- stages and classes -- */

void letter_tally_groups(const struct letter_tally *tally, const char *topic, bool colour, FILE *out)
{
    int stage = 5, class = 5, count = 7;
    char cells[3][CELL_MAX], number[TEXT_MAX], oldest[TIMESTAMP_MAX], newest[TIMESTAMP_MAX];
    for (unsigned i = 0; i < tally->group_count; i++) {
        stage = width_of(stage, tally->groups[i].stage);
        class = width_of(class, tally->groups[i].class);
    }
    count = width_of(count, text_count(number, (int64_t)tally->total));
    fprintf(out, "%-*s  %-*s  %*s  %-20s  %-20s  LAST MESSAGE\n", stage, "STAGE", class, "CLASS", count, "LETTERS",
            "OLDEST", "NEWEST");
    for (unsigned i = 0; i < tally->group_count; i++) {
        const struct letter_group *group = &tally->groups[i];
        fprintf(out, "%-*s  %s%-*s%s  %*s  %-20s  %-20s  %s/%" PRId32 "@%" PRId64 ": %s\n", stage,
                plain(cells[0], group->stage), colour ? "\033[31m" : "", class, plain(cells[1], group->class),
                colour ? "\033[0m" : "", count, text_count(number, (int64_t)group->count), when(oldest, group->oldest),
                when(newest, group->newest), topic, group->partition, group->offset, plain(cells[2], group->message));
    }
}

/* -- where they came from -- */

static void write_origins(const struct letter_tally *tally, FILE *out)
{
    int topic = 4;
    char cell[CELL_MAX], number[TEXT_MAX];
    for (unsigned i = 0; i < tally->origin_count; i++)
        topic = width_of(topic, tally->origins[i].topic);
    fprintf(out, "\n%-*s  LETTERS\n", topic, "FROM");
    for (unsigned i = 0; i < tally->origin_count; i++)
        fprintf(out, "%-*s  %7s\n", topic, plain(cell, tally->origins[i].topic),
                text_count(number, (int64_t)tally->origins[i].count));
}

/* -- when -- */

static void write_times(const struct letter_tally *tally, FILE *out)
{
    const struct histogram *times = &tally->times;
    uint64_t most = histogram_most(times);
    int64_t width = histogram_width(times);
    /* As much of a time as tells the bins apart. */
    int shown = width >= INT64_C(86400000) ? 10 : width >= 60000 ? 16 : 19;
    char number[TEXT_MAX], begin[TIMESTAMP_MAX], step[TEXT_MAX];
    if (times->used == 0)
        return;
    if (width >= INT64_C(86400000))
        snprintf(step, sizeof step, "%" PRId64 " d", width / 86400000);
    else if (width >= 3600000)
        snprintf(step, sizeof step, "%" PRId64 " h", width / 3600000);
    else if (width >= 60000)
        snprintf(step, sizeof step, "%" PRId64 " min", width / 60000);
    else
        snprintf(step, sizeof step, "%" PRId64 " s", width / 1000);
    fprintf(out, "\n%-*s  LETTERS  (a line for %s)\n", shown, "TIME (UTC)", step);
    for (unsigned i = 0; i < times->used; i++) {
        uint64_t count = times->counts[i];
        (void)when(begin, histogram_begin(times, i));
        begin[10] = ' ';
        /* Whatever is there can be seen. */
        int bar = (int)((count * BAR + most - 1) / most);
        fprintf(out, "%.*s  %7s%s%.*s\n", shown, begin, text_count(number, (int64_t)count), bar > 0 ? "  " : "", bar,
                "########################################");
    }
}
_Static_assert(sizeof "########################################" == BAR + 1, "as long as a bar can be");

/* -- all of it -- */

static void write_notes(const struct letter_tally *tally, FILE *out)
{
    char number[TEXT_MAX];
    if (tally->truncated > 0)
        fprintf(out, "%s of them had their value cut, as it was too large for the topic: these can't be redriven.\n",
                text_count(number, (int64_t)tally->truncated));
    if (tally->undated > 0)
        fprintf(out, "%s of them have no timestamp.\n", text_count(number, (int64_t)tally->undated));
    if (tally->ungrouped > 0)
        fprintf(out, "%s of them are of more stages, classes or topics than can be shown here.\n",
                text_count(number, (int64_t)tally->ungrouped));
    if (tally->foreign > 0)
        fprintf(out, "%s records beside them are no dead letters of weir.\n",
                text_count(number, (int64_t)tally->foreign));
}

void letter_tally_table(const struct letter_tally *tally, const char *file, const char *topic, bool colour, FILE *out)
{
    char number[TEXT_MAX], oldest[TIMESTAMP_MAX], newest[TIMESTAMP_MAX];
    if (tally->total == 0) {
        if (tally->others > 0)
            fprintf(out, "%s: none of %s dead letters is of that stage and class\n", topic,
                    text_count(number, (int64_t)tally->others));
        else
            fprintf(out, "%s: no dead letters\n", topic);
        write_notes(tally, out);
        return;
    }
    fprintf(out, "%s: %s dead letter%s, of records from %s to %s\n\n", topic, text_count(number, (int64_t)tally->total),
            tally->total == 1 ? "" : "s", when(oldest, tally->oldest), when(newest, tally->newest));
    letter_tally_groups(tally, topic, colour, out);
    write_origins(tally, out);
    write_times(tally, out);
    putc('\n', out);
    write_notes(tally, out);
    fprintf(out, "See one: weir dlq show %s %" PRId32 "@%" PRId64 "\n", file, tally->groups[0].partition,
            tally->groups[0].offset);
}

/* -- JSON -- */

static void json_time(const char *name, int64_t ms, FILE *out)
{
    char text[TIMESTAMP_MAX];
    fprintf(out, ", \"%s\": ", name);
    if (ms < 0)
        fputs("null", out);
    else
        fprintf(out, "\"%.*s\"", (int)timestamp_write((uint8_t *)text, ms), text);
}

static void json_group(const struct letter_group *group, const char *topic, FILE *out)
{
    fputs("{\"stage\": ", out);
    text_json(out, group->stage);
    fputs(", \"class\": ", out);
    text_json(out, group->class);
    fprintf(out, ", \"letters\": %" PRIu64 ", \"attempts_most\": %" PRIu32, group->count, group->attempts);
    json_time("oldest", group->oldest, out);
    json_time("newest", group->newest, out);
    fprintf(out, ", \"last\": {\"place\": \"%s/%" PRId32 "@%" PRId64 "\", \"message\": ", topic, group->partition,
            group->offset);
    text_json(out, group->message);
    fputs("}}", out);
}

void letter_tally_json_groups(const struct letter_tally *tally, const char *topic, FILE *out)
{
    fputs(", \"groups\": [", out);
    for (unsigned i = 0; i < tally->group_count; i++) {
        fputs(i > 0 ? ", " : "", out);
        json_group(&tally->groups[i], topic, out);
    }
    putc(']', out);
}

static void json_times(const struct histogram *times, FILE *out)
{
    fputs("], \"times\": [", out);
    for (unsigned i = 0; i < times->used; i++) {
        char text[TIMESTAMP_MAX];
        size_t size = timestamp_write((uint8_t *)text, histogram_begin(times, i));
        fprintf(out, "%s{\"from\": \"%.*s\", \"letters\": %" PRIu64 "}", i > 0 ? ", " : "", (int)size, text,
                times->counts[i]);
    }
    fprintf(out, "], \"times_seconds\": %" PRId64, times->used > 0 ? histogram_width(times) / 1000 : 0);
}

void letter_tally_json(const struct letter_tally *tally, const char *service, const char *topic, FILE *out)
{
    fputs("{\"service\": ", out);
    text_json(out, service);
    fputs(", \"topic\": ", out);
    text_json(out, topic);
    fprintf(out,
            ", \"letters\": %" PRIu64 ", \"truncated\": %" PRIu64 ", \"undated\": %" PRIu64 ", \"not_shown\": %" PRIu64
            ", \"foreign\": %" PRIu64,
            tally->total, tally->truncated, tally->undated, tally->ungrouped, tally->foreign);
    json_time("oldest", tally->oldest, out);
    json_time("newest", tally->newest, out);
    letter_tally_json_groups(tally, topic, out);
    fputs(", \"sources\": [", out);
    for (unsigned i = 0; i < tally->origin_count; i++) {
        fprintf(out, "%s{\"topic\": ", i > 0 ? ", " : "");
        text_json(out, tally->origins[i].topic);
        fprintf(out, ", \"letters\": %" PRIu64 "}", tally->origins[i].count);
    }
    json_times(&tally->times, out);
    fputs("}\n", out);
}
