#include "cli/letter_show.h"

#include <inttypes.h>
#include <string.h>

#include "cli/text.h"
#include "processor/headers.h"
#include "processor/letter_headers.h"
#include "processor/timestamp.h"
#include "stages/json_document.h"
#include "stages/simdjson.h"

enum { HEX_COLUMNS = 16, INDENT = 2 };

/* -- bytes for a terminal -- */

/* UTF-8 without control characters: neither of ASCII, nor the C1 ones, which begin escape sequences too. Line breaks and tabs only where lines are shown. */
static bool is_printable(struct bytes text, bool lines)
{
    for (uint32_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i], next = i + 1 < text.size ? text.data[i + 1] : 0;
        bool breaks = byte == '\n' || byte == '\t' || (byte == '\r' && next == '\n');
        if (byte == 0x7f || (byte < ' ' && !(lines && breaks)) || (byte == 0xc2 && next < 0xa0))
            return false;
    }
    return utf8_valid(text);
}

static void put(struct bytes text, FILE *out)
{
    if (text.size > 0)
        fwrite(text.data, 1, text.size, out);
}

static void put_hex_digits(struct bytes text, FILE *out)
{
    for (uint32_t i = 0; i < text.size; i++)
        fprintf(out, "%02x", text.data[i]);
}

static void put_quoted(struct bytes text, FILE *out)
{
    putc('"', out);
    for (uint32_t i = 0; i < text.size; i++) {
        uint8_t escaped[8];
        put(bytes_of(escaped, (uint32_t)json_escape(escaped, bytes_of(text.data + i, 1))), out);
    }
    putc('"', out);
}

/* In a line: with line breaks and tabs as a JSON string, with bytes that are no text in hex. */
static void put_short(struct bytes text, FILE *out)
{
    if (text.data == NULL) {
        fputs("null", out);
    } else if (is_printable(text, false)) {
        put(text, out);
    } else if (is_printable(text, true)) {
        put_quoted(text, out);
    } else {
        fputs("0x", out);
        put_hex_digits(text, out);
    }
}

/* As `hexdump -C` has it. */
static void put_dump(struct bytes text, FILE *out)
{
    for (uint32_t at = 0; at < text.size; at += HEX_COLUMNS) {
        fprintf(out, "%08" PRIx32 " ", at);
        for (uint32_t i = at; i < at + HEX_COLUMNS; i++) {
            fputs(i - at == HEX_COLUMNS / 2 ? "  " : " ", out);
            if (i < text.size)
                fprintf(out, "%02x", text.data[i]);
            else
                fputs("  ", out);
        }
        fputs("  |", out);
        for (uint32_t i = at; i < at + HEX_COLUMNS && i < text.size; i++)
            putc(text.data[i] >= ' ' && text.data[i] < 0x7f ? text.data[i] : '.', out);
        fputs("|\n", out);
    }
}

/* -- JSON -- */

/* text: with ARENA_PADDING bytes behind it, as of every record. */
static bool is_json(struct bytes text)
{
    struct document document;
    struct json_fault fault;
    struct arena arena;
    struct simdjson_parser *parser = simdjson_new();
    if (parser == NULL)
        return false;
    arena_init(&arena, NULL);
    enum status status = json_document(parser, text, &arena, &document, &fault);
    arena_fini(&arena);
    simdjson_free(parser);
    return status == STATUS_OK;
}

static void break_line(unsigned depth, FILE *out)
{
    fprintf(out, "\n%*s", (int)(depth * INDENT), "");
}

/* Behind the string that begins at i. */
static uint32_t string_end(struct bytes text, uint32_t i)
{
    for (i++; i < text.size && text.data[i] != '"'; i++)
        i += text.data[i] == '\\';
    return i + 1;
}

/* The text is valid JSON: only the white space between its tokens becomes another. Numbers and strings stay as they are written. */
static void put_indented(struct bytes text, FILE *out)
{
    unsigned depth = 0;
    bool empty = false; /* just behind an opening bracket */
    for (uint32_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        bool opens = byte == '{' || byte == '[', closes = byte == '}' || byte == ']';
        if (strchr(" \t\r\n", byte) != NULL)
            continue;
        if (closes && depth-- > 0 && !empty)
            break_line(depth, out);
        if (empty && !closes)
            break_line(depth, out);
        empty = opens;
        depth += opens;
        if (byte == '"') {
            uint32_t end = string_end(text, i);
            fwrite(text.data + i, 1, end - i, out);
            i = end - 1;
            continue;
        }
        putc(byte, out);
        if (byte == ',')
            break_line(depth, out);
        else if (byte == ':')
            putc(' ', out);
    }
    putc('\n', out);
}

/* -- a letter -- */

static void put_line(const char *name, struct bytes text, FILE *out)
{
    if (text.data == NULL)
        return;
    fprintf(out, "%-10s ", name);
    put_short(text, out);
    putc('\n', out);
}

static void put_time(int64_t ms, FILE *out)
{
    uint8_t text[TIMESTAMP_MAX];
    if (ms >= 0)
        put(bytes_of(text, (uint32_t)timestamp_write(text, ms)), out);
    else
        fputs("no timestamp", out);
}

