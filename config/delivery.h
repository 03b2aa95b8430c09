/* `delivery: exactly_once` against what the rest of the file asks for. */
#ifndef WEIR_CONFIG_DELIVERY_H
#define WEIR_CONFIG_DELIVERY_H

#include "config/config.h"
#include "config/loader.h"

/* Reports what stands in the way; says nothing for other deliveries. parsed: the stages and stores were good, so that a store's config may be looked into. */
void delivery_check(struct config_loader *loader, const struct config_registry *registry,
                    const struct config_node *root, const struct config *config, bool parsed);

#endif
