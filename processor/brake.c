#include "processor/brake.h"

#include "processor/check.h"
#include "processor/clock.h"

enum status brake_init(struct brake *brake, struct context *parent)
{
    brake->soft = context_new(parent, CLOCK_NEVER);
    if (brake->soft == NULL)
        return STATUS_NO_MEMORY;
    atomic_init(&brake->halted, 0);
    brake->error = (struct error){0};
    CHECK_CALL(pthread_mutex_init(&brake->mutex, NULL));
    return STATUS_OK;
}

void brake_fini(struct brake *brake)
{
    if (brake->soft == NULL)
        return;
    context_free(brake->soft);
    brake->soft = NULL;
    CHECK_CALL(pthread_mutex_destroy(&brake->mutex));
}

void brake_drain(struct brake *brake)
{
    context_cancel(brake->soft);
}

void brake_halt(struct brake *brake, unsigned position, const struct error *error)
{
    CHECK_CALL(pthread_mutex_lock(&brake->mutex));
    unsigned before = atomic_load(&brake->halted);
    if (before == 0)
        brake->error = *error;
    if (position + 1 > before)
        atomic_store_explicit(&brake->halted, position + 1, memory_order_release);
    CHECK_CALL(pthread_mutex_unlock(&brake->mutex));
    brake_drain(brake);
}
