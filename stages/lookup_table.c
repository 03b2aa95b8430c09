/*
 * Rows lie one behind the other in one block; the hash table beside it (open addressing, linear probing, at most two thirds full) holds 32 bits of each key's hash
 * and where its row is. So a look-up touches two lines of memory: a slot, and the row with key and values together.
 */
#include "stages/lookup_table.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "processor/check.h"
#include "processor/json.h"
#include "stages/file.h"
#include "stages/lookup_rows.h"

/* Rows begin at multiples of 4, and slots count in them. */
enum { ROW_UNIT = 4, FIRST_SLOTS = 1024, FIRST_ROOM = 64 * 1024 };

struct lookup_row {
    uint32_t key_size;
    uint32_t sizes[]; /* one a value, 0: the row lacks it; then the key, then the values */
};

struct slot {
    uint32_t hash;
    uint32_t row; /* 0: free; else one more than its place in ROW_UNITs */
};

struct lookup_table {
    struct slot *slots;
    uint32_t mask;
    uint32_t value_count; /* a row */
    uint8_t *rows;
    size_t used; /* bytes of rows */
    struct lookup_counts counts;
    atomic_uint refs;
};

static uint32_t hash_of(struct bytes key)
{
    return (uint32_t)XXH3_64bits(key.data, key.size);
}

static const struct lookup_row *row_at(const struct lookup_table *table, uint32_t place)
{
    return (const struct lookup_row *)(table->rows + (size_t)(place - 1) * ROW_UNIT);
}

static const uint8_t *row_key(const struct lookup_table *table, const struct lookup_row *row)
{
    return (const uint8_t *)&row->sizes[table->value_count];
}

static bool row_has_key(const struct lookup_table *table, const struct lookup_row *row, struct bytes key)
{
    return row->key_size == key.size && memcmp(row_key(table, row), key.data, key.size) == 0;
}

/* -- making -- */

enum status lookup_rows_fail(struct lookup_rows *rows, uint32_t line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum status status = error_vset(rows->error, ERROR_FATAL, format, args);
    va_end(args);
    error_prefix(rows->error, "%s:%u", rows->path, line);
    return status;
}

static enum status no_memory(struct lookup_rows *rows)
{
    return error_set(rows->error, ERROR_TRANSIENT, "%s: no memory for the table", rows->path);
}

/* The slot that has the key, or the free one where it belongs. */
static struct slot *slot_for(const struct lookup_table *table, struct bytes key, uint32_t hash)
{
    uint32_t at = hash & table->mask;
    while (table->slots[at].row != 0 &&
           (table->slots[at].hash != hash || !row_has_key(table, row_at(table, table->slots[at].row), key)))
        at = (at + 1) & table->mask;
    return &table->slots[at];
}

static bool set_slots(struct lookup_table *table, uint32_t count)
{
    struct slot *slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; table->slots != NULL && i <= table->mask; i++) {
        if (table->slots[i].row == 0)
            continue;
        uint32_t at = table->slots[i].hash & (count - 1);
        while (slots[at].row != 0)
            at = (at + 1) & (count - 1);
        slots[at] = table->slots[i];
    }
    free(table->slots);
    table->slots = slots;
    table->mask = count - 1;
    return true;
}

static bool make_room(struct lookup_rows *rows, size_t size)
{
    struct lookup_table *table = rows->table;
    if (rows->room - table->used >= size)
        return true;
    size_t room = rows->room * 2 < FIRST_ROOM ? FIRST_ROOM : rows->room * 2;
    if (room < table->used + size)
        room = table->used + size;
    uint8_t *grown = realloc(table->rows, room);
    if (grown == NULL)
        return false;
    table->rows = grown;
    rows->room = room;
    return true;
}

/* An upper bound of what a row takes. */
static size_t row_max(const struct lookup_rows *rows, struct bytes key, const struct bytes *values, bool text)
{
    const struct lookup_shape *shape = rows->shape;
    size_t size = sizeof(struct lookup_row) + rows->table->value_count * sizeof(uint32_t) + key.size + ROW_UNIT + 2;
    for (uint32_t i = 0; i < shape->field_count; i++)
        size += (text ? JSON_QUOTED_MAX(values[i].size) : values[i].size) + rows->names[i].size + 1;
    return size;
}

static uint8_t *put(uint8_t *out, struct bytes bytes)
{
    memcpy(out, bytes.data, bytes.size);
    return out + bytes.size;
}

