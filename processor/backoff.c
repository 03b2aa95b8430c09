#include "processor/backoff.h"

#include "processor/clock.h"

void backoff_init(struct backoff *backoff, int64_t least, int64_t most)
{
    if (least <= 0)
        least = CLOCK_MS; /* doubling nothing stays nothing */
    *backoff = (struct backoff){
        .least = least,
        .most = most > least ? most : least,
        .seed = (uint64_t)clock_now() ^ (uint64_t)(uintptr_t)backoff,
    };
}

void backoff_reset(struct backoff *backoff)
{
    backoff->attempt = 0;
}

/* splitmix64: S. Vigna, public domain. */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t backoff_next(struct backoff *backoff)
{
    int64_t limit = backoff->least;
    for (unsigned i = 0; i < backoff->attempt && limit < backoff->most; i++)
        limit = limit > backoff->most / 2 ? backoff->most : limit * 2;
    backoff->attempt++;
    int64_t wait = (int64_t)(next_random(&backoff->seed) % ((uint64_t)limit + 1));
    return wait > backoff->least / 2 ? wait : backoff->least / 2;
}
