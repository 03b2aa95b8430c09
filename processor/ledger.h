/*
 * Which offsets have a verdict. Per partition: the tickets issued in offset order, each with a state per record; the contiguous prefix of settled records is
 * what may be committed. Completions that come after a revoke belong to an old epoch and are refused: a duplicate beats a loss.
 *
 * Threads: all functions from any thread. Locks: one for all, taken a few times a batch; no call-out under it.
 */
#ifndef WEIR_PROCESSOR_LEDGER_H
#define WEIR_PROCESSOR_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/context.h"
#include "processor/status.h"

enum verdict { VERDICT_NONE = 0, VERDICT_STORED, VERDICT_DROPPED, VERDICT_DEAD_LETTERED };

struct budget;
struct ledger;
struct offset_move; /* connector.h */
struct ledger_partition;
struct ticket;
struct batch;

enum { LEDGER_MAX_BRANCHES = 15 };

/* Totals over the ledger's life; verdicts of refused completions are not in them. */
struct ledger_counts {
    uint64_t issued, stored, dropped, dead_lettered;
    uint64_t in_flight; /* issued, no verdict yet, epoch still current */
    uint64_t refused;   /* completions of an old epoch, or of records given up */
    uint64_t abandoned; /* given up without a verdict: by ticket_abandon, or in flight when their epoch ended */
};

/* branches: how many stores must each settle a record before it counts (1 to LEDGER_MAX_BRANCHES). budget (may be NULL) pays for the tickets: one record
 * whose verdict does not come keeps the tickets of all behind it, and so the intake stops before memory does. */
struct ledger *ledger_new(unsigned branches, struct budget *budget) WARN_UNUSED;
void ledger_free(struct ledger *ledger); /* every ticket must be gone */

/* Begins a new epoch of the partition. The ledger owns the result: valid until ledger_free. */
struct ledger_partition *ledger_assign(struct ledger *ledger, const char *topic, int32_t partition) WARN_UNUSED;
/* Ends the epoch: what is in flight is forgotten, later completions are refused. */
void ledger_revoke(struct ledger_partition *partition);
/* False from ledger_revoke on. */
bool ledger_is_current(const struct ledger_partition *partition);

/* A ticket for the records of the batch (offsets ascending, behind all issued before); sets batch->ticket and each record's index. */
enum status ledger_issue(struct ledger_partition *partition, struct batch *batch) WARN_UNUSED;
/* One branch's verdict for `count` records from `first`. The worst verdict of all branches is the record's. The ticket frees itself with its last. */
void ticket_settle(struct ticket *ticket, uint32_t first, uint32_t count, enum verdict verdict);
/* The verdict for all branches at once: dropped or dead-lettered before the stores. */
void ticket_settle_all_branches(struct ticket *ticket, uint32_t first, uint32_t count, enum verdict verdict);
/* Gives the records up: they never get a verdict, nothing behind them can be committed in this epoch, and no one waits for them. */
void ticket_abandon(struct ticket *ticket, uint32_t first, uint32_t count);
/* One more holder of the ticket (a dead letter under way); each ref needs an unref. Settling does not unref. */
void ticket_ref(struct ticket *ticket);
void ticket_unref(struct ticket *ticket); /* NULL is fine */
bool ticket_is_current(const struct ticket *ticket);

/* The offset to commit (first without a verdict), -1 when nothing was settled in this epoch. Monotonic within an epoch. */
int64_t ledger_committable(const struct ledger_partition *partition);
uint64_t ledger_partition_in_flight(const struct ledger_partition *partition);
/* Waits until nothing is in flight in the partition (NULL: in any), and what the store is to have of it has been moved there (ledger_keep_in_store). */
enum status ledger_wait_idle(struct ledger *ledger, struct ledger_partition *partition, struct context *context,
                             int64_t until);
/*
 * -- exactly once: a store keeps the offsets, in the transactions that store the records (connector.h) --
 *
 * A partition's records that the store was handed are `prepared`: they have no verdict yet, but will have one together with all others that are prepared. The
 * store's offset may move past them when everything before them has its verdict or is prepared as well.
 */

/* From now on (before the first assignment) one store keeps the offsets of all partitions. */
void ledger_keep_in_store(struct ledger *ledger);
/* The store's offset in this epoch; -1 (as at the assignment): it has none. */
void ledger_set_stored(struct ledger_partition *partition, int64_t offset);
int64_t ledger_get_stored(const struct ledger_partition *partition);
int64_t ticket_get_stored(const struct ticket *ticket); /* the same of its partition; -1 when its epoch ended */
/* Marks those of the batch's records that go forward as prepared, and no others of it. */
void ledger_prepare(struct batch *batch);
/* May the batch be stored? False: its epoch ended, or a record before it was given up, so that the offset could never move past it. */
bool ledger_admits(const struct batch *batch);
/* Waits until the moves can be made: nothing that is prepared, or being moved past, stands behind a record without a verdict (a dead letter that is not
 * acknowledged). Returns at once, with STATUS_OK, when something prepared is not admitted any more: look before and after. */
enum status ledger_await_prepared(struct ledger *ledger, struct context *context) WARN_UNUSED;
/* Fills in the moves of all partitions that the store is behind in, at most `room`, and returns how many there are; and how many records are prepared in
 * current epochs, with none before them that stays without a verdict: fewer than expected when an epoch ended, or a record was given up, meanwhile. Until
 * ledger_moved (or the end of the epoch) the same move is told again, whatever gets its verdict meanwhile: a commit of which nobody knows whether it came
 * through can be recognised by it. */
unsigned ledger_get_moves(struct ledger *ledger, struct offset_move *moves, unsigned room, uint64_t *ret_prepared);
/* Did no epoch end since ledger_get_moves told these? */
bool ledger_holds_moves(struct ledger *ledger, unsigned count, uint64_t prepared);
/* Is there anything to move although nothing is prepared: behind dropped records, dead letters? */
bool ledger_is_behind(struct ledger *ledger);
/* The store made all moves that were told. */
void ledger_moved(struct ledger *ledger);

void ledger_get_counts(struct ledger *ledger, struct ledger_counts *ret);

#endif
