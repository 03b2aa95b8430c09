#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/metrics.h"
#include "processor/queue.h"
#include "tests/support/records.h"

struct fixture {
    struct records records;
    struct queue *queue;
    struct context *context;
};

static void set_up(struct fixture *fixture, uint64_t records, uint64_t bytes)
{
    const struct queue_config config = {.name = "decode", .records = records, .bytes = bytes};
    records_init(&fixture->records);
    fixture->queue = queue_new(&config, NULL);
    fixture->context = context_new(NULL, clock_now() + 60 * CLOCK_SECOND);
    assert_true(fixture->queue != NULL && fixture->context != NULL);
}

static void tear_down(struct fixture *fixture)
{
    queue_free(fixture->queue);
    context_free(fixture->context);
    records_fini(&fixture->records);
}

static struct batch *batch_of(struct fixture *fixture, unsigned count)
{
    struct batch *batch = records_batch(&fixture->records);
    for (unsigned i = 0; i < count; i++)
        records_add(batch, NULL, "x");
    return batch;
}

static struct batch *pop(struct fixture *fixture)
{
    struct batch *batch = NULL;
    assert_int_equal(queue_pop(fixture->queue, fixture->context, CLOCK_NEVER, &batch), STATUS_OK);
    return batch;
}

static void push(struct fixture *fixture, unsigned count)
{
    assert_int_equal(queue_push(fixture->queue, batch_of(fixture, count), fixture->context), STATUS_OK);
}

static void first_in_is_first_out_and_numbered(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1000, 1 << 30);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 1; i <= 5; i++)
            push(&f, i);
        struct queue_stats stats = queue_get_stats(f.queue);
        assert_int_equal(stats.records, 15);
        assert_int_equal(stats.batches, 5);
        assert_true(stats.bytes > 0);
        for (unsigned i = 1; i <= 5; i++) {
            struct batch *batch = pop(&f);
            assert_int_equal(batch->count, i);
            assert_int_equal(batch->sequence, round * 5 + i - 1);
            batch_free(batch);
        }
    }
    struct queue_stats stats = queue_get_stats(f.queue);
    assert_true(stats.records == 0 && stats.bytes == 0 && stats.batches == 0);
    tear_down(&f);
}

static void it_is_full_by_records_or_by_bytes(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 10, 1 << 30);
    push(&f, 6);
    struct batch *batch = batch_of(&f, 5);
    assert_int_equal(queue_try_push(f.queue, batch), STATUS_FULL);
    assert_false(queue_fits(f.queue, batch));
    batch_free(batch);
    push(&f, 4);
    tear_down(&f);

    set_up(&f, 1000000, 300000);
    push(&f, 1);
    batch = batch_of(&f, 1);
    assert_non_null(arena_text(&batch->arena, 200000));
    assert_int_equal(queue_try_push(f.queue, batch), STATUS_FULL);
    batch_free(batch);
    tear_down(&f);
}

static void an_empty_queue_takes_a_batch_of_any_size(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 10, 1000);
    struct batch *batch = batch_of(&f, 500);
    assert_true(queue_fits(f.queue, batch));
    assert_int_equal(queue_try_push(f.queue, batch), STATUS_OK);
    struct batch *small = batch_of(&f, 1);
    assert_int_equal(queue_try_push(f.queue, small), STATUS_FULL);
    batch_free(pop(&f));
    assert_int_equal(queue_try_push(f.queue, small), STATUS_OK);
    tear_down(&f);
}

static void what_a_batch_weighed_is_given_back_though_it_grew(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1000, 1 << 30);
    struct batch *batch = batch_of(&f, 1);
    assert_int_equal(queue_try_push(f.queue, batch), STATUS_OK);
    assert_non_null(arena_text(&batch->arena, 1000000));
    batch_free(pop(&f));
    assert_int_equal(queue_get_stats(f.queue).bytes, 0);
    tear_down(&f);
}

