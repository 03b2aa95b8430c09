/* The intake's inside, shared by intake.c and the watchdog (intake_watch.c). */
#ifndef WEIR_PROCESSOR_INTAKE_STATE_H
#define WEIR_PROCESSOR_INTAKE_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "processor/intake.h"

struct intake_partition {
    struct intake *intake;
    struct ledger_partition *ledger;
    char *topic; /* for the batches: kept until intake_free */
    int32_t partition;
    _Atomic int64_t position, end;
    _Atomic bool paused;
    _Atomic bool waits;    /* for a moment that the source's pace sets */
    _Atomic int64_t start; /* first position seen */
    int64_t seen_progress; /* ticking thread: as far as all was done with at the last progress */
    int64_t progress_at;
    bool stalled;
    struct metric *lag_metric, *paused_metric, *position_metric, *committed_metric, *stalled_metric;
    struct intake_partition *next; /* intake->mutex */
};

/* Topic names that batches point to: as many as there are topics, kept for the intake's life. */
struct topic_name {
    struct topic_name *next;
    char text[];
};

struct intake {
    struct intake_config config;
    struct context_watch soft_watch, hard_watch;
    pthread_mutex_t mutex;
    struct intake_partition *partitions; /* mutex */
    struct topic_name *topics;           /* mutex */
    int64_t deadline;                    /* mutex: of the drain */
    bool connected;                      /* mutex */
    int assigned;                        /* mutex */
    char state_reason[200];              /* mutex */
    _Atomic bool draining;
    pthread_mutex_t wake_mutex;
    void (*wake)(void *arg); /* wake_mutex */
    void *wake_arg;          /* wake_mutex */
    bool closed;             /* source thread: held back */
    const char *_Atomic closed_reason;
    struct metric *records, *bytes, *rebalances, *lost, *lag_sum, *held_back, *stalled_sum;
};

#endif
