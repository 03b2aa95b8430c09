#include "cli/letter_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/health.h"
#include "processor/metrics.h"
#include "processor/offsets.h"
#include "processor/pipeline.h"

static enum exit_code failed(const struct letter_reader *reader, const struct error *error, enum status status)
{
    fprintf(stderr, "weir %s: %s\n", reader->what, error->class != ERROR_NONE ? error->text : status_name(status));
    return error->class == ERROR_FATAL ? EXIT_CONFIG : EXIT_UNAVAILABLE;
}

enum exit_code letter_reader_init(struct letter_reader *reader, const char *what, const struct config *config,
                                  int64_t timeout)
{
    const struct source_type *type = config->source_type;
    const struct dead_letter_config dead_letter = {.topic = config->errors.dead_letter.topic};
    *reader = (struct letter_reader){.what = what, .config = config, .topic = dead_letter.topic, .timeout = timeout};
    if (dead_letter.topic == NULL) {
        fprintf(stderr, "weir %s: %s has no errors.dead_letter.topic: there are no dead letters\n", what, config->file);
        return EXIT_CONFIG;
    }
    if (type->read_dead_letters == NULL || type->stretch == NULL) {
        fprintf(stderr, "weir %s: the dead letters of the source %s can't be read\n", what, type->name);
        return EXIT_CONFIG;
    }
    reader->source_config = type->read_dead_letters(&dead_letter, config->source_config);
    CHECK(reader->source_config != NULL);
    return EXIT_OK;
}

void letter_reader_fini(struct letter_reader *reader)
{
    free(reader->source_config);
    reader->source_config = NULL;
}

enum exit_code letter_reader_find(const struct letter_reader *reader, const struct stretch_request *request,
                                  struct stretch **ret)
{
    const struct config *config = reader->config;
    const struct connector_env env = {
        .service = config->service, .name = config->source_type->name, .config_dir = config->dir};
    struct error error = {0};
    struct context *context = context_new(NULL, clock_now() + reader->timeout);
    CHECK(context != NULL);
    enum status status = config->source_type->stretch->find(reader->source_config, &env, request, ret, context, &error);
    context_free(context);
    return status == STATUS_OK ? EXIT_OK : failed(reader, &error, status);
}

/* -- reading: a pipeline of nothing but a store that looks at what comes -- */

struct visitor {
    bool (*visit)(const struct batch *batch, const struct record *record, void *arg);
    void *arg;
    bool done;
    struct context *soft;
};

static enum status visitor_open(const void *config, const struct connector_env *env, struct context *context,
                                void **ret_store, struct error *error)
{
    (void)env, (void)context, (void)error;
    *ret_store = (void *)config;
    return STATUS_OK;
}

static enum status visitor_write(void *store, struct batch *batch, struct context *context, struct error *error)
{
    struct visitor *visitor = *(struct visitor *const *)store;
    (void)context, (void)error;
    BATCH_EACH(batch, record)
    {
        visitor->done = visitor->done || !visitor->visit(batch, record, visitor->arg);
    }
    if (visitor->done)
        context_cancel(visitor->soft);
    return STATUS_OK;
}

static enum status visitor_flush(void *store, struct context *context, struct error *error)
{
    (void)store, (void)context, (void)error;
    return STATUS_OK;
}

static void visitor_close(void *store)
{
    (void)store;
}

static const struct store_type VISITOR = {
    .name = "visitor",
    .open = visitor_open,
    .write = visitor_write,
    .flush = visitor_flush,
    .close = visitor_close,
    .flush_records = 1024,
    .flush_interval = 100 * CLOCK_MS,
};

static enum status run(const struct letter_reader *reader, const struct stretch *stretch, struct visitor *visitor,
                       const struct pipeline_shared *shared, struct error *error)
{
    const struct config *config = reader->config;
    struct visitor *const at = visitor;
    const struct pipeline_store store = {.name = "visitor", .type = &VISITOR, .config = &at, .workers = 1};
    const struct pipeline_config pipeline = {
        .service = config->service,
        .config_dir = config->dir,
        .memory = (size_t)config->memory,
        .ordered = true,
        .source_type = config->source_type,
        .source_config = reader->source_config,
        .stretch = stretch,
        .stores = &store,
        .store_count = 1,
        .retry_max = 1,
        .backoff_least = config->errors.backoff[0],
        .backoff_most = config->errors.backoff[1],
        .shutdown = config->shutdown,
        .watchdog = config->watchdog,
    };
    struct ledger_counts counts;
    struct context *context = context_new(NULL, CLOCK_NEVER);
    CHECK(context != NULL);
    enum status status = pipeline_run(&pipeline, shared, context, &counts, error);
    context_free(context);
    return status;
}

enum exit_code letter_reader_read(const struct letter_reader *reader, const struct stretch *stretch,
                                  bool (*visit)(const struct batch *batch, const struct record *record, void *arg),
                                  void *arg)
{
    struct error error = {0};
    if (stretch_finished(stretch))
        return EXIT_OK;
    const struct pipeline_shared shared = {
        .metrics = metrics_new(),
        .health = health_new(),
        .offsets = offsets_new(),
        .soft = context_new(NULL, CLOCK_NEVER),
    };
    struct visitor visitor = {.visit = visit, .arg = arg, .soft = shared.soft};
    CHECK(shared.metrics != NULL && shared.health != NULL && shared.offsets != NULL && shared.soft != NULL);
    enum status status = run(reader, stretch, &visitor, &shared, &error);
    context_free(shared.soft);
    offsets_free(shared.offsets);
    health_free(shared.health);
    metrics_free(shared.metrics);
    /* Who has seen enough does not wait for the rest. */
    return status == STATUS_OK || visitor.done ? EXIT_OK : failed(reader, &error, status);
}