static void closing_lets_out_what_is_in_and_nothing_more_in(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 100, 1 << 30);
    push(&f, 1);
    push(&f, 2);
    queue_close(f.queue);
    queue_close(f.queue);
    struct batch *batch = batch_of(&f, 1), *out;
    assert_int_equal(queue_push(f.queue, batch, f.context), STATUS_CLOSED);
    assert_int_equal(queue_try_push(f.queue, batch), STATUS_CLOSED);
    batch_free(batch); /* still ours */
    batch_free(pop(&f));
    batch_free(pop(&f));
    assert_int_equal(queue_pop(f.queue, f.context, CLOCK_NEVER, &out), STATUS_CLOSED);
    tear_down(&f);
}

static void its_end_is_that_it_is_closed_and_empty(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 100, 1 << 30);
    assert_int_equal(queue_await_end(f.queue, f.context, CLOCK_MS), STATUS_OK);
    push(&f, 1);
    queue_close(f.queue);
    assert_int_equal(queue_await_end(f.queue, f.context, CLOCK_MS), STATUS_OK);
    batch_free(pop(&f));
    assert_int_equal(queue_await_end(f.queue, f.context, 3600 * CLOCK_SECOND), STATUS_CLOSED);
    tear_down(&f);
}

static void a_pop_waits_no_longer_than_asked(void **state)
{
    (void)state;
    struct fixture f;
    struct batch *out = NULL;
    set_up(&f, 100, 1 << 30);
    int64_t until = clock_now() + 5 * CLOCK_MS;
    assert_int_equal(queue_pop(f.queue, f.context, until, &out), STATUS_EMPTY);
    assert_true(clock_now() >= until);
    push(&f, 1);
    assert_int_equal(queue_pop(f.queue, f.context, clock_now() - 1, &out), STATUS_OK); /* what is there is there */
    batch_free(out);
    tear_down(&f);
}

static void an_ended_context_pops_nothing_and_what_is_left_is_freed(void **state)
{
    (void)state;
    struct fixture f;
    struct batch *out = NULL;
    set_up(&f, 100, 1 << 30);
    push(&f, 1);
    struct context *late = context_new(f.context, clock_now() - 1);
    assert_int_equal(queue_pop(f.queue, late, CLOCK_NEVER, &out), STATUS_DEADLINE);
    context_free(late);
    context_cancel(f.context);
    assert_int_equal(queue_pop(f.queue, f.context, CLOCK_NEVER, &out), STATUS_CANCELLED);
    assert_null(out);
    tear_down(&f); /* asserts that the batch came back */
}

struct waiter {
    struct fixture *fixture;
    struct context *context;
    pthread_t thread;
    enum status status;
    _Atomic bool ended;
};

static void *push_one(void *arg)
{
    struct waiter *waiter = arg;
    struct batch *batch = batch_of(waiter->fixture, 5);
    waiter->status = queue_push(waiter->fixture->queue, batch, waiter->context);
    if (waiter->status != STATUS_OK)
        batch_free(batch);
    waiter->ended = true;
    return NULL;
}

static void *pop_one(void *arg)
{
    struct waiter *waiter = arg;
    struct batch *batch = NULL;
    waiter->status = queue_pop(waiter->fixture->queue, waiter->context, CLOCK_NEVER, &batch);
    batch_free(batch);
    waiter->ended = true;
    return NULL;
}

static void start(struct waiter *waiter, struct fixture *fixture, struct context *context, void *(*run)(void *))
{
    *waiter = (struct waiter){.fixture = fixture, .context = context};
    assert_int_equal(pthread_create(&waiter->thread, NULL, run, waiter), 0);
}

static enum status join(struct waiter *waiter)
{
    assert_int_equal(pthread_join(waiter->thread, NULL), 0);
    return waiter->status;
}

static void a_push_waits_for_room(void **state)
{
    (void)state;
    struct fixture f;
    struct waiter waiter;
    set_up(&f, 5, 1 << 30);
    push(&f, 5);
    start(&waiter, &f, f.context, push_one);
    assert_int_equal(context_sleep(f.context, 2 * CLOCK_MS), STATUS_OK);
    assert_false(waiter.ended);
    batch_free(pop(&f));
    assert_int_equal(join(&waiter), STATUS_OK);
    batch_free(pop(&f));
    tear_down(&f);
}

