/*
 * Building and taking down are written so that a half-built pipeline is taken down by the same code: everything is NULL until it is there.
 *
 * The thread that calls pipeline_run is the ticker: it lets the pools decide, publishes counts, watches progress, and waits for the source to end or for
 * the group to fail.
 */
#include "processor/pipeline.h"

#include <stdlib.h>

#include "processor/brake.h"
#include "processor/budget.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/health.h"
#include "processor/intake.h"
#include "processor/log.h"
#include "processor/metrics.h"
#include "processor/pool.h"
#include "processor/queue.h"
#include "processor/storing.h"

/* Idle batches are kept for the next use, and paid for: at most so many, and a quarter of the budget. */
enum { BATCHES_KEPT = 32, BATCH_MEMORY = ARENA_MAX_CHUNK + BATCH_RECORDS * (int)sizeof(struct record) };
enum { QUEUE_BYTES_LEAST = 1024 * 1024 };

/* What several stores after no stage at all need before them: something that hands each of them its branch. */
static const struct pipeline_stage FAN_OUT = {.name = "fan-out", .workers_min = 1, .workers_max = 1};

struct pipeline_metrics {
    struct metric *verdicts[VERDICT_DEAD_LETTERED + 1];
    struct metric *abandoned, *in_flight, *budget_used, *budget_size;
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

static unsigned queue_count(const struct pipeline *pipeline)
{
    return pipeline->stage_count + pipeline->config->store_count;
}

/* -- building -- */

static void make_metrics(struct pipeline *pipeline)
{
    static const char *const NAMES[] = {
        [VERDICT_STORED] = "stored", [VERDICT_DROPPED] = "dropped", [VERDICT_DEAD_LETTERED] = "dead_lettered"};
    struct metrics *metrics = pipeline->shared->metrics;
    for (enum verdict v = VERDICT_STORED; v <= VERDICT_DEAD_LETTERED; v++) {
        char labels[64] = "";
        metrics_label(labels, sizeof labels, "verdict", NAMES[v]);
        pipeline->metrics.verdicts[v] = metrics_get(metrics, METRIC_COUNTER, "weir_verdicts_total",
                                                    "Records by their verdict.", labels);
    }
    pipeline->metrics.abandoned = metrics_get(metrics, METRIC_COUNTER, "weir_records_abandoned_total",
                                              "Records given up without a verdict; they are consumed again.", NULL);
    pipeline->metrics.in_flight = metrics_get(metrics, METRIC_GAUGE, "weir_records_in_flight",
                                              "Records without a verdict.", NULL);
    pipeline->metrics.budget_used = metrics_get(metrics, METRIC_GAUGE, "weir_budget_used_bytes",
                                                "Memory that records hold.", NULL);
    pipeline->metrics.budget_size = metrics_get(metrics, METRIC_GAUGE, "weir_budget_size_bytes",
                                                "Memory that records may hold before the source is held back.", NULL);
    metric_set(pipeline->metrics.budget_size, (int64_t)budget_size(pipeline->budget));
}

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_TRANSIENT, "out of memory");
}

static enum status build_core(struct pipeline *pipeline, struct context *context, struct error *error)
{
    const struct pipeline_config *config = pipeline->config;
    pipeline->stages = config->stages;
    pipeline->stage_count = config->stage_count;
    if (config->stage_count == 0 && config->store_count > 1) {
        pipeline->stages = &FAN_OUT;
        pipeline->stage_count = 1;
    }
    pipeline->env = (struct connector_env){
        .service = config->service,
        .name = config->source_type->name,
        .metrics = pipeline->shared->metrics,
        .config_dir = config->config_dir,
        .exit_at_end = config->exit_at_end,
        .fetch_bytes = (int64_t)(config->memory / 4),
        .source_name = config->source_type->name,
        .source_config = config->source_config,
    };
    pipeline->budget = budget_new(config->memory - config->memory / 4);
    size_t keep = config->memory / 4 / BATCH_MEMORY;
    pipeline->batches = pipeline->budget == NULL
                            ? NULL
                            : batch_pool_new(pipeline->budget, keep < BATCHES_KEPT ? (unsigned)keep : BATCHES_KEPT);
    pipeline->ledger = ledger_new(config->store_count);
    pipeline->group = group_new(context);
    pipeline->queues = calloc(queue_count(pipeline), sizeof(struct queue *));
    pipeline->transforms = calloc(pipeline->stage_count + 1, sizeof(struct transform *));
    pipeline->storings = calloc(config->store_count, sizeof(struct storing *));
    pipeline->store_envs = calloc(config->store_count, sizeof *pipeline->store_envs);
    if (pipeline->batches == NULL || pipeline->ledger == NULL || pipeline->group == NULL || pipeline->queues == NULL ||
        pipeline->transforms == NULL || pipeline->storings == NULL || pipeline->store_envs == NULL ||
        brake_init(&pipeline->brake, pipeline->shared->soft) != STATUS_OK)
        return no_memory(error);
    make_metrics(pipeline);
    return STATUS_OK;
}

