/* What is built in: the stages of stages/list.h and the connectors of connectors/list.h. */
#ifndef WEIR_CLI_REGISTRY_H
#define WEIR_CLI_REGISTRY_H

#include "config/config.h"

const struct config_registry *registry(void);

#endif
