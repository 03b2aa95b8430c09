/* A config as the pipeline wants it. */
#ifndef WEIR_CLI_PLAN_H
#define WEIR_CLI_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "processor/pipeline.h"

struct config;
struct plan;

/* Points into config, which lives longer. NULL: no memory. */
struct plan *plan_new(const struct config *config, bool exit_at_end) WARN_UNUSED;
void plan_free(struct plan *plan); /* NULL is fine */
const struct pipeline_config *plan_pipeline(const struct plan *plan);

/* What the pipeline is, on one line: "kafka -> decode -> enrich (lookup, set) -> sqlite". Returns text. */
const char *plan_describe(const struct config *config, char *text, size_t size);

#endif
