/* A storing over the store in memory (or another type), with its queue and all that it needs around it. */
#ifndef WEIR_TESTS_SUPPORT_STORAGE_H
#define WEIR_TESTS_SUPPORT_STORAGE_H

#include <stdbool.h>

#include "processor/brake.h"
#include "processor/health.h"
#include "processor/ledger.h"
#include "processor/queue.h"
#include "processor/storing.h"
#include "tests/support/memory.h"
#include "tests/support/records.h"

struct storage {
    struct records records;
    struct metrics *metrics;
    struct health *health;
    struct context *context;
    struct brake brake;
    struct group *group;
    struct queue *input;
    struct ledger *ledger;
    struct ledger_partition *partition;
    struct memory_broker *broker;
    struct dead_letter *letters;
    struct memory_store *store;
    struct connector_env env;
    struct storing_config config;
    struct storing *storing;
    int64_t next; /* offset */
};

/* One worker that flushes when it is told to (storing_urge, the end), not by itself; change config before storage_start. */
void storage_init(struct storage *storage);
void storage_start(struct storage *storage);
/* A batch of `count` records with the next offsets. */
void storage_push(struct storage *storage, unsigned count);
/* Closes the input and waits for the workers, who end well. */
void storage_finish(struct storage *storage);
/* Waits for the workers, one of whom fails. */
struct error storage_fail(struct storage *storage);
struct ledger_counts storage_counts(struct storage *storage);
/* Until so many records have their verdict. */
bool storage_wait_settled(struct storage *storage, uint64_t records);
/* Until the store's health is as said. */
bool storage_wait_ready(struct storage *storage, bool ready);
int64_t storage_counter(struct storage *storage, const char *name);
/* Asserts that so many records are durable, each once and in order. */
void storage_assert_each_once(struct storage *storage, uint64_t records);
/* Asserts that nothing is left: batches, open stores. */
void storage_fini(struct storage *storage);

#endif
