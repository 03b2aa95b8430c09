/*
 * A table to look rows up in by a key's text: loaded whole from a CSV or NDJSON file, immutable, shared by reference.
 *
 * Format: by the file's suffix (.csv; .ndjson, .jsonl, .json), else by its first byte: `{` is NDJSON. CSV is RFC 4180's: the first row names the
 * columns, quotes, CRLF or LF; empty lines are passed over; its values are strings. NDJSON has one object a line, and its values keep their type. Both are
 * UTF-8, a BOM before them is passed over. Keys are compared by their text: the number 42 in a document meets "42" in a table. When several rows have
 * a key, the last one counts; rows whose key is empty, null or missing are left out; both are counted.
 *
 * Memory: what a row gives is kept as JSON text that was made once, when the table was loaded: a row takes the size of its key and its wanted columns as
 * text, 4 bytes and 4 more for each value, and 12 to 24 bytes of hash table. While it loads, the file is in memory too. None of it counts for the pipeline's
 * budget, as it does not grow with the records; max_size bounds it.
 */
#ifndef WEIR_STAGES_LOOKUP_TABLE_H
#define WEIR_STAGES_LOOKUP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "processor/arena.h"
#include "processor/bytes.h"
#include "processor/error.h"

enum { LOOKUP_MAX_FIELDS = 256, LOOKUP_AT_ONCE = 32 };

struct lookup_table;
struct lookup_row;

/* What to make of a file. Must live as long as the load. */
struct lookup_shape {
    const char *column; /* the key's */
    const char *const *fields;
    uint32_t field_count; /* 1..LOOKUP_MAX_FIELDS */
    bool joined;          /* a row gives one value, the object of all fields; else one value a field */
    size_t max_size;      /* of the file, in bytes; below 4 GiB */
};

struct lookup_counts {
    uint32_t rows;           /* with different keys */
    uint32_t duplicates;     /* rows that a later one of the same key took the place of */
    uint32_t duplicate_line; /* where that happened first */
    uint32_t keyless;        /* rows left out */
    uint32_t keyless_line;   /* the first of them */
    const char *absent;      /* a field that no row has (NDJSON), out of the shape's; NULL: none */
    size_t bytes;            /* that the table holds */
};

/* Reads the file. *ret_stat is what the file was while it was read; it is set also when what is in it turns out wrong (and zeroed when it could
 * not be read). Errors say file and line. */
enum status lookup_table_load(const char *path, const struct lookup_shape *shape, struct lookup_table **ret,
                              struct stat *ret_stat, struct error *error) WARN_UNUSED;
struct lookup_table *lookup_table_ref(struct lookup_table *table);
void lookup_table_unref(struct lookup_table *table); /* NULL is fine */
const struct lookup_counts *lookup_table_counts(const struct lookup_table *table);

/* Finds up to LOOKUP_AT_ONCE rows; NULL where there is none. At once, because a large table costs waiting for memory, and these waits overlap. Rows live as long as
 * the table. */
void lookup_table_find(const struct lookup_table *table, const struct bytes *keys, uint32_t count,
                       const struct lookup_row **ret_rows);
/* The row's values as JSON text (one, or one a field; data NULL: the row lacks it), copied into arena. false: out of memory. */
bool lookup_row_copy(const struct lookup_table *table, const struct lookup_row *row, struct arena *arena,
                     struct bytes *ret_values) WARN_UNUSED;

#endif
