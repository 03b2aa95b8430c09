/*
 * The moves of a store's flush (struct store_offsets), kept until it is known what became of them, and how they are told from somebody else's. A flush's moves
 * come through together or not at all: all offsets are at `from`, or all at `to`; anything else is another instance's doing, and the store is fenced.
 */
#ifndef WEIR_PROCESSOR_OFFSET_MOVES_H
#define WEIR_PROCESSOR_OFFSET_MOVES_H

#include <stdbool.h>

#include "processor/connector.h"

struct offset_moves {
    struct offset_move *items;
    unsigned count, room;
};

void offset_moves_fini(struct offset_moves *moves); /* zeroed is fine */
/* Copies them in place of what was there; the topics' names stay the caller's. False: no memory, and nothing has changed. */
bool offset_moves_set(struct offset_moves *moves, const struct offset_move *items, unsigned count) WARN_UNUSED;

/* Where the offsets stand, of moves that are looked at one after the other; begins zeroed. */
struct offset_findings {
    unsigned count, at_from, at_to;
};

/* found: what the store has for the move's partition, -1: nothing. False: fenced. */
bool offset_findings_add(struct offset_findings *findings, const struct offset_move *move, int64_t found) WARN_UNUSED;
/* Of those that were added, none of them fenced: an earlier flush made these moves. */
bool offset_findings_already(const struct offset_findings *findings);

#endif
