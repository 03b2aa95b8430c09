/*
 * A broker, a store and dead letters in memory, for whole pipelines in one process. What they hold outlives a run: a pipeline that is built anew goes on
 * from the offsets that were committed, and finds what was stored before.
 *
 *     struct memory_broker *broker = memory_broker_new("orders", 4);
 *     struct memory_store *store = memory_store_new();
 *     memory_broker_produce(broker, 0, 1000);
 *     const struct pipeline_store stores[] = {{.name = "out", .type = &memory_store_type, .config = store, .workers = 1}};
 *     const struct pipeline_config config = {.source_type = &memory_source_type, .source_config = broker, .stores = stores, ...};
 *
 * Threads: all functions from any thread, also while a pipeline runs. What waits does so until it is true or MEMORY_PATIENCE is over, and then answers false.
 */
#ifndef WEIR_TESTS_SUPPORT_MEMORY_H
#define WEIR_TESTS_SUPPORT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/clock.h"
#include "processor/connector.h"

#define MEMORY_PATIENCE (60 * CLOCK_SECOND)

/* Looks every millisecond whether it holds: for what has no condition to wait on. False: MEMORY_PATIENCE is over. */
bool eventually(bool (*holds)(void *arg), void *arg);

/* -- the broker: one topic -- */

struct memory_broker;

extern const struct source_type memory_source_type; /* its config is a struct memory_broker */

struct memory_broker *memory_broker_new(const char *topic, unsigned partitions);
void memory_broker_free(struct memory_broker *broker); /* no pipeline may run on it */

/* `count` more records at the end of the partition. Record P@O has the key `P-O` and what memory_broker_make says as its value: {"id":"P-O"} at first. */
void memory_broker_produce(struct memory_broker *broker, int32_t partition, int64_t count);
/* make writes the value of a record to out, which has `room` bytes, and returns its size; a negative one makes it null. Called in the source's thread. */
void memory_broker_make(struct memory_broker *broker, size_t room,
                        int (*make)(void *arg, int32_t partition, int64_t offset, char *out, size_t room), void *arg);
void memory_broker_batch(struct memory_broker *broker, uint32_t records); /* of one batch; 64 at first */
/* Takes these offsets out of the log, as compaction does: [from, to). One range a partition. */
void memory_broker_compact(struct memory_broker *broker, int32_t partition, int64_t from, int64_t to);

int64_t memory_broker_end(struct memory_broker *broker, int32_t partition);
int64_t memory_broker_committed(struct memory_broker *broker, int32_t partition); /* -1: never */
unsigned memory_broker_runs(struct memory_broker *broker);                        /* how often a source began to run */
bool memory_broker_wait_runs(struct memory_broker *broker, unsigned runs);
/* Until the committed offset of every partition is its end. */
bool memory_broker_wait_committed(struct memory_broker *broker);
/* Until the source was told that there is no room (held), or popped records again (not held). */
bool memory_broker_wait_held(struct memory_broker *broker, bool held);
/* Until all partitions are paused, as they are when the intake had no room for INTAKE_PAUSE_AFTER. */
bool memory_broker_wait_paused(struct memory_broker *broker, bool paused);

/* Takes the partition from the running source, or gives it back (from its committed offset on); returns when it is done. lost: without drain and
 * commit. patience: ns that the drain may take. */
bool memory_broker_revoke(struct memory_broker *broker, int32_t partition, bool lost, int64_t patience);
bool memory_broker_assign(struct memory_broker *broker, int32_t partition);
/* The source says that it is not connected and pops nothing, until it is said to be back. */
void memory_broker_away(struct memory_broker *broker, bool away);
/* The next `times` calls of open fail; the source's run fails once, at once. */
void memory_broker_fail_open(struct memory_broker *broker, enum error_class class, unsigned times);
void memory_broker_fail_run(struct memory_broker *broker, enum error_class class);

/* -- dead letters: source_type.open_dead_letter -- */

struct memory_letter {
    int32_t partition;
    int64_t offset;
    char stage[64], class[64], message[512];
    unsigned attempts;
};

