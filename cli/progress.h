/*
 * Live progress of a service on stderr: a few lines that are drawn anew on a terminal and get out of the way of log lines; without a terminal, and only when
 * asked for, a plain line every PROGRESS_PLAIN. NO_COLOR (https://no-color.org) and TERM=dumb are honoured.
 *
 * Threads: progress_tick from one; there is one progress a process at a time, as there is one stderr.
 */
#ifndef WEIR_CLI_PROGRESS_H
#define WEIR_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/clock.h"
#include "processor/status.h"

struct metrics;
struct progress;

#define PROGRESS_TICK (250 * CLOCK_MS)
#define PROGRESS_PLAIN (2 * CLOCK_SECOND)

#define PROGRESS_JSON_EVERY CLOCK_SECOND

/* PROGRESS_JSON: a line of JSON every PROGRESS_JSON_EVERY, wherever stderr goes. Not one of the names. */
enum progress_mode { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER, PROGRESS_JSON };
extern const char *const progress_modes[];             /* their names, NULL-terminated */
enum progress_mode progress_mode_of(const char *name); /* NULL: PROGRESS_AUTO */

struct progress_config {
    enum progress_mode mode;
    const char *service;
    struct metrics *metrics;
    int64_t total;   /* records that will come at most, 0 when that is not known */
    int64_t offsets; /* of a stretch: how many of them are to be read; 0: there is no end */
};

/* NULL: nothing is to be shown (or no memory): the others take it. */
struct progress *progress_start(const struct progress_config *config) WARN_UNUSED;
void progress_tick(struct progress *progress);
/* Takes the lines away. ended: all there was to do is done, as the last line of JSON says. */
void progress_stop(struct progress *progress, bool ended);

/* May stderr have colours? */
bool progress_colour(void);

#endif
