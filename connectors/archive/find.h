/* What a request comes to in an archive: see struct source_stretch. */
#ifndef WEIR_CONNECTORS_ARCHIVE_FIND_H
#define WEIR_CONNECTORS_ARCHIVE_FIND_H

#include "processor/connector.h"
#include "processor/stretch.h"

/* config: a struct archive_source_config. */
enum status archive_find(const void *config, const struct connector_env *env, const struct stretch_request *request,
                         struct stretch **ret, struct context *context, struct error *error);

#endif
