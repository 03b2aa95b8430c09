#include "processor/tap_ring.h"

#include <stdlib.h>

struct tap_ring {
    _Atomic uint64_t tail;
    uint64_t head; /* the reader's */
    struct tap_slot slots[TAP_RING];
};

/* Not zeroed: what nobody writes to takes no memory. */
struct tap_ring *tap_ring_new(void)
{
    struct tap_ring *ring = malloc(sizeof *ring);
    if (ring == NULL)
        return NULL;
    ring->head = 0;
    atomic_init(&ring->tail, 0);
    for (uint64_t i = 0; i < TAP_RING; i++)
        atomic_init(&ring->slots[i].turn, i);
    return ring;
}

void tap_ring_free(struct tap_ring *ring)
{
    free(ring);
}

struct tap_slot *tap_ring_reserve(struct tap_ring *ring, uint64_t *ret_at)
{
    uint64_t at = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    for (;;) {
        struct tap_slot *slot = &ring->slots[at % TAP_RING];
        uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
        if (turn == at) {
            if (!atomic_compare_exchange_weak_explicit(&ring->tail, &at, at + 1, memory_order_relaxed,
                                                       memory_order_relaxed))
                continue;
            *ret_at = at;
            return slot;
        }
        if (turn < at)
            return NULL;
        at = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    }
}

void tap_ring_give(struct tap_slot *slot, uint64_t at)
{
    atomic_store_explicit(&slot->turn, at + 1, memory_order_release);
}

struct tap_slot *tap_ring_first(struct tap_ring *ring)
{
    struct tap_slot *slot = &ring->slots[ring->head % TAP_RING];
    return atomic_load_explicit(&slot->turn, memory_order_acquire) == ring->head + 1 ? slot : NULL;
}

void tap_ring_pop(struct tap_ring *ring, struct tap_slot *slot)
{
    atomic_store_explicit(&slot->turn, ring->head + TAP_RING, memory_order_release);
    ring->head++;
}
