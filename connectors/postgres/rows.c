/* See rows.h. */
#include "connectors/postgres/rows.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "processor/template.h"

/* SLOTS: a power of two, at most half full. A few documents with escapes may need much room in scratch: it is given back beyond SCRATCH_MAX. */
enum { SLOTS = 2 * POSTGRES_ROWS_MAX, SCRATCH_MAX = 1024 * 1024, FIELD_COUNT = 2, FOUND_MAX = 60 };

bool postgres_rows_init(struct postgres_rows *rows, bool keyed)
{
    *rows = (struct postgres_rows){.most = keyed ? POSTGRES_UPSERT_BYTES : POSTGRES_APPEND_BYTES};
    arena_init(&rows->scratch, NULL);
    rows->rows = malloc(POSTGRES_ROWS_MAX * sizeof *rows->rows);
    rows->slots = keyed ? calloc(SLOTS, sizeof *rows->slots) : NULL;
    return rows->rows != NULL && (!keyed || rows->slots != NULL);
}

void postgres_rows_fini(struct postgres_rows *rows)
{
    postgres_buffer_fini(&rows->tuples);
    free(rows->rows);
    free(rows->slots);
    arena_fini(&rows->scratch);
}

void postgres_rows_reset(struct postgres_rows *rows)
{
    if (rows->slots != NULL && rows->count > 0)
        memset(rows->slots, 0, SLOTS * sizeof *rows->slots);
    postgres_buffer_reset(&rows->tuples, 2 * rows->most);
    rows->count = rows->live = 0;
}

void postgres_rows_rest(struct postgres_rows *rows)
{
    arena_reset(&rows->scratch);
}

/* -- values -- */

/* A document that is not JSON, or not an object: only as a whole. *ret_raw: bytes that are no JSON. */
static enum postgres_fit get_whole(struct postgres_encoder *encoder, const struct path *path,
                                   const struct record *record, struct value *ret, struct bytes *ret_raw)
{
    const struct document *document = &record->document;
    struct bytes text = document->kind == DOCUMENT_NONE ? record->value : document->text;
    if (document->kind == DOCUMENT_NULL || text.data == NULL) {
        ret->type = VALUE_NULL;
        return POSTGRES_FITS;
    }
    if (path->count > 0)
        return postgres_misfit(encoder, "type", "a JSON object to look it up in");
    if (document->kind == DOCUMENT_JSON)
        *ret = json_value(text);
    else
        *ret_raw = text;
    return POSTGRES_FITS;
}

static enum postgres_fit get_value(struct postgres_encoder *encoder, const struct config_column *column,
                                   const struct batch *batch, const struct record *record, struct value *ret,
                                   struct bytes *ret_raw)
{
    if (column->template != NULL) {
        enum status status = template_value(column->template, batch, record, encoder->scratch, ret);
        if (status == STATUS_OK)
            return POSTGRES_FITS;
        return status == STATUS_NO_MEMORY ? POSTGRES_MEMORY : postgres_misfit(encoder, "utf8", "valid UTF-8");
    }
    if (record->document.kind != DOCUMENT_OBJECT)
        return get_whole(encoder, &column->path, record, ret, ret_raw);
    *ret = document_get(&record->document, &column->path, encoder->scratch);
    return POSTGRES_FITS;
}

static enum postgres_fit add_field(struct postgres_encoder *encoder, const struct postgres_target *target,
                                   const struct config_column *column, const struct batch *batch,
                                   const struct record *record, struct value *ret_value)
{
    struct bytes raw = {0};
    encoder->modifier = target->modifier;
    encoder->bytes_as_text = column->template != NULL;
    enum postgres_fit fit = get_value(encoder, column, batch, record, ret_value, &raw);
    if (fit != POSTGRES_FITS)
        return fit;
    if (raw.data != NULL)
        return target->array ? postgres_misfit(encoder, "type", "an array")
                             : postgres_encode_raw(encoder, target->type, raw);
    if (target->not_null && (ret_value->type == VALUE_MISSING || ret_value->type == VALUE_NULL))
        return postgres_misfit(encoder, "constraint", "a value, as it is NOT NULL or in the key");
    return target->array ? postgres_encode_array(encoder, target->type, target->element, ret_value)
                         : postgres_encode_field(encoder, target->type, ret_value);
}