/* The values behind the key, joined or each by itself, and their sizes. */
static uint8_t *put_values(struct lookup_rows *rows, uint8_t *out, const struct bytes *values, bool text,
                           uint32_t *sizes)
{
    bool joined = rows->shape->joined;
    uint8_t *begin = out, *object = out;
    if (joined)
        *out++ = '{';
    for (uint32_t i = 0; i < rows->shape->field_count; i++) {
        begin = out;
        if (values[i].data != NULL) {
            rows->seen[i] = true;
            if (joined && out > object + 1)
                *out++ = ',';
            if (joined)
                out = put(out, rows->names[i]);
            out = text ? out + json_quote(out, values[i]) : put(out, values[i]);
        }
        if (!joined)
            sizes[i] = (uint32_t)(out - begin);
    }
    if (joined) {
        *out++ = '}';
        sizes[0] = (uint32_t)(out - object);
    }
    return out;
}

/* At the end of the rows, not yet in the hash table. */
static struct lookup_row *put_row(struct lookup_rows *rows, struct bytes key, const struct bytes *values, bool text)
{
    struct lookup_table *table = rows->table;
    struct lookup_row *row = (struct lookup_row *)(table->rows + table->used);
    row->key_size = key.size;
    uint8_t *out = put((uint8_t *)&row->sizes[table->value_count], key);
    out = put_values(rows, out, values, text, row->sizes);
    size_t size = (size_t)(out - (uint8_t *)row);
    table->used += (size + ROW_UNIT - 1) / ROW_UNIT * ROW_UNIT;
    return row;
}

static void note(uint32_t *count, uint32_t *first, uint32_t line)
{
    if ((*count)++ == 0)
        *first = line;
}

enum status lookup_rows_add(struct lookup_rows *rows, uint32_t line, struct bytes key, const struct bytes *values,
                            bool text)
{
    struct lookup_table *table = rows->table;
    struct lookup_counts *counts = &table->counts;
    if (key.size == 0) {
        note(&counts->keyless, &counts->keyless_line, line);
        return STATUS_OK;
    }
    size_t size = row_max(rows, key, values, text);
    if ((table->used + size) / ROW_UNIT >= UINT32_MAX)
        return lookup_rows_fail(rows, line, "the table takes more than 16 GiB");
    if (!make_room(rows, size))
        return no_memory(rows);
    if (counts->rows >= (table->mask + 1) / 3 * 2 && !set_slots(table, (table->mask + 1) * 2))
        return no_memory(rows);
    uint32_t place = (uint32_t)(table->used / ROW_UNIT) + 1, hash = hash_of(key);
    put_row(rows, key, values, text);
    struct slot *slot = slot_for(table, key, hash);
    if (slot->row != 0)
        note(&counts->duplicates, &counts->duplicate_line, line);
    else
        counts->rows++;
    *slot = (struct slot){hash, place};
    return STATUS_OK;
}

/* -- loading -- */

static bool has_suffix(const char *path, const char *suffix)
{
    size_t size = strlen(path), suffix_size = strlen(suffix);
    return size >= suffix_size && strcasecmp(path + size - suffix_size, suffix) == 0;
}

