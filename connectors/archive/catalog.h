/* What segments a folder has: their names say topic, partition and first offset. */
#ifndef WEIR_CONNECTORS_ARCHIVE_CATALOG_H
#define WEIR_CONNECTORS_ARCHIVE_CATALOG_H

#include <stdint.h>

#include "processor/error.h"

struct archive_name {
    char *path, *topic;
    int32_t partition;
    int64_t first;
};

struct archive_catalog {
    struct archive_name *names; /* by topic, partition and first offset */
    unsigned count, room;
};

/* Of one topic (NULL: all) and one partition (-1: all). A folder that is not there has none. What is called otherwise is not looked at. */
enum status archive_catalog_read(const char *dir, const char *topic, int32_t partition, struct archive_catalog *ret,
                                 struct error *error) WARN_UNUSED;
void archive_catalog_fini(struct archive_catalog *catalog);

#endif
