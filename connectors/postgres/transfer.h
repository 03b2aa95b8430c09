/* Rows on their way: the statement that writes them is sent, with all of its data, and its answer waited for later, while the next rows are encoded. */
#ifndef WEIR_CONNECTORS_POSTGRES_TRANSFER_H
#define WEIR_CONNECTORS_POSTGRES_TRANSFER_H

#include "connectors/postgres/rows.h"
#include "connectors/postgres/sql.h"

/* What the server said of a statement that failed. */
struct postgres_failure {
    char state[6];
    uint32_t line; /* of COPY's rows, from 1; 0: not told */
    char words[400];
};

struct postgres_transfer {
    struct postgres_connection *connection;
    const struct postgres_table *table;
    const struct postgres_sql *sql;
    struct postgres_rows *rows;
    struct postgres_buffer arrays; /* parameters, column by column */
    bool upsert;
    bool dedup; /* equal keys are told apart by the server only */
    struct postgres_failure failure;
};

/* prefix: statements before it, each with its semicolon, or "". Nothing may run. STATUS_FAILED with ERROR_RECORD: see failure. */
enum status postgres_transfer(struct postgres_transfer *transfer, const char *prefix, struct context *context,
                              struct error *error);
/* Has the server answered what was sent, as far as is known without waiting? */
bool postgres_is_idle(const struct postgres_transfer *transfer);
/* Waits for the answer of what was sent. STATUS_OK when nothing runs. */
enum status postgres_settle(struct postgres_transfer *transfer, struct context *context, struct error *error);

#endif
