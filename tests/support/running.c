#include "tests/support/running.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "processor/check.h"

static bool has_word(const struct record *record, const char *word)
{
    return record->value.data != NULL && memmem(record->value.data, record->value.size, word, strlen(word)) != NULL;
}

static void by_word_process(void *stage, void *worker, struct batch *batch)
{
    (void)stage, (void)worker;
    BATCH_EACH(batch, record)
    {
        if (has_word(record, "bad"))
            batch_reject(batch, record, "word", "the value has the word bad");
        else if (has_word(record, "drop"))
            batch_drop(record);
        else if (has_word(record, "never") || (has_word(record, "again") && record->attempts < 2))
            batch_retry(batch, record, "later", "the value wants to be asked again");
        else if (has_word(record, "fatal"))
            batch_fatal(batch, record, "word", "the value has the word fatal");
    }
}

const struct stage_type by_word_stage = {
    .name = "by_word",
    .help = "answers by a word in the value",
    .process = by_word_process,
};

void running_init(struct running *running, unsigned partitions)
{
    *running = (struct running){0};
    running->broker = memory_broker_new("orders", partitions);
    running->store = memory_store_new();
    running->steps[0] = (struct transform_step){.type = &by_word_stage};
    running->stages[0] = (struct pipeline_stage){
        .name = "words", .steps = running->steps, .step_count = 1, .workers_min = 1, .workers_max = 3};
    running->stores[0] = (struct pipeline_store){
        .name = "out", .type = &memory_store_type, .config = running->store, .workers = 1};
    running->config = (struct pipeline_config){
        .service = "test",
        .config_dir = ".",
        .memory = 16 * 1024 * 1024,
        .ordered = true,
        .exit_at_end = true,
        .source_type = &memory_source_type,
        .source_config = running->broker,
        .stages = running->stages,
        .stage_count = 1,
        .stores = running->stores,
        .store_count = 1,
        .retry_max = 3,
        .backoff_least = CLOCK_MS,
        .backoff_most = 5 * CLOCK_MS,
        .dead_letter = {.topic = "orders.dlq"},
        .shutdown = 60 * CLOCK_SECOND,
        .watchdog = 60 * CLOCK_SECOND,
    };
    running->hard = context_new(NULL, CLOCK_NEVER);
    running->shared = (struct pipeline_shared){
        .metrics = metrics_new(),
        .health = health_new(),
        .offsets = offsets_new(),
        .soft = context_new(NULL, CLOCK_NEVER),
    };
    running->supervisor = (struct supervisor_config){
        .pipeline = &running->config,
        .shared = &running->shared,
        .restarts_max = 3,
        .restarts_window = 60 * CLOCK_SECOND,
        .backoff_least = CLOCK_MS,
        .backoff_most = 5 * CLOCK_MS,
    };
    assert_non_null(running->hard);
    assert_non_null(running->shared.soft);
}

void running_two_stores(struct running *running)
{
    running->second = memory_store_new();
    running->stores[1] = (struct pipeline_store){
        .name = "second", .type = &memory_store_type, .config = running->second, .workers = 1};
    running->config.store_count = 2;
}

static void *run(void *arg)
{
    struct running *running = arg;
    running->status = supervisor_run(&running->supervisor, running->hard, &running->result, &running->error);
    return NULL;
}

void running_start(struct running *running)
{
    CHECK_CALL(pthread_create(&running->thread, NULL, run, running));
}

enum status running_wait(struct running *running)
{
    CHECK_CALL(pthread_join(running->thread, NULL));
    return running->status;
}

enum status running_run(struct running *running)
{
    running_start(running);
    return running_wait(running);
}

void running_fini(struct running *running)
{
    assert_int_equal(memory_store_open_now(running->store), 0);
    memory_store_free(running->store);
    if (running->second != NULL)
        memory_store_free(running->second);
    memory_broker_free(running->broker);
    context_free(running->shared.soft);
    context_free(running->hard);
    offsets_free(running->shared.offsets);
    health_free(running->shared.health);
    metrics_free(running->shared.metrics);
}

int64_t running_metric(struct running *running, enum metric_type type, const char *name, const char *labels)
{
    return metric_get(metrics_get(running->shared.metrics, type, name, "", labels));
}

void running_produce(struct running *running, unsigned partitions, int64_t each)
{
    for (unsigned i = 0; i < partitions; i++)
        memory_broker_produce(running->broker, (int32_t)i, each);
}

void assert_all_stored_once_in_order(struct memory_store *store, uint64_t records)
{
    struct memory_tally tally = memory_store_tally(store);
    assert_int_equal(tally.rows, records);
    assert_int_equal(tally.distinct, records);
    assert_true(tally.in_order);
}

void assert_committed_to_the_end(struct running *running, unsigned partitions)
{
    for (unsigned i = 0; i < partitions; i++)
        assert_int_equal(memory_broker_committed(running->broker, (int32_t)i),
                         memory_broker_end(running->broker, (int32_t)i));
}
