/*
 * Cancellation and deadlines, as a tree (the idea is Go's context, the form is ours).
 * Cancelling a parent cancels every context below it and wakes every waiter there at once. A child's deadline is never later than
 * its parent's. Every blocking function of the engine takes a context and answers STATUS_CANCELLED or STATUS_DEADLINE.
 *
 * Threads: every function may be called from any thread. context_free only when nobody uses the context or a child any more.
 */
#ifndef WEIR_PROCESSOR_CONTEXT_H
#define WEIR_PROCESSOR_CONTEXT_H

#include <pthread.h>
#include <stdint.h>

#include "processor/status.h"

struct context;

/* What is woken when the context ends. wake runs in the cancelling thread without any lock of the context held; it must not block. */
struct context_watch {
    void (*wake)(void *arg);
    void *arg;
    struct context_watch *next, **link; /* the context's own */
    int busy;                           /* the context's own: wake is running */
};

/* parent NULL: a root. deadline on the monotonic clock, CLOCK_NEVER for none. NULL: no memory. The caller owns it. */
struct context *context_new(struct context *parent, int64_t deadline) WARN_UNUSED;
void context_free(struct context *context); /* NULL is fine */

/* Idempotent, never blocks. */
void context_cancel(struct context *context);
/* STATUS_OK, STATUS_CANCELLED or STATUS_DEADLINE. Cheap: two loads, the clock only when there is a deadline. */
enum status context_status(const struct context *context);
int64_t context_deadline(const struct context *context);

/* Registers a watch (runs wake at once when already cancelled). Deadlines do not wake: wait with a timeout up to context_deadline. */
void context_watch(struct context *context, struct context_watch *watch);
/* After it returned, wake does not run and will not run. Not from inside wake. */
void context_unwatch(struct context *context, struct context_watch *watch);

/* Waits on cond (CLOCK_MONOTONIC) with mutex held until signalled, until `until`, or the context ends: then its status.
 * STATUS_EMPTY: `until` passed first. Spurious wake-ups are STATUS_OK. */
enum status context_wait(struct context *context, pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until);
/* STATUS_OK after `ns`, else why not. */
enum status context_sleep(struct context *context, int64_t ns);

#endif
