/* The source that `weir replay --from-archive` reads with: stretches of a folder that archive_store wrote. No config file names it: the command line does. */
#ifndef WEIR_CONNECTORS_ARCHIVE_SOURCE_H
#define WEIR_CONNECTORS_ARCHIVE_SOURCE_H

#include "processor/connector.h"

struct archive_source_config {
    const char *dir;
    bool (*wants)(const void *arg, const char *topic); /* which of the topics that are there; NULL: all */
    const void *wants_arg;
};

extern const struct source_type archive_source;

#endif
