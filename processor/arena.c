#include "processor/arena.h"

#include <stdlib.h>

#include "processor/budget.h"
#include "processor/check.h"

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* usable bytes behind this head; ARENA_PADDING more are readable */
};

static size_t chunk_cost(size_t size)
{
    return sizeof(struct arena_chunk) + size + ARENA_PADDING;
}

static uint8_t *chunk_bytes(struct arena_chunk *chunk)
{
    return (uint8_t *)(chunk + 1);
}

void arena_init(struct arena *arena, struct budget *budget)
{
    *arena = (struct arena){.budget = budget};
}

static void drop_chunk(struct arena *arena, struct arena_chunk *chunk)
{
    size_t cost = chunk_cost(chunk->size);
    arena->held -= cost;
    if (arena->budget != NULL)
        budget_give(arena->budget, cost);
    free(chunk);
}

void arena_fini(struct arena *arena)
{
    while (arena->chunk != NULL) {
        struct arena_chunk *older = arena->chunk->older;
        drop_chunk(arena, arena->chunk);
        arena->chunk = older;
    }
    arena->next = arena->end = NULL;
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *keep = NULL;
    for (struct arena_chunk *chunk = arena->chunk, *older; chunk != NULL; chunk = older) {
        older = chunk->older;
        bool better = chunk->size <= ARENA_MAX_CHUNK && (keep == NULL || chunk->size > keep->size);
        struct arena_chunk *drop = better ? keep : chunk;
        if (better)
            keep = chunk;
        if (drop != NULL)
            drop_chunk(arena, drop);
    }
    arena->chunk = keep;
    if (keep != NULL)
        keep->older = NULL;
    arena->next = keep != NULL ? chunk_bytes(keep) : NULL;
    arena->end = keep != NULL ? arena->next + keep->size : NULL;
}

/* Chunks double up to ARENA_MAX_CHUNK; what is larger gets a chunk of its own size. */
static bool grow(struct arena *arena, size_t size)
{
    size_t next = ARENA_MIN_CHUNK;
    if (arena->chunk != NULL)
        next = arena->chunk->size * 2 < ARENA_MAX_CHUNK ? arena->chunk->size * 2 : ARENA_MAX_CHUNK;
    if (next < size)
        next = size;
    if (next > SIZE_MAX - 4096)
        return false;
    size_t cost = chunk_cost(next);
    struct arena_chunk *chunk = malloc(cost);
    if (chunk == NULL)
        return false;
    chunk->older = arena->chunk;
    chunk->size = next;
    memset(chunk_bytes(chunk) + next, 0, ARENA_PADDING);
    arena->chunk = chunk;
    arena->next = chunk_bytes(chunk);
    arena->end = arena->next + next;
    arena->held += cost;
    if (arena->budget != NULL)
        budget_take(arena->budget, cost);
    return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - 16)
        return NULL;
    size_t skip = (size_t)(-(uintptr_t)arena->next) & 7;
    if (arena->next == NULL || (size_t)(arena->end - arena->next) < size + skip) {
        if (!grow(arena, size + 8))
            return NULL;
        skip = (size_t)(-(uintptr_t)arena->next) & 7;
    }
    uint8_t *result = arena->next + skip;
    arena->next = result + size;
    return result;
}

uint8_t *arena_text(struct arena *arena, size_t size)
{
    if (arena->next == NULL || (size_t)(arena->end - arena->next) < size) {
        if (!grow(arena, size))
            return NULL;
    }
    uint8_t *result = arena->next;
    arena->next += size;
    return result;
}

void arena_trim(struct arena *arena, uint8_t *text, size_t size, size_t used)
{
    CHECK(used <= size);
    if (text + size == arena->next)
        arena->next = text + used;
}

char *arena_string(struct arena *arena, const char *text, size_t size)
{
    char *copy = (char *)arena_text(arena, size + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

struct bytes arena_copy(struct arena *arena, struct bytes bytes)
{
    if (bytes.data == NULL)
        return (struct bytes){0};
    uint8_t *copy = arena_text(arena, bytes.size);
    if (copy == NULL)
        return (struct bytes){0};
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return bytes_of(copy, bytes.size);
}