static void reject(const struct postgres_encoder *encoder, const struct postgres_target *target,
                   const struct value *value, struct batch *batch, struct record *record)
{
    uint32_t shown = value->text.size < FOUND_MAX ? value->text.size : FOUND_MAX;
    bool text = value->type > VALUE_NULL && value->type < VALUE_ARRAY && strcmp(encoder->class, "utf8") != 0;
    /* Not in the middle of a character. */
    while (text && shown > 0 && shown < value->text.size && (value->text.data[shown] & 0xc0) == 0x80)
        shown--;
    batch_reject(batch, record, encoder->class, "column \"%s\" (%s): expected %s, found %s%s%.*s%s", target->name,
                 target->sql_type, encoder->expected, value_type_name(value->type), text ? " " : "",
                 text ? (int)shown : 0, text ? (const char *)value->text.data : "",
                 text && shown < value->text.size ? "..." : "");
}

/* -- rows -- */

static bool same_key(const struct postgres_rows *rows, const struct postgres_row *a, const struct postgres_row *b)
{
    const uint8_t *tuples = rows->tuples.data + FIELD_COUNT;
    return a->hash == b->hash && a->key_size == b->key_size && memcmp(tuples + a->at, tuples + b->at, a->key_size) == 0;
}

/* The latest of a key holds its slot. */
static void supersede(struct postgres_rows *rows)
{
    struct postgres_row *row = &rows->rows[rows->count - 1];
    row->hash = (uint32_t)XXH3_64bits(rows->tuples.data + row->at + FIELD_COUNT, row->key_size);
    for (uint32_t at = row->hash;; at++) {
        uint32_t *slot = &rows->slots[at & (SLOTS - 1)];
        if (*slot == 0) {
            *slot = rows->count;
            return;
        }
        if (same_key(rows, row, &rows->rows[*slot - 1])) {
            rows->rows[*slot - 1].superseded = true;
            rows->live--;
            *slot = rows->count;
            return;
        }
    }
}

enum status postgres_rows_add(struct postgres_rows *rows, const struct postgres_table *table,
                              const struct postgres_config *config, struct batch *batch, struct record *record)
{
    struct postgres_encoder encoder = {.out = &rows->tuples, .scratch = &rows->scratch};
    const struct postgres_column *columns = config->columns.values;
    struct postgres_row row = {.at = (uint32_t)rows->tuples.size};
    enum postgres_fit fit = POSTGRES_FITS;
    uint8_t *head = postgres_buffer_room(&rows->tuples, FIELD_COUNT);
    if (head == NULL)
        return STATUS_NO_MEMORY;
    postgres_put16(head, (uint16_t)table->count);
    rows->tuples.size += FIELD_COUNT;
    for (uint32_t i = 0; i < table->count && fit == POSTGRES_FITS; i++) {
        const struct postgres_target *target = &table->targets[i];
        struct value value = {.type = VALUE_MISSING};
        if (i == table->keys)
            row.key_size = (uint32_t)(rows->tuples.size - row.at - FIELD_COUNT);
        fit = add_field(&encoder, target, &columns[target->config].from, batch, record, &value);
        if (fit == POSTGRES_MISFIT)
            reject(&encoder, target, &value, batch, record);
    }
    if (rows->scratch.held > SCRATCH_MAX)
        arena_reset(&rows->scratch);
    if (fit != POSTGRES_FITS) {
        rows->tuples.size = row.at;
        return fit == POSTGRES_MISFIT ? STATUS_OK : STATUS_NO_MEMORY;
    }
    if (table->keys == table->count)
        row.key_size = (uint32_t)(rows->tuples.size - row.at - FIELD_COUNT);
    rows->rows[rows->count++] = row;
    rows->live++;
    if (rows->slots != NULL)
        supersede(rows);
    return STATUS_OK;
}
