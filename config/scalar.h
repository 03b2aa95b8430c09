/* The kinds of config_field that are one scalar, from STRING to ENUM. */
#ifndef WEIR_CONFIG_SCALAR_H
#define WEIR_CONFIG_SCALAR_H

#include "config/table.h"

/* False: reported, ret untouched. */
bool scalar_parse(struct config_loader *loader, const struct config_field *field, const struct config_node *node,
                  void *ret);

#endif
