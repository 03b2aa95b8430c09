/*
 * Runs one store over batches: hands them over, has them made durable, settles them, and keeps trying while the other side is away. Batches are held until
 * they are durable, so that a failed flush loses nothing.
 */
#ifndef WEIR_PROCESSOR_STORING_H
#define WEIR_PROCESSOR_STORING_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/connector.h"
#include "processor/group.h"

struct storing;
struct brake;
struct health;
struct ledger;
struct metrics;
struct queue;
struct tap_point;

struct storing_config {
    const char *name;
    const struct store_type *type;
    const void *config;
    const struct connector_env *env;
    unsigned workers;                    /* each with a store of its own; 1 where order is promised */
    uint64_t flush_records, flush_bytes; /* 0: the store's own default, and 8 MiB */
    int64_t flush_interval;              /* ns; 0: the store's own default */
    int64_t backoff_least, backoff_most;
    struct queue *input;
    bool
        exactly_once; /* type->offsets are moved with each flush; workers is 1, and the batches of a partition come in their order */
    struct ledger *ledger; /* exactly_once: of the batches' tickets */
    struct dead_letter *dead_letter;
    struct brake *brake;
    struct tap_point *tap; /* where its records can be looked at, stored or refused; NULL: nowhere */
    struct health *health;
    struct metrics *metrics;
};

/* What env points to must live as long. */
enum status storing_new(const struct storing_config *config, struct storing **ret, struct error *error) WARN_UNUSED;
void storing_free(struct storing *storing);
enum status storing_start(struct storing *storing, struct group *group, struct error *error) WARN_UNUSED;
/* Asks for a flush as soon as the input is empty, from now until storing_relax: a drain or a revoke is waiting. Any thread. */
void storing_urge(struct storing *storing);
void storing_relax(struct storing *storing);
/* How much of its time (write and flush, ns) the store spent on each record that it stored since the last call; 0: it stored none. By one thread. */
int64_t storing_latency(struct storing *storing);
/* For how long (ns) the store has been at it without one call coming back; 0: it has nothing to do, or goes on. By one thread. */
int64_t storing_stuck(struct storing *storing);
/* Does it fail, and is being tried again? Any thread. */
bool storing_is_troubled(const struct storing *storing);
/* After queue_close(input): waits until everything is flushed and the stores are closed. */
enum status storing_join(struct storing *storing, struct context *context);

#endif
