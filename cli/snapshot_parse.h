/* A service's /status, back as what it was made of. What is missing is 0, what there is too much of is left out. */
#ifndef WEIR_CLI_SNAPSHOT_PARSE_H
#define WEIR_CLI_SNAPSHOT_PARSE_H

#include "admin/snapshot.h"
#include "processor/json.h"

/* False: it is no status. */
bool snapshot_parse(const struct value *object, struct snapshot *ret) WARN_UNUSED;

#endif
