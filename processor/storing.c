/*
 * One worker holds one open store and a list of batches that were handed over and are not durable yet ("held"). The loop: take a batch, write it, flush when
 * the limits say so or somebody urges. A transient failure of flush means that the store forgot what is held: back off, write all of it again, flush again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "processor/brake.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/health.h"
#include "processor/ledger.h"
#include "processor/log.h"
#include "processor/metrics.h"
#include "processor/pool.h"
#include "processor/queue.h"
#include "processor/rejects.h"
#include "processor/storing_state.h"

enum { FLUSH_RECORDS = 16384, FLUSH_BYTES = 8 * 1024 * 1024 };
#define ACK_POLL (10 * CLOCK_MS)
#define URGE_POLL (20 * CLOCK_MS)
/* Exactly once: how long the offsets of records that are not stored (dropped, dead letters) wait for others that are. */
#define MOVE_INTERVAL CLOCK_SECOND

static void make_metrics(struct storing *storing)
{
    struct metrics *metrics = storing->config.metrics;
    char labels[160] = "", flush_labels[200] = "";
    metrics_label(labels, sizeof labels, "stage", storing->config.name);
    snprintf(flush_labels, sizeof flush_labels, "%s", labels);
    storing->in = metrics_get(metrics, METRIC_COUNTER, "weir_stage_records_in_total", "Records the stage took.",
                              labels);
    storing->stored = metrics_get(metrics, METRIC_COUNTER, "weir_stage_records_out_total", "Records the stage sent on.",
                                  labels);
    storing->retries = metrics_get(metrics, METRIC_COUNTER, "weir_retries_total", "Attempts after the first.", labels);
    storing->write_time = metrics_get(metrics, METRIC_HISTOGRAM, "weir_stage_duration_seconds",
                                      "Time the stage took for a batch.", labels);
    storing->flush_time = metrics_get(metrics, METRIC_HISTOGRAM, "weir_store_flush_seconds",
                                      "Time a store took to make what it was handed durable.", flush_labels);
    storing->end_to_end = metrics_get(metrics, METRIC_HISTOGRAM, "weir_end_to_end_seconds",
                                      "Time from a record's entry to its being stored.", labels);
}

static int64_t default_interval(const struct storing_config *config)
{
    const struct store_type *type = config->type;
    if (config->exactly_once && type->offsets->flush_interval != 0)
        return type->offsets->flush_interval;
    return type->flush_interval != 0 ? type->flush_interval : CLOCK_SECOND;
}

