/* A condition's YAML form -> struct condition: {path, equals | not_equals | in | matches | exists | above | below}, joined by all, any, not. */
#ifndef WEIR_CONFIG_CONDITION_H
#define WEIR_CONFIG_CONDITION_H

#include "config/table.h"

/* ret: struct condition. False: reported. */
bool condition_parse(struct config_loader *loader, const struct config_node *node, void *ret);
/* Its JSON Schema: two members of the schema's `definitions`, condition and conditions, as config_condition refers to them. */
void condition_definitions(FILE *out);

#endif
