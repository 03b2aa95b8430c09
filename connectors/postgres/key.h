/* The table's unique indexes: the one that an upsert needs, and those that appending would clash with. */
#ifndef WEIR_CONNECTORS_POSTGRES_KEY_H
#define WEIR_CONNECTORS_POSTGRES_KEY_H

#include "connectors/postgres/table.h"

/* ERROR_FATAL: none that ON CONFLICT could take for the config's `key`. */
enum status postgres_key_check(const struct postgres_table *table, struct postgres_connection *connection,
                               struct context *context, struct error *error);
/* The name of a unique index whose columns are all written by us, "" for none: a record that comes again is refused by it. */
enum status postgres_key_clash(const struct postgres_table *table, struct postgres_connection *connection,
                               struct context *context, char *ret_name, size_t size, struct error *error);

#endif
