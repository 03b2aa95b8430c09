/* The ledger's inside, shared by ledger.c and the moves of the store's offsets (ledger_moves.c). */
#ifndef WEIR_PROCESSOR_LEDGER_STATE_H
#define WEIR_PROCESSOR_LEDGER_STATE_H

#include <pthread.h>

#include "processor/ledger.h"

/* A record's state: how many branches have yet to settle it, the worst verdict so far, and two marks. */
enum { LEFT_MASK = LEDGER_MAX_BRANCHES, VERDICT_SHIFT = 4, VERDICT_MASK = 0x30, PREPARED = 0x40, GIVEN_UP = 0x80 };

struct ticket {
    struct ledger *ledger;
    struct ledger_partition *partition; /* ledger->mutex; NULL: of an old epoch */
    struct ticket *next;                /* ledger->mutex */
    int refs;                           /* atomic */
    uint32_t count;
    uint32_t open;     /* ledger->mutex: records not settled by all branches */
    uint32_t prepared; /* ledger->mutex: of these, those that have the mark */
    uint8_t *states;   /* ledger->mutex; count of them, behind the offsets */
    int64_t offsets[];
};

struct ledger_partition {
    struct ledger *ledger;
    char *topic;
    int32_t partition;
    bool current;                 /* ledger->mutex */
    int64_t committable;          /* ledger->mutex: behind the last ticket that left the list */
    uint64_t in_flight;           /* ledger->mutex */
    int64_t stored;               /* ledger->mutex: the offset that the store has; -1: none */
    int64_t moving;               /* ledger->mutex: where it is being moved; -1: nowhere */
    int64_t given_up;             /* ledger->mutex: the first offset that was given up; INT64_MAX: none */
    struct ticket *first, **last; /* ledger->mutex */
    struct ledger_partition *next;
};

/* One mutex for all: it is taken a few times a batch. */
struct ledger {
    unsigned branches;
    struct budget *budget; /* pays for the tickets; may be NULL */
    pthread_mutex_t mutex;
    pthread_cond_t idle;
    struct ledger_partition *partitions; /* mutex */
    struct ledger_counts counts;         /* mutex */
    bool kept_in_store;                  /* mutex: a store keeps the offsets */
    unsigned tickets;                    /* atomic */
    unsigned waiters;                    /* mutex: for idle */
    unsigned watchers;                   /* mutex: for any verdict; they wait on the same condition */
};

/* What may be committed: see ledger_committable. */
int64_t ledger_committable_locked(const struct ledger_partition *partition);
/* Is the store's offset behind what may be committed? Always false when no store keeps offsets. */
bool ledger_is_behind_locked(const struct ledger_partition *partition);

#endif
