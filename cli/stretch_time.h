/* The grammar of the texts in the options of a stretch (see stretch_options.h): each is read from front to back, and what is wrong is told at its place. */
#ifndef WEIR_CLI_STRETCH_TIME_H
#define WEIR_CLI_STRETCH_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/status.h"

struct cursor {
    const char *text, *at;
    const char *expected; /* what was, at `at`, when reading failed */
};

static inline struct cursor cursor_at(const char *text)
{
    return (struct cursor){.text = text, .at = text};
}
/* False, with `expected`. */
bool cursor_expected(struct cursor *cursor, const char *expected);
bool cursor_end(struct cursor *cursor, const char *expected) WARN_UNUSED;                  /* is there nothing more? */
bool cursor_sign(struct cursor *cursor, char sign, const char *expected) WARN_UNUSED;      /* this very character */
bool cursor_whole(struct cursor *cursor, int64_t *ret, const char *expected) WARN_UNUSED;  /* 0 and above */
bool cursor_decimal(struct cursor *cursor, double *ret, const char *expected) WARN_UNUSED; /* 5, 0.25; above 0 */

/* "2026-11-25T10:00:00.5+01:00", "2026-11-25" (midnight, UTC): ms since 1970, the first whole one that is not before it. */
bool stretch_time_read(struct cursor *cursor, int64_t *ret_ms) WARN_UNUSED;
/* "-2h", "-1d12h": in config's units; how many ms before now. */
bool stretch_time_ago(struct cursor *cursor, int64_t *ret_ms) WARN_UNUSED;

#endif
