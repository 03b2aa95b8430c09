/*
 * What parsing by tables needs around it: where things are allocated, where mistakes go, and which keys the whole file knows. Opaque to stages and connectors
 * (config/table.h); made by config.c, and by tests that parse a part of a file.
 */
#ifndef WEIR_CONFIG_LOADER_H
#define WEIR_CONFIG_LOADER_H

#include "config/table.h"

/* A part of the file: `name` is a key under `where` ("source", "kafka"). name NULL: the field stands at `where` itself ("" is the top level). */
struct config_known {
    const char *where, *name;
    const struct config_field *field;
};

struct config_fini; /* of config_loader_on_free */

struct config_loader {
    struct arena arena;
    struct config_report *report;
    const struct config_known *known; /* for "belongs under" */
    uint32_t known_count;
    struct config_fini *finis; /* the latest first */
};

void config_loader_init(struct config_loader *loader, struct config_report *report);
/* Frees all that was parsed. */
void config_loader_fini(struct config_loader *loader);
/* From the arena; NULL and reported when there is no memory. Zeroed. */
void *config_loader_alloc(struct config_loader *loader, size_t count, size_t size) WARN_UNUSED;

#endif
