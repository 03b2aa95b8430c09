/*
 * How fast a source may go: so many records a second, or as fast as they came times a factor.
 *
 * The caller gives the time (clock_now), so that tests need no waiting. One thread.
 */
#ifndef WEIR_PROCESSOR_PACE_H
#define WEIR_PROCESSOR_PACE_H

#include <stdint.h>

struct pace {
    double rate, speed; /* 0: no such limit */
    int64_t began;      /* ns: when the first record was taken; 0: none yet */
    int64_t first;      /* its timestamp, ms; -1: not known yet */
    double credit;      /* records */
    int64_t counted;    /* ns: when credit was counted last */
};

/* first_time: the timestamp (ms) that is due at once; -1: that of the first record which is asked for. */
void pace_init(struct pace *pace, double rate, double speed, int64_t first_time);
/* How many of `wanted` records may be taken now; 0: come back at *ret_when. By rate only. */
unsigned pace_room(struct pace *pace, unsigned wanted, int64_t now, int64_t *ret_when);
void pace_took(struct pace *pace, unsigned count);
/* When a record with this timestamp is due, by speed; 0: at once (also what comes late, or has no timestamp). */
int64_t pace_due(struct pace *pace, int64_t timestamp, int64_t now);

#endif
