#include "processor/tap_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "processor/check.h"
#include "processor/headers.h"

/* Shares of a line, in bytes as written; with what stands between them they are less than TAP_LINE_MAX. */
enum { NAME_MAX_SIZE = 256, CLASS_MAX_SIZE = 64, MESSAGE_MAX_SIZE = 768, ESCAPE_MAX = 6 };
/* Documents up to here are built with their changes to be shown, or cut. */
enum { ENCODE_MAX = 16 * 1024 };

struct line {
    char *out;
    size_t used;
};

static PRINTF_LIKE(2, 3) void put(struct line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(line->out + line->used, TAP_LINE_MAX - line->used, format, args);
    va_end(args);
    CHECK(size >= 0 && (size_t)size < TAP_LINE_MAX - line->used);
    line->used += (size_t)size;
}

/* The bytes of the character at `at`, which begins one of valid UTF-8. */
static size_t character_size(const uint8_t *at)
{
    return *at < 0xc0 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
}

/* As a JSON string of at most `most` bytes, whole characters only. False: cut. */
static bool put_text(struct line *line, struct bytes text, size_t most)
{
    size_t end = line->used + most - 1;
    const uint8_t *at = text.data, *last = at + text.size;
    line->out[line->used++] = '"';
    while (at < last) {
        uint8_t escaped[ESCAPE_MAX * 4];
        size_t size = character_size(at), n = json_escape(escaped, bytes_of(at, (uint32_t)size));
        if (line->used + n > end)
            break;
        memcpy(line->out + line->used, escaped, n);
        line->used += n;
        at += size;
    }
    line->out[line->used++] = '"';
    return at == last;
}

/* Without a character that its end cuts in two. */
static struct bytes whole_characters(struct bytes text)
{
    for (uint32_t back = 1; back <= 3 && back <= text.size; back++) {
        const uint8_t *at = text.data + text.size - back;
        if ((*at & 0xc0) == 0x80)
            continue;
        if (character_size(at) > back)
            text.size -= back;
        break;
    }
    return text;
}

static bool is_text(struct bytes text)
{
    for (uint32_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f)
            return false;
    }
    return utf8_valid(text);
}

/* False: cut. */
static bool put_hex(struct line *line, struct bytes bytes, size_t most)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t count = bytes.size < (most - 2) / 2 ? bytes.size : (uint32_t)(most - 2) / 2;
    line->out[line->used++] = '"';
    for (uint32_t i = 0; i < count; i++) {
        line->out[line->used++] = digits[bytes.data[i] >> 4];
        line->out[line->used++] = digits[bytes.data[i] & 15];
    }
    line->out[line->used++] = '"';
    return count == bytes.size;
}

/* What is shown of bytes at all: whether they are text is judged by that. */
static struct bytes head_of(struct bytes bytes, size_t most)
{
    return bytes.size <= most ? bytes : whole_characters(bytes_of(bytes.data, (uint32_t)most));
}

/* null, a string, or {"hex":"..."}. False: cut. */
static bool put_bytes(struct line *line, struct bytes bytes, size_t most)
{
    if (bytes.data == NULL) {
        put(line, "null");
        return true;
    }
    struct bytes head = head_of(bytes, most);
    if (is_text(head))
        return put_text(line, head, most) && head.size == bytes.size;
    put(line, "{\"hex\":");
    bool whole = put_hex(line, bytes, most - sizeof "{\"hex\":}");
    put(line, "}");
    return whole;
}

static void put_name(struct line *line, const char *name, struct bytes text, size_t most)
{
    put(line, "\"%s\":", name);
    (void)put_bytes(line, text, most);
    put(line, ",");
}

static void put_key(struct line *line, struct bytes key)
{
    put(line, "\"key\":");
    if (!put_bytes(line, key, TAP_KEY_MAX))
        put(line, ",\"key_bytes\":%" PRIu32, key.size);
    put(line, ",");
}

/* A name of a header is a string in Kafka's protocol, but nobody holds a producer to it; and several headers may have one name. */
static bool put_header(struct line *line, bool first, struct bytes name, struct bytes value, size_t end)
{
    enum { LEAST = 48 }; /* for the signs around it, and something of both */
    size_t left = end - line->used;
    if (line->used + LEAST > end)
        return false;
    put(line, first ? "{\"name\":" : ",{\"name\":");
    bool whole = put_bytes(line, name, left / 3);
    put(line, ",\"value\":");
    whole = put_bytes(line, value, end - line->used - 1) && whole;
    put(line, "}");
    return whole;
}