static void closing_and_cancelling_wake_who_waits(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 2; how++) {
        struct fixture f, empty;
        struct waiter pusher, popper;
        set_up(&f, 5, 1 << 30);
        set_up(&empty, 5, 1 << 30);
        push(&f, 5);
        start(&pusher, &f, f.context, push_one);
        start(&popper, &empty, empty.context, pop_one);
        if (how == 0) {
            queue_close(f.queue);
            queue_close(empty.queue);
        } else {
            context_cancel(f.context);
            context_cancel(empty.context);
        }
        assert_int_equal(join(&pusher), how == 0 ? STATUS_CLOSED : STATUS_CANCELLED);
        assert_int_equal(join(&popper), how == 0 ? STATUS_CLOSED : STATUS_CANCELLED);
        tear_down(&empty);
        tear_down(&f);
    }
}

/* One of two waiters is cancelled just when a batch comes, and takes the signal with it: the other must not go on sleeping. */
static void a_waiter_that_is_cancelled_leaves_the_batch_to_the_other(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        struct fixture f;
        struct waiter doomed, other;
        set_up(&f, 5, 1 << 30);
        struct context *own = context_new(f.context, CLOCK_NEVER);
        start(&doomed, &f, own, pop_one);
        start(&other, &f, f.context, pop_one);
        if (round % 2 == 0)
            assert_int_equal(context_sleep(f.context, round % 7 * CLOCK_MS / 20), STATUS_OK);
        push(&f, 1);
        context_cancel(own);
        if (join(&doomed) == STATUS_OK)
            push(&f, 1); /* it got the batch: one for the other */
        assert_int_equal(join(&other), STATUS_OK);
        context_free(own);
        tear_down(&f);
    }
}

