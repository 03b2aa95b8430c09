#include "processor/assembly.h"

#include <limits.h>
#include <stdlib.h>

#include "processor/budget.h"
#include "processor/check.h"
#include "processor/metrics.h"
#include "processor/tap.h"

/* Idle batches are kept for the next use, and paid for: at most so many, and a quarter of the budget. */
enum { BATCHES_KEPT = 32, BATCH_MEMORY = ARENA_MAX_CHUNK + BATCH_RECORDS * (int)sizeof(struct record) };
/* Beside the budget, for all stores together: what clients copy and send (see connector_env.send_bytes). */
enum { SEND_BYTES = 16 * 1024 * 1024 };
enum { QUEUE_BYTES_LEAST = 1024 * 1024 };

/* What several stores after no stage at all need before them: something that hands each of them its branch. */
static const struct pipeline_stage FAN_OUT = {.name = "fan-out", .workers_min = 1, .workers_max = 1};

unsigned assembly_queues(const struct pipeline *pipeline)
{
    return pipeline->stage_count + pipeline->config->store_count;
}

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

static const struct source_type *home_type(const struct pipeline_config *config)
{
    return config->home_type != NULL ? config->home_type : config->source_type;
}

static enum status build_core(struct pipeline *pipeline, struct context *context, struct error *error)
{
    const struct pipeline_config *config = pipeline->config;
    CHECK(config->store_count > 0);
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
        .health = pipeline->shared->health,
        .config_dir = config->config_dir,
        .offsets = pipeline->shared->offsets,
        .exit_at_end = config->exit_at_end,
        .stretch = config->stretch,
        .fetch_bytes = (int64_t)(config->memory / 4),
        .source_name = home_type(config)->name,
        .source_config = config->home_type != NULL ? config->home_config : config->source_config,
        .source = &pipeline->source,
    };
    pipeline->budget = budget_new(config->memory - config->memory / 4);
    size_t keep = config->memory / 4 / BATCH_MEMORY;
    pipeline->batches = pipeline->budget == NULL
                            ? NULL
                            : batch_pool_new(pipeline->budget, keep < BATCHES_KEPT ? (unsigned)keep : BATCHES_KEPT);
    pipeline->ledger = ledger_new(config->store_count, pipeline->budget);
    pipeline->group = group_new(context);
    pipeline->queues = calloc(assembly_queues(pipeline), sizeof(struct queue *));
    pipeline->metrics.blocking = calloc(assembly_queues(pipeline), sizeof(struct metric *));
    pipeline->metrics.stuck = calloc(assembly_queues(pipeline), sizeof(struct metric *));
    pipeline->transforms = calloc(pipeline->stage_count + 1, sizeof(struct transform *));
    pipeline->storings = calloc(config->store_count, sizeof(struct storing *));
    pipeline->store_envs = calloc(config->store_count, sizeof *pipeline->store_envs);
    if (pipeline->batches == NULL || pipeline->ledger == NULL || pipeline->group == NULL || pipeline->queues == NULL ||
        pipeline->metrics.blocking == NULL || pipeline->metrics.stuck == NULL || pipeline->transforms == NULL ||
        pipeline->storings == NULL || pipeline->store_envs == NULL ||
        brake_init(&pipeline->brake, pipeline->shared->soft) != STATUS_OK)
        return no_memory(error);
    if (config->exactly_once)
        ledger_keep_in_store(pipeline->ledger);
    make_metrics(pipeline);
    return STATUS_OK;
}

static enum status build_queue(struct pipeline *pipeline, unsigned at, const char *name, uint64_t records,
                               uint64_t bytes, struct error *error)
{
    uint64_t share = budget_size(pipeline->budget) / (assembly_queues(pipeline) + 1);
    const struct queue_config config = {
        .name = name,
        .records = records != 0 ? records : PIPELINE_QUEUE_RECORDS,
        .bytes = bytes != 0                  ? bytes
                 : share > QUEUE_BYTES_LEAST ? share
                                             : QUEUE_BYTES_LEAST,
    };
    char labels[160] = "";
    metrics_label(labels, sizeof labels, "stage", name);
    pipeline->queues[at] = queue_new(&config, pipeline->shared->metrics);
    pipeline->metrics.blocking[at] = metrics_get(pipeline->shared->metrics, METRIC_GAUGE, "weir_stage_blocking",
                                                 "1 while the stage holds the others up: a store that fails, a "
                                                 "stage of which nothing comes back, or the one behind the last queue "
                                                 "that is over half full.",
                                                 labels);
    pipeline->metrics.stuck[at] = metrics_get(pipeline->shared->metrics, METRIC_GAUGE, "weir_stage_stuck_seconds",
                                              "How long the stage has had work in hand of which nothing came back.",
                                              labels);
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
    const struct source_type *type = home_type(config);
    if (type->open_dead_letter == NULL)
        return error_set(error, ERROR_FATAL, "errors.dead_letter: the source `%s` has no dead letters", type->name);
    return type->open_dead_letter(&config->dead_letter, &pipeline->env, context, &pipeline->dead_letter, error);
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
        .position = at,
        .workers_min = stage->workers_min,
        .workers_max = stage->workers_max,
        .ordered = config->ordered,
        .retry_max = config->retry_max,
        .backoff_least = config->backoff_least,
        .backoff_most = config->backoff_most,
        .config_dir = config->config_dir,
        .budget = pipeline->budget,
        .input = pipeline->queues[at],
        .output = {.queues = &pipeline->queues[at + 1], .count = last ? config->store_count : 1},
        .dead_letter = pipeline->dead_letter,
        .brake = &pipeline->brake,
        .tap = taps_point(pipeline->shared->taps, stage->name, TAP_STAGE),
        .metrics = pipeline->shared->metrics,
    };
    return transform_new(&transform, &pipeline->transforms[at], error);
}

