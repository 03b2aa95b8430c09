/* A config as the pipeline wants it. */
#ifndef WEIR_CLI_PLAN_H
#define WEIR_CLI_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "processor/pipeline.h"

struct config;
struct plan;

/* What is other than the config says; NULL and 0: nothing. Lives as long as the plan. */
struct plan_changes {
    bool exit_at_end;
    const char *service;
    const struct source_type *source_type;
    const void *source_config;           /* of source_type */
    const struct source_type *home_type; /* as pipeline_config.home_type has it; its config is the config's source's */
    const struct stretch *stretch;
    const struct transform_step *first_steps; /* before the config's stages, in a stage of their own by this name */
    unsigned first_step_count;
    const char *first_name;
    bool no_stages; /* of the config's */
    const struct pipeline_store *stores;
    unsigned store_count;
};

/* Points into config, which lives longer. NULL: no memory. */
struct plan *plan_new(const struct config *config, const struct plan_changes *changes) WARN_UNUSED;
void plan_free(struct plan *plan); /* NULL is fine */
const struct pipeline_config *plan_pipeline(const struct plan *plan);

/* Where the plan is exactly-once: as the config says, but of stores that keep no offsets, and of another source whose offsets the store was to move. */
bool plan_is_exactly_once(const struct config *config, const struct plan_changes *changes);
/* A store of the config as the pipeline wants it. */
struct pipeline_store plan_store(const struct config *config, unsigned at);

/* What the pipeline is, on one line: "kafka -> decode -> enrich (lookup, set) -> sqlite". Returns text. */
const char *plan_describe(const struct plan *plan, char *text, size_t size);

#endif