static void count_wakes(void *arg)
{
    atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

static void who_saw_it_full_is_told_of_room_once(void **state)
{
    (void)state;
    struct fixture f;
    _Atomic unsigned wakes = 0;
    set_up(&f, 10, 1 << 30);
    queue_on_room(f.queue, count_wakes, &wakes);
    for (unsigned i = 0; i < 10; i++)
        push(&f, 1);
    for (unsigned i = 0; i < 10; i++)
        batch_free(pop(&f));
    assert_int_equal(wakes, 0); /* nobody had asked */
    for (unsigned i = 0; i < 10; i++)
        push(&f, 1);
    assert_true(queue_is_above(f.queue, 80));
    assert_false(queue_is_above(f.queue, 100));
    for (unsigned i = 10; i > 6; i--)
        batch_free(pop(&f));
    assert_int_equal(wakes, 0);
    batch_free(pop(&f));
    assert_int_equal(wakes, 1); /* at half */
    batch_free(pop(&f));
    assert_int_equal(wakes, 1);
    struct batch *big = batch_of(&f, 8);
    assert_int_equal(queue_try_push(f.queue, big), STATUS_FULL);
    batch_free(pop(&f));
    assert_int_equal(wakes, 2);
    assert_false(queue_fits(f.queue, big));
    batch_free(pop(&f));
    assert_int_equal(wakes, 3);
    assert_int_equal(queue_try_push(f.queue, big), STATUS_OK);
    tear_down(&f);
}

static void gauges_show_what_is_in_it(void **state)
{
    (void)state;
    struct fixture f;
    struct metrics *metrics = metrics_new();
    const struct queue_config config = {.name = "enrich", .records = 100, .bytes = 5000000};
    set_up(&f, 1, 1);
    struct queue *queue = queue_new(&config, metrics);
    const struct metric *records = metrics_get(metrics, METRIC_GAUGE, "weir_queue_records", "", "queue=\"enrich\"");
    const struct metric *bytes = metrics_get(metrics, METRIC_GAUGE, "weir_queue_bytes", "", "queue=\"enrich\"");
    const struct metric *room = metrics_get(metrics, METRIC_GAUGE, "weir_queue_capacity_records", "",
                                            "queue=\"enrich\"");
    assert_int_equal(metric_get(room), 100);
    struct batch *batch = batch_of(&f, 7);
    assert_int_equal(queue_try_push(queue, batch), STATUS_OK);
    assert_int_equal(metric_get(records), 7);
    assert_int_equal(metric_get(bytes), batch_bytes(batch));
    queue_free(queue);
    assert_int_equal(metric_get(records), 0);
    assert_int_equal(metric_get(bytes), 0);
    tear_down(&f);
    metrics_free(metrics);
}

enum { PUSHERS = 3, POPPERS = 3, BATCHES = 400 };

struct traffic {
    struct fixture *fixture;
    _Atomic unsigned popped, records;
    _Atomic bool seen[PUSHERS * BATCHES];
};

static void *push_many(void *arg)
{
    struct traffic *traffic = arg;
    for (unsigned i = 0; i < BATCHES; i++) {
        struct batch *batch = batch_of(traffic->fixture, 1 + i % 5);
        CHECK(queue_push(traffic->fixture->queue, batch, traffic->fixture->context) == STATUS_OK);
    }
    return NULL;
}

static void *pop_many(void *arg)
{
    struct traffic *traffic = arg;
    for (;;) {
        struct batch *batch;
        enum status status = queue_pop(traffic->fixture->queue, traffic->fixture->context, CLOCK_NEVER, &batch);
        if (status == STATUS_CLOSED)
            return NULL;
        CHECK(status == STATUS_OK && batch->sequence < PUSHERS * BATCHES);
        CHECK(!atomic_exchange(&traffic->seen[batch->sequence], true)); /* each number once */
        atomic_fetch_add(&traffic->popped, 1);
        atomic_fetch_add(&traffic->records, batch->count);
        batch_free(batch);
    }
}

static void many_push_and_many_pop_and_nothing_is_lost(void **state)
{
    (void)state;
    struct fixture f;
    static struct traffic traffic;
    pthread_t pushers[PUSHERS], poppers[POPPERS];
    set_up(&f, 12, 1 << 30);
    traffic = (struct traffic){.fixture = &f};
    for (unsigned i = 0; i < POPPERS; i++)
        assert_int_equal(pthread_create(&poppers[i], NULL, pop_many, &traffic), 0);
    for (unsigned i = 0; i < PUSHERS; i++)
        assert_int_equal(pthread_create(&pushers[i], NULL, push_many, &traffic), 0);
    for (unsigned i = 0; i < PUSHERS; i++)
        assert_int_equal(pthread_join(pushers[i], NULL), 0);
    queue_close(f.queue);
    for (unsigned i = 0; i < POPPERS; i++)
        assert_int_equal(pthread_join(poppers[i], NULL), 0);
    assert_int_equal(traffic.popped, PUSHERS * BATCHES);
    assert_int_equal(traffic.records, PUSHERS * BATCHES * 3);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_is_first_out_and_numbered),
        cmocka_unit_test(it_is_full_by_records_or_by_bytes),
        cmocka_unit_test(an_empty_queue_takes_a_batch_of_any_size),
        cmocka_unit_test(what_a_batch_weighed_is_given_back_though_it_grew),
        cmocka_unit_test(closing_lets_out_what_is_in_and_nothing_more_in),
        cmocka_unit_test(its_end_is_that_it_is_closed_and_empty),
        cmocka_unit_test(a_pop_waits_no_longer_than_asked),
        cmocka_unit_test(an_ended_context_pops_nothing_and_what_is_left_is_freed),
        cmocka_unit_test(a_push_waits_for_room),
        cmocka_unit_test(closing_and_cancelling_wake_who_waits),
        cmocka_unit_test(a_waiter_that_is_cancelled_leaves_the_batch_to_the_other),
        cmocka_unit_test(who_saw_it_full_is_told_of_room_once),
        cmocka_unit_test(gauges_show_what_is_in_it),
        cmocka_unit_test(many_push_and_many_pop_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