static enum status build_queue(struct pipeline *pipeline, unsigned at, const char *name, uint64_t records,
                               uint64_t bytes, struct error *error)
{
    uint64_t share = budget_size(pipeline->budget) / (queue_count(pipeline) + 1);
    const struct queue_config config = {
        .name = name,
        .records = records != 0 ? records : PIPELINE_QUEUE_RECORDS,
        .bytes = bytes != 0                  ? bytes
                 : share > QUEUE_BYTES_LEAST ? share
                                             : QUEUE_BYTES_LEAST,
    };
    pipeline->queues[at] = queue_new(&config, pipeline->shared->metrics);
    return pipeline->queues[at] != NULL ? STATUS_OK : no_memory(error);
}

static enum status build_queues(struct pipeline *pipeline, struct error *error)
{
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < pipeline->stage_count && status == STATUS_OK; i++) {
        const struct pipeline_stage *stage = &pipeline->stages[i];
        status = build_queue(pipeline, i, stage->name, stage->queue_records, stage->queue_bytes, error);
    }
    for (unsigned i = 0; i < pipeline->config->store_count && status == STATUS_OK; i++) {
        const struct pipeline_store *store = &pipeline->config->stores[i];
        status = build_queue(pipeline, pipeline->stage_count + i, store->name, store->queue_records, store->queue_bytes,
                             error);
    }
    return status;
}

static enum status build_dead_letter(struct pipeline *pipeline, struct context *context, struct error *error)
{
    const struct pipeline_config *config = pipeline->config;
    if (config->dead_letter.topic == NULL)
        return STATUS_OK;
    if (config->source_type->open_dead_letter == NULL)
        return error_set(error, ERROR_FATAL, "errors.dead_letter: the source `%s` has no dead letters",
                         config->source_type->name);
    return config->source_type->open_dead_letter(&config->dead_letter, &pipeline->env, context, &pipeline->dead_letter,
                                                 error);
}

static enum status build_transform(struct pipeline *pipeline, unsigned at, struct error *error)
{
    const struct pipeline_config *config = pipeline->config;
    const struct pipeline_stage *stage = &pipeline->stages[at];
    bool last = at + 1 == pipeline->stage_count;
    const struct transform_config transform = {
        .name = stage->name,
        .steps = stage->steps,
        .step_count = stage->step_count,
        .workers_min = stage->workers_min,
        .workers_max = stage->workers_max,
        .ordered = config->ordered,
        .retry_max = config->retry_max,
        .backoff_least = config->backoff_least,
        .backoff_most = config->backoff_most,
        .config_dir = config->config_dir,
        .input = pipeline->queues[at],
        .output = {.queues = &pipeline->queues[at + 1], .count = last ? config->store_count : 1},
        .dead_letter = pipeline->dead_letter,
        .brake = &pipeline->brake,
        .metrics = pipeline->shared->metrics,
    };
    return transform_new(&transform, &pipeline->transforms[at], error);
}

/* What a store holds until it is flushed is paid from the budget: never so much that the source waits for the flush. */
static uint64_t flush_bytes(const struct pipeline *pipeline, const struct pipeline_store *store)
{
    uint64_t most = budget_size(pipeline->budget) / (4 * (uint64_t)pipeline->config->store_count);
    return store->flush_bytes != 0 && store->flush_bytes < most ? store->flush_bytes : most;
}

static enum status build_storing(struct pipeline *pipeline, unsigned at, struct error *error)
{
    const struct pipeline_config *config = pipeline->config;
    const struct pipeline_store *store = &config->stores[at];
    pipeline->store_envs[at] = pipeline->env;
    pipeline->store_envs[at].name = store->name;
    const struct storing_config storing = {
        .name = store->name,
        .type = store->type,
        .config = store->config,
        .env = &pipeline->store_envs[at],
        .workers = store->workers,
        .flush_records = store->flush_records,
        .flush_bytes = flush_bytes(pipeline, store),
        .flush_interval = store->flush_interval,
        .backoff_least = config->backoff_least,
        .backoff_most = config->backoff_most,
        .input = pipeline->queues[pipeline->stage_count + at],
        .dead_letter = pipeline->dead_letter,
        .brake = &pipeline->brake,
        .health = pipeline->shared->health,
        .metrics = pipeline->shared->metrics,
    };
    return storing_new(&storing, &pipeline->storings[at], error);
}

static void urge_stores(void *arg, bool on)
{
    struct pipeline *pipeline = arg;
    for (unsigned i = 0; i < pipeline->config->store_count; i++) {
        if (on)
            storing_urge(pipeline->storings[i]);
        else
            storing_relax(pipeline->storings[i]);
    }
}

