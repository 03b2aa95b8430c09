/* Rows without a database: what a store of rows hands over, before any type of a column is looked at. */
#include "config/column.h"

#include <stdio.h>
#include <stdlib.h>

#include "processor/template.h"

enum fit { FITS, MISFIT, NO_MEMORY };

/* A whole document that is not JSON. */
static enum fit raw_value(struct bytes text, struct arena *arena, struct value *ret)
{
    static const char DIGITS[] = "0123456789abcdef", HEAD[] = "{\"hex\": \"", TAIL[] = "\"}";
    bool utf8 = utf8_valid(text);
    size_t room = utf8 ? JSON_QUOTED_MAX(text.size) : sizeof HEAD + 2 * (size_t)text.size + sizeof TAIL;
    uint8_t *out = arena_text(arena, room), *at = out;
    if (out == NULL)
        return NO_MEMORY;
    if (utf8) {
        *ret = (struct value){VALUE_STRING, bytes_of(out, (uint32_t)json_quote(out, text))};
        return FITS;
    }
    at = (uint8_t *)mempcpy(at, HEAD, sizeof HEAD - 1);
    for (uint32_t i = 0; i < text.size; i++) {
        *at++ = (uint8_t)DIGITS[text.data[i] >> 4];
        *at++ = (uint8_t)DIGITS[text.data[i] & 15];
    }
    at = (uint8_t *)mempcpy(at, TAIL, sizeof TAIL - 1);
    *ret = (struct value){VALUE_OBJECT, bytes_of(out, (uint32_t)(at - out))};
    return FITS;
}

/* Of a document that is no object: only as a whole. */
static enum fit whole_value(const struct path *path, const struct record *record, struct arena *arena,
                            struct value *ret)
{
    const struct document *document = &record->document;
    struct bytes text = document->kind == DOCUMENT_NONE ? record->value : document->text;
    *ret = (struct value){VALUE_NULL, bytes_of_string("null")};
    if (document->kind == DOCUMENT_NULL || text.data == NULL)
        return FITS;
    if (path->count > 0)
        return MISFIT;
    if (document->kind != DOCUMENT_JSON)
        return raw_value(text, arena, ret);
    *ret = json_value(text);
    return FITS;
}

static enum fit get_value(const struct config_column *column, const char *name, struct batch *batch,
                          struct record *record, struct arena *arena, struct value *ret)
{
    enum fit fit = FITS;
    if (column->template != NULL) {
        enum status status = template_value(column->template, batch, record, arena, ret);
        if (status == STATUS_NO_MEMORY)
            return NO_MEMORY;
        if (status != STATUS_OK) {
            batch_reject(batch, record, "utf8", "column \"%s\": its value is not valid UTF-8", name);
            return MISFIT;
        }
    } else if (record->document.kind == DOCUMENT_OBJECT) {
        *ret = document_get(&record->document, &column->path, arena);
    } else {
        fit = whole_value(&column->path, record, arena, ret);
        if (fit == MISFIT)
            batch_reject(batch, record, "type", "column \"%s\": expected a JSON object, as %s is looked up in it", name,
                         column->path.text);
    }
    if (ret->type == VALUE_MISSING)
        *ret = (struct value){VALUE_NULL, bytes_of_string("null")};
    return fit;
}

static enum fit get_values(const struct config_map *columns, size_t size, const struct config_list *key,
                           struct batch *batch, struct record *record, struct arena *arena, struct value *values)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct config_column *column = (const void *)((const char *)columns->values + i * size);
        enum fit fit = get_value(column, columns->keys[i], batch, record, arena, &values[i]);
        if (fit != FITS)
            return fit;
        if (values[i].type == VALUE_NULL && config_column_is_key(key, columns->keys[i])) {
            batch_reject(batch, record, "constraint", "column \"%s\" is in the key, and has no value in this record",
                         columns->keys[i]);
            return MISFIT;
        }
    }
    return FITS;
}

static enum fit write_row(const struct config_map *columns, const struct value *values, struct arena *arena,
                          struct value *ret)
{
    size_t room = 2;
    for (uint32_t i = 0; i < columns->count; i++)
        room += JSON_QUOTED_MAX(strlen(columns->keys[i])) + values[i].text.size + 4;
    uint8_t *out = room <= UINT32_MAX ? arena_text(arena, room) : NULL, *at = out;
    if (out == NULL)
        return NO_MEMORY;
    *at++ = '{';
    for (uint32_t i = 0; i < columns->count; i++) {
        if (i > 0)
            at = (uint8_t *)mempcpy(at, ", ", 2);
        at += json_quote(at, bytes_of_string(columns->keys[i]));
        at = (uint8_t *)mempcpy(at, ": ", 2);
        at = (uint8_t *)mempcpy(at, values[i].text.data, values[i].text.size);
    }
    *at++ = '}';
    *ret = (struct value){VALUE_OBJECT, bytes_of(out, (uint32_t)(at - out))};
    arena_trim(arena, out, room, (size_t)(at - out));
    return FITS;
}

enum status config_column_row(const struct config_map *columns, size_t size, const struct config_list *key,
                              struct batch *batch, struct record *record, struct arena *arena, struct value *ret)
{
    struct value *values = arena_alloc(arena, columns->count * sizeof *values);
    *ret = (struct value){.type = VALUE_MISSING};
    if (values == NULL)
        return STATUS_NO_MEMORY;
    enum fit fit = get_values(columns, size, key, batch, record, arena, values);
    if (fit == FITS)
        fit = write_row(columns, values, arena, ret);
    return fit == NO_MEMORY ? STATUS_NO_MEMORY : STATUS_OK;
}
