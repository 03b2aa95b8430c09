#include "tests/support/staging.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/metrics.h"

static enum status probe_init(const void *config, const struct stage_env *env, void **ret_stage, struct error *error)
{
    struct probe *probe = (struct probe *)config;
    (void)env;
    probe->inits++;
    if (probe->init_status == STATUS_FAILED)
        return error_set(error, ERROR_FATAL, "no table");
    if (probe->init_status != STATUS_OK)
        return probe->init_status;
    *ret_stage = probe;
    return STATUS_OK;
}

static enum status probe_start(void *stage, void **ret_worker, struct error *error)
{
    struct probe *probe = stage;
    if (probe->start_status == STATUS_FAILED)
        return error_set(error, ERROR_RESTART, "no parser");
    if (probe->start_status != STATUS_OK)
        return probe->start_status;
    probe->starts++;
    *ret_worker = probe;
    return STATUS_OK;
}

static void probe_process(void *stage, void *worker, struct batch *batch)
{
    struct probe *probe = stage;
    CHECK(worker == probe);
    BATCH_EACH(batch, record)
    {
        probe->seen++;
        if (probe->each != NULL)
            probe->each(probe, batch, record);
        if (batch->cut != 0)
            return;
    }
}

static void probe_stop(void *worker)
{
    ((struct probe *)worker)->stops++;
}

static void probe_close(void *stage)
{
    ((struct probe *)stage)->closes++;
}

static const struct stage_type probe_type = {.name = "probe",
                                             .help = "Does what a test says.",
                                             .init = probe_init,
                                             .start = probe_start,
                                             .process = probe_process,
                                             .stop = probe_stop,
                                             .close = probe_close};

void staging_init(struct staging *f)
{
    const struct queue_config queue = {.name = "q", .records = 100000, .bytes = 1 << 30};
    const struct dead_letter_config letters = {.topic = "dead"};
    *f = (struct staging){0};
    records_init(&f->records);
    f->metrics = metrics_new();
    f->context = context_new(NULL, clock_now() + 60 * CLOCK_SECOND);
    assert_int_equal(brake_init(&f->brake, NULL), STATUS_OK);
    f->group = group_new(f->context);
    f->input = queue_new(&queue, NULL);
    f->output = queue_new(&queue, NULL);
    f->ledger = ledger_new(1, NULL);
    f->partition = ledger_assign(f->ledger, "orders", 0);
    f->broker = memory_broker_new("dead", 1);
    const struct connector_env env = {.source_config = f->broker};
    assert_int_equal(memory_source_type.open_dead_letter(&letters, &env, f->context, &f->letters, NULL), STATUS_OK);
    for (unsigned i = 0; i < STAGING_PROBES; i++) {
        CHECK_CALL(pthread_mutex_init(&f->probes[i].mutex, NULL));
        CHECK_CALL(pthread_cond_init(&f->probes[i].changed, NULL));
        f->steps[i] = (struct transform_step){.type = &probe_type, .config = &f->probes[i]};
    }
    f->config = (struct transform_config){
        .name = "enrich",
        .steps = f->steps,
        .step_count = STAGING_PROBES,
        .workers_min = 1,
        .workers_max = 1,
        .ordered = true,
        .retry_max = 5,
        .backoff_least = CLOCK_MS / 10,
        .backoff_most = CLOCK_MS,
        .input = f->input,
        .output = {.queues = &f->output, .count = 1},
        .dead_letter = f->letters,
        .brake = &f->brake,
        .metrics = f->metrics,
    };
}

void staging_start(struct staging *f)
{
    struct error error;
    assert_int_equal(transform_new(&f->config, &f->transform, &error), STATUS_OK);
    assert_int_equal(transform_start(f->transform, f->group, &error), STATUS_OK);
}

void staging_finish(struct staging *f)
{
    queue_close(f->input);
    assert_int_equal(transform_join(f->transform, f->context), STATUS_OK);
    assert_int_equal(group_wait(f->group, NULL), STATUS_OK);
}

void staging_fini(struct staging *f)
{
    for (unsigned i = 0; i < STAGING_PROBES; i++)
        assert_int_equal(f->probes[i].starts, f->probes[i].stops);
    transform_free(f->transform);
    transform_free(NULL);
    f->letters->close(f->letters);
    memory_broker_free(f->broker);
    queue_free(f->input);
    queue_free(f->output);
    ledger_free(f->ledger);
    group_free(f->group);
    brake_fini(&f->brake);
    context_free(f->context);
    metrics_free(f->metrics);
    records_fini(&f->records); /* asserts that every batch came back */
}

void staging_push(struct staging *f, unsigned count)
{
    struct batch *batch = records_batch(&f->records);
    for (unsigned i = 0; i < count; i++)
        records_add(batch, NULL, "value")->offset = f->next++;
    assert_int_equal(ledger_issue(f->partition, batch), STATUS_OK);
    assert_int_equal(queue_push(f->input, batch, f->context), STATUS_OK);
}

bool staging_store_one(struct staging *f, int64_t *offsets, unsigned *count)
{
    struct batch *batch;
    if (queue_pop(f->output, f->context, clock_now(), &batch) != STATUS_OK)
        return false;
    BATCH_EACH(batch, record)
    {
        offsets[(*count)++] = record->offset;
        ticket_settle(batch->ticket, record->index, 1, VERDICT_STORED);
    }
    batch_free(batch);
    return true;
}

unsigned staging_store_all(struct staging *f, int64_t *offsets)
{
    unsigned count = 0;
    while (staging_store_one(f, offsets, &count)) {
    }
    return count;
}

struct ledger_counts staging_counts(struct staging *f)
{
    struct ledger_counts counts;
    ledger_get_counts(f->ledger, &counts);
    return counts;
}

void staging_sift(struct probe *probe, struct batch *batch, struct record *record)
{
    (void)probe;
    if (record->offset % 3 == 0)
        batch_drop(record);
    else if (record->offset % 5 == 0)
        batch_reject(batch, record, "five", "number %lld", (long long)record->offset);
}

void staging_inflate(struct probe *probe, struct batch *batch, struct record *record)
{
    (void)probe;
    uint8_t *text = arena_text(&batch->arena, BATCH_LIMIT / 2 + 1);
    CHECK(text != NULL);
    text[0] = 'v';
    record->document = (struct document){.kind = DOCUMENT_RAW, .text = bytes_of(text, 1)};
    if (batch->arena.held > BATCH_LIMIT)
        batch->cut = (uint32_t)(record - batch->records) + 1;
}