static void show_head(const struct batch *batch, const struct record *record, FILE *out)
{
    struct letter_headers letter;
    bool ours = letter_headers_read(record->headers, &letter);
    fprintf(out, "%-10s %s/%" PRId32 "@%" PRId64 "\n", "letter", batch->topic, batch->partition, record->offset);
    if (!ours)
        fputs("           not a dead letter of weir: it does not say where it came from and why\n", out);
    put_line("stage", letter.stage, out);
    put_line("class", letter.class, out);
    put_line("message", letter.message, out);
    if (ours) {
        fprintf(out, "%-10s ", "from");
        put_short(letter.topic, out);
        fprintf(out, "/%" PRId64 "@%" PRId64 "\n", letter.partition, letter.offset);
    }
    fprintf(out, "%-10s ", "timestamp");
    put_time(letter.timestamp >= 0 ? letter.timestamp : record->timestamp, out);
    putc('\n', out);
    put_line("service", letter.service, out);
    if (letter.attempts > 0)
        fprintf(out, "%-10s %" PRIu32 "\n", "attempts", letter.attempts);
    if (letter.retries > 0)
        fprintf(out, "%-10s %" PRIu32 "\n", "retries", letter.retries);
}

static void show_headers(const struct record *record, FILE *out)
{
    size_t cursor = 0;
    struct bytes name, value;
    const char *before = "headers";
    while (headers_next(record->headers, &cursor, &name, &value)) {
        if (letter_headers_is_ours(name))
            continue;
        fprintf(out, "%-10s ", before);
        put_short(name, out);
        fputs(": ", out);
        put_short(value, out);
        putc('\n', out);
        before = "";
    }
}

static void show_value(struct bytes value, bool hex, FILE *out)
{
    char text[TEXT_MAX];
    if (value.data == NULL) {
        fputs("value      null\n", out);
        return;
    }
    fprintf(out, "value      %s byte%s\n\n", text_count(text, value.size), value.size == 1 ? "" : "s");
    if (hex || !is_printable(value, true)) {
        put_dump(value, out);
    } else if (is_json(value)) {
        put_indented(value, out);
    } else {
        put(value, out);
        if (value.size > 0 && value.data[value.size - 1] != '\n')
            putc('\n', out);
    }
}

void letter_show(const struct batch *batch, const struct record *record, bool hex, FILE *out)
{
    struct letter_headers letter;
    char whole[TEXT_MAX];
    show_head(batch, record, out);
    show_headers(record, out);
    if (hex && record->key.data != NULL) {
        fputs("key\n\n", out);
        put_dump(record->key, out);
        putc('\n', out);
    } else {
        fprintf(out, "%-10s ", "key");
        put_short(record->key, out);
        putc('\n', out);
    }
    (void)letter_headers_read(record->headers, &letter);
    if (letter.truncated >= 0)
        fprintf(out, "%-10s the value was too large for the topic: what follows is the beginning of %s bytes\n", "cut",
                text_count(whole, letter.truncated));
    show_value(record->value, hex, out);
}

/* -- as JSON -- */

static void write_bytes(struct bytes text, FILE *out)
{
    if (text.data == NULL) {
        fputs("null", out);
        return;
    }
    if (!utf8_valid(text)) {
        fputs("{\"hex\": \"", out);
        put_hex_digits(text, out);
        fputs("\"}", out);
        return;
    }
    put_quoted(text, out);
}

static void write_member(const char *name, struct bytes text, FILE *out)
{
    fprintf(out, ", \"%s\": ", name);
    write_bytes(text, out);
}

static void write_number(const char *name, int64_t number, FILE *out)
{
    if (number >= 0)
        fprintf(out, ", \"%s\": %" PRId64, name, number);
    else
        fprintf(out, ", \"%s\": null", name);
}

static void write_headers(const struct record *record, FILE *out)
{
    size_t cursor = 0;
    struct bytes name, value;
    const char *comma = "";
    fputs(", \"headers\": [", out);
    while (headers_next(record->headers, &cursor, &name, &value)) {
        if (letter_headers_is_ours(name))
            continue;
        fprintf(out, "%s[", comma);
        write_bytes(name, out);
        fputs(", ", out);
        write_bytes(value, out);
        putc(']', out);
        comma = ", ";
    }
    putc(']', out);
}

void letter_show_json(const struct batch *batch, const struct record *record, FILE *out)
{
    struct letter_headers letter;
    uint8_t text[TIMESTAMP_MAX];
    bool ours = letter_headers_read(record->headers, &letter);
    int64_t ms = letter.timestamp >= 0 ? letter.timestamp : record->timestamp;
    fprintf(out, "{\"topic\": \"%s\", \"partition\": %" PRId32 ", \"offset\": %" PRId64 ", \"letter\": %s",
            batch->topic, batch->partition, record->offset, ours ? "true" : "false");
    write_member("stage", letter.stage, out);
    write_member("class", letter.class, out);
    write_member("message", letter.message, out);
    write_member("service", letter.service, out);
    write_member("source_topic", letter.topic, out);
    write_number("source_partition", letter.partition, out);
    write_number("source_offset", letter.offset, out);
    write_member("timestamp", ms >= 0 ? bytes_of(text, (uint32_t)timestamp_write(text, ms)) : bytes_of(NULL, 0), out);
    write_number("attempts", letter.attempts > 0 ? (int64_t)letter.attempts : -1, out);
    write_number("retries", letter.retries, out);
    write_number("truncated", letter.truncated, out);
    write_headers(record, out);
    write_member("key", record->key, out);
    write_member("value", record->value, out);
    fputs("}\n", out);
}
