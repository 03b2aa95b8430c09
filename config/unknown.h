/* Keys that are not known where they stand: what was meant, or where they belong. */
#ifndef WEIR_CONFIG_UNKNOWN_H
#define WEIR_CONFIG_UNKNOWN_H

#include "config/loader.h"

/* Reports node's key. names (NULL-terminated): the keys that are known there. Returns which of them was probably meant, or NULL. */
const char *unknown_key(struct config_loader *loader, const struct config_node *node, const char *const *names);
/* The same for an object's fields. */
const char *unknown_field(struct config_loader *loader, const struct config_node *node,
                          const struct config_field *fields);

#endif
