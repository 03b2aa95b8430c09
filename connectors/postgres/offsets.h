/* Exactly-once delivery: the offsets in a table weir_offsets beside the one that is written, moved in the same transaction (struct store_offsets). */
#ifndef WEIR_CONNECTORS_POSTGRES_OFFSETS_H
#define WEIR_CONNECTORS_POSTGRES_OFFSETS_H

#include "connectors/postgres/store.h"

extern const struct store_offsets postgres_offsets;

/* Makes the table when it is missing. */
enum status postgres_offsets_prepare(struct postgres_connection *connection, const struct postgres_table *table,
                                     struct context *context, struct error *error);

/* Can it be there? Makes nothing. */
enum status postgres_offsets_probe(struct postgres_connection *connection, const struct postgres_table *table,
                                   struct context *context, struct error *error);

/* After a commit whose outcome is not known: did it come through? Then `stored` is set. */
enum status postgres_offsets_resolve(struct postgres_store *store, struct context *context, struct error *error);
void postgres_moves_fini(struct postgres_moves *moves);

#endif
