#include "tests/support/intaking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void urge(void *arg, bool on)
{
    struct intaking *fixture = arg;
    fixture->urges += on ? 1 : -1;
}

static void wake(void *arg)
{
    ((struct intaking *)arg)->wakes++;
}

void intaking_init(struct intaking *f)
{
    const struct queue_config queue = {.name = "decode", .records = INTAKING_QUEUE, .bytes = 1 << 30};
    *f = (struct intaking){0};
    f->metrics = metrics_new();
    f->health = health_new();
    f->offsets = offsets_new();
    f->budget = budget_new(INTAKING_BUDGET);
    f->batches = batch_pool_new(f->budget, 0);
    f->ledger = ledger_new(1, f->budget);
    f->root = context_new(NULL, CLOCK_NEVER);
    f->soft = context_new(f->root, CLOCK_NEVER);
    f->context = context_new(f->root, clock_now() + 60 * CLOCK_SECOND);
    assert_int_equal(brake_init(&f->brake, f->soft), STATUS_OK);
    f->queue = queue_new(&queue, NULL);
    f->config = (struct intake_config){
        .output = f->queue,
        .batches = f->batches,
        .budget = f->budget,
        .ledger = f->ledger,
        .brake = &f->brake,
        .context = f->context,
        .health = f->health,
        .metrics = f->metrics,
        .offsets = f->offsets,
        .shutdown = 20 * CLOCK_MS,
        .watchdog = CLOCK_MS,
        .urge = urge,
        .urge_arg = f,
    };
    f->intake = intake_new(&f->config);
    assert_non_null(f->intake);
    intake_on_wake(f->intake, wake, f);
    intake_state(f->intake, true, 1, NULL);
}

void intaking_fini(struct intaking *f)
{
    intake_free(f->intake);
    intake_free(NULL);
    queue_free(f->queue);
    batch_pool_free(f->batches);
    ledger_free(f->ledger);
    assert_int_equal(budget_used(f->budget), 0);
    budget_free(f->budget);
    brake_fini(&f->brake);
    context_free(f->context);
    context_free(f->soft);
    context_free(f->root);
    offsets_free(f->offsets);
    health_free(f->health);
    metrics_free(f->metrics);
}

struct intake_partition *intaking_assign(struct intaking *f, int32_t number, int64_t next)
{
    struct intake_partition *partition = intake_assign(f->intake, "orders", number, next);
    assert_non_null(partition);
    return partition;
}

struct batch *intaking_batch(struct intake_partition *partition, int64_t offset, unsigned count)
{
    struct batch *batch = intake_begin(partition);
    assert_non_null(batch);
    for (unsigned i = 0; i < count; i++) {
        struct record *record = batch_add(batch);
        assert_non_null(record);
        record->offset = offset + i;
        record->value = arena_copy(&batch->arena, bytes_of_string("value"));
    }
    return batch;
}

void intaking_push(struct intaking *f, struct intake_partition *partition, int64_t offset, unsigned count)
{
    assert_int_equal(intake_push(partition, intaking_batch(partition, offset, count), f->context), STATUS_OK);
}

void intaking_settle(struct intaking *f)
{
    struct batch *batch;
    assert_int_equal(queue_pop(f->queue, f->context, clock_now(), &batch), STATUS_OK);
    ticket_settle(batch->ticket, 0, batch->count, VERDICT_STORED);
    batch_free(batch);
}

int64_t intaking_metric(struct intaking *f, enum metric_type type, const char *name, const char *labels)
{
    return metric_get(metrics_get(f->metrics, type, name, "", labels));
}
