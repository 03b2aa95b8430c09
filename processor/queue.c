#include "processor/queue.h"

#include <pthread.h>
#include <stdlib.h>

#include "processor/batch.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/metrics.h"

#define END_POLL (20 * CLOCK_MS)

struct queue {
    struct queue_config config;
    pthread_mutex_t mutex;
    pthread_cond_t not_empty, not_full;
    struct batch *first, **last; /* mutex */
    struct queue_stats stats;    /* mutex */
    uint64_t sequence;           /* mutex: of the next pop */
    unsigned poppers, pushers;   /* mutex: waiting */
    bool closed, wanted;         /* mutex; wanted: room was looked for in vain */
    void (*wake)(void *arg);
    void *arg;
    struct metric *records_metric, *bytes_metric;
};

static void make_metrics(struct queue *queue, struct metrics *metrics)
{
    char labels[160] = "";
    metrics_label(labels, sizeof labels, "queue", queue->config.name);
    queue->records_metric = metrics_get(metrics, METRIC_GAUGE, "weir_queue_records", "Records in the queue.", labels);
    queue->bytes_metric = metrics_get(metrics, METRIC_GAUGE, "weir_queue_bytes", "Bytes that the queue holds.", labels);
    metric_set(
        metrics_get(metrics, METRIC_GAUGE, "weir_queue_capacity_records", "Records that the queue takes.", labels),
        (int64_t)queue->config.records);
    metric_set(metrics_get(metrics, METRIC_GAUGE, "weir_queue_capacity_bytes", "Bytes that the queue takes.", labels),
               (int64_t)queue->config.bytes);
}

struct queue *queue_new(const struct queue_config *config, struct metrics *metrics)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return NULL;
    queue->config = *config;
    queue->last = &queue->first;
    CHECK_CALL(pthread_mutex_init(&queue->mutex, NULL));
    CHECK_CALL(pthread_cond_init(&queue->not_empty, NULL));
    CHECK_CALL(pthread_cond_init(&queue->not_full, NULL));
    if (metrics != NULL)
        make_metrics(queue, metrics);
    return queue;
}

static void show_locked(struct queue *queue)
{
    if (queue->records_metric == NULL)
        return;
    metric_set(queue->records_metric, (int64_t)queue->stats.records);
    metric_set(queue->bytes_metric, (int64_t)queue->stats.bytes);
}

void queue_free(struct queue *queue)
{
    if (queue == NULL)
        return;
    while (queue->first != NULL) {
        struct batch *batch = queue->first;
        queue->first = batch->next;
        batch_free(batch);
    }
    queue->stats = (struct queue_stats){0};
    show_locked(queue);
    CHECK_CALL(pthread_cond_destroy(&queue->not_full));
    CHECK_CALL(pthread_cond_destroy(&queue->not_empty));
    CHECK_CALL(pthread_mutex_destroy(&queue->mutex));
    free(queue);
}

void queue_close(struct queue *queue)
{
    CHECK_CALL(pthread_mutex_lock(&queue->mutex));
    queue->closed = true;
    CHECK_CALL(pthread_cond_broadcast(&queue->not_empty));
    CHECK_CALL(pthread_cond_broadcast(&queue->not_full));
    CHECK_CALL(pthread_mutex_unlock(&queue->mutex));
}

static bool fits_locked(const struct queue *queue, const struct batch *batch, size_t bytes)
{
    return queue->first == NULL || (queue->stats.records + batch->count <= queue->config.records &&
                                    queue->stats.bytes + bytes <= queue->config.bytes);
}

static void append_locked(struct queue *queue, struct batch *batch, size_t bytes)
{
    batch->next = NULL;
    batch->queued_bytes = bytes;
    *queue->last = batch;
    queue->last = &batch->next;
    queue->stats.records += batch->count;
    queue->stats.bytes += bytes;
    queue->stats.batches++;
    show_locked(queue);
    if (queue->poppers > 0)
        CHECK_CALL(pthread_cond_signal(&queue->not_empty));
}

enum status queue_push(struct queue *queue, struct batch *batch, struct context *context)
{
    size_t bytes = batch_bytes(batch);
    enum status status = STATUS_OK;
    CHECK_CALL(pthread_mutex_lock(&queue->mutex));
    while (!queue->closed && !fits_locked(queue, batch, bytes) && status == STATUS_OK) {
        queue->wanted = true;
        queue->pushers++;
        status = context_wait(context, &queue->not_full, &queue->mutex, CLOCK_NEVER);
        queue->pushers--;
    }
    if (queue->closed)
        status = STATUS_CLOSED;
    if (status == STATUS_OK)
        append_locked(queue, batch, bytes);
    CHECK_CALL(pthread_mutex_unlock(&queue->mutex));
    return status;
}

