#include "processor/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "processor/check.h"
#include "processor/log.h"
#include "processor/metrics.h"
#include "processor/queue.h"

/* After a step that did not pay, wait this many ticks before the next try in the same direction. */
enum { REST_TICKS = 20 };

struct pool {
    struct pool_config config;
    struct group *group;
    struct metric *workers_metric;
    struct pool_rule rule; /* the ticking thread's */
    _Atomic uint64_t done;
    uint64_t done_seen; /* the ticking thread's */
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    unsigned workers; /* mutex: started and not ended */
    unsigned asked;   /* mutex: how many are to leave and were not told yet */
    unsigned leaving; /* mutex: how many were told, and have not ended */
};

struct pool *pool_new(const struct pool_config *config, struct group *group, struct metrics *metrics)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->config = *config;
    pool->group = group;
    CHECK_CALL(pthread_mutex_init(&pool->mutex, NULL));
    CHECK_CALL(pthread_cond_init(&pool->ended, NULL));
    char labels[160] = "";
    metrics_label(labels, sizeof labels, "stage", config->name);
    pool->workers_metric = metrics_get(metrics, METRIC_GAUGE, "weir_stage_workers", "Worker threads of the stage.",
                                       labels);
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    CHECK(pool->workers == 0);
    CHECK_CALL(pthread_cond_destroy(&pool->ended));
    CHECK_CALL(pthread_mutex_destroy(&pool->mutex));
    free(pool);
}

static enum status worker_main(void *arg, struct context *context, struct error *error)
{
    struct pool *pool = arg;
    enum status status = pool->config.run(pool->config.arg, pool, context, error);
    CHECK_CALL(pthread_mutex_lock(&pool->mutex));
    pool->workers--;
    /* One that ends by itself while another was told to leave is taken for that one: then all end. */
    if (pool->leaving > 0)
        pool->leaving--;
    metric_set(pool->workers_metric, pool->workers);
    CHECK_CALL(pthread_cond_broadcast(&pool->ended));
    CHECK_CALL(pthread_mutex_unlock(&pool->mutex));
    return status;
}

static enum status add_worker(struct pool *pool, struct error *error)
{
    CHECK_CALL(pthread_mutex_lock(&pool->mutex));
    pool->workers++;
    metric_set(pool->workers_metric, pool->workers);
    CHECK_CALL(pthread_mutex_unlock(&pool->mutex));
    enum status status = group_go(pool->group, pool->config.name, worker_main, pool, error);
    if (status != STATUS_OK) {
        CHECK_CALL(pthread_mutex_lock(&pool->mutex));
        pool->workers--;
        metric_set(pool->workers_metric, pool->workers);
        CHECK_CALL(pthread_cond_broadcast(&pool->ended));
        CHECK_CALL(pthread_mutex_unlock(&pool->mutex));
    }
    return status;
}

enum status pool_start(struct pool *pool, struct error *error)
{
    for (unsigned i = 0; i < pool->config.min; i++) {
        enum status status = add_worker(pool, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

bool pool_should_leave(struct pool *pool)
{
    CHECK_CALL(pthread_mutex_lock(&pool->mutex));
    bool leave = pool->asked > 0;
    if (leave) {
        pool->asked--;
        pool->leaving++;
    }
    CHECK_CALL(pthread_mutex_unlock(&pool->mutex));
    return leave;
}

void pool_done(struct pool *pool, uint32_t records)
{
    atomic_fetch_add_explicit(&pool->done, records, memory_order_relaxed);
}

int pool_decide(struct pool_rule *rule, const struct pool_view *view, unsigned workers, unsigned min, unsigned max)
{
    int step = 0;
    /* A tenth of the throughput is noise, and half of the latency, as flushes come in lumps. Only growing is undone: fewer workers on an empty queue do less
     * because there is less. */
    bool worse = view->done + view->done / 10 < rule->last_done ||
                 (rule->last_latency > 0 && view->latency > rule->last_latency + rule->last_latency / 2);
    if (rule->rest > 0)
        rule->rest--;
    if (rule->last_step > 0 && view->over_half && worse) {
        step = -1;
        rule->rest = REST_TICKS;
    } else if (view->over_half && rule->rest == 0) {
        step = 1;
    } else if (view->empty) {
        step = -1;
    }
    if ((step > 0 && workers >= max) || (step < 0 && workers <= min))
        step = 0;
    rule->last_done = view->done;
    if (view->latency > 0)
        rule->last_latency = view->latency;
    rule->last_step = step;
    return step;
}

void pool_tick(struct pool *pool, int64_t latency)
{
    if (pool->config.min == pool->config.max)
        return;
    group_reap(pool->group);
    struct queue_stats stats = queue_get_stats(pool->config.queue);
    const struct queue_config *capacity = queue_get_config(pool->config.queue);
    uint64_t done = atomic_load_explicit(&pool->done, memory_order_relaxed);
    struct pool_view view = {
        .over_half = stats.records * 2 > capacity->records || stats.bytes * 2 > capacity->bytes,
        .empty = stats.batches == 0,
        .done = done - pool->done_seen,
        .latency = latency,
    };
    pool->done_seen = done;
    CHECK_CALL(pthread_mutex_lock(&pool->mutex));
    unsigned going = pool->leaving + pool->asked;
    unsigned staying = pool->workers > going ? pool->workers - going : 0;
    int step = pool_decide(&pool->rule, &view, staying, pool->config.min, pool->config.max);
    bool stays = step > 0 && pool->asked > 0;
    if (step < 0)
        pool->asked++;
    else if (stays)
        pool->asked--;
    CHECK_CALL(pthread_mutex_unlock(&pool->mutex));
    struct error error;
    if (step > 0 && !stays && add_worker(pool, &error) != STATUS_OK)
        log_warn(pool->config.name, "stays at %u workers: %s", staying, error.text);
}

unsigned pool_workers(struct pool *pool)
{
    CHECK_CALL(pthread_mutex_lock(&pool->mutex));
    unsigned workers = pool->workers;
    CHECK_CALL(pthread_mutex_unlock(&pool->mutex));
    return workers;
}

enum status pool_join(struct pool *pool, struct context *context)
{
    enum status status = STATUS_OK;
    CHECK_CALL(pthread_mutex_lock(&pool->mutex));
    while (pool->workers > 0 && status == STATUS_OK)
        status = context_wait(context, &pool->ended, &pool->mutex, CLOCK_NEVER);
    CHECK_CALL(pthread_mutex_unlock(&pool->mutex));
    return status;
}
