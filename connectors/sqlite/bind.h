/* A record's values as a statement's parameters. Texts are not copied: they live in the batch or in the scratch arena until the row is written. */
#ifndef WEIR_CONNECTORS_SQLITE_BIND_H
#define WEIR_CONNECTORS_SQLITE_BIND_H

#include <sqlite3.h>

#include "connectors/sqlite/config.h"
#include "processor/batch.h"

enum bind_result {
    BIND_OK,
    BIND_TYPE,   /* a path, but the document is no JSON object */
    BIND_UTF8,   /* a template's value is not valid UTF-8 */
    BIND_NULL,   /* a key column without a value */
    BIND_MEMORY, /* out of memory */
};

/* key: NULL must not be bound. */
enum bind_result sqlite_bind_column(sqlite3_stmt *insert, int parameter, const struct sqlite_column *column, bool key,
                                    const struct batch *batch, const struct record *record, struct arena *scratch);

#endif
