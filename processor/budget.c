#include "processor/budget.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "processor/check.h"

struct budget {
    size_t size;
    _Atomic size_t used, peak;
    _Atomic bool wanted; /* somebody saw no room since the last wake */
    void (*wake)(void *arg);
    void *arg;
};

struct budget *budget_new(size_t size)
{
    struct budget *budget = calloc(1, sizeof *budget);
    if (budget != NULL)
        budget->size = size;
    return budget;
}

void budget_free(struct budget *budget)
{
    free(budget);
}

void budget_take(struct budget *budget, size_t bytes)
{
    size_t used = atomic_fetch_add(&budget->used, bytes) + bytes;
    size_t peak = atomic_load_explicit(&budget->peak, memory_order_relaxed);
    while (used > peak && !atomic_compare_exchange_weak(&budget->peak, &peak, used)) {
    }
}

void budget_give(struct budget *budget, size_t bytes)
{
    size_t before = atomic_fetch_sub(&budget->used, bytes);
    CHECK(before >= bytes);
    if (before - bytes <= budget->size / 4 * 3 && atomic_load(&budget->wanted) &&
        atomic_exchange(&budget->wanted, false) && budget->wake != NULL)
        budget->wake(budget->arg);
}

size_t budget_used(const struct budget *budget)
{
    return atomic_load(&budget->used);
}

size_t budget_peak(const struct budget *budget)
{
    return atomic_load(&budget->peak);
}

size_t budget_size(const struct budget *budget)
{
    return budget->size;
}

bool budget_has_room(struct budget *budget, size_t bytes)
{
    if (atomic_load(&budget->used) + bytes <= budget->size)
        return true;
    atomic_store(&budget->wanted, true);
    /* What was given back between the two lines above did not see `wanted`: look once more. */
    return atomic_load(&budget->used) + bytes <= budget->size;
}

void budget_on_room(struct budget *budget, void (*wake)(void *arg), void *arg)
{
    budget->wake = wake;
    budget->arg = arg;
}