enum status queue_try_push(struct queue *queue, struct batch *batch)
{
    size_t bytes = batch_bytes(batch);
    enum status status = STATUS_OK;
    CHECK_CALL(pthread_mutex_lock(&queue->mutex));
    if (queue->closed) {
        status = STATUS_CLOSED;
    } else if (!fits_locked(queue, batch, bytes)) {
        queue->wanted = true;
        status = STATUS_FULL;
    } else {
        append_locked(queue, batch, bytes);
    }
    CHECK_CALL(pthread_mutex_unlock(&queue->mutex));
    return status;
}

bool queue_fits(struct queue *queue, const struct batch *batch)
{
    size_t bytes = batch_bytes(batch);
    CHECK_CALL(pthread_mutex_lock(&queue->mutex));
    bool fits = queue->closed || fits_locked(queue, batch, bytes);
    if (!fits)
        queue->wanted = true;
    CHECK_CALL(pthread_mutex_unlock(&queue->mutex));
    return fits;
}

static bool above_locked(const struct queue *queue, unsigned percent)
{
    return queue->stats.records * 100 > queue->config.records * percent ||
           queue->stats.bytes * 100 > queue->config.bytes * percent;
}

static struct batch *take_locked(struct queue *queue, bool *ret_room)
{
    struct batch *batch = queue->first;
    queue->first = batch->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    batch->next = NULL;
    batch->sequence = queue->sequence++;
    queue->stats.records -= batch->count;
    queue->stats.bytes -= batch->queued_bytes;
    queue->stats.batches--;
    show_locked(queue);
    if (queue->pushers > 0)
        CHECK_CALL(pthread_cond_broadcast(&queue->not_full));
    *ret_room = queue->wanted && !above_locked(queue, 50);
    if (*ret_room)
        queue->wanted = false;
    return batch;
}

enum status queue_pop(struct queue *queue, struct context *context, int64_t until, struct batch **ret)
{
    enum status status = context_status(context);
    bool room = false;
    CHECK_CALL(pthread_mutex_lock(&queue->mutex));
    while (queue->first == NULL && !queue->closed && status == STATUS_OK) {
        queue->poppers++;
        status = context_wait(context, &queue->not_empty, &queue->mutex, until);
        queue->poppers--;
    }
    if (status == STATUS_EMPTY && queue->first != NULL)
        status = STATUS_OK;
    if (status == STATUS_OK && queue->first == NULL)
        status = STATUS_CLOSED;
    if (status == STATUS_OK)
        *ret = take_locked(queue, &room);
    else if (queue->first != NULL && queue->poppers > 0)
        CHECK_CALL(pthread_cond_signal(&queue->not_empty)); /* it may have been our context's end that ate the signal */
    CHECK_CALL(pthread_mutex_unlock(&queue->mutex));
    if (room && queue->wake != NULL)
        queue->wake(queue->arg);
    return status;
}

enum status queue_await_end(struct queue *queue, struct context *context, int64_t ns)
{
    int64_t now = clock_now(), until = now + ns;
    enum status status = STATUS_OK;
    /* Not on a condition: a signal that is meant for a popper would be lost on it. */
    for (; status == STATUS_OK && now < until; now = clock_now()) {
        CHECK_CALL(pthread_mutex_lock(&queue->mutex));
        bool ended = queue->closed && queue->first == NULL;
        CHECK_CALL(pthread_mutex_unlock(&queue->mutex));
        status = ended ? STATUS_CLOSED : context_sleep(context, until - now < END_POLL ? until - now : END_POLL);
    }
    return status;
}

struct queue_stats queue_get_stats(struct queue *queue)
{
    CHECK_CALL(pthread_mutex_lock(&queue->mutex));
    struct queue_stats stats = queue->stats;
    CHECK_CALL(pthread_mutex_unlock(&queue->mutex));
    return stats;
}

const struct queue_config *queue_get_config(const struct queue *queue)
{
    return &queue->config;
}

bool queue_is_above(struct queue *queue, unsigned percent)
{
    CHECK_CALL(pthread_mutex_lock(&queue->mutex));
    bool above = above_locked(queue, percent);
    if (above)
        queue->wanted = true;
    CHECK_CALL(pthread_mutex_unlock(&queue->mutex));
    return above;
}

void queue_on_room(struct queue *queue, void (*wake)(void *arg), void *arg)
{
    queue->wake = wake;
    queue->arg = arg;
}