enum status storing_new(const struct storing_config *config, struct storing **ret, struct error *error)
{
    struct storing *storing = calloc(1, sizeof *storing);
    if (storing == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    storing->config = *config;
    struct storing_config *own = &storing->config;
    if (own->flush_records == 0)
        own->flush_records = config->type->flush_records != 0 ? config->type->flush_records : FLUSH_RECORDS;
    if (own->flush_bytes == 0)
        own->flush_bytes = FLUSH_BYTES;
    if (own->flush_interval == 0)
        own->flush_interval = default_interval(config);
    snprintf(storing->part, sizeof storing->part, "store %s", config->name);
    make_metrics(storing);
    *ret = storing;
    return STATUS_OK;
}

void storing_free(struct storing *storing)
{
    if (storing == NULL)
        return;
    pool_free(storing->pool);
    free(storing);
}

void storing_urge(struct storing *storing)
{
    atomic_fetch_add(&storing->urged, 1);
}

void storing_relax(struct storing *storing)
{
    atomic_fetch_sub(&storing->urged, 1);
}

bool storing_is_troubled(const struct storing *storing)
{
    return atomic_load_explicit(&storing->troubled, memory_order_relaxed) > 0;
}

int64_t storing_stuck(struct storing *storing)
{
    return calls_stuck(&storing->calls, clock_now());
}

int64_t storing_latency(struct storing *storing)
{
    int64_t spent = atomic_load_explicit(&storing->spent, memory_order_relaxed);
    int64_t settled = atomic_load_explicit(&storing->settled, memory_order_relaxed);
    int64_t records = settled - storing->settled_seen;
    if (records == 0)
        return 0;
    int64_t latency = (spent - storing->spent_seen) / records;
    storing->spent_seen = spent;
    storing->settled_seen = settled;
    return latency;
}

static bool flush_is_due(const struct worker *worker, bool idle)
{
    const struct storing_config *config = &worker->storing->config;
    bool urged = idle && atomic_load_explicit(&worker->storing->urged, memory_order_relaxed) > 0;
    if (worker->held.first == NULL)
        return config->exactly_once && (urged || (idle && clock_now() - worker->held.since >= MOVE_INTERVAL)) &&
               ledger_is_behind(config->ledger);
    if (urged)
        return true;
    return worker->held.records >= config->flush_records || worker->held.bytes >= config->flush_bytes ||
           clock_now() - worker->held.since >= config->flush_interval;
}

static int64_t next_look(const struct worker *worker)
{
    int64_t now = clock_now();
    if (worker->held.first == NULL)
        return now + (worker->storing->config.exactly_once ? URGE_POLL : POOL_TICK);
    if (worker->storing->config.type->acked != NULL && !worker->storing->config.exactly_once)
        return now + ACK_POLL;
    int64_t due = worker->held.since + worker->storing->config.flush_interval;
    return due < now + URGE_POLL ? due : now + URGE_POLL;
}

static enum status take(struct worker *worker, struct batch *batch, struct error *error)
{
    if (atomic_load(&worker->storing->halted) || (worker->storing->config.exactly_once && !ledger_admits(batch))) {
        batch_abandon(batch);
        return STATUS_OK;
    }
    metric_add(worker->storing->in, batch_forward(batch));
    enum status status = storing_write(worker, batch, false, error);
    /* Also when it failed: the store may point into the batch until it is closed. */
    held_push(&worker->held, batch);
    return status;
}

static enum status serve(struct worker *worker, struct pool *pool, struct error *error)
{
    for (;;) {
        struct batch *batch = NULL;
        enum status status = queue_pop(worker->storing->config.input, worker->context, next_look(worker), &batch);
        bool closed = status == STATUS_CLOSED, idle = closed || status == STATUS_EMPTY;
        if (status == STATUS_OK)
            status = take(worker, batch, error);
        else if (idle)
            status = STATUS_OK;
        if (status != STATUS_OK)
            return status;
        status = storing_settle_acked(worker, error);
        if (status == STATUS_OK && (closed || flush_is_due(worker, idle)))
            status = storing_flush(worker, error);
        if (status != STATUS_OK || closed || pool_should_leave(pool))
            return status;
        if (idle && worker->held.first == NULL && worker->storing->config.type->idle != NULL)
            worker->storing->config.type->idle(worker->store);
    }
}

static enum status open_store(struct worker *worker, struct error *error)
{
    const struct storing_config *config = &worker->storing->config;
    for (;;) {
        enum status status = config->type->open(config->config, config->env, worker->context, &worker->store, error);
        if (status == STATUS_OK) {
            storing_recovered(worker);
            health_ok(config->health, worker->storing->part);
            return STATUS_OK;
        }
        if (status == STATUS_FAILED && error->class == ERROR_TRANSIENT)
            status = storing_wait_out(worker, error);
        if (status != STATUS_OK)
            return status;
    }
}

static enum status worker_main(void *arg, struct pool *pool, struct context *context, struct error *error)
{
    struct storing *storing = arg;
    struct worker worker = {.storing = storing, .context = context};
    held_init(&worker.held);
    rejects_init(&worker.rejects, storing->config.name, storing->config.dead_letter, false, storing->config.metrics);
    backoff_init(&worker.backoff, storing->config.backoff_least, storing->config.backoff_most);
    enum status status = open_store(&worker, error);
    if (status == STATUS_OK)
        status = serve(&worker, pool, error);
    else if (status == STATUS_CLOSED)
        status = STATUS_OK;
    /* Only a failure ends the group, and without this worker the others would wait for ever. */
    if (status != STATUS_OK && status != STATUS_FAILED && context_status(context) == STATUS_OK)
        status = error_set(error, ERROR_RESTART, "it gave up by itself (%s)", status_name(status));
    if (worker.troubled)
        atomic_fetch_sub(&storing->troubled, 1);
    if (status == STATUS_FAILED) {
        health_problem(storing->config.health, storing->part, "%s", error->text);
        error_prefix(error, "%s", storing->part);
    }
    if (worker.store != NULL)
        storing->config.type->close(worker.store);
    while (worker.held.first != NULL)
        batch_free(held_pop(&worker.held));
    free(worker.moves);
    return status;
}

enum status storing_start(struct storing *storing, struct group *group, struct error *error)
{
    health_problem(storing->config.health, storing->part, "not open yet");
    const struct pool_config config = {
        .name = storing->config.name,
        .min = storing->config.workers,
        .max = storing->config.workers,
        .queue = storing->config.input,
        .run = worker_main,
        .arg = storing,
    };
    storing->pool = pool_new(&config, group, storing->config.metrics);
    if (storing->pool == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    return pool_start(storing->pool, error);
}

enum status storing_join(struct storing *storing, struct context *context)
{
    return pool_join(storing->pool, context);
}
