/*
 * The lines of a tap on their way from workers to its reader: Vyukov's bounded queue
 * (https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue), with many writers and one reader. A line's place is taken by a
 * compare-and-swap and given to the reader by its turn, so a writer waits for nobody, and one that is descheduled while it renders holds up the reader only.
 */
#ifndef WEIR_PROCESSOR_TAP_RING_H
#define WEIR_PROCESSOR_TAP_RING_H

#include "processor/tap.h"

struct tap_ring;

struct tap_slot {
    _Atomic uint64_t turn; /* the ring's */
    size_t size;
    char text[TAP_LINE_MAX];
};

struct tap_ring *tap_ring_new(void) WARN_UNUSED;
void tap_ring_free(struct tap_ring *ring); /* NULL is fine */

/* A slot to be filled, and then given to the reader with its *ret_at. NULL: full. Any thread. */
struct tap_slot *tap_ring_reserve(struct tap_ring *ring, uint64_t *ret_at);
void tap_ring_give(struct tap_slot *slot, uint64_t at);

/* The oldest; NULL: it is not there yet. Pop takes that one off. The reader's thread. */
struct tap_slot *tap_ring_first(struct tap_ring *ring);
void tap_ring_pop(struct tap_ring *ring, struct tap_slot *slot);

#endif
