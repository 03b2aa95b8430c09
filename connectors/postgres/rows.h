/*
 * A bounded run of rows, encoded as COPY's binary format has them: the number of fields, and the fields, the key's first. The same fields, put column by
 * column, are the elements of arrays, so whichever way the rows go, they are encoded once. For an upsert a row whose key comes again is marked: only the last
 * is sent.
 */
#ifndef WEIR_CONNECTORS_POSTGRES_ROWS_H
#define WEIR_CONNECTORS_POSTGRES_ROWS_H

#include "connectors/postgres/table.h"
#include "processor/batch.h"

/*
 * BYTES: measured with PostgreSQL 15 on two cores, flushes of 16384 rows of 65 bytes (rows/s, mean of six, with other work on the machine): appending 0.89 M
 * with 256 KiB, 1.00 M with 512 KiB, 0.94 M with 1 MiB, against 1.06 M of a client that does nothing but COPY. Less is more statements; more has the server
 * wait for the first. An upsert is dearer, and gains with the rows in its statement.
 */
enum { POSTGRES_ROWS_MAX = 16384, POSTGRES_APPEND_BYTES = 512 * 1024, POSTGRES_UPSERT_BYTES = 1024 * 1024 };

struct postgres_rows {
    struct postgres_buffer tuples;
    size_t most; /* bytes, and one row more */
    struct postgres_row *rows;
    uint32_t count, live; /* live: not superseded */
    uint32_t *slots;      /* by the hash of the key: 1 + index; NULL: for appending */
    struct arena scratch;
};

struct postgres_row {
    uint32_t at; /* in tuples */
    uint32_t hash;
    uint32_t key_size;
    bool superseded;
};

bool postgres_rows_init(struct postgres_rows *rows, bool keyed);
void postgres_rows_fini(struct postgres_rows *rows);
void postgres_rows_reset(struct postgres_rows *rows);
static inline bool postgres_rows_full(const struct postgres_rows *rows)
{
    return rows->count == POSTGRES_ROWS_MAX || rows->tuples.size >= rows->most;
}
/* Adds the record, or rejects it (batch_reject) when a value does not fit its column. Not when full. STATUS_NO_MEMORY. */
enum status postgres_rows_add(struct postgres_rows *rows, const struct postgres_table *table,
                              const struct postgres_config *config, struct batch *batch, struct record *record);
/* After the last row of a batch: what was unescaped for it is not needed any more. */
void postgres_rows_rest(struct postgres_rows *rows);
/* Where row i ends in tuples. */
static inline uint32_t postgres_rows_end(const struct postgres_rows *rows, uint32_t i)
{
    return i + 1 < rows->count ? rows->rows[i + 1].at : (uint32_t)rows->tuples.size;
}

#endif