/* What a store holds until it is flushed is paid from the budget: never so much that the source waits for the flush. Exactly once a flush is a transaction, which costs some time of its own
 * however small it is. */
static uint64_t flush_bytes(const struct pipeline *pipeline, const struct pipeline_store *store)
{
    const struct pipeline_config *config = pipeline->config;
    uint64_t most = budget_size(pipeline->budget) / (config->exactly_once ? 2 : 4 * (uint64_t)config->store_count);
    return store->flush_bytes != 0 && store->flush_bytes < most ? store->flush_bytes : most;
}

/* Each worker of a store has one of its own. */
static int64_t count_stores(const struct pipeline_config *config)
{
    int64_t count = 0;
    for (unsigned i = 0; i < config->store_count; i++)
        count += config->stores[i].workers;
    return count;
}

static enum status build_storing(struct pipeline *pipeline, unsigned at, struct error *error)
{
    const struct pipeline_config *config = pipeline->config;
    const struct pipeline_store *store = &config->stores[at];
    pipeline->store_envs[at] = pipeline->env;
    pipeline->store_envs[at].name = store->name;
    pipeline->store_envs[at].send_bytes = SEND_BYTES / count_stores(config);
    pipeline->store_envs[at].exactly_once = config->exactly_once;
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
        .exactly_once = config->exactly_once,
        .ledger = pipeline->ledger,
        .dead_letter = pipeline->dead_letter,
        .brake = &pipeline->brake,
        .tap = taps_point(pipeline->shared->taps, store->name, TAP_STORE),
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

static enum status find_starts(void *arg, struct offset_start *starts, unsigned count, struct context *context,
                               struct error *error)
{
    struct pipeline *pipeline = arg;
    const struct pipeline_store *store = &pipeline->config->stores[0];
    enum status status = store->type->offsets->read(store->config, &pipeline->store_envs[0], starts, count, context,
                                                    error);
    if (status == STATUS_FAILED)
        error_prefix(error, "store %s", store->name);
    return status;
}

/* The config's check has seen to all of it; this is for pipelines that no config made. */
static enum status check_delivery(const struct pipeline *pipeline, struct error *error)
{
    const struct pipeline_config *config = pipeline->config;
    const struct pipeline_store *store = &config->stores[0];
    if (!config->exactly_once ||
        (config->store_count == 1 && store->type->offsets != NULL && store->workers == 1 && config->ordered))
        return STATUS_OK;
    return error_set(error, ERROR_FATAL,
                     "exactly-once delivery needs a single store that keeps offsets, with one worker, and `order: "
                     "partition`");
}

static enum status build_intake(struct pipeline *pipeline, struct error *error)
{
    const struct store_offsets *offsets = pipeline->config->exactly_once ? pipeline->config->stores[0].type->offsets
                                                                         : NULL;
    const struct intake_config config = {
        .output = pipeline->queues[0],
        .batches = pipeline->batches,
        .budget = pipeline->budget,
        .ledger = pipeline->ledger,
        .brake = &pipeline->brake,
        .tap = taps_point(pipeline->shared->taps, "intake", TAP_INTAKE),
        .context = group_context(pipeline->group),
        .health = pipeline->shared->health,
        .metrics = pipeline->shared->metrics,
        .offsets = pipeline->shared->offsets,
        .shutdown = pipeline->config->shutdown,
        .watchdog = pipeline->config->watchdog,
        .urge = urge_stores,
        .urge_arg = pipeline,
        .find_starts = offsets != NULL && offsets->read != NULL ? find_starts : NULL,
        .find_starts_arg = pipeline,
        .commits_elsewhere = offsets != NULL && offsets->read == NULL,
    };
    pipeline->intake = intake_new(&config);
    return pipeline->intake != NULL ? STATUS_OK : no_memory(error);
}

enum status assembly_init(struct pipeline *pipeline, struct context *context, struct error *error)
{
    enum status status = check_delivery(pipeline, error);
    if (status == STATUS_OK)
        status = build_core(pipeline, context, error);
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

void assembly_publish_blocking(struct pipeline *pipeline, unsigned blocking)
{
    for (unsigned i = 0; i < assembly_queues(pipeline); i++) {
        if (pipeline->metrics.blocking[i] != NULL)
            metric_set(pipeline->metrics.blocking[i], i == blocking);
    }
}

void assembly_publish_stuck(struct pipeline *pipeline, unsigned queue, int64_t time)
{
    metric_set(pipeline->metrics.stuck[queue], time / CLOCK_SECOND);
}

void assembly_publish(struct pipeline *pipeline)
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

void assembly_fini(struct pipeline *pipeline, struct ledger_counts *ret_counts)
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
        assembly_publish(pipeline);
        *ret_counts = pipeline->published;
    }
    if (pipeline->metrics.blocking != NULL)
        assembly_publish_blocking(pipeline, UINT_MAX);
    for (unsigned i = 0; pipeline->metrics.stuck != NULL && i < assembly_queues(pipeline); i++) {
        if (pipeline->metrics.stuck[i] != NULL)
            assembly_publish_stuck(pipeline, i, 0);
    }
    free(pipeline->metrics.blocking);
    free(pipeline->metrics.stuck);
    for (unsigned i = 0; pipeline->queues != NULL && i < assembly_queues(pipeline); i++)
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
