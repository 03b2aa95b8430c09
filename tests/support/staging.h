/* A transform whose steps do what a test says, between two queues and with all that it needs around it. */
#ifndef WEIR_TESTS_SUPPORT_STAGING_H
#define WEIR_TESTS_SUPPORT_STAGING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "processor/brake.h"
#include "processor/ledger.h"
#include "processor/transform.h"
#include "tests/support/memory.h"
#include "tests/support/records.h"

struct probe {
    void (*each)(struct probe *probe, struct batch *batch, struct record *record);
    enum status init_status, start_status;
    _Atomic unsigned inits, closes, starts, stops, seen;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned gate; /* mutex: what each does with it */
};

enum { STAGING_PROBES = 2 };

struct staging {
    struct records records;
    struct metrics *metrics;
    struct context *context;
    struct brake brake;
    struct group *group;
    struct queue *input, *output;
    struct ledger *ledger;
    struct ledger_partition *partition;
    struct memory_broker *broker;
    struct dead_letter *letters;
    struct transform *transform;
    struct probe probes[STAGING_PROBES];
    struct transform_step steps[STAGING_PROBES];
    struct transform_config config;
    int64_t next; /* offset */
};

/* Two steps without anything to do, one worker, ordered; change probes and config before staging_start. */
void staging_init(struct staging *staging);
void staging_start(struct staging *staging);
/* A batch of `count` records with the next offsets, each with the value "value". */
void staging_push(struct staging *staging, unsigned count);
/* Closes the input and waits for the workers: all that was pushed is in the output then. */
void staging_finish(struct staging *staging);
/* Takes one batch off the output (or all) and settles what goes forward in it; appends the offsets. False: there is none. */
bool staging_store_one(struct staging *staging, int64_t *offsets, unsigned *count);
unsigned staging_store_all(struct staging *staging, int64_t *offsets);
struct ledger_counts staging_counts(struct staging *staging);
/* Asserts that nothing is left: workers' states, batches, budget. */
void staging_fini(struct staging *staging);

/* For struct probe's each: every third record is dropped, of the others every fifth rejected. */
void staging_sift(struct probe *probe, struct batch *batch, struct record *record);
/* A value that becomes so big that two of them are past BATCH_LIMIT: cuts the batch there. */
void staging_inflate(struct probe *probe, struct batch *batch, struct record *record);

#endif
