/*
 * Where records enter: the source's side of the pipeline. The intake owns the rule of when the source may go on (budget credit and queue room, with
 * hysteresis), issues the tickets, counts, and watches progress. The source owns the protocol: it asks intake_has_room before it pops anything, stops popping
 * when there is none, and really pauses the partitions when that lasts (INTAKE_PAUSE_AFTER).
 *
 * Threads: the functions under "source" only from the source's run thread (except the wake callback, which comes from anywhere); the others from any thread.
 */
#ifndef WEIR_PROCESSOR_INTAKE_H
#define WEIR_PROCESSOR_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/batch.h"
#include "processor/clock.h"
#include "processor/context.h"
#include "processor/ledger.h"

struct intake;
struct intake_partition;

#define INTAKE_PAUSE_AFTER (2 * CLOCK_SECOND)

struct brake;
struct budget;
struct health;
struct metrics;
struct error;
struct offset_start; /* connector.h */
struct offsets;
struct queue;
struct tap_point;

/* -- pipeline -- */

struct intake_config {
    struct queue *output;
    struct batch_pool *batches;
    struct budget *budget;
    struct ledger *ledger;
    struct brake *brake;
    struct tap_point *tap;   /* where records can be looked at as they enter; NULL: nowhere */
    struct context *context; /* the group's: the hard stop */
    struct health *health;
    struct metrics *metrics;
    struct offsets *offsets;
    int64_t shutdown;                 /* ns a drain may take */
    int64_t watchdog;                 /* ns without progress until a partition counts as stalled */
    void (*urge)(void *arg, bool on); /* asks the stores to flush at once, or no more */
    void *urge_arg;
    /* Exactly once: asks the store where it stands (struct store_offsets). NULL: at least once, or the store moves the source's own offsets. */
    enum status (*find_starts)(void *arg, struct offset_start *starts, unsigned count, struct context *context,
                               struct error *error);
    void *find_starts_arg;
    bool commits_elsewhere; /* see intake_commits_elsewhere */
};

struct intake *intake_new(const struct intake_config *config) WARN_UNUSED;
void intake_free(struct intake *intake);
/* Every second or so: lag, the watchdog, readiness. blocking: the stage that holds the others up, or NULL. */
void intake_tick(struct intake *intake, const char *blocking);

/* -- source -- */

/* Called when room comes back, when a drain begins and when the context ends; from any thread, must not block. NULL to unset (returns when no call runs). */
void intake_on_wake(struct intake *intake, void (*wake)(void *arg), void *arg);

/*
 * Exactly once: the store keeps offsets, and what it says counts more than what the source committed. At an assignment a source asks intake_find_starts
 * first, begins there where the answer is not -1 (all are with at_least_once), and tells the answer by intake_set_stored before the first record. It waits
 * while the store is away, until `until`; STATUS_CLOSED: a drain began meanwhile. Where intake_commits_elsewhere the store moves the source's own committed
 * offsets: the source begins at those, tells them by intake_set_stored, and commits nothing itself; intake_committable then says what the store has
 * committed.
 */
enum status intake_find_starts(struct intake *intake, struct offset_start *starts, unsigned count,
                               struct context *context, int64_t until, struct error *error) WARN_UNUSED;
void intake_set_stored(struct intake_partition *partition, int64_t offset);
int64_t intake_get_stored(const struct intake_partition *partition);
bool intake_commits_elsewhere(const struct intake *intake);

/* A partition was assigned: a new epoch. next: the offset of the first record to come, or -1. Valid until intake_revoke. NULL: no memory. */
struct intake_partition *intake_assign(struct intake *intake, const char *topic, int32_t partition,
                                       int64_t next) WARN_UNUSED;
/* The partition is gone: fences what is in flight (drain and commit before, where there is time) and frees `partition`. */
void intake_revoke(struct intake_partition *partition);
/* The ledger's side of it: what may be committed now; -1 for nothing (see ledger_committable). */
int64_t intake_committable(const struct intake_partition *partition);
uint64_t intake_in_flight(const struct intake_partition *partition); /* records without a verdict */
/* Waits until all of the partition's records have their verdict (NULL: of all partitions), `until` passes (STATUS_DEADLINE) or the context ends.
 * Stores are asked to flush at once meanwhile. The drain's deadline counts as well, also one that is set while it waits. */
enum status intake_settle(struct intake *intake, struct intake_partition *partition, struct context *context,
                          int64_t until);

/* May the source pop more? Hysteresis: false at the limit, true again below half. While false, the reason is for logs and metrics. */
bool intake_has_room(struct intake *intake, const char **ret_reason);
/* An empty batch of the partition to fill: add records (batch_add), copy key, value and headers into batch->arena. NULL: no memory. */
struct batch *intake_begin(struct intake_partition *partition) WARN_UNUSED;
/* Takes the batch: issues its ticket and puts it on the first queue. An empty one is just freed. Waits only when the queue is full in spite of intake_has_room.
 * On failure the batch is freed and its records are not issued: the source must come back to them (or be ending). */
enum status intake_push(struct intake_partition *partition, struct batch *batch, struct context *context) WARN_UNUSED;
/* The same without ever waiting, for a source that has to go on talking to its broker: STATUS_FULL, the caller keeps the batch (nothing is issued) and comes
 * back with it when it is woken, or frees it. */
enum status intake_try_push(struct intake_partition *partition, struct batch *batch,
                            struct context *context) WARN_UNUSED;

/* For lag and the watchdog: the next offset to be consumed and the partition's end (high watermark; -1: not known). Cheap, call it often. */
void intake_position(struct intake_partition *partition, int64_t position, int64_t end);
void intake_paused(struct intake_partition *partition, bool paused);
/* Its next record is there and not due yet: the source is paced. As long as nothing of the partition is in flight, that is no stall. */
void intake_waits(struct intake_partition *partition, bool waits);
/* For readiness: what the source knows about itself. connected false: with a reason, e.g. "all brokers down". assigned: number of partitions, -1: no
 * assignment yet. */
void intake_state(struct intake *intake, bool connected, int assigned, const char *reason);
/* Offsets that can never be read: [from, to), with a reason; logged, counted. */
void intake_lost_range(struct intake_partition *partition, int64_t from, int64_t to, const char *reason);
void intake_rebalanced(struct intake *intake);

/* True from the soft stop on: pop no more, keep polling, wait for the ledger until the deadline, commit, leave. */
bool intake_draining(const struct intake *intake);
int64_t intake_drain_deadline(struct intake *intake);
/* The source saw its end (exit-at-end): starts the drain. */
void intake_finish(struct intake *intake);
/* Offsets committed, for the receipt: once a partition, at each commit. */
void intake_committed(struct intake_partition *partition, int64_t offset);

#endif
