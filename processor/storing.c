/*
 * One worker holds one open store and a list of batches that were handed over and are not durable yet ("held"). The loop: take a batch, write it, flush when the limits
 * say so or somebody urges. A transient failure of flush means that the store forgot what is held: back off, write all of it again, flush again.
 */
#include "processor/storing.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "processor/backoff.h"
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

enum { FLUSH_RECORDS = 16384, FLUSH_BYTES = 8 * 1024 * 1024 };
#define ACK_POLL (10 * CLOCK_MS)
#define URGE_POLL (20 * CLOCK_MS)

struct storing {
    struct storing_config config;
    struct pool *pool;
    _Atomic int urged;
    char part[64]; /* in health */
    struct metric *in, *stored, *retries, *write_time, *flush_time, *end_to_end;
};

struct worker {
    struct storing *storing;
    struct context *context;
    void *store;
    struct batch *first, **last; /* held */
    uint64_t held_batches, held_records, held_bytes;
    int64_t held_since;
    struct rejects rejects;
    struct backoff backoff;
};

static void make_metrics(struct storing *storing)
{
    struct metrics *metrics = storing->config.metrics;
    char labels[160] = "", flush_labels[200] = "";
    metrics_label(labels, sizeof labels, "stage", storing->config.name);
    snprintf(flush_labels, sizeof flush_labels, "%s", labels);
    storing->in = metrics_get(metrics, METRIC_COUNTER, "weir_stage_records_in_total", "Records the stage took.", labels);
    storing->stored = metrics_get(metrics, METRIC_COUNTER, "weir_stage_records_out_total", "Records the stage sent on.", labels);
    storing->retries = metrics_get(metrics, METRIC_COUNTER, "weir_retries_total", "Attempts after the first.", labels);
    storing->write_time = metrics_get(metrics, METRIC_HISTOGRAM, "weir_stage_duration_seconds",
                                      "Time the stage took for a batch.", labels);
    storing->flush_time = metrics_get(metrics, METRIC_HISTOGRAM, "weir_store_flush_seconds",
                                      "Time a store took to make what it was handed durable.", flush_labels);
    storing->end_to_end = metrics_get(metrics, METRIC_HISTOGRAM, "weir_end_to_end_seconds",
                                      "Time from a record's entry to its being stored.", labels);
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
        own->flush_interval = config->type->flush_interval != 0 ? config->type->flush_interval : CLOCK_SECOND;
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

/* -- settling -- */

static void settle(struct worker *worker, struct batch *batch)
{
    uint64_t stored = 0;
    for (uint32_t i = 0; i < batch->count;) {
        if (batch->records[i].answer != STAGE_FORWARD) {
            i++;
            continue;
        }
        uint32_t end = i + 1;
        while (end < batch->count && batch->records[end].answer == STAGE_FORWARD &&
               batch->records[end].index == batch->records[end - 1].index + 1)
            end++;
        if (batch->ticket != NULL)
            ticket_settle(batch->ticket, batch->records[i].index, end - i, VERDICT_STORED);
        stored += end - i;
        i = end;
    }
    metric_add(worker->storing->stored, (int64_t)stored);
    if (stored > 0)
        metric_observe(worker->storing->end_to_end, clock_now() - batch->entered, stored);
}

static void hold(struct worker *worker, struct batch *batch)
{
    if (worker->first == NULL)
        worker->held_since = clock_now();
    batch->next = NULL;
    *worker->last = batch;
    worker->last = &batch->next;
    worker->held_batches++;
    worker->held_records += batch->count;
    worker->held_bytes += batch_bytes(batch);
}

static struct batch *release_first(struct worker *worker)
{
    struct batch *batch = worker->first;
    worker->first = batch->next;
    batch->next = NULL;
    worker->held_batches--;
    worker->held_records -= batch->count;
    uint64_t bytes = batch_bytes(batch);
    worker->held_bytes -= bytes < worker->held_bytes ? bytes : worker->held_bytes;
    if (worker->first == NULL) {
        worker->last = &worker->first;
        worker->held_bytes = 0;
    }
    return batch;
}

static void settle_oldest(struct worker *worker, uint64_t count)
{
    for (; count > 0 && worker->first != NULL; count--) {
        struct batch *batch = release_first(worker);
        settle(worker, batch);
        batch_free(batch);
    }
    worker->held_since = clock_now();
}

/* -- failures -- */

static enum status wait_out(struct worker *worker, struct error *error)
{
    struct storing *storing = worker->storing;
    health_problem(storing->config.health, storing->part, "%s", error->text);
    if (worker->backoff.attempt == 0 || worker->backoff.attempt % 8 == 0)
        log_warn(storing->part, "%s; trying again", error->text);
    metric_add(storing->retries, 1);
    return context_sleep(worker->context, backoff_next(&worker->backoff));
}

static void recovered(struct worker *worker)
{
    if (worker->backoff.attempt == 0)
        return;
    log_info(worker->storing->part, "works again");
    health_ok(worker->storing->config.health, worker->storing->part);
    backoff_reset(&worker->backoff);
}

/* A record that nobody may skip: it and what follows in its batch is given up and the service drains; what comes before is stored. */
static void halt_at(struct worker *worker, struct batch *batch, const struct error *error)
{
    bool found = false;
    brake_halt(worker->storing->config.brake, error);
    for (uint32_t i = 0; i < batch->count; i++) {
        struct record *record = &batch->records[i];
        found = found || (record->answer != STAGE_FORWARD && record->answer != STAGE_SETTLED);
        if (!found || record->answer == STAGE_SETTLED)
            continue;
        if (batch->ticket != NULL)
            ticket_abandon(batch->ticket, record->index, 1);
        record->answer = STAGE_SETTLED;
    }
}

static enum status settle_rejects(struct worker *worker, struct batch *batch, struct error *error)
{
    enum status status = rejects_settle(&worker->rejects, batch, worker->context, error);
    if (status == STATUS_FAILED && error->class == ERROR_FATAL) {
        halt_at(worker, batch, error);
        return STATUS_OK;
    }
    return status;
}

/* -- writing -- */

static enum status write_batch(struct worker *worker, struct batch *batch, struct error *error)
{
    struct storing *storing = worker->storing;
    for (;;) {
        int64_t begin = clock_now();
        enum status status = storing->config.type->write(worker->store, batch, worker->context, error);
        metric_observe(storing->write_time, clock_now() - begin, 1);
        if (status == STATUS_OK) {
            recovered(worker);
            return settle_rejects(worker, batch, error);
        }
        if (status != STATUS_FAILED || error->class != ERROR_TRANSIENT)
            return status;
        status = wait_out(worker, error);
        if (status != STATUS_OK)
            return status;
    }
}

static enum status write_all_again(struct worker *worker, struct error *error)
{
    enum status status = STATUS_OK;
    for (struct batch *batch = worker->first; batch != NULL && status == STATUS_OK; batch = batch->next)
        status = write_batch(worker, batch, error);
    return status;
}

static enum status reject_held(struct worker *worker, struct error *error)
{
    enum status status = STATUS_OK;
    for (struct batch *batch = worker->first; batch != NULL && status == STATUS_OK; batch = batch->next)
        status = settle_rejects(worker, batch, error);
    return status;
}

static enum status flush(struct worker *worker, struct error *error)
{
    struct storing *storing = worker->storing;
    if (worker->first == NULL)
        return STATUS_OK;
    for (;;) {
        int64_t begin = clock_now();
        enum status status = storing->config.type->flush(worker->store, worker->context, error);
        metric_observe(storing->flush_time, clock_now() - begin, 1);
        if (status == STATUS_OK) {
            recovered(worker);
            status = reject_held(worker, error);
            settle_oldest(worker, worker->held_batches);
            return status;
        }
        if (status != STATUS_FAILED || (error->class != ERROR_TRANSIENT && error->class != ERROR_RECORD))
            return status;
        status = error->class == ERROR_TRANSIENT ? wait_out(worker, error) : reject_held(worker, error);
        if (status == STATUS_OK)
            status = write_all_again(worker, error);
        if (status != STATUS_OK)
            return status;
    }
}

static void settle_acked(struct worker *worker)
{
    const struct store_type *type = worker->storing->config.type;
    if (type->acked == NULL || worker->first == NULL)
        return;
    unsigned count = type->acked(worker->store);
    struct batch *batch = worker->first;
    struct error error;
    for (unsigned i = 0; i < count && batch != NULL; i++, batch = batch->next) {
        if (settle_rejects(worker, batch, &error) != STATUS_OK)
            return; /* cancelled: the rest stays held */
    }
    if (count > 0)
        settle_oldest(worker, count);
}

static bool flush_is_due(const struct worker *worker, bool idle)
{
    const struct storing_config *config = &worker->storing->config;
    if (worker->first == NULL)
        return false;
    if (idle && atomic_load_explicit(&worker->storing->urged, memory_order_relaxed) > 0)
        return true;
    if (config->type->acked != NULL && idle)
        return false; /* its acknowledgements come by themselves */
    return worker->held_records >= config->flush_records || worker->held_bytes >= config->flush_bytes ||
           clock_now() - worker->held_since >= config->flush_interval;
}

static int64_t next_look(const struct worker *worker)
{
    int64_t now = clock_now();
    if (worker->first == NULL)
        return now + POOL_TICK;
    if (worker->storing->config.type->acked != NULL)
        return now + ACK_POLL;
    int64_t due = worker->held_since + worker->storing->config.flush_interval;
    return due < now + URGE_POLL ? due : now + URGE_POLL;
}

static enum status take(struct worker *worker, struct batch *batch, struct error *error)
{
    metric_add(worker->storing->in, batch->count);
    enum status status = write_batch(worker, batch, error);
    if (status != STATUS_OK) {
        batch_free(batch);
        return status;
    }
    hold(worker, batch);
    return STATUS_OK;
}

static enum status serve(struct worker *worker, struct pool *pool, struct error *error)
{
    for (;;) {
        struct batch *batch = NULL;
        enum status status = queue_pop(worker->storing->config.input, worker->context, next_look(worker), &batch);
        bool idle = status == STATUS_EMPTY || status == STATUS_CLOSED;
        bool closed = status == STATUS_CLOSED;
        if (status == STATUS_OK)
            status = take(worker, batch, error);
        else if (idle)
            status = STATUS_OK;
        if (status != STATUS_OK)
            return status;
        settle_acked(worker);
        if (closed || flush_is_due(worker, idle))
            status = flush(worker, error);
        if (status != STATUS_OK || closed || pool_should_leave(pool))
            return status;
    }
}

static enum status open_store(struct worker *worker, struct error *error)
{
    struct storing *storing = worker->storing;
    const struct storing_config *config = &storing->config;
    for (;;) {
        enum status status = config->type->open(config->config, config->env, worker->context, &worker->store, error);
        if (status == STATUS_OK) {
            recovered(worker);
            health_ok(config->health, storing->part);
            return STATUS_OK;
        }
        if (status != STATUS_FAILED || error->class != ERROR_TRANSIENT)
            return status;
        status = wait_out(worker, error);
        if (status != STATUS_OK)
            return status;
    }
}

static enum status worker_main(void *arg, struct pool *pool, struct context *context, struct error *error)
{
    struct storing *storing = arg;
    struct worker worker = {.storing = storing, .context = context};
    worker.last = &worker.first;
    rejects_init(&worker.rejects, storing->config.name, storing->config.dead_letter, false, storing->config.metrics);
    backoff_init(&worker.backoff, storing->config.backoff_least, storing->config.backoff_most);
    enum status status = open_store(&worker, error);
    if (status == STATUS_OK)
        status = serve(&worker, pool, error);
    if (status == STATUS_FAILED) {
        health_problem(storing->config.health, storing->part, "%s", error->text);
        error_prefix(error, "%s", storing->part);
    }
    if (worker.store != NULL)
        storing->config.type->close(worker.store);
    while (worker.first != NULL)
        batch_free(release_first(&worker));
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
