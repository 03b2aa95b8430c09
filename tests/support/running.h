/* A pipeline that runs in a thread of its own over the memory broker, under the supervisor, for whole-pipeline tests. */
#ifndef WEIR_TESTS_SUPPORT_RUNNING_H
#define WEIR_TESTS_SUPPORT_RUNNING_H

#include "processor/health.h"
#include "processor/metrics.h"
#include "processor/offsets.h"
#include "processor/supervisor.h"
#include "tests/support/memory.h"

/*
 * A stage for tests: what it answers is a word anywhere in the record's value:
 * "bad" is rejected, "drop" dropped, "again" answers RETRY twice and then goes on, "never" always answers RETRY, "fatal" stops the service.
 */
extern const struct stage_type by_word_stage;

struct running {
    struct memory_broker *broker;
    struct memory_store *store, *second; /* second: only with two_stores */
    struct pipeline_stage stages[2];
    struct pipeline_store stores[2];
    struct transform_step steps[1];
    struct pipeline_config config; /* set up by running_init; change it before running_start */
    struct pipeline_shared shared;
    struct supervisor_config supervisor;
    struct context *hard;
    pthread_t thread;
    enum status status; /* of the supervisor, after running_wait */
    struct supervisor_result result;
    struct error error;
};

/* Partitions of topic "orders"; one stage (by_word) with 1 to 3 workers, one store, memory of 16 MiB, exit_at_end, 3 restarts within a minute. */
void running_init(struct running *running, unsigned partitions);
/* A second store beside the first. */
void running_two_stores(struct running *running);
void running_start(struct running *running);
/* Joins. */
enum status running_wait(struct running *running);
/* Start and wait. */
enum status running_run(struct running *running);
void running_fini(struct running *running);
/* The value of a counter or gauge; labels NULL for none. */
int64_t running_metric(struct running *running, enum metric_type type, const char *name, const char *labels);

/* `each` more records in each of the partitions. */
void running_produce(struct running *running, unsigned partitions, int64_t each);
void assert_all_stored_once_in_order(struct memory_store *store, uint64_t records);
void assert_committed_to_the_end(struct running *running, unsigned partitions);

#endif
