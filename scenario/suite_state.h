/* The inside of a suite, for suite.c, which loads the file, and resolve.c, which finds what its names mean. */
#ifndef WEIR_SCENARIO_SUITE_STATE_H
#define WEIR_SCENARIO_SUITE_STATE_H

#include "config/loader.h"
#include "scenario/suite.h"

/* A config that scenarios name, loaded once for all that mean the same. */
struct suite_config {
    const struct config_node *node;       /* `config` */
    const struct config_map *environment; /* of the scenario; NULL: none of its own */
    const struct config *config;          /* NULL: it has mistakes */
    struct config_report *report;         /* NULL: it stands in the scenario file */
    struct suite_config *next;
};

struct suite_state {
    struct suite suite;
    struct config_loader loader;
    struct config_known known;
    struct config_report *report;
    struct spec spec; /* of the whole file */
    struct suite_config *configs;
};

/* Everything of the scenario that depends on its config, which is there. shared: what stands beside `scenarios`, NULL: nothing does. False: reported. */
bool resolve(struct config_loader *loader, const struct spec *shared, struct scenario *scenario);
/* Tells the mistakes that do not depend on the config, when that has mistakes of its own. */
void resolve_without_config(struct config_loader *loader, struct scenario *scenario);

#endif
