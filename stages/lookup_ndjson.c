/* NDJSON: one JSON object a line, read by the same parser as records are. Lines of white space are passed over. */
#include <stdlib.h>

#include "stages/json_document.h"
#include "stages/lookup_rows.h"
#include "stages/simdjson.h"

/* The parser's memory goes by the longest line; what is longer is hardly a row (a whole JSON array in one line, say). */
enum { MAX_LINE = 16 * 1024 * 1024 };

struct ndjson {
    struct lookup_rows *rows;
    struct simdjson_parser *parser;
    struct arena arena; /* a line's */
    struct bytes *values;
};

static bool is_blank(struct bytes line)
{
    for (uint32_t i = 0; i < line.size; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r')
            return false;
    }
    return true;
}

static struct value member_of(struct ndjson *ndjson, const struct document *document, const char *name)
{
    struct path_step step = {.name = bytes_of_string(name)};
    const struct path path = {.text = name, .count = 1, .steps = &step};
    return document_get(document, &path, &ndjson->arena);
}

static enum status no_memory(struct ndjson *ndjson)
{
    return error_set(ndjson->rows->error, ERROR_TRANSIENT, "%s: no memory for the table", ndjson->rows->path);
}

static enum status parse_line(struct ndjson *ndjson, uint32_t number, struct bytes line, struct document *ret)
{
    struct json_fault fault;
    if (line.size > MAX_LINE)
        return lookup_rows_fail(ndjson->rows, number, "expected a JSON object on each line, found %u bytes in one",
                                line.size);
    switch (json_document(ndjson->parser, line, &ndjson->arena, ret, &fault)) {
    case STATUS_OK:
        break;
    case STATUS_NO_MEMORY:
        return no_memory(ndjson);
    default:
        if (fault.at < 0)
            return lookup_rows_fail(ndjson->rows, number, "%s", fault.words);
        return lookup_rows_fail(ndjson->rows, number, "%s, at byte %ld of the line", fault.words, fault.at);
    }
    if (ret->kind != DOCUMENT_OBJECT)
        return lookup_rows_fail(ndjson->rows, number, "expected a JSON object on each line, found %s",
                                value_type_name(json_value(ret->text).type));
    return STATUS_OK;
}

static enum status read_line(struct ndjson *ndjson, uint32_t number, struct bytes line)
{
    const struct lookup_shape *shape = ndjson->rows->shape;
    struct document document;
    enum status status = parse_line(ndjson, number, line, &document);
    if (status != STATUS_OK)
        return status;
    struct value key = member_of(ndjson, &document, shape->column);
    if (key.type == VALUE_ARRAY || key.type == VALUE_OBJECT)
        return lookup_rows_fail(ndjson->rows, number, "expected a string or a number as the key '%s', found %s",
                                shape->column, value_type_name(key.type));
    struct bytes text = {0};
    if (key.type != VALUE_MISSING && !json_text(&key, &ndjson->arena, &text))
        return no_memory(ndjson);
    for (uint32_t i = 0; i < shape->field_count; i++)
        ndjson->values[i] = member_of(ndjson, &document, shape->fields[i]).text;
    return lookup_rows_add(ndjson->rows, number, text, ndjson->values, false);
}

static enum status read_all(struct ndjson *ndjson, const uint8_t *text, uint32_t size)
{
    const uint8_t *end = text + size;
    enum status status = STATUS_OK;
    for (uint32_t number = 1; status == STATUS_OK && text < end; number++) {
        const uint8_t *newline = memchr(text, '\n', (size_t)(end - text));
        const uint8_t *line_end = newline != NULL ? newline : end;
        struct bytes line = bytes_of(text, (uint32_t)(line_end - text));
        if (!is_blank(line))
            status = read_line(ndjson, number, line);
        arena_reset(&ndjson->arena);
        text = newline != NULL ? newline + 1 : end;
    }
    return status;
}

enum status lookup_read_ndjson(struct lookup_rows *rows, const uint8_t *text, uint32_t size)
{
    struct ndjson ndjson = {.rows = rows, .parser = simdjson_new()};
    arena_init(&ndjson.arena, NULL);
    ndjson.values = malloc(rows->shape->field_count * sizeof *ndjson.values);
    enum status status = ndjson.parser != NULL && ndjson.values != NULL ? read_all(&ndjson, text, size)
                                                                        : no_memory(&ndjson);
    free(ndjson.values);
    arena_fini(&ndjson.arena);
    simdjson_free(ndjson.parser);
    return status;
}
