/*
 * One life of the pipeline: source -> intake -> stages -> stores, built, run until it drained or failed, and taken down whole.
 *
 *   source.run -> intake -> [queue] -> transform -> [queue] -> transform -> [queue] -> storing
 *                                                                      \--> [queue] -> storing ...
 *
 * Memory: a quarter of `memory` is the source's for what it fetches ahead (connector_env.fetch_bytes), the rest is the budget that records pay from.
 *
 * Ending, soft (shared->soft, or the source's own end): the source pops no more and waits for the verdicts of what is inside, commits, and returns; then
 * the queues are closed from front to back and each stage is joined before the next one's queue is closed.
 * Ending, hard (the context, or a member's error): every wait ends at once, all threads are joined, what was inside is abandoned.
 */
#ifndef WEIR_PROCESSOR_PIPELINE_H
#define WEIR_PROCESSOR_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/connector.h"
#include "processor/context.h"
#include "processor/error.h"
#include "processor/ledger.h"
#include "processor/transform.h"

struct health;
struct metrics;
struct offsets;
struct stretch;
struct taps;

struct pipeline_stage {
    const char *name;
    const struct transform_step *steps;
    unsigned step_count;
    unsigned workers_min, workers_max;
    uint64_t queue_records, queue_bytes; /* of the queue before it; 0: PIPELINE_QUEUE_RECORDS; out of memory */
};

struct pipeline_store {
    const char *name;
    const struct store_type *type;
    const void *config;
    unsigned workers; /* 1; more only when not ordered */
    uint64_t queue_records, queue_bytes;
    uint64_t flush_records, flush_bytes; /* 0: the store's own default */
    int64_t flush_interval;              /* ns */
};

enum { PIPELINE_QUEUE_RECORDS = 16384 };
/* When nothing has come back of a stage or a store for so long, it is what holds the others up. */
#define PIPELINE_STUCK (10 * CLOCK_SECOND)

/* All that it points to lives longer than any run. */
struct pipeline_config {
    const char *service;
    const char *config_dir;
    size_t memory;
    bool ordered;
    bool exit_at_end;
    bool exactly_once; /* delivery: offsets are kept in the store */
    const struct source_type *source_type;
    const void *source_config;
    /* As whose source the stores connect and dead letters are sent, where records come out of something else (files); NULL: the source's. */
    const struct source_type *home_type;
    const void *home_config;
    const struct stretch *stretch; /* what the source reads, see connector_env.stretch; NULL: what its config says */
    const struct pipeline_stage *stages; /* may be none */
    unsigned stage_count;
    const struct pipeline_store *stores; /* one at least */
    unsigned store_count;
    unsigned retry_max; /* attempts for a record that a stage answers RETRY */
    int64_t backoff_least, backoff_most;
    struct dead_letter_config dead_letter; /* topic NULL: none */
    int64_t shutdown;                      /* ns a drain may take */
    int64_t watchdog;                      /* ns without progress until it is an incident */
};

/* What outlives a run, so that counters go on and the receipt is about all runs. */
struct pipeline_shared {
    struct metrics *metrics;
    struct health *health;
    struct offsets *offsets;
    struct context *soft; /* cancelled: drain */
    struct taps *taps;    /* NULL: nobody can look at records */
};

/*
 * Blocks. ret_counts: what became of the records of this run; always set.
 * STATUS_OK: drained, committed, all verdicts given. STATUS_DEADLINE: the drain did not finish within `shutdown`, the rest is abandoned.
 * STATUS_CANCELLED: the context ended. STATUS_FAILED: see error; ERROR_FATAL: do not run it again.
 */
enum status pipeline_run(const struct pipeline_config *config, const struct pipeline_shared *shared,
                         struct context *context, struct ledger_counts *ret_counts, struct error *error) WARN_UNUSED;

#endif
