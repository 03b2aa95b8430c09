#include "cli/tap_view.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli/parsed_json.h"
#include "cli/text.h"
#include "processor/tap.h"

static void write_value(const struct value *record, const char *name, const char *before, FILE *out)
{
    struct value value = parsed_json_member(record, name);
    if (value.type == VALUE_MISSING)
        return;
    fputs(before, out);
    text_plain(out, (const char *)value.text.data, value.text.size);
}

/* {"tenant":"acme","tenant":"b"}, which is shorter than it is for machines. */
static void write_headers(const struct value *record, FILE *out)
{
    struct value list = parsed_json_member(record, "headers"), header;
    const uint8_t *cursor = NULL;
    if (list.type != VALUE_ARRAY)
        return;
    for (const char *before = "  {"; json_next_element(list.text, &cursor, &header); before = ",") {
        write_value(&header, "name", before, out);
        write_value(&header, "value", ":", out);
    }
    putc('}', out);
}

static void write_time(const struct value *record, FILE *out)
{
    char text[32];
    struct tm tm;
    if (parsed_json_member(record, "timestamp").type == VALUE_MISSING)
        return;
    int64_t ms = parsed_json_number(record, "timestamp");
    time_t seconds = (time_t)(ms / 1000);
    if (gmtime_r(&seconds, &tm) != NULL && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) > 0)
        fprintf(out, "  %s.%03dZ", text, (int)(ms % 1000));
}

/* Text of the service's own, with nothing in it that a terminal takes for an order. */
static void write_plain(const char *text, FILE *out)
{
    text_plain(out, text, strlen(text));
}

static void write_answer(const struct value *record, bool colour, FILE *out)
{
    char answer[32], class[64], message[512];
    parsed_json_text(record, "answer", answer, sizeof answer);
    parsed_json_text(record, "class", class, sizeof class);
    parsed_json_text(record, "message", message, sizeof message);
    bool rejected = strcmp(answer, "rejected") == 0, dropped = strcmp(answer, "dropped") == 0;
    fputs("  ", out);
    if (colour)
        fputs(rejected ? "\033[31m" : dropped ? "\033[33m" : "\033[32m", out);
    write_plain(answer, out);
    if (rejected) {
        putc(' ', out);
        write_plain(class, out);
        fputs(": ", out);
        write_plain(message, out);
    }
    fputs(colour ? "\033[0m" : "", out);
}

void tap_view_record(const struct value *record, bool colour, FILE *out)
{
    char topic[256];
    parsed_json_text(record, "topic", topic, sizeof topic);
    write_plain(topic, out);
    fprintf(out, "/%" PRId64 "@%" PRId64, parsed_json_number(record, "partition"),
            parsed_json_number(record, "offset"));
    write_time(record, out);
    write_answer(record, colour, out);
    write_value(record, "key", "  key ", out);
    write_headers(record, out);
    write_value(record, "document", "  ", out);
    write_value(record, "document_cut", "  cut: ", out);
    write_value(record, "value", "  value ", out);
    write_value(record, "value_hex", "  hex ", out);
    if (parsed_json_member(record, "value_bytes").type != VALUE_MISSING)
        fprintf(out, " (of %" PRId64 " bytes)", parsed_json_number(record, "value_bytes"));
    putc('\n', out);
}

bool tap_view_counts(const struct value *object, struct tap_view_counts *ret)
{
    struct value counts = parsed_json_member(object, "tap");
    if (counts.type != VALUE_OBJECT)
        return false;
    *ret = (struct tap_view_counts){
        .passed = parsed_json_number(&counts, "passed"),
        .unlooked = parsed_json_number(&counts, "unlooked"),
        .matched = parsed_json_number(&counts, "matched"),
        .over_rate = parsed_json_number(&counts, "over_rate"),
        .dropped = parsed_json_number(&counts, "dropped"),
        .shown = parsed_json_number(&counts, "shown"),
        .last = parsed_json_member(object, "end").type != VALUE_MISSING,
    };
    return true;
}

void tap_view_report(const struct tap_view_counts *counts, const char *stage, FILE *out)
{
    char shown[TEXT_MAX], passed[TEXT_MAX], number[TEXT_MAX];
    int64_t least = counts->passed > counts->shown ? counts->passed : counts->shown;
    fprintf(out, "%s record%s shown of %s%s that passed %s", text_count(shown, counts->shown),
            counts->shown == 1 ? "" : "s", counts->last ? "" : "at least ",
            text_count(passed, counts->last ? counts->passed : least), stage);
    if (counts->matched != counts->passed)
        fprintf(out, "; %s matched", text_count(number, counts->matched));
    if (counts->unlooked > 0)
        fprintf(out, "; %s not looked at (more than %d a second)", text_count(number, counts->unlooked), TAP_LOOKS);
    if (counts->over_rate > 0)
        fprintf(out, "; %s more than the rate", text_count(number, counts->over_rate));
    if (counts->dropped > 0)
        fprintf(out, "; %s dropped (the tap was full)", text_count(number, counts->dropped));
    putc('\n', out);
}
