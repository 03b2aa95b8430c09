/*
 * The pipeline's two ways to stop that any part may ask for. `drain` is the soft one: the intake takes nothing more in, what is inside goes on to its verdict. `halt` is for
 * a record that nobody may skip: soft as well, but what has not reached the stores is given up, and the error is what the pipeline ends with.
 */
#ifndef WEIR_PROCESSOR_BRAKE_H
#define WEIR_PROCESSOR_BRAKE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "processor/context.h"
#include "processor/error.h"

struct brake {
    struct context *soft; /* cancelled: drain */
    _Atomic bool halted;
    pthread_mutex_t mutex;
    struct error error; /* mutex: the first halt's */
};

enum status brake_init(struct brake *brake, struct context *parent) WARN_UNUSED;
void brake_fini(struct brake *brake);
void brake_drain(struct brake *brake);
void brake_halt(struct brake *brake, const struct error *error);
static inline bool brake_is_halted(struct brake *brake)
{
    return atomic_load_explicit(&brake->halted, memory_order_acquire);
}

#endif
