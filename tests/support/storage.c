#include "tests/support/storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "processor/metrics.h"

void storage_init(struct storage *s)
{
    const struct queue_config queue = {.name = "out", .records = 100000, .bytes = 1 << 30};
    const struct dead_letter_config letters = {.topic = "dead"};
    *s = (struct storage){0};
    records_init(&s->records);
    s->metrics = metrics_new();
    s->health = health_new();
    s->context = context_new(NULL, clock_now() + 60 * CLOCK_SECOND);
    assert_int_equal(brake_init(&s->brake, NULL), STATUS_OK);
    s->group = group_new(s->context);
    s->input = queue_new(&queue, NULL);
    s->ledger = ledger_new(1, NULL);
    s->partition = ledger_assign(s->ledger, "orders", 0);
    s->broker = memory_broker_new("dead", 1);
    s->env = (struct connector_env){.source_config = s->broker};
    assert_int_equal(memory_source_type.open_dead_letter(&letters, &s->env, s->context, &s->letters, NULL), STATUS_OK);
    s->store = memory_store_new();
    s->config = (struct storing_config){
        .name = "out",
        .type = &memory_store_type,
        .config = s->store,
        .env = &s->env,
        .workers = 1,
        .flush_records = 1000000,
        .flush_bytes = 1 << 30,
        .flush_interval = 3600 * CLOCK_SECOND,
        .backoff_least = CLOCK_MS,
        .backoff_most = 4 * CLOCK_MS,
        .input = s->input,
        .dead_letter = s->letters,
        .brake = &s->brake,
        .health = s->health,
        .metrics = s->metrics,
    };
}

void storage_start(struct storage *s)
{
    struct error error;
    assert_int_equal(storing_new(&s->config, &s->storing, &error), STATUS_OK);
    assert_int_equal(storing_start(s->storing, s->group, &error), STATUS_OK);
}

void storage_push(struct storage *s, unsigned count)
{
    struct batch *batch = records_batch(&s->records);
    for (unsigned i = 0; i < count; i++)
        records_add(batch, NULL, "value")->offset = s->next++;
    batch->entered = clock_now();
    assert_int_equal(ledger_issue(s->partition, batch), STATUS_OK);
    assert_int_equal(queue_push(s->input, batch, s->context), STATUS_OK);
}

void storage_finish(struct storage *s)
{
    struct error error = {0};
    queue_close(s->input);
    assert_int_equal(storing_join(s->storing, s->context), STATUS_OK);
    enum status status = group_wait(s->group, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(status, STATUS_OK);
}

struct error storage_fail(struct storage *s)
{
    struct error error = {0};
    assert_int_equal(group_wait(s->group, &error), STATUS_FAILED);
    return error;
}

struct ledger_counts storage_counts(struct storage *s)
{
    struct ledger_counts counts;
    ledger_get_counts(s->ledger, &counts);
    return counts;
}

struct expected {
    struct storage *storage;
    uint64_t number;
};

static bool is_settled(void *arg)
{
    struct expected *expected = arg;
    struct ledger_counts counts = storage_counts(expected->storage);
    return counts.stored + counts.dropped + counts.dead_lettered >= expected->number;
}

bool storage_wait_settled(struct storage *s, uint64_t records)
{
    struct expected expected = {s, records};
    return eventually(is_settled, &expected);
}

static bool is_ready(void *arg)
{
    struct expected *expected = arg;
    return health_ready(expected->storage->health, NULL, 0) == (expected->number != 0);
}

bool storage_wait_ready(struct storage *s, bool ready)
{
    struct expected expected = {s, ready};
    return eventually(is_ready, &expected);
}

int64_t storage_counter(struct storage *s, const char *name)
{
    return metric_get(metrics_get(s->metrics, METRIC_COUNTER, name, "", "stage=\"out\""));
}

void storage_assert_each_once(struct storage *s, uint64_t records)
{
    struct memory_tally tally = memory_store_tally(s->store);
    assert_int_equal(tally.rows, records);
    assert_int_equal(tally.distinct, records);
    assert_true(tally.in_order);
}

void storage_fini(struct storage *s)
{
    storing_free(s->storing);
    assert_int_equal(memory_store_open_now(s->store), 0);
    memory_store_free(s->store);
    s->letters->close(s->letters);
    memory_broker_free(s->broker);
    queue_free(s->input);
    ledger_free(s->ledger);
    group_free(s->group);
    brake_fini(&s->brake);
    context_free(s->context);
    health_free(s->health);
    metrics_free(s->metrics);
    records_fini(&s->records);
}
