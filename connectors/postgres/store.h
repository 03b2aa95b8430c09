/*
 * The PostgreSQL store. A transaction from the first rows that are sent to the flush's COMMIT. Rows are encoded into a bounded run; a run that is full
 * is one statement, sent whole while the next one is encoded, so that no statement ever waits for us and the server's time limits mean what they say.
 *
 * What goes wrong at the server with batches handed over that write has answered for already makes the store `lost`: it takes no more, and the flush tells. A
 * row that only the server finds wrong is searched for then (bisect.c), in a transaction that is rolled back; the framework dead-letters it and hands the
 * rest again.
 */
#ifndef WEIR_CONNECTORS_POSTGRES_STORE_H
#define WEIR_CONNECTORS_POSTGRES_STORE_H

#include "connectors/postgres/transfer.h"
#include "processor/connector.h"

/* The moves of a flush as literals of arrays, by which statements take them. */
struct postgres_moves {
    char *topics, *partitions, *froms, *tos;
    unsigned count;
};

struct postgres_store {
    const struct postgres_config *config;
    char *service;
    bool exactly_once;
    struct postgres_connection connection;
    struct postgres_table table;
    struct postgres_sql sql;
    struct postgres_rows rows;
    struct postgres_transfer transfer;
    struct batch **held; /* handed over since the last flush */
    size_t held_count, held_room;
    bool ready;                  /* the connection's table has been read */
    bool begun;                  /* the transaction */
    struct postgres_moves moves; /* of the latest flush, exactly once */
    bool moved;                  /* they are in the transaction */
    bool doubtful;               /* did its commit come through? */
    bool stored;                 /* it did: what is handed over until the next flush is there already */
    struct error lost;           /* class ERROR_NONE: all is well */
    int64_t idle_limit;          /* ns: what the server allows the transaction to be idle */
};

/* Connects and reads the table when need be. */
enum status postgres_store_ready(struct postgres_store *store, struct context *context, struct error *error);
/* "BEGIN; SET LOCAL ...; " with the time limits of now. */
void postgres_store_begin_text(const struct postgres_store *store, const struct context *context, char *text,
                               size_t size);
/* Sends the rows, in the transaction, and empties them; the statement before is waited for first. */
enum status postgres_store_submit(struct postgres_store *store, struct context *context, struct error *error);
/* Rolls back (within a second, or by closing the connection) and forgets all that was handed over. */
void postgres_store_forget(struct postgres_store *store);
/* The end of a flush that failed with status and why: looks for the rows that are to blame, forgets everything, and answers what is to be answered. */
enum status postgres_store_give_up(struct postgres_store *store, enum status status, struct error *why,
                                   struct context *context, struct error *error);
/* The rollback alone. */
void postgres_store_rollback(struct postgres_store *store);

/* bisect.c: rejects the rows of what is held that the server refuses. ERROR_RECORD: some are; ERROR_TRANSIENT: all went well this time. why: by what the
 * flush failed. */
enum status postgres_store_find_wrong(struct postgres_store *store, const struct error *why, struct context *context,
                                      struct error *error);

#endif
