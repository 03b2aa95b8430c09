/*
 * Runs one stage of the config (decode, or a chain of enrichers) over batches: a pool of workers takes batches from its queue, runs the steps, turns answers into
 * verdicts, and hands on what goes forward, in order where order is promised.
 */
#ifndef WEIR_PROCESSOR_TRANSFORM_H
#define WEIR_PROCESSOR_TRANSFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/connector.h"
#include "processor/group.h"
#include "processor/outlet.h"
#include "processor/stage.h"

struct transform;
struct brake;
struct metrics;
struct queue;
struct tap_point;

enum { TRANSFORM_MAX_STEPS = 32 };

struct transform_step {
    const struct stage_type *type;
    const void *config;
};

struct transform_config {
    const char *name;
    const struct transform_step *steps;
    unsigned step_count;
    unsigned position; /* in the pipeline, from 0: what a halt of another stage means for this one (brake.h) */
    unsigned workers_min, workers_max;
    bool ordered;
    unsigned retry_max; /* attempts for a record that answers STAGE_RETRY */
    int64_t backoff_least, backoff_most;
    const char *config_dir;
    struct budget *budget; /* for what stages keep; may be NULL */
    struct queue *input;
    struct outlet output;
    struct dead_letter *dead_letter; /* NULL: none */
    struct brake *brake;
    struct tap_point *tap; /* where its records can be looked at as they leave; NULL: nowhere */
    struct metrics *metrics;
};

/* Opens the steps (may read tables). config is copied; what it points to lives longer. */
enum status transform_new(const struct transform_config *config, struct transform **ret,
                          struct error *error) WARN_UNUSED;
void transform_free(struct transform *transform); /* after its workers ended; NULL is fine */
enum status transform_start(struct transform *transform, struct group *group, struct error *error) WARN_UNUSED;
void transform_tick(struct transform *transform, int64_t latency); /* every POOL_TICK; see pool_tick */
/* For how long (ns) its steps have been at work, with their retries, without one batch being done; 0: there is none, or it goes on. By one thread. */
int64_t transform_stuck(struct transform *transform);
/* After queue_close(input): waits for the workers. */
enum status transform_join(struct transform *transform, struct context *context);

#endif
