#include "processor/held.h"

#include <stddef.h>

#include "processor/clock.h"

void held_init(struct held *held)
{
    *held = (struct held){.last = &held->first};
}

void held_push(struct held *held, struct batch *batch)
{
    if (held->first == NULL)
        held->since = clock_now();
    batch->next = NULL;
    batch->queued_bytes = batch_bytes(batch);
    *held->last = batch;
    held->last = &batch->next;
    held->batches++;
    held->records += batch->count;
    held->bytes += batch->queued_bytes;
}

struct batch *held_pop(struct held *held)
{
    struct batch *batch = held->first;
    if (batch == NULL)
        return NULL;
    held->first = batch->next;
    if (held->first == NULL)
        held->last = &held->first;
    batch->next = NULL;
    held->batches--;
    held->records -= batch->count;
    held->bytes -= batch->queued_bytes; /* as it was counted: it may have grown by messages since */
    return batch;
}
