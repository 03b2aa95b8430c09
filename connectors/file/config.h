/* What stands under `file:` in the config. */
#ifndef WEIR_CONNECTORS_FILE_CONFIG_H
#define WEIR_CONNECTORS_FILE_CONFIG_H

#include "config/table.h"

enum file_compression { COMPRESSION_NONE, COMPRESSION_ZSTD };

struct file_config {
    struct config_head head;
    const char *path;
    int compression; /* enum file_compression */
    int64_t level;
    int64_t frame; /* bytes */
    struct {
        struct config_head head;
        int64_t size;  /* bytes */
        int64_t every; /* ns */
    } rotate;
};

extern const struct config_field file_config_field;

#endif
