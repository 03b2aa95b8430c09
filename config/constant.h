/* A YAML scalar as a JSON value, with its own type: 5 is a number, "5" a text, null is null. */
#ifndef WEIR_CONFIG_CONSTANT_H
#define WEIR_CONFIG_CONSTANT_H

#include "config/table.h"
#include "processor/json.h"

/* False: reported. The text lives in the loader's arena. */
bool constant_parse(struct config_loader *loader, const struct config_node *node, struct value *ret);

#endif
