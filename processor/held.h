/* The batches that a store was handed and has not made durable yet, oldest first. Not thread-safe: one worker's. */
#ifndef WEIR_PROCESSOR_HELD_H
#define WEIR_PROCESSOR_HELD_H

#include <stdint.h>

#include "processor/batch.h"

struct held {
    struct batch *first, **last;
    uint64_t batches, records, bytes;
    int64_t since; /* monotonic: when the oldest came, or others before it were settled */
};

void held_init(struct held *held);
/* Takes the batch. */
void held_push(struct held *held, struct batch *batch);
/* The oldest, NULL when there is none; the caller's again. */
struct batch *held_pop(struct held *held);

#endif
