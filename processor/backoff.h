/* Exponential backoff with full jitter: a wait drawn evenly from [0, min(most, least * 2^attempt)], but never below least / 2, so that it always is one.
 * (Full jitter: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.) */
#ifndef WEIR_PROCESSOR_BACKOFF_H
#define WEIR_PROCESSOR_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t least, most; /* ns */
    unsigned attempt;
    uint64_t seed;
};

/* least 0: a millisecond. */
void backoff_init(struct backoff *backoff, int64_t least, int64_t most);
void backoff_reset(struct backoff *backoff);
int64_t backoff_next(struct backoff *backoff); /* ns to wait before the next attempt */

#endif
