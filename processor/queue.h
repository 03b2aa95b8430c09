/*
 * A bounded queue of batches between two stages: bounded in records and in bytes, any number of pushers and poppers, first in first out.
 * A mutex and two conditions: one operation moves a batch of up to 1024 records, which makes it about 10 ns a record; a lock-free ring gains nothing at that size.
 * An empty queue takes a batch of any size, so that nothing can be too big to pass.
 *
 * Stopping: queue_close (soft: what is in it can still be popped, then STATUS_CLOSED); a context that ended ends every wait, and no more is popped (hard).
 */
#ifndef WEIR_PROCESSOR_QUEUE_H
#define WEIR_PROCESSOR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/context.h"
#include "processor/status.h"

struct queue;
struct batch;
struct metrics;

struct queue_config {
    const char *name; /* for metrics; a constant or as long as the queue */
    uint64_t records, bytes;
};

struct queue_stats {
    uint64_t records, bytes, batches;
};

struct queue *queue_new(const struct queue_config *config, struct metrics *metrics) WARN_UNUSED;
/* Frees the batches that are still in it. No one may wait on it. */
void queue_free(struct queue *queue);
/* Idempotent, never blocks; wakes all waiters. */
void queue_close(struct queue *queue);

/* Takes the batch on STATUS_OK, the caller keeps it otherwise. FULL (only try), CLOSED, CANCELLED, DEADLINE. */
enum status queue_push(struct queue *queue, struct batch *batch, struct context *context) WARN_UNUSED;
enum status queue_try_push(struct queue *queue, struct batch *batch) WARN_UNUSED;
/* Would queue_try_push find it not FULL? Where one thread does all the pushing, a yes holds until it pushes. A no is told to the room listener later. */
bool queue_fits(struct queue *queue, const struct batch *batch);
/* The oldest batch, numbered in the order of hand-out (batch->sequence). EMPTY when `until` passed first, CLOSED when closed and empty, CANCELLED or DEADLINE
 * when the context has ended, whatever is in the queue. */
enum status queue_pop(struct queue *queue, struct context *context, int64_t until, struct batch **ret) WARN_UNUSED;
/* For one who does not pop yet: STATUS_OK after `ns`, CLOSED when it is closed and empty, CANCELLED or DEADLINE. Looks now and then. */
enum status queue_await_end(struct queue *queue, struct context *context, int64_t ns) WARN_UNUSED;

struct queue_stats queue_get_stats(struct queue *queue);
const struct queue_config *queue_get_config(const struct queue *queue);
/* More than `percent` of either capacity in use? */
bool queue_is_above(struct queue *queue, unsigned percent);
/* Called (without locks, by a popper, must not block) each time the queue falls below half after queue_is_above answered true, queue_fits false, or a push found it full. One
 * listener, set and unset while nobody uses the queue. */
void queue_on_room(struct queue *queue, void (*wake)(void *arg), void *arg);

#endif
