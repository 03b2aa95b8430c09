/*
 * A pipeline's parts, put together and taken apart; pipeline.c runs them. Written so that a half-built pipeline is taken apart by the same code: everything is
 * NULL until it is there.
 */
#ifndef WEIR_PROCESSOR_ASSEMBLY_H
#define WEIR_PROCESSOR_ASSEMBLY_H

#include <pthread.h>
#include <stdbool.h>

#include "processor/brake.h"
#include "processor/group.h"
#include "processor/intake.h"
#include "processor/pipeline.h"
#include "processor/queue.h"
#include "processor/storing.h"

struct pipeline_metrics {
    struct metric *verdicts[VERDICT_DEAD_LETTERED + 1];
    struct metric *abandoned, *in_flight, *budget_used, *budget_size;
    /* One a queue, of what is behind it: does it hold the others up, and for how long has nothing come back of it? */
    struct metric **blocking, **stuck;
};

struct pipeline {
    const struct pipeline_config *config;
    const struct pipeline_shared *shared;
    struct connector_env env;
    struct connector_env *store_envs; /* one a store: they differ in the name */
    const struct pipeline_stage *stages;
    unsigned stage_count;
    struct budget *budget;
    struct batch_pool *batches;
    struct ledger *ledger;
    struct brake brake;
    struct group *group;
    struct queue **queues; /* before each stage, then before each store */
    struct transform **transforms;
    struct storing **storings;
    struct intake *intake;
    struct dead_letter *dead_letter;
    void *source;
    struct pipeline_metrics metrics;
    struct ledger_counts published; /* the ticker's */
    pthread_mutex_t mutex;
    pthread_cond_t source_ended;
    bool ended;                /* mutex: the source's run returned */
    enum status source_status; /* mutex */
};

/* pipeline has config and shared, all else is zero. On failure assembly_fini is still owed. */
enum status assembly_init(struct pipeline *pipeline, struct context *context, struct error *error) WARN_UNUSED;
/* After all members of the group were joined. ret_counts: what became of the records; untouched when there was no ledger yet. */
void assembly_fini(struct pipeline *pipeline, struct ledger_counts *ret_counts);
/* One before each stage, then one before each store. */
unsigned assembly_queues(const struct pipeline *pipeline);
/* Says which queue (its number; UINT_MAX: none) is in front of what holds the others up. */
void assembly_publish_blocking(struct pipeline *pipeline, unsigned blocking);
/* For how long (ns) nothing has come back of what is behind the queue. */
void assembly_publish_stuck(struct pipeline *pipeline, unsigned queue, int64_t time);
/* Brings the metrics of verdicts and memory up to date. */
void assembly_publish(struct pipeline *pipeline);

#endif
