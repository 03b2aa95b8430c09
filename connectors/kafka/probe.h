/* `weir check --live`: see source_type.probe and store_type.open in processor/connector.h. */
#ifndef WEIR_CONNECTORS_KAFKA_PROBE_H
#define WEIR_CONNECTORS_KAFKA_PROBE_H

#include "connectors/kafka/store.h"
#include "processor/connector.h"

void kafka_source_probe(const void *config, const struct dead_letter_config *letters,
                        const struct config_node *letters_node, const struct connector_env *env,
                        struct context *context);
/* base: the source's connection, or NULL. STATUS_FAILED: no client could be made of this config, see error; all else is told. */
enum status kafka_store_probe(const struct kafka_store_config *config, const struct kafka_connection *base,
                              struct probe *probe, struct context *context, struct error *error) WARN_UNUSED;

#endif
