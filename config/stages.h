/* `source:` and `stages:` of the file, by what the registry offers. */
#ifndef WEIR_CONFIG_STAGES_H
#define WEIR_CONFIG_STAGES_H

#include "config/config.h"
#include "config/loader.h"

enum { STAGES_MAX = 64 };

/* Fill config (memory and order are set). False: reported. */
bool source_parse(struct config_loader *loader, const struct config_registry *registry, const struct config_node *node,
                  struct config *config);
bool stages_parse(struct config_loader *loader, const struct config_registry *registry, const struct config_node *node,
                  struct config *config);
/* store: a stage's `store:`; around: the map it stands in, whose other keys hold for all stores. */
bool stores_parse(struct config_loader *loader, const struct config_registry *registry, const struct config_node *store,
                  const struct config_node *around, struct config *config);

#endif
