/* `weir check --live`: see store_type.open in processor/connector.h. */
#ifndef WEIR_CONNECTORS_FILE_PROBE_H
#define WEIR_CONNECTORS_FILE_PROBE_H

#include "config/probe.h"
#include "connectors/file/config.h"

/* Could files be made where the config wants them? Makes none, and no folder. */
void file_probe(const struct file_config *config, struct probe *probe);

#endif
