/* An intake with a queue, a budget and a ledger around it, and no source: the test is the source. */
#ifndef WEIR_TESTS_SUPPORT_INTAKING_H
#define WEIR_TESTS_SUPPORT_INTAKING_H

#include <stdatomic.h>

#include "processor/brake.h"
#include "processor/budget.h"
#include "processor/health.h"
#include "processor/intake.h"
#include "processor/metrics.h"
#include "processor/offsets.h"
#include "processor/queue.h"

enum { INTAKING_BUDGET = 32 * 1024 * 1024, INTAKING_QUEUE = 100 };

#define INTAKING_PARTITION_0 "topic=\"orders\",partition=\"0\""

struct intaking {
    struct metrics *metrics;
    struct health *health;
    struct offsets *offsets;
    struct budget *budget;
    struct batch_pool *batches;
    struct ledger *ledger;
    struct context *root, *soft, *context;
    struct brake brake;
    struct queue *queue;
    struct intake_config config;
    struct intake *intake;
    _Atomic int urges; /* on minus off */
    _Atomic int wakes;
};

/* Connected and ready; a drain may take 20 ms, the watchdog bites after 1 ms. */
void intaking_init(struct intaking *intaking);
void intaking_fini(struct intaking *intaking); /* asserts that no batch and no memory is left */
struct intake_partition *intaking_assign(struct intaking *intaking, int32_t number, int64_t next);
/* `count` records from `offset` on, each with the value "value". */
struct batch *intaking_batch(struct intake_partition *partition, int64_t offset, unsigned count);
void intaking_push(struct intaking *intaking, struct intake_partition *partition, int64_t offset, unsigned count);
/* Takes the oldest batch off the queue and settles it. */
void intaking_settle(struct intaking *intaking);
int64_t intaking_metric(struct intaking *intaking, enum metric_type type, const char *name, const char *labels);

#endif
