/*
 * Keeps a pipeline running: a run that failed is taken down whole and built anew from the committed offsets, after a backoff, as long as the budget of
 * restarts lasts (`restarts_max` within `restarts_window`). A fatal error, or one past the budget, is the end.
 */
#ifndef WEIR_PROCESSOR_SUPERVISOR_H
#define WEIR_PROCESSOR_SUPERVISOR_H

#include <stdint.h>

#include "processor/pipeline.h"

struct supervisor_config {
    const struct pipeline_config *pipeline;
    const struct pipeline_shared *shared;
    unsigned restarts_max;               /* 0: never again */
    int64_t restarts_window;             /* ns */
    int64_t backoff_least, backoff_most; /* ns between a failure and the next run */
};

/* Over all runs; records in flight when a run failed count as abandoned there and are consumed again. */
struct supervisor_result {
    struct ledger_counts counts;
    unsigned restarts;
};

/* Blocks. Answers as pipeline_run does; STATUS_FAILED: the last failure, and why it was the last. ret is always set. */
enum status supervisor_run(const struct supervisor_config *config, struct context *context,
                           struct supervisor_result *ret, struct error *error) WARN_UNUSED;

#endif