static void put_headers(struct line *line, struct bytes headers)
{
    size_t cursor = 0, end = line->used + TAP_HEADERS_MAX;
    struct bytes name, value;
    bool whole = true;
    if (headers.size == 0)
        return;
    put(line, "\"headers\":[");
    for (bool first = true; whole && headers_next(headers, &cursor, &name, &value); first = false)
        whole = put_header(line, first, name, value, end);
    put(line, "]");
    if (!whole)
        put(line, ",\"headers_cut\":true");
    put(line, ",");
}

static void put_value(struct line *line, struct bytes value)
{
    struct bytes head = head_of(value, TAP_DOCUMENT_MAX);
    bool whole = true;
    if (value.data == NULL) {
        put(line, "\"value\":null");
    } else if (is_text(head)) {
        put(line, "\"value\":");
        whole = put_text(line, head, TAP_DOCUMENT_MAX) && head.size == value.size;
    } else {
        put(line, "\"value_hex\":");
        whole = put_hex(line, value, TAP_DOCUMENT_MAX);
    }
    if (!whole)
        put(line, ",\"value_bytes\":%" PRIu32, value.size);
}

/* Of a bigger one what was decoded, without its changes: to build all of it only to cut it would take too long. */
static void put_document(struct line *line, const struct document *document)
{
    uint8_t text[ENCODE_MAX];
    struct bytes json = document->text;
    if (document_encoded_max(document) <= sizeof text)
        json = bytes_of(text, (uint32_t)document_encode(document, text));
    if (json.size > TAP_DOCUMENT_MAX) {
        put(line, "\"document_cut\":");
        (void)put_text(line, head_of(json, TAP_DOCUMENT_MAX), TAP_DOCUMENT_MAX);
        put(line, ",\"value_bytes\":%" PRIu32, json.size);
        return;
    }
    put(line, "\"document\":");
    /* Line breaks are white space there: in strings they are escaped. */
    for (uint32_t i = 0; i < json.size; i++)
        line->out[line->used++] = json.data[i] == '\n' || json.data[i] == '\r' ? ' ' : (char)json.data[i];
}

static void put_what(struct line *line, const struct record *record)
{
    switch (record->document.kind) {
    case DOCUMENT_NONE:
        put_value(line, record->value);
        break;
    case DOCUMENT_RAW:
        put_value(line, record->document.text);
        break;
    case DOCUMENT_NULL:
        put(line, "\"document\":null");
        break;
    default:
        put_document(line, &record->document);
    }
}

size_t tap_line(const char *stage, enum tap_answer answer, const struct batch *batch, const struct record *record,
                char *out)
{
    struct line line = {.out = out};
    put(&line, "{");
    put_name(&line, "stage", bytes_of_string(stage), NAME_MAX_SIZE);
    put(&line, "\"answer\":\"%s\",", tap_answer_name(answer));
    if (answer == TAP_REJECTED && record->failure != NULL) {
        put_name(&line, "class", bytes_of_string(record->failure->class), CLASS_MAX_SIZE);
        put_name(&line, "message", bytes_of_string(record->failure->message), MESSAGE_MAX_SIZE);
    }
    put_name(&line, "topic", bytes_of_string(record_topic(batch, record)), NAME_MAX_SIZE);
    put(&line, "\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",", record_partition(batch, record),
        record_offset(batch, record));
    if (record->timestamp >= 0)
        put(&line, "\"timestamp\":%" PRId64 ",", record->timestamp);
    put_key(&line, record->key);
    put_headers(&line, record->headers);
    put_what(&line, record);
    put(&line, "}\n");
    return line.used;
}
_Static_assert((int)TAP_LINE_MAX > 2 * NAME_MAX_SIZE + CLASS_MAX_SIZE + MESSAGE_MAX_SIZE + TAP_KEY_MAX +
                                       TAP_HEADERS_MAX + TAP_DOCUMENT_MAX + 512,
               "what is cut to its share fits");
