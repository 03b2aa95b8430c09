/* Where a stage's results go: one queue, or a copy by reference to each of several (fan-out to several stores). */
#ifndef WEIR_PROCESSOR_OUTLET_H
#define WEIR_PROCESSOR_OUTLET_H

#include "processor/batch.h"
#include "processor/context.h"
#include "processor/queue.h"

struct outlet {
    struct queue **queues;
    unsigned count; /* 1 or more */
};

/* Takes the batch in every case: on failure (CANCELLED, CLOSED, NO_MEMORY) what was not pushed is freed; the ledger still knows of its records. */
enum status outlet_push(const struct outlet *outlet, struct batch *batch, struct context *context) WARN_UNUSED;

#endif
