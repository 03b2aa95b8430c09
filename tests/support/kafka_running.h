/* A pipeline from a Kafka topic into the store in memory (or another), in a thread of its own under the supervisor; the config is YAML, as users write it. */
#ifndef WEIR_TESTS_SUPPORT_KAFKA_RUNNING_H
#define WEIR_TESTS_SUPPORT_KAFKA_RUNNING_H

#include <pthread.h>
#include <stdbool.h>

#include "processor/health.h"
#include "processor/metrics.h"
#include "processor/offsets.h"
#include "processor/supervisor.h"
#include "tests/support/memory.h"
#include "tests/support/parse.h"

struct kafka_running {
    struct parsed *source, *other; /* other: of another store */
    struct memory_store *store;
    struct pipeline_stage stages[1];
    struct transform_step steps[1];
    struct pipeline_store stores[1];
    struct pipeline_config config; /* set up by init; change it before start */
    struct pipeline_shared shared;
    struct supervisor_config supervisor;
    struct context *hard;
    pthread_t thread;
    bool joined;
    enum status status; /* of the supervisor, after wait */
    struct supervisor_result result;
    struct error error;
};

/* yaml: what stands under `kafka:` of the source, without its brokers. No stage, the memory store, 64 MiB, no dead letters, no restarts. */
void kafka_running_init(struct kafka_running *running, const char *brokers, const char *yaml);
/* yaml: what stands under `kafka:` of the store, instead of the memory store. */
void kafka_running_store(struct kafka_running *running, const char *yaml);
/* A stage before the store that rejects records with the word "bad" in their value (see running.h). */
void kafka_running_stage(struct kafka_running *running);
void kafka_running_start(struct kafka_running *running);
/* Asks for a drain. */
void kafka_running_stop(struct kafka_running *running);
enum status kafka_running_wait(struct kafka_running *running);
/* Stop, wait; asserts that it went well. */
void kafka_running_drain(struct kafka_running *running);
/* Start, stop at the end, wait. */
enum status kafka_running_run(struct kafka_running *running);
void kafka_running_fini(struct kafka_running *running);
int64_t kafka_running_metric(struct kafka_running *running, enum metric_type type, const char *name,
                             const char *labels);
/* Waits until the service is not ready and says so with this word in it; "": until it is ready. False: MEMORY_PATIENCE is over. */
bool kafka_running_wait_health(struct kafka_running *running, const char *word);
/* Waits until a counter or gauge is at least so high. */
bool kafka_running_wait_metric(struct kafka_running *running, enum metric_type type, const char *name,
                               const char *labels, int64_t least);

#endif