/* Acknowledges all letters from now on at once (as at first), or only those that memory_letters_ack says. At most `room` wait for it: the next write blocks. */
void memory_letters_hold(struct memory_broker *broker, unsigned room);
void memory_letters_ack(struct memory_broker *broker,
                        unsigned count); /* the oldest that wait; UINT_MAX: all, and all to come */
/* The next write fails. */
void memory_letters_fail(struct memory_broker *broker, enum error_class class);
size_t memory_letters_count(struct memory_broker *broker); /* acknowledged */
struct memory_letter memory_letters_get(struct memory_broker *broker, size_t at);
bool memory_letters_wait_waiting(struct memory_broker *broker,
                                 unsigned count);               /* until so many wait to be acknowledged */
bool memory_letters_wait_blocked(struct memory_broker *broker); /* until a write waits for room */

/* -- the store -- */

struct memory_store;

extern const struct store_type memory_store_type; /* its config is a struct memory_store */
/* The same, but batches become durable by themselves, as memory_store_ack says (struct store_type's acked). */
extern const struct store_type memory_acking_store_type;

/* The same as memory_store_type, with struct store_type's offsets. */
extern const struct store_type memory_keeping_store_type;

enum memory_point { MEMORY_OPEN, MEMORY_WRITE, MEMORY_FLUSH, MEMORY_MOVE, MEMORY_READ, MEMORY_POINTS };

struct memory_row {
    int32_t partition;
    int64_t offset;
    char *text; /* as it would be written; NULL without memory_store_keep_text */
};

struct memory_tally {
    uint64_t rows;     /* durable, duplicates too */
    uint64_t distinct; /* records that are durable at least once */
    bool in_order;     /* the first appearances of each partition's records are in the order of their offsets */
};

struct memory_store *memory_store_new(void);
void memory_store_free(struct memory_store *store);
void memory_store_keep_text(struct memory_store *store);

/* Calls that reach the point wait there until they are let through or their context ends. */
void memory_store_block(struct memory_store *store, enum memory_point point);
void memory_store_allow(struct memory_store *store, enum memory_point point, unsigned calls); /* lets so many through */
void memory_store_release(struct memory_store *store, enum memory_point point);               /* lets all through */
bool memory_store_wait_blocked(struct memory_store *store, enum memory_point point); /* until a call waits there */
/* After `after` more calls of the point that go well, `times` fail. A failed flush forgets what was handed over since the last one. */
void memory_store_fail(struct memory_store *store, enum memory_point point, enum error_class class, unsigned after,
                       unsigned times);
/* Rejects the records for which it is true, at MEMORY_WRITE, or at MEMORY_FLUSH: there all at once, by ERROR_RECORD. */
void memory_store_reject(struct memory_store *store, enum memory_point point,
                         bool (*wrong)(void *arg, const struct batch *batch, const struct record *record), void *arg);
/* memory_acking_store_type: makes the oldest `count` batches durable as they come; UINT_MAX: all from now on. */
void memory_store_ack(struct memory_store *store, unsigned count);

/* memory_keeping_store_type: the offset that is kept (-1: none), also set as by somebody else. */
int64_t memory_store_offset(struct memory_store *store, int32_t partition);
void memory_store_set_offset(struct memory_store *store, int32_t partition, int64_t offset);
/* The next `times` flushes come through, and say that they failed. */
void memory_store_lose_answers(struct memory_store *store, unsigned times);

unsigned memory_store_calls(struct memory_store *store, enum memory_point point); /* also those that failed */
unsigned memory_store_open_now(struct memory_store *store);                       /* opened and not closed */
size_t memory_store_count(struct memory_store *store);                            /* durable rows */
struct memory_row memory_store_row(struct memory_store *store, size_t at);        /* its text is the store's */
bool memory_store_wait_count(struct memory_store *store, size_t rows);            /* until there are so many or more */
bool memory_store_wait_calls(struct memory_store *store, enum memory_point point, unsigned calls);
unsigned memory_store_times(struct memory_store *store, int32_t partition, int64_t offset);
struct memory_tally memory_store_tally(struct memory_store *store);

#endif
