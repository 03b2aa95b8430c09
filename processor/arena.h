/*
 * A bump allocator that is recycled: what one batch needs is taken from it piece by piece and given back all at once.
 * Not thread-safe: an arena belongs to whoever holds its batch.
 *
 * Every chunk keeps ARENA_PADDING readable bytes behind its end, so that SIMD readers may look past any allocation.
 * With a budget, every chunk is charged to it while it is held (never waits: only the intake waits for credit).
 */
#ifndef WEIR_PROCESSOR_ARENA_H
#define WEIR_PROCESSOR_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "processor/bytes.h"
#include "processor/status.h"

struct budget;
struct arena_chunk;

enum { ARENA_PADDING = 64, ARENA_MIN_CHUNK = 64 * 1024, ARENA_MAX_CHUNK = 1024 * 1024 };

struct arena {
    struct arena_chunk *chunk; /* the current one; older ones behind it */
    uint8_t *next, *end;
    size_t held;           /* bytes of all chunks */
    struct budget *budget; /* charged for `held`; may be NULL */
};

void arena_init(struct arena *arena, struct budget *budget);
void arena_fini(struct arena *arena);
/* Forgets every allocation and keeps one chunk of at most ARENA_MAX_CHUNK for the next use. */
void arena_reset(struct arena *arena);
/* Aligned to 8. NULL when the system has no memory. size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size) WARN_UNUSED;
/* Unaligned: for text. */
uint8_t *arena_text(struct arena *arena, size_t size) WARN_UNUSED;
/* Gives back the unused tail of the latest arena_text: it was `size` bytes at `text`, of which `used` stay. */
void arena_trim(struct arena *arena, uint8_t *text, size_t size, size_t used);
/* A zero-terminated copy. NULL when out of memory. */
char *arena_string(struct arena *arena, const char *text, size_t size) WARN_UNUSED;
/* A copy of the view (a null view stays null). data NULL with size > 0 never happens; out of memory: ret.data NULL though bytes.data was not. */
struct bytes arena_copy(struct arena *arena, struct bytes bytes) WARN_UNUSED;

#endif
