/* `weir check`: see store_type in processor/connector.h. */
#ifndef WEIR_CONNECTORS_SQLITE_PROBE_H
#define WEIR_CONNECTORS_SQLITE_PROBE_H

#include "connectors/sqlite/config.h"
#include "processor/connector.h"

/* Looks at the database, its table and whether rows could be written; makes nothing. */
enum status sqlite_probe(const struct sqlite_config *config, struct probe *probe, struct context *context,
                         struct error *error) WARN_UNUSED;
/* Not when both append to the same table: each record would stand there twice. Upserts may, as each can bring other columns of a row. */
bool sqlite_can_stand_beside(const void *config, const void *other, const struct config_node **ret_node,
                             const char **ret_why);

#endif
