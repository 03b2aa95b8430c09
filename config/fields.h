/* Field types that stages and stores share, for CONFIG_CUSTOM. */
#ifndef WEIR_CONFIG_FIELDS_H
#define WEIR_CONFIG_FIELDS_H

#include "config/table.h"

/* struct template *: processor/template.h; any YAML scalar (its type is kept when there is no {{...}}) */
extern const struct config_custom config_template;
extern const struct config_custom config_path;      /* struct path: processor/path.h */
extern const struct config_custom config_condition; /* struct condition: processor/condition.h */

#endif
