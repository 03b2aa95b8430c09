/*
 * A pool of workers for one stage, fixed or scaling between min and max. Every POOL_TICK the rule (pool_decide) looks at the stage's queue: grow by one when it is over half
 * full, shrink by one when it is empty, and undo a step that lowered throughput or slowed the store down. A shrunk worker's thread really ends.
 */
#ifndef WEIR_PROCESSOR_POOL_H
#define WEIR_PROCESSOR_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/clock.h"
#include "processor/group.h"

struct pool;
struct queue;
struct metrics;

#define POOL_TICK (500 * CLOCK_MS)

/* One worker's loop. Looks at pool_should_leave between two batches (wait at most POOL_TICK for one) and returns STATUS_OK then. */
typedef enum status pool_run(void *arg, struct pool *pool, struct context *context, struct error *error);

struct pool_config {
    const char *name; /* of the stage */
    unsigned min, max;
    struct queue *queue; /* the stage's input: what the rule looks at */
    pool_run *run;
    void *arg;
};

struct pool *pool_new(const struct pool_config *config, struct group *group, struct metrics *metrics) WARN_UNUSED;
void pool_free(struct pool *pool); /* after group_wait */
/* Starts `min` workers. */
enum status pool_start(struct pool *pool, struct error *error) WARN_UNUSED;
/* Called every POOL_TICK by one thread. latency: what a record takes of the slowest store's time now, in ns (storing_latency); 0: not known. */
void pool_tick(struct pool *pool, int64_t latency);
/* By a worker: true for exactly as many as are to leave; who got true must return. */
bool pool_should_leave(struct pool *pool);
/* By a worker: records done, for the rule. */
void pool_done(struct pool *pool, uint32_t records);
unsigned pool_workers(struct pool *pool);
/* Waits until every worker has ended (after queue_close). */
enum status pool_join(struct pool *pool, struct context *context);

/* The rule alone, for tests. */
struct pool_view {
    bool over_half, empty;
    uint64_t done;   /* records since the last tick */
    int64_t latency; /* of the slowest store, 0: not known */
};
struct pool_rule {
    uint64_t last_done;   /* in the tick before */
    int64_t last_latency; /* when it was known last */
    int last_step;        /* +1, -1, 0 */
    unsigned rest;        /* ticks to leave it alone after an undone step */
};
/* How many workers more (+1), fewer (-1) or the same. */
int pool_decide(struct pool_rule *rule, const struct pool_view *view, unsigned workers, unsigned min, unsigned max);

#endif
