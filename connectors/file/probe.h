/* `weir check`: see store_type in processor/connector.h. */
#ifndef WEIR_CONNECTORS_FILE_PROBE_H
#define WEIR_CONNECTORS_FILE_PROBE_H

#include "config/probe.h"
#include "connectors/file/config.h"

/* Could files be made where the config wants them? Makes none, and no folder. */
void file_probe(const struct file_config *config, struct probe *probe);
/* Not when both have the same files: each would take the other's for what a crash left, and records would stand twice. */
bool file_can_stand_beside(const void *config, const void *other, const struct config_node **ret_node,
                           const char **ret_why);

#endif
