/*
 * The thread that calls pipeline_run is the ticker: it lets the pools decide, publishes counts, watches progress, and waits for the source to end or for
 * the group to fail.
 */
#include "processor/pipeline.h"

#include <limits.h>

#include "processor/assembly.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/health.h"
#include "processor/pool.h"

static enum status source_main(void *arg, struct context *context, struct error *error)
{
    struct pipeline *pipeline = arg;
    const struct source_type *type = pipeline->config->source_type;
    enum status status = type->open(pipeline->config->source_config, &pipeline->env, context, &pipeline->source, error);
    if (status == STATUS_OK)
        status = type->run(pipeline->source, pipeline->intake, context, error);
    if (status == STATUS_FAILED)
        error_prefix(error, "%s", type->name);
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

/* For how long (ns) what is behind this queue has been at it, and nothing came back. */
static int64_t stuck(struct pipeline *pipeline, unsigned queue)
{
    return queue < pipeline->stage_count ? transform_stuck(pipeline->transforms[queue])
                                         : storing_stuck(pipeline->storings[queue - pipeline->stage_count]);
}

/* The last one of which nothing comes back. UINT_MAX: there is none. */
static unsigned find_stuck(struct pipeline *pipeline)
{
    unsigned found = UINT_MAX;
    for (unsigned i = 0; i < assembly_queues(pipeline); i++) {
        int64_t time = stuck(pipeline, i);
        assembly_publish_stuck(pipeline, i, time);
        if (time >= PIPELINE_STUCK)
            found = i;
    }
    return found;
}

/* What holds the others up: a store that fails, or of which nothing comes back, whose queue need not be full for that (memory may be so before, or little comes); else what
 * the last full queue is in front of. UINT_MAX: nothing does. */
static unsigned find_blocking(struct pipeline *pipeline)
{
    unsigned stuck = find_stuck(pipeline);
    for (unsigned i = 0; i < pipeline->config->store_count; i++) {
        if (storing_is_troubled(pipeline->storings[i]))
            return pipeline->stage_count + i;
    }
    if (stuck != UINT_MAX)
        return stuck;
    for (unsigned i = assembly_queues(pipeline); i > 0; i--) {
        if (is_over_half(pipeline->queues[i - 1]))
            return i - 1;
    }
    return UINT_MAX;
}

static void tick(struct pipeline *pipeline)
{
    int64_t latency = 0;
    for (unsigned i = 0; i < pipeline->config->store_count; i++) {
        int64_t own = storing_latency(pipeline->storings[i]);
        latency = own > latency ? own : latency;
    }
    for (unsigned i = 0; i < pipeline->stage_count; i++)
        transform_tick(pipeline->transforms[i], latency);
    unsigned blocking = find_blocking(pipeline);
    assembly_publish_blocking(pipeline, blocking);
    intake_tick(pipeline->intake, blocking != UINT_MAX ? queue_get_config(pipeline->queues[blocking])->name : NULL);
    assembly_publish(pipeline);
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

enum status pipeline_run(const struct pipeline_config *config, const struct pipeline_shared *shared,
                         struct context *context, struct ledger_counts *ret_counts, struct error *error)
{
    CHECK(config->store_count > 0);
    struct pipeline pipeline = {.config = config, .shared = shared};
    CHECK_CALL(pthread_mutex_init(&pipeline.mutex, NULL));
    CHECK_CALL(pthread_cond_init(&pipeline.source_ended, NULL));
    *ret_counts = (struct ledger_counts){0};
    enum status status = assembly_init(&pipeline, context, error);
    if (status == STATUS_OK)
        status = run(&pipeline, error);
    else if (status != STATUS_FAILED && context_status(context) == STATUS_OK)
        status = error_set(error, ERROR_TRANSIENT, "out of memory");
    assembly_fini(&pipeline, ret_counts);
    return status;
}