static enum status build_intake(struct pipeline *pipeline, struct error *error)
{
    const struct intake_config config = {
        .output = pipeline->queues[0],
        .batches = pipeline->batches,
        .budget = pipeline->budget,
        .ledger = pipeline->ledger,
        .brake = &pipeline->brake,
        .context = group_context(pipeline->group),
        .health = pipeline->shared->health,
        .metrics = pipeline->shared->metrics,
        .offsets = pipeline->shared->offsets,
        .shutdown = pipeline->config->shutdown,
        .watchdog = pipeline->config->watchdog,
        .urge = urge_stores,
        .urge_arg = pipeline,
    };
    pipeline->intake = intake_new(&config);
    return pipeline->intake != NULL ? STATUS_OK : no_memory(error);
}

static enum status build(struct pipeline *pipeline, struct context *context, struct error *error)
{
    enum status status = build_core(pipeline, context, error);
    if (status == STATUS_OK)
        status = build_queues(pipeline, error);
    if (status == STATUS_OK)
        status = build_dead_letter(pipeline, context, error);
    for (unsigned i = 0; i < pipeline->stage_count && status == STATUS_OK; i++)
        status = build_transform(pipeline, i, error);
    for (unsigned i = 0; i < pipeline->config->store_count && status == STATUS_OK; i++)
        status = build_storing(pipeline, i, error);
    if (status == STATUS_OK)
        status = build_intake(pipeline, error);
    return status;
}

/* -- running -- */

static enum status open_source(struct pipeline *pipeline, struct context *context, struct error *error)
{
    const struct source_type *type = pipeline->config->source_type;
    if (pipeline->source != NULL)
        return STATUS_OK;
    return type->open(pipeline->config->source_config, &pipeline->env, context, &pipeline->source, error);
}

static enum status source_main(void *arg, struct context *context, struct error *error)
{
    struct pipeline *pipeline = arg;
    enum status status = open_source(pipeline, context, error);
    if (status == STATUS_OK)
        status = pipeline->config->source_type->run(pipeline->source, pipeline->intake, context, error);
    if (status == STATUS_FAILED)
        error_prefix(error, "%s", pipeline->config->source_type->name);
    CHECK_CALL(pthread_mutex_lock(&pipeline->mutex));
    pipeline->ended = true;
    pipeline->source_status = status;
    CHECK_CALL(pthread_cond_signal(&pipeline->source_ended));
    CHECK_CALL(pthread_mutex_unlock(&pipeline->mutex));
    return status;
}

static enum status start(struct pipeline *pipeline, struct error *error)
{
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < pipeline->config->store_count && status == STATUS_OK; i++)
        status = storing_start(pipeline->storings[i], pipeline->group, error);
    for (unsigned i = 0; i < pipeline->stage_count && status == STATUS_OK; i++)
        status = transform_start(pipeline->transforms[i], pipeline->group, error);
    if (status == STATUS_OK)
        status = group_go(pipeline->group, pipeline->config->source_type->name, source_main, pipeline, error);
    return status;
}

static bool is_over_half(struct queue *queue)
{
    struct queue_stats stats = queue_get_stats(queue);
    const struct queue_config *capacity = queue_get_config(queue);
    return stats.records > capacity->records / 2 || stats.bytes > capacity->bytes / 2;
}

/* The last full queue is in front of what holds the others up; NULL: none is. */
static const char *find_blocking(struct pipeline *pipeline)
{
    for (unsigned i = queue_count(pipeline); i > 0; i--) {
        if (is_over_half(pipeline->queues[i - 1]))
            return queue_get_config(pipeline->queues[i - 1])->name;
    }
    return NULL;
}

static void publish(struct pipeline *pipeline)
{
    struct ledger_counts now;
    struct ledger_counts *before = &pipeline->published;
    ledger_get_counts(pipeline->ledger, &now);
    struct metric *const *verdicts = pipeline->metrics.verdicts;
    metric_add(verdicts[VERDICT_STORED], (int64_t)(now.stored - before->stored));
    metric_add(verdicts[VERDICT_DROPPED], (int64_t)(now.dropped - before->dropped));
    metric_add(verdicts[VERDICT_DEAD_LETTERED], (int64_t)(now.dead_lettered - before->dead_lettered));
    metric_add(pipeline->metrics.abandoned, (int64_t)(now.abandoned - before->abandoned));
    metric_set(pipeline->metrics.in_flight, (int64_t)now.in_flight);
    metric_set(pipeline->metrics.budget_used, (int64_t)budget_used(pipeline->budget));
    *before = now;
}

static void tick(struct pipeline *pipeline)
{
    for (unsigned i = 0; i < pipeline->stage_count; i++)
        transform_tick(pipeline->transforms[i]);
    intake_tick(pipeline->intake, find_blocking(pipeline));
    publish(pipeline);
    health_beat(pipeline->shared->health);
}

