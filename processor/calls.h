/*
 * Do calls come back? Whoever calls what a stage or a store is made of notes when it begins and when it ends; one thread looks every now and then. A call that hangs
 * has no error to tell, and its queue need not be full for all to wait for it.
 */
#ifndef WEIR_PROCESSOR_CALLS_H
#define WEIR_PROCESSOR_CALLS_H

#include <stdatomic.h>
#include <stdint.h>

#include "processor/clock.h"

/* All zero: there was none. */
struct calls {
    _Atomic uint64_t begun, ended;
    uint64_t seen; /* the looker's: ended, when it last was another */
    int64_t since;
};

/* Any thread. */
static inline void calls_begin(struct calls *calls)
{
    atomic_fetch_add_explicit(&calls->begun, 1, memory_order_relaxed);
}

static inline void calls_end(struct calls *calls)
{
    atomic_fetch_add_explicit(&calls->ended, 1, memory_order_release);
}

/* For how long (ns) some have been under way and none of them came back; 0: there are none. Always by the same thread; exact to the time between two looks. */
static inline int64_t calls_stuck(struct calls *calls, int64_t now)
{
    uint64_t ended = atomic_load_explicit(&calls->ended, memory_order_acquire);
    if (ended != calls->seen || calls->since == 0 ||
        atomic_load_explicit(&calls->begun, memory_order_relaxed) == ended) {
        calls->seen = ended;
        calls->since = now;
    }
    return now - calls->since;
}

#endif
