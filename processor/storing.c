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
#include "processor/held.h"
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
    _Atomic int troubled;             /* workers that are trying again */
    _Atomic int64_t spent;            /* ns in write and flush */
    _Atomic int64_t settled;          /* records */
    int64_t spent_seen, settled_seen; /* the thread's that asks for the latency */
    _Atomic bool halted;              /* at a record that nobody may skip: what comes behind it is given up */
    char part[64];                    /* in health */
    struct metric *in, *stored, *retries, *write_time, *flush_time, *end_to_end;
};

struct worker {
    struct storing *storing;
    struct context *context;
    void *store;
    struct held held;
    struct rejects rejects;
    struct backoff backoff;
    bool troubled;
};

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

static void note_time(struct storing *storing, struct metric *metric, int64_t ns)
{
    metric_observe(metric, ns, 1);
    atomic_fetch_add_explicit(&storing->spent, ns, memory_order_relaxed);
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
    atomic_fetch_add_explicit(&worker->storing->settled, (int64_t)stored, memory_order_relaxed);
    if (stored > 0)
        metric_observe(worker->storing->end_to_end, clock_now() - batch->entered, stored);
}

static void settle_oldest(struct worker *worker, uint64_t count)
{
    for (; count > 0 && worker->held.first != NULL; count--) {
        struct batch *batch = held_pop(&worker->held);
        settle(worker, batch);
        batch_free(batch);
    }
    worker->held.since = clock_now();
}

/* -- failures -- */

static enum status wait_out(struct worker *worker, struct error *error)
{
    struct storing *storing = worker->storing;
    if (!worker->troubled)
        atomic_fetch_add(&storing->troubled, 1);
    worker->troubled = true;
    health_problem(storing->config.health, storing->part, "%s", error->text);
    if (worker->backoff.attempt == 0 || worker->backoff.attempt % 8 == 0)
        log_warn(storing->part, "%s; trying again", error->text);
    metric_add(storing->retries, 1);
    int64_t wait = backoff_next(&worker->backoff);
    /* Without an open store there is nothing held: it need not go on when no more records come. */
    return worker->store != NULL ? context_sleep(worker->context, wait)
                                 : queue_await_end(storing->config.input, worker->context, wait);
}

static void recovered(struct worker *worker)
{
    struct storing *storing = worker->storing;
    if (!worker->troubled)
        return;
    worker->troubled = false;
    log_info(storing->part, "works again");
    if (atomic_fetch_sub(&storing->troubled, 1) == 1)
        health_ok(storing->config.health, storing->part);
    backoff_reset(&worker->backoff);
}

