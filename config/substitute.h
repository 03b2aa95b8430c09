/* ${VAR}, ${VAR:-default}, ${VAR:?message}, ${file:/path} and $$ in scalars, after parsing: a value can't inject structure. */
#ifndef WEIR_CONFIG_SUBSTITUTE_H
#define WEIR_CONFIG_SUBSTITUTE_H

#include "config/tree.h"
#include "processor/status.h"

struct substitution {
    const char *file; /* the config's: a relative ${file:...} is relative to its folder */
    struct arena *arena;
    struct config_report *report;
    size_t left; /* bytes that values may still add, over the whole file */
    bool over;   /* one wanted more; reported once */
};

void substitution_init(struct substitution *substitution, const char *file, struct arena *arena,
                       struct config_report *report);
/* Replaces node's text when there is something to replace. What is undefined is reported and stands for nothing. STATUS_OK or STATUS_NO_MEMORY. */
enum status substitute(struct substitution *substitution, struct config_node *node) WARN_UNUSED;

#endif