/* Until the source ended or the group failed. */
static void watch(struct pipeline *pipeline)
{
    struct context *context = group_context(pipeline->group);
    enum status status = STATUS_OK;
    int64_t next = clock_now() + POOL_TICK;
    CHECK_CALL(pthread_mutex_lock(&pipeline->mutex));
    while (!pipeline->ended && (status == STATUS_OK || status == STATUS_EMPTY)) {
        status = context_wait(context, &pipeline->source_ended, &pipeline->mutex, next);
        if (clock_now() < next)
            continue;
        CHECK_CALL(pthread_mutex_unlock(&pipeline->mutex));
        tick(pipeline);
        next = clock_now() + POOL_TICK;
        CHECK_CALL(pthread_mutex_lock(&pipeline->mutex));
    }
    CHECK_CALL(pthread_mutex_unlock(&pipeline->mutex));
}

/* From front to back, so that each stage finds all that the one before it still had. */
static enum status close_in_order(struct pipeline *pipeline)
{
    struct context *context = group_context(pipeline->group);
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < pipeline->stage_count && status == STATUS_OK; i++) {
        queue_close(pipeline->queues[i]);
        status = transform_join(pipeline->transforms[i], context);
    }
    for (unsigned i = 0; i < pipeline->config->store_count && status == STATUS_OK; i++)
        queue_close(pipeline->queues[pipeline->stage_count + i]);
    for (unsigned i = 0; i < pipeline->config->store_count && status == STATUS_OK; i++)
        status = storing_join(pipeline->storings[i], context);
    return status;
}

static enum status run(struct pipeline *pipeline, struct error *error)
{
    enum status status = start(pipeline, error);
    if (status == STATUS_OK) {
        watch(pipeline);
        CHECK_CALL(pthread_mutex_lock(&pipeline->mutex));
        status = pipeline->ended ? pipeline->source_status : STATUS_CANCELLED;
        CHECK_CALL(pthread_mutex_unlock(&pipeline->mutex));
    }
    if (status == STATUS_OK)
        status = close_in_order(pipeline);
    if (status != STATUS_OK)
        context_cancel(group_context(pipeline->group));
    struct error first = {0};
    if (group_wait(pipeline->group, &first) == STATUS_FAILED) {
        *error = first;
        return STATUS_FAILED;
    }
    if (brake_is_halted(&pipeline->brake)) {
        *error = pipeline->brake.error;
        return STATUS_FAILED;
    }
    return status;
}

/* -- taking down -- */

static void take_down(struct pipeline *pipeline, struct ledger_counts *ret_counts)
{
    const struct pipeline_config *config = pipeline->config;
    if (pipeline->source != NULL)
        config->source_type->close(pipeline->source);
    if (pipeline->dead_letter != NULL)
        pipeline->dead_letter->close(pipeline->dead_letter);
    for (unsigned i = 0; pipeline->transforms != NULL && i < pipeline->stage_count; i++)
        transform_free(pipeline->transforms[i]);
    for (unsigned i = 0; pipeline->storings != NULL && i < config->store_count; i++)
        storing_free(pipeline->storings[i]);
    intake_free(pipeline->intake);
    if (pipeline->metrics.in_flight != NULL) {
        publish(pipeline);
        *ret_counts = pipeline->published;
    }
    for (unsigned i = 0; pipeline->queues != NULL && i < queue_count(pipeline); i++)
        queue_free(pipeline->queues[i]);
    batch_pool_free(pipeline->batches);
    ledger_free(pipeline->ledger);
    budget_free(pipeline->budget);
    brake_fini(&pipeline->brake);
    group_free(pipeline->group);
    free(pipeline->queues);
    free(pipeline->transforms);
    free(pipeline->storings);
    free(pipeline->store_envs);
    CHECK_CALL(pthread_cond_destroy(&pipeline->source_ended));
    CHECK_CALL(pthread_mutex_destroy(&pipeline->mutex));
}

enum status pipeline_run(const struct pipeline_config *config, const struct pipeline_shared *shared,
                         struct context *context, struct ledger_counts *ret_counts, struct error *error)
{
    CHECK(config->store_count > 0);
    struct pipeline pipeline = {.config = config, .shared = shared};
    CHECK_CALL(pthread_mutex_init(&pipeline.mutex, NULL));
    CHECK_CALL(pthread_cond_init(&pipeline.source_ended, NULL));
    *ret_counts = (struct ledger_counts){0};
    enum status status = build(&pipeline, context, error);
    if (status == STATUS_OK)
        status = run(&pipeline, error);
    else if (status != STATUS_FAILED && context_status(context) == STATUS_OK)
        status = no_memory(error);
    take_down(&pipeline, ret_counts);
    return status;
}