/* A record that nobody may skip: it and what follows in its batch is given up and the service drains; what comes before is stored. */
static void halt_at(struct worker *worker, struct batch *batch, const struct error *error)
{
    bool found = false;
    atomic_store(&worker->storing->halted, true);
    brake_halt(worker->storing->config.brake, BRAKE_STORE, error);
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

/* again: after a failed flush. Then a write that goes well says nothing yet: only the flush shows that the store works again. */
static enum status write_batch(struct worker *worker, struct batch *batch, bool again, struct error *error)
{
    struct storing *storing = worker->storing;
    for (;;) {
        int64_t begin = clock_now();
        enum status status = storing->config.type->write(worker->store, batch, worker->context, error);
        note_time(storing, storing->write_time, clock_now() - begin);
        if (status == STATUS_OK) {
            if (!again)
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
    for (struct batch *batch = worker->held.first; batch != NULL && status == STATUS_OK; batch = batch->next)
        status = write_batch(worker, batch, true, error);
    return status;
}

/* Gives the records of the oldest `count` batches that the store found wrong their verdict. */
static enum status reject_held(struct worker *worker, uint64_t count, struct error *error)
{
    enum status status = STATUS_OK;
    for (struct batch *batch = worker->held.first; batch != NULL && count > 0 && status == STATUS_OK;
         batch = batch->next) {
        status = settle_rejects(worker, batch, error);
        count--;
    }
    return status;
}

static bool is_wrong_held(const struct worker *worker)
{
    for (const struct batch *batch = worker->held.first; batch != NULL; batch = batch->next) {
        for (uint32_t i = 0; i < batch->count; i++) {
            if (batch->records[i].answer != STAGE_FORWARD && batch->records[i].answer != STAGE_SETTLED)
                return true;
        }
    }
    return false;
}

/* A flush failed, so the store has forgotten all that is held: what is left to do before the next flush. */
static enum status prepare_flush(struct worker *worker, struct error *error)
{
    enum status status = STATUS_FAILED;
    if (error->class == ERROR_TRANSIENT)
        status = wait_out(worker, error);
    else if (error->class == ERROR_RECORD && is_wrong_held(worker))
        status = reject_held(worker, worker->held.batches, error);
    else if (error->class == ERROR_RECORD)
        return error_set(error, ERROR_FATAL, "a bug in the store: it says that a record is wrong, and not which one");
    return status == STATUS_OK ? write_all_again(worker, error) : status;
}

static enum status flush(struct worker *worker, struct error *error)
{
    struct storing *storing = worker->storing;
    if (worker->held.first == NULL)
        return STATUS_OK;
    for (;;) {
        int64_t begin = clock_now();
        enum status status = storing->config.type->flush(worker->store, worker->context, error);
        note_time(storing, storing->flush_time, clock_now() - begin);
        if (status == STATUS_OK) {
            recovered(worker);
            status = reject_held(worker, worker->held.batches, error);
            settle_oldest(worker, worker->held.batches);
            return status;
        }
        if (status == STATUS_FAILED)
            status = prepare_flush(worker, error);
        if (status != STATUS_OK)
            return status;
    }
}

static enum status settle_acked(struct worker *worker, struct error *error)
{
    const struct store_type *type = worker->storing->config.type;
    if (type->acked == NULL || worker->held.first == NULL)
        return STATUS_OK;
    unsigned count = type->acked(worker->store);
    if (count == 0)
        return STATUS_OK;
    enum status status = reject_held(worker, count, error);
    settle_oldest(worker, count);
    return status;
}

static bool flush_is_due(const struct worker *worker, bool idle)
{
    const struct storing_config *config = &worker->storing->config;
    if (worker->held.first == NULL)
        return false;
    if (idle && atomic_load_explicit(&worker->storing->urged, memory_order_relaxed) > 0)
        return true;
    return worker->held.records >= config->flush_records || worker->held.bytes >= config->flush_bytes ||
           clock_now() - worker->held.since >= config->flush_interval;
}

static int64_t next_look(const struct worker *worker)
{
    int64_t now = clock_now();
    if (worker->held.first == NULL)
        return now + POOL_TICK;
    if (worker->storing->config.type->acked != NULL)
        return now + ACK_POLL;
    int64_t due = worker->held.since + worker->storing->config.flush_interval;
    return due < now + URGE_POLL ? due : now + URGE_POLL;
}

static uint32_t count_forward(const struct batch *batch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        count += batch->records[i].answer == STAGE_FORWARD;
    return count;
}

static enum status take(struct worker *worker, struct batch *batch, struct error *error)
{
    if (atomic_load(&worker->storing->halted)) {
        batch_abandon(batch);
        return STATUS_OK;
    }
    metric_add(worker->storing->in, count_forward(batch));
    enum status status = write_batch(worker, batch, false, error);
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
        status = settle_acked(worker, error);
        if (status == STATUS_OK && (closed || flush_is_due(worker, idle)))
            status = flush(worker, error);
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
            recovered(worker);
            health_ok(config->health, worker->storing->part);
            return STATUS_OK;
        }
        if (status == STATUS_FAILED && error->class == ERROR_TRANSIENT)
            status = wait_out(worker, error);
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
