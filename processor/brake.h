/*
 * The pipeline's two ways to stop that any part may ask for. `drain` is the soft one: the intake takes nothing more in, what is inside goes on to its verdict. `halt` is for
 * a record that nobody may skip: soft as well, the error is what the pipeline ends with, and what comes behind that record is given up: by the stage that halted and those
 * before it. What has passed that stage goes on to its verdict.
 */
#ifndef WEIR_PROCESSOR_BRAKE_H
#define WEIR_PROCESSOR_BRAKE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "processor/context.h"
#include "processor/error.h"

enum { BRAKE_STORE = 1000000 };

struct brake {
    struct context *soft;    /* cancelled: drain */
    _Atomic unsigned halted; /* 0: no; else the last stage that halted, counted from 1 */
    pthread_mutex_t mutex;
    struct error error; /* mutex: the first halt's */
};

enum status brake_init(struct brake *brake, struct context *parent) WARN_UNUSED;
void brake_fini(struct brake *brake);
void brake_drain(struct brake *brake);
/* position: of the stage in the pipeline, from 0; stores: BRAKE_STORE. */
void brake_halt(struct brake *brake, unsigned position, const struct error *error);
static inline bool brake_is_halted(struct brake *brake)
{
    return atomic_load_explicit(&brake->halted, memory_order_acquire) > 0;
}
/* Is the stage to give up what comes to it? */
static inline bool brake_gives_up(struct brake *brake, unsigned position)
{
    return atomic_load_explicit(&brake->halted, memory_order_acquire) > position;
}

#endif
