/* The store that `weir archive` writes with. No config file names it: the command line does. */
#ifndef WEIR_CONNECTORS_ARCHIVE_STORE_H
#define WEIR_CONNECTORS_ARCHIVE_STORE_H

#include <stdatomic.h>

#include "processor/connector.h"

struct archive_store_config {
    const char *dir;
    int64_t segment; /* bytes from which on a segment is finished */
    int level;       /* zstd's */
    /* Counts records that were there already, once their batch is flushed; also when it is opened anew. NULL: nobody wants to know. */
    _Atomic uint64_t *passed_over;
    /* What is read: the ids of its topics go into the segments, and those that are there must have the same. NULL: they are not known. */
    const struct stretch *stretch;
};

extern const struct store_type archive_store;

#endif
