/*
 * Taps: samples of the records that pass a place of a running service, for a person to look at (`weir tap`).
 *
 * Records are looked at by the worker that has them, which never waits for anybody: what is wanted is rendered as a line of JSON into the tap's ring, and what
 * does not fit there is dropped and counted. Nobody taps: one relaxed load a batch. Somebody does: at most TAP_LOOKS records a second are compared with
 * `where`, and at most `rate` are rendered; the others are counted only. Without `where` all are counted and none is looked at.
 *
 * Memory: TAP_RING lines of TAP_LINE_MAX bytes for each open tap, beside the budget; TAPS_MAX are open at most.
 * Threads: tap_look by any; the functions of one tap by one thread (its reader's); all others by any.
 */
#ifndef WEIR_PROCESSOR_TAP_H
#define WEIR_PROCESSOR_TAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/batch.h"
#include "processor/error.h"

struct taps;
struct tap;
struct where;
struct metrics;

enum {
    TAPS_MAX = 4,
    TAP_POINTS = 64,
    TAP_RING = 256, /* a power of 2 */
    TAP_LINE_MAX = 8 * 1024,
    TAP_LOOKS = 100000, /* a second, of up to TAP_LOOK_BYTES; a bigger one counts for several */
    TAP_LOOK_BYTES = 1024,
    TAP_RATE = 1000, /* a second: what is rendered at most, also when more is asked for */
};

/* Where records pass: `intake` (as they were consumed), behind each stage, and each store. By name, kept when the pipeline is rebuilt. */
enum tap_place { TAP_INTAKE, TAP_STAGE, TAP_STORE };
struct tap_point {
    struct taps *taps;
    char name[64];
    enum tap_place place;
    _Atomic unsigned watched; /* open taps */
};

/* Which of a batch's records pass here and now; those with a verdict (STAGE_SETTLED) never do. */
enum tap_part {
    TAP_ALL,
    TAP_FORWARD, /* only what goes forward: of a store, what it has stored */
    TAP_STOPPED, /* only what does not */
};

/* Of a process: it outlives the pipelines, as metrics do. */
struct taps *taps_new(struct metrics *metrics) WARN_UNUSED;
void taps_free(struct taps *taps); /* no pipeline runs and no tap is open; NULL is fine */
/* The point of that name, made when there is none. NULL: taps is, or there are TAP_POINTS of them: nobody can tap there. */
struct tap_point *taps_point(struct taps *taps, const char *name, enum tap_place place);

void tap_look_watched(struct tap_point *point, const struct batch *batch, enum tap_part part);
/* By whoever owns the batch, before the answers become verdicts. Does not change it. */
static inline void tap_look(struct tap_point *point, const struct batch *batch, enum tap_part part)
{
    if (point != NULL && __builtin_expect(atomic_load_explicit(&point->watched, memory_order_relaxed) > 0, 0))
        tap_look_watched(point, batch, part);
}

/* -- the reader -- */

enum tap_answer {
    TAP_FORWARDED = 1,
    TAP_STORED = 2,
    TAP_DROPPED = 4,
    TAP_REJECTED = 8
}; /* bits; a fatal one is rejected */
const char *tap_answer_name(enum tap_answer answer);

struct tap_options {
    struct where *where; /* NULL: all; the tap's from tap_open on, also when that fails */
    unsigned answers;    /* enum tap_answer, 0: all */
    uint64_t every;      /* of those that match, each so-and-so-many-th; 0 and 1: each */
    uint32_t rate;       /* a second at most; 0: TAP_RATE */
};

struct tap_counts {
    uint64_t passed;    /* records while the tap was open */
    uint64_t unlooked;  /* of these: not compared with `where`, there were more than TAP_LOOKS a second */
    uint64_t matched;   /* of those that were looked at */
    uint64_t over_rate; /* of these, and of `every`: more than the rate */
    uint64_t dropped;   /* the ring was full: the reader is too slow */
    uint64_t taken;     /* lines: read, or in the ring */
};

/* STATUS_FULL: TAPS_MAX are open. STATUS_FAILED: there is no such point; the text names those that there are. */
enum status tap_open(struct taps *taps, const char *point, const struct tap_options *options, struct tap **ret,
                     struct error *error) WARN_UNUSED;
/* Waits until no worker is inside of it: about as long as rendering takes. */
void tap_close(struct tap *tap);
/* Whole lines, as many as are there and fit; room: TAP_LINE_MAX at least. Returns the bytes, 0: nothing there now; *ret_lines how many. Never waits. */
size_t tap_read(struct tap *tap, char *out, size_t room, uint64_t most, uint64_t *ret_lines);
bool tap_is_empty(const struct tap *tap);
void tap_get_counts(const struct tap *tap, struct tap_counts *ret);

/* Can records have a document there, for a `where` with paths? An unknown point could. */
bool taps_have_documents(struct taps *taps, const char *point);

#endif
