/* `weir check --live`: see store_type.open in processor/connector.h. */
#ifndef WEIR_CONNECTORS_SQLITE_PROBE_H
#define WEIR_CONNECTORS_SQLITE_PROBE_H

#include "connectors/sqlite/config.h"
#include "processor/connector.h"

/* Looks at the database, its table and whether rows could be written; makes nothing. */
enum status sqlite_probe(const struct sqlite_config *config, struct probe *probe, struct context *context,
                         struct error *error) WARN_UNUSED;

#endif
