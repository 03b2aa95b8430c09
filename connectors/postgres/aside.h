/*
 * A call into libpq that may hang, in a thread of its own: who waits for it can leave. What hangs is left behind, and ends and frees what it has when it comes
 * back.
 */
#ifndef WEIR_CONNECTORS_POSTGRES_ASIDE_H
#define WEIR_CONNECTORS_POSTGRES_ASIDE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "processor/context.h"

/* The head of what the thread works on. */
struct postgres_aside {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool done, left; /* mutex; left: the thread frees it */
    pthread_t thread;
    void (*run)(struct postgres_aside *aside);  /* in the thread */
    void (*free)(struct postgres_aside *aside); /* calls postgres_aside_fini */
};

void postgres_aside_init(struct postgres_aside *aside, void (*run)(struct postgres_aside *aside),
                         void (*free)(struct postgres_aside *aside));
void postgres_aside_fini(struct postgres_aside *aside);
/* False: there is no thread to be had; the caller frees it. */
bool postgres_aside_start(struct postgres_aside *aside);
/* Until it is done, the context's end, or `until`. STATUS_OK: go on; STATUS_EMPTY: the time was up; else the context's. */
enum status postgres_aside_await(struct postgres_aside *aside, struct context *context, int64_t until);
/* Waits until `until` for what is about to end. True: it is done, and the thread joined. False: it is not the caller's any more. */
bool postgres_aside_leave(struct postgres_aside *aside, int64_t until);

#endif
