/*
 * How far each partition is stored, in the database of the rows: a row of weir_offsets for each service, topic and partition, moved in the transaction that
 * writes the records. The write lock that BEGIN IMMEDIATE takes makes the compare-and-swap one step for all processes.
 */
#ifndef WEIR_CONNECTORS_SQLITE_OFFSETS_H
#define WEIR_CONNECTORS_SQLITE_OFFSETS_H

#include <sqlite3.h>

#include "connectors/sqlite/config.h"
#include "processor/connector.h"
#include "processor/offset_moves.h"

#define SQLITE_OFFSETS_TABLE "weir_offsets"

struct sqlite_offsets {
    const char *service;
    sqlite3_stmt *update, *insert, *look;
    struct offset_moves last; /* that were tried */
};

enum sqlite_moved {
    MOVED,         /* the offsets stand at `to`, once the transaction is committed */
    MOVED_NOT,     /* they stand at `from` */
    MOVED_ALREADY, /* they stood there before: an earlier transaction came through */
    MOVED_FENCED,  /* somebody else moved one */
};

/* Makes the table when it is missing, and the statements. */
enum status sqlite_offsets_init(struct sqlite_offsets *offsets, sqlite3 *db, const struct sqlite_config *config,
                                const char *service, struct error *error) WARN_UNUSED;
void sqlite_offsets_fini(struct sqlite_offsets *offsets); /* zeroed is fine */
/* In the open transaction, which is to be rolled back unless the answer is MOVED. Fenced: the error says what was expected and what was found. Returns
 * SQLite's code. */
int sqlite_offsets_move(struct sqlite_offsets *offsets, const struct offset_move *moves, unsigned count,
                        const char *path, enum sqlite_moved *ret_moved, struct error *error);

/* What became of the moves that were tried last, when nobody knows: MOVED_ALREADY, or MOVED_NOT (and nobody else moved one), or fenced as above. Returns
 * SQLite's code. */
int sqlite_offsets_recall(struct sqlite_offsets *offsets, const char *path, enum sqlite_moved *ret_moved,
                          struct error *error);

/* As struct store_offsets says. */
enum status sqlite_offsets_read(const void *config, const struct connector_env *env, struct offset_start *starts,
                                unsigned count, struct context *context, struct error *error);
/* As struct store_type says: not where nobody else sees the database, and not where a power failure may tear rows and offset apart. */
bool sqlite_offsets_can_keep(const void *config, const struct config_node **ret_node, const char **ret_why);

#endif
