/* The store that `weir archive` writes with. No config file names it: the command line does. */
#ifndef WEIR_CONNECTORS_ARCHIVE_STORE_H
#define WEIR_CONNECTORS_ARCHIVE_STORE_H

#include "processor/connector.h"

struct archive_store_config {
    const char *dir;
    int64_t segment; /* bytes from which on a segment is finished */
    int level;       /* zstd's */
};

extern const struct store_type archive_store;

#endif
