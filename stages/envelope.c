/*
 * {"topic":"orders","partition":0,"offset":17,"timestamp":"2026-11-25T10:00:00.000Z","key":"k","value":{...},"headers":[{"name":"n","value":"v"}]}
 *
 * For people and their tools: a value that is JSON stands as it is, another text as a string, and bytes that are no text under `value_base64` (key_base64, and
 * in headers likewise). Null is null. A text that looks like JSON and JSON itself can't be told apart afterwards: the format for that is the framed one.
 */
#include "stages/envelope.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "processor/headers.h"
#include "processor/json.h"
#include "processor/timestamp.h"
#include "stages/simdjson.h"

/* The words around what a record brings along, and its numbers. */
enum { AROUND = 512, AROUND_HEADER = 64 };

static enum status envelope_start(void *stage, void **ret_worker, struct error *error)
{
    (void)stage;
    *ret_worker = simdjson_new();
    return *ret_worker != NULL ? STATUS_OK : error_set(error, ERROR_TRANSIENT, "out of memory");
}

static void envelope_stop(void *worker)
{
    simdjson_free(worker);
}

/* -- writing -- */

/* There is room for the zero as well. */
static uint8_t *put_text(uint8_t *out, const char *text)
{
    return (uint8_t *)stpcpy((char *)out, text);
}

static uint8_t *put_base64(uint8_t *out, struct bytes bytes)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    *out++ = '"';
    for (uint32_t i = 0; i < bytes.size; i += 3) {
        uint32_t left = bytes.size - i, three = (uint32_t)bytes.data[i] << 16;
        three |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        three |= left > 2 ? bytes.data[i + 2] : 0;
        *out++ = (uint8_t)DIGITS[three >> 18];
        *out++ = (uint8_t)DIGITS[three >> 12 & 63];
        *out++ = left > 1 ? (uint8_t)DIGITS[three >> 6 & 63] : '=';
        *out++ = left > 2 ? (uint8_t)DIGITS[three & 63] : '=';
    }
    *out++ = '"';
    return out;
}

/* "name":"text", "name":null or "name_base64":"...". */
static uint8_t *put_member(uint8_t *out, const char *name, struct bytes bytes)
{
    bool text = bytes.data == NULL || utf8_valid(bytes);
    *out++ = '"';
    out = put_text(out, name);
    out = put_text(out, text ? "\":" : "_base64\":");
    if (bytes.data == NULL)
        return put_text(out, "null");
    return text ? out + json_quote(out, bytes) : put_base64(out, bytes);
}

static bool is_json(struct simdjson_parser *parser, struct bytes value)
{
    struct simdjson_indexes indexes;
    return value.size > 0 && simdjson_parse(parser, value.data, value.size, &indexes, NULL) == SIMDJSON_OK;
}

static uint8_t *put_value(uint8_t *out, struct bytes value, bool json)
{
    if (!json)
        return put_member(out, "value", value);
    out = put_text(out, "\"value\":");
    memcpy(out, value.data, value.size);
    return out + value.size;
}

static uint8_t *put_headers(uint8_t *out, struct bytes headers)
{
    struct bytes name, value;
    size_t cursor = 0;
    bool first = true;
    out = put_text(out, "\"headers\":[");
    while (headers_next(headers, &cursor, &name, &value)) {
        out = put_text(out, first ? "{" : ",{");
        out = put_member(out, "name", name);
        *out++ = ',';
        out = put_member(out, "value", value);
        *out++ = '}';
        first = false;
    }
    return put_text(out, "]");
}

static uint8_t *put_time(uint8_t *out, int64_t timestamp)
{
    out = put_text(out, "\"timestamp\":");
    if (timestamp < 0)
        return put_text(out, "null,");
    *out++ = '"';
    out += timestamp_write(out, timestamp);
    return put_text(out, "\",");
}

static size_t most(const struct record *record, const char *topic, bool json)
{
    struct bytes name, value;
    size_t cursor = 0, size = AROUND + strlen(topic) + JSON_QUOTED_MAX(record->key.size);
    size += json ? record->value.size : JSON_QUOTED_MAX(record->value.size);
    while (headers_next(record->headers, &cursor, &name, &value))
        size += AROUND_HEADER + JSON_QUOTED_MAX(name.size) + JSON_QUOTED_MAX(value.size);
    return size;
}

static void envelope_process(void *stage, void *worker, struct batch *batch)
{
    (void)stage;
    BATCH_EACH(batch, record)
    {
        bool json = is_json(worker, record->value);
        size_t room = most(record, batch->topic, json);
        uint8_t *text = room <= UINT32_MAX ? arena_text(&batch->arena, room) : NULL, *at = text;
        if (text == NULL) {
            batch_retry(batch, record, "memory", "no memory for its line");
            continue;
        }
        at = put_text(at, "{\"topic\":");
        at += json_quote(at, bytes_of_string(batch->topic));
        at += sprintf((char *)at, ",\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",", batch->partition,
                      record->offset);
        at = put_member(put_time(at, record->timestamp), "key", record->key);
        *at++ = ',';
        at = put_value(at, record->value, json);
        *at++ = ',';
        at = put_text(put_headers(at, record->headers), "}");
        record->document = (struct document){.kind = DOCUMENT_JSON, .text = bytes_of(text, (uint32_t)(at - text))};
        arena_trim(&batch->arena, text, room, (size_t)(at - text));
    }
}

const struct stage_type envelope_stage = {
    .name = "envelope",
    .help = "the record as a JSON object with all that it has",
    .start = envelope_start,
    .process = envelope_process,
    .stop = envelope_stop,
};