static bool is_ndjson(const char *path, const uint8_t *text, uint32_t size)
{
    if (has_suffix(path, ".csv"))
        return false;
    if (has_suffix(path, ".ndjson") || has_suffix(path, ".jsonl") || has_suffix(path, ".json"))
        return true;
    while (size > 0 && (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n'))
        text++, size--;
    return size > 0 && *text == '{';
}

static enum status read_rows(struct lookup_rows *rows, uint8_t *text, uint32_t size)
{
    static const uint8_t BOM[] = {0xef, 0xbb, 0xbf};
    if (size >= sizeof BOM && memcmp(text, BOM, sizeof BOM) == 0)
        text += sizeof BOM, size -= (uint32_t)sizeof BOM;
    enum status status = is_ndjson(rows->path, text, size) ? lookup_read_ndjson(rows, text, size)
                                                           : lookup_read_csv(rows, text, size);
    const struct lookup_counts *counts = &rows->table->counts;
    if (status == STATUS_OK && counts->rows == 0 && counts->keyless > 0)
        return lookup_rows_fail(rows, counts->keyless_line, "no row has a value in the key's column '%s'",
                                rows->shape->column);
    return status;
}

/* `"name":` for each field, in one allocation behind the array. */
static bool quote_names(struct lookup_rows *rows)
{
    const struct lookup_shape *shape = rows->shape;
    size_t size = shape->field_count * sizeof *rows->names;
    for (uint32_t i = 0; i < shape->field_count; i++)
        size += JSON_QUOTED_MAX(strlen(shape->fields[i])) + 1;
    rows->names = malloc(size);
    rows->seen = calloc(shape->field_count, sizeof *rows->seen);
    if (rows->names == NULL || rows->seen == NULL)
        return false;
    uint8_t *out = (uint8_t *)(rows->names + shape->field_count);
    for (uint32_t i = 0; i < shape->field_count; i++) {
        uint8_t *begin = out;
        out += json_quote(out, bytes_of_string(shape->fields[i]));
        *out++ = ':';
        rows->names[i] = bytes_of(begin, (uint32_t)(out - begin));
    }
    return true;
}

static enum status build(struct lookup_rows *rows, uint8_t *text, size_t size)
{
    struct lookup_table *table = rows->table;
    if (!quote_names(rows) || !set_slots(table, FIRST_SLOTS))
        return no_memory(rows);
    enum status status = read_rows(rows, text, (uint32_t)size);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < rows->shape->field_count && table->counts.rows > 0; i++) {
        if (!rows->seen[i])
            table->counts.absent = rows->shape->fields[i];
    }
    if (table->used > 0) {
        uint8_t *fitting = realloc(table->rows, table->used);
        table->rows = fitting != NULL ? fitting : table->rows;
    }
    table->counts.bytes = sizeof *table + table->used + (size_t)(table->mask + 1) * sizeof *table->slots;
    return STATUS_OK;
}

enum status lookup_table_load(const char *path, const struct lookup_shape *shape, struct lookup_table **ret,
                              struct stat *ret_stat, struct error *error)
{
    uint8_t *text;
    size_t size;
    CHECK(shape->field_count > 0 && shape->field_count <= LOOKUP_MAX_FIELDS);
    memset(ret_stat, 0, sizeof *ret_stat);
    struct stat stat;
    enum status status = file_read(path, shape->max_size, &text, &size, &stat, error);
    if (status != STATUS_OK)
        return status;
    *ret_stat = stat;
    struct lookup_rows rows = {.path = path, .shape = shape, .error = error};
    rows.table = calloc(1, sizeof *rows.table);
    if (rows.table == NULL) {
        free(text);
        return no_memory(&rows);
    }
    atomic_init(&rows.table->refs, 1);
    rows.table->value_count = shape->joined ? 1 : shape->field_count;
    status = build(&rows, text, size);
    free(text);
    free(rows.names);
    free(rows.seen);
    if (status == STATUS_OK)
        *ret = rows.table;
    else
        lookup_table_unref(rows.table);
    return status;
}

/* -- using -- */

struct lookup_table *lookup_table_ref(struct lookup_table *table)
{
    atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
    return table;
}

void lookup_table_unref(struct lookup_table *table)
{
    if (table == NULL || atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) > 1)
        return;
    free(table->slots);
    free(table->rows);
    free(table);
}

const struct lookup_counts *lookup_table_counts(const struct lookup_table *table)
{
    return &table->counts;
}

/* From slot `at` on, the first row whose hash is this; NULL: none. *ret_at is its slot. */
static const struct lookup_row *candidate(const struct lookup_table *table, uint32_t at, uint32_t hash,
                                          uint32_t *ret_at)
{
    for (;; at = (at + 1) & table->mask) {
        const struct slot *slot = &table->slots[at];
        if (slot->row == 0)
            return NULL;
        if (slot->hash == hash) {
            *ret_at = at;
            return row_at(table, slot->row);
        }
    }
}

void lookup_table_find(const struct lookup_table *table, const struct bytes *keys, uint32_t count,
                       const struct lookup_row **ret_rows)
{
    uint32_t hashes[LOOKUP_AT_ONCE], at[LOOKUP_AT_ONCE];
    for (uint32_t i = 0; i < count; i++) {
        hashes[i] = hash_of(keys[i]);
        __builtin_prefetch(&table->slots[hashes[i] & table->mask]);
    }
    for (uint32_t i = 0; i < count; i++) {
        ret_rows[i] = candidate(table, hashes[i] & table->mask, hashes[i], &at[i]);
        __builtin_prefetch(ret_rows[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        while (ret_rows[i] != NULL && !row_has_key(table, ret_rows[i], keys[i]))
            ret_rows[i] = candidate(table, (at[i] + 1) & table->mask, hashes[i], &at[i]);
    }
}

bool lookup_row_copy(const struct lookup_table *table, const struct lookup_row *row, struct arena *arena,
                     struct bytes *ret_values)
{
    size_t size = 0;
    for (uint32_t i = 0; i < table->value_count; i++)
        size += row->sizes[i];
    uint8_t *at = arena_text(arena, size);
    if (at == NULL)
        return false;
    memcpy(at, row_key(table, row) + row->key_size, size);
    for (uint32_t i = 0; i < table->value_count; i++) {
        ret_values[i] = bytes_of(row->sizes[i] > 0 ? at : NULL, row->sizes[i]);
        at += row->sizes[i];
    }
    return true;
}
