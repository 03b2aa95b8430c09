/*
 * The inside of storing, shared by the files that make it:
 *
 *   storing.c        making and ending it, the worker's loop
 *   storing_write.c  handing batches to the store, what becomes of records and calls that fail
 *   storing_flush.c  making what is held durable, settling it; exactly once: with the offsets moved in the same transaction
 */
#ifndef WEIR_PROCESSOR_STORING_STATE_H
#define WEIR_PROCESSOR_STORING_STATE_H

#include <stdatomic.h>

#include "processor/backoff.h"
#include "processor/calls.h"
#include "processor/held.h"
#include "processor/rejects.h"
#include "processor/storing.h"

struct metric;
struct pool;

struct storing {
    struct storing_config config;
    struct pool *pool;
    _Atomic int urged;
    _Atomic int troubled;             /* workers that are trying again */
    struct calls calls;               /* write, flush and move */
    _Atomic int64_t spent;            /* ns in write and flush */
    _Atomic int64_t settled;          /* records */
    int64_t spent_seen, settled_seen; /* the thread's that asks for the latency */
    _Atomic bool halted;              /* at a record that nobody may skip: what comes behind it is given up */
    char part[64];                    /* in health */
    struct metric *in, *stored, *retries, *write_time, *flush_time, *end_to_end;
};

struct worker {
    struct storing *storing;
    struct context *context;
    void *store;
    struct held held;
    struct rejects rejects;
    struct backoff backoff;
    bool troubled;
    struct offset_move *moves; /* exactly once: of the flush under way */
    unsigned move_count, move_room;
};

/* Backs off after a failure of the store, which health and log tell of. Not STATUS_OK: the wait was ended. */
enum status storing_wait_out(struct worker *worker, struct error *error) WARN_UNUSED;
/* The store did what it had failed at. */
void storing_recovered(struct worker *worker);
void storing_note_time(struct storing *storing, struct metric *metric, int64_t ns);

/* Hands the batch to the store until it takes it, and gives the records that it rejects their verdict. again: after a failed flush. Then a write that goes
 * well says nothing yet: only the flush shows that the store works again. */
enum status storing_write(struct worker *worker, struct batch *batch, bool again, struct error *error) WARN_UNUSED;
/* All that is held, once more: the store has forgotten it. */
enum status storing_write_all_again(struct worker *worker, struct error *error) WARN_UNUSED;
/* Gives the records of the oldest `count` batches that the store found wrong their verdict. */
enum status storing_reject_held(struct worker *worker, uint64_t count, struct error *error) WARN_UNUSED;

/* Makes everything that is held durable and settles it. */
enum status storing_flush(struct worker *worker, struct error *error) WARN_UNUSED;
/* Settles what the store says by itself to be durable. */
enum status storing_settle_acked(struct worker *worker, struct error *error) WARN_UNUSED;

#endif
