/* Between a lookup table that is being loaded and the readers of its formats (lookup_csv.c, lookup_ndjson.c): where rows go, one by one. */
#ifndef WEIR_STAGES_LOOKUP_ROWS_H
#define WEIR_STAGES_LOOKUP_ROWS_H

#include "stages/lookup_table.h"

struct lookup_rows {
    const char *path;
    const struct lookup_shape *shape;
    struct lookup_table *table;
    struct error *error;
    struct bytes *names; /* of the fields as they stand in an object: `"name":` */
    bool *seen;          /* fields that some row has */
    size_t room;         /* of the table's row memory */
};

/* A row of one value for each field. text: keys and values are plain text, and values become JSON strings; else values are JSON text, data NULL where the row
 * lacks one. */
enum status lookup_rows_add(struct lookup_rows *rows, uint32_t line, struct bytes key, const struct bytes *values,
                            bool text) WARN_UNUSED;
/* Sets the error to `path:line: ...`; returns STATUS_FAILED. */
enum status lookup_rows_fail(struct lookup_rows *rows, uint32_t line, const char *format, ...) PRINTF_LIKE(3, 4);

/* Read all of a file's text, which has 64 readable bytes behind it. The CSV reader writes to it (quotes are resolved in place). */
enum status lookup_read_csv(struct lookup_rows *rows, uint8_t *text, uint32_t size) WARN_UNUSED;
enum status lookup_read_ndjson(struct lookup_rows *rows, const uint8_t *text, uint32_t size) WARN_UNUSED;

#endif
