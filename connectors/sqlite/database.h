/*
 * The database as the store needs it: opened and set up, its table there and fitting, the statement that writes a row. And what SQLite's result codes
 * mean here.
 */
#ifndef WEIR_CONNECTORS_SQLITE_DATABASE_H
#define WEIR_CONNECTORS_SQLITE_DATABASE_H

#include <sqlite3.h>

#include "connectors/sqlite/config.h"
#include "processor/error.h"

/* Sets class and text by the connection's latest error: `what` failed. Always STATUS_FAILED. */
enum status sqlite_failed(sqlite3 *db, int code, const char *path, const char *what, struct error *error);
enum error_class sqlite_error_class(int code);

/* Opens the file, with busy(arg, n) as busy handler from the first statement on. */
enum status sqlite_open_database(const struct sqlite_config *config, int (*busy)(void *, int), void *arg,
                                 sqlite3 **ret_db, struct error *error);
/* Opens a file that is there, to look and change nothing; busy as above. Returns SQLite's code; *ret_db is to be closed (sqlite3_close_v2) in any case. */
int sqlite_open_reader(const char *path, int (*busy)(void *, int), void *arg, sqlite3 **ret_db);
/* The columns of the table, in `ret_names` as "a, b, c" (NULL: there is no such table; sqlite3_free), and which of ours are among them. Returns SQLite's
 * code. */
int sqlite_read_columns(sqlite3 *db, const struct sqlite_config *config, bool *ret_has, char **ret_names);
/* Makes the table when it is missing, else looks whether it has the columns. */
enum status sqlite_prepare_table(sqlite3 *db, const struct sqlite_config *config, struct error *error);
/* The statement that writes a row, a parameter for each column in the config's order. */
enum status sqlite_prepare_insert(sqlite3 *db, const struct sqlite_config *config, sqlite3_stmt **ret_insert,
                                  struct error *error);

#endif
