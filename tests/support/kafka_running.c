#include "tests/support/kafka_running.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "processor/check.h"
#include "tests/support/running.h"

extern const struct source_type kafka_source;
extern const struct store_type kafka_store;

static struct parsed *parse(const struct config_field *field, const char *head, const char *brokers, const char *yaml)
{
    char text[4096];
    snprintf(text, sizeof text, "%s%s\n%s", head, brokers, yaml);
    struct parsed *parsed = parsed_new(field, text);
    if (parsed_config(parsed) == NULL)
        fail_msg("%s", parsed_report(parsed));
    return parsed;
}

void kafka_running_init(struct kafka_running *running, const char *brokers, const char *yaml)
{
    *running = (struct kafka_running){0};
    running->source = parse(kafka_source.config, "brokers: ", brokers, yaml);
    running->store = memory_store_new();
    running->stores[0] = (struct pipeline_store){
        .name = "out", .type = &memory_store_type, .config = running->store, .workers = 1};
    running->config = (struct pipeline_config){
        .service = "test",
        .config_dir = ".",
        .memory = 64 * 1024 * 1024,
        .ordered = true,
        .source_type = &kafka_source,
        .source_config = parsed_config(running->source),
        .stages = running->stages,
        .stores = running->stores,
        .store_count = 1,
        .retry_max = 3,
        .backoff_least = 10 * CLOCK_MS,
        .backoff_most = 100 * CLOCK_MS,
        .shutdown = 30 * CLOCK_SECOND,
        .watchdog = 60 * CLOCK_SECOND,
    };
    running->shared = (struct pipeline_shared){
        .metrics = metrics_new(),
        .health = health_new(),
        .offsets = offsets_new(),
        .soft = context_new(NULL, CLOCK_NEVER),
    };
    running->hard = context_new(NULL, CLOCK_NEVER);
    running->supervisor = (struct supervisor_config){
        .pipeline = &running->config,
        .shared = &running->shared,
        .restarts_window = 60 * CLOCK_SECOND,
        .backoff_least = CLOCK_MS,
        .backoff_most = 5 * CLOCK_MS,
    };
    assert_non_null(running->hard);
    assert_non_null(running->shared.soft);
}

void kafka_running_store(struct kafka_running *running, const char *yaml)
{
    running->other = parse(kafka_store.config, "", "", yaml);
    running->stores[0].type = &kafka_store;
    running->stores[0].config = parsed_config(running->other);
}

void kafka_running_stage(struct kafka_running *running)
{
    running->steps[0] = (struct transform_step){.type = &by_word_stage};
    running->stages[0] = (struct pipeline_stage){
        .name = "words", .steps = running->steps, .step_count = 1, .workers_min = 1, .workers_max = 1};
    running->config.stage_count = 1;
}

static void *run(void *arg)
{
    struct kafka_running *running = arg;
    running->status = supervisor_run(&running->supervisor, running->hard, &running->result, &running->error);
    return NULL;
}

void kafka_running_start(struct kafka_running *running)
{
    running->joined = false;
    CHECK_CALL(pthread_create(&running->thread, NULL, run, running));
}

void kafka_running_stop(struct kafka_running *running)
{
    context_cancel(running->shared.soft);
}

enum status kafka_running_wait(struct kafka_running *running)
{
    if (!running->joined)
        CHECK_CALL(pthread_join(running->thread, NULL));
    running->joined = true;
    return running->status;
}

void kafka_running_drain(struct kafka_running *running)
{
    kafka_running_stop(running);
    if (kafka_running_wait(running) != STATUS_OK)
        fail_msg("%s", running->error.text);
}

enum status kafka_running_run(struct kafka_running *running)
{
    running->config.exit_at_end = true;
    kafka_running_start(running);
    return kafka_running_wait(running);
}

void kafka_running_fini(struct kafka_running *running)
{
    memory_store_free(running->store);
    context_free(running->shared.soft);
    context_free(running->hard);
    offsets_free(running->shared.offsets);
    health_free(running->shared.health);
    metrics_free(running->shared.metrics);
    parsed_free(running->source);
    parsed_free(running->other);
}

int64_t kafka_running_metric(struct kafka_running *running, enum metric_type type, const char *name, const char *labels)
{
    return metric_get(metrics_get(running->shared.metrics, type, name, "", labels));
}

struct waiting {
    struct kafka_running *running;
    const char *word;
    struct metric *metric;
    int64_t least;
};

static bool is_said(void *arg)
{
    struct waiting *waiting = arg;
    char why[2048];
    bool ready = health_ready(waiting->running->shared.health, why, sizeof why);
    return waiting->word[0] == '\0' ? ready : !ready && strstr(why, waiting->word) != NULL;
}

bool kafka_running_wait_health(struct kafka_running *running, const char *word)
{
    struct waiting waiting = {.running = running, .word = word};
    char why[2048];
    if (eventually(is_said, &waiting))
        return true;
    (void)health_ready(running->shared.health, why, sizeof why);
    print_error("waited for \"%s\", health says: %s\n", word, why);
    return false;
}

static bool is_high(void *arg)
{
    struct waiting *waiting = arg;
    return metric_get(waiting->metric) >= waiting->least;
}

bool kafka_running_wait_metric(struct kafka_running *running, enum metric_type type, const char *name,
                               const char *labels, int64_t least)
{
    struct waiting waiting = {
        .running = running, .metric = metrics_get(running->shared.metrics, type, name, "", labels), .least = least};
    if (eventually(is_high, &waiting))
        return true;
    print_error("waited for %s{%s} to be %lld, it is %lld\n", name, labels != NULL ? labels : "", (long long)least,
                (long long)metric_get(waiting.metric));
    return false;
}
