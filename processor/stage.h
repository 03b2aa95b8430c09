/*
 * The contract of a stage: what transforms records on their way. A stage is one const record at the end of its file and one line in stages/list.h.
 * The framework does the rest alike for all: threads, retries with backoff, counters, latency, dead letters, shutdown.
 *
 * Threads: init and close run once, in one thread. start/stop run in each worker's thread; process in any of these, several at once on different
 * batches: what `init` made is shared and const (or guards itself), what `start` made belongs to one worker.
 */
#ifndef WEIR_PROCESSOR_STAGE_H
#define WEIR_PROCESSOR_STAGE_H

#include "processor/batch.h"
#include "processor/error.h"

struct config_field; /* config/table.h */
struct budget;
struct metrics;
struct probe; /* config/probe.h */

/* What a stage may use from around it. Lives as long as the stage. */
struct stage_env {
    const char *name; /* of this stage in the config: for logs and metrics */
    struct metrics *metrics;
    const char *config_dir; /* relative paths of what is read begin here */
    struct budget *budget;  /* for memory that the stage keeps between batches; NULL in tests and `weir check` */
    /* `weir check`: only close follows. init may tell what is wrong here, at its place (probe_tell); what it answers as an error is told at the stage's own place. NULL: in
     * earnest. */
    struct probe *probe;
};

struct stage_type {
    const char *name;                  /* the YAML key */
    const char *help;                  /* one line */
    const struct config_field *config; /* what stands under the key; drives parsing, check, schema and docs */
    /* Opens what the stage needs. config lives longer than the stage. May block (reads a table). Optional. */
    enum status (*init)(const void *config, const struct stage_env *env, void **ret_stage, struct error *error);
    /* Makes one worker's own state (a parser, a decompressor). Optional. */
    enum status (*start)(void *stage, void **ret_worker, struct error *error);
    /* Goes through BATCH_EACH(batch, record) and answers; does not keep the batch. worker NULL without start. Must not block without end. */
    void (*process)(void *stage, void *worker, struct batch *batch);
    void (*stop)(void *worker);
    void (*close)(void *stage); /* NULL and half-built are fine */
};

#endif
