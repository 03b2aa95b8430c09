#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/metrics.h"
#include "processor/pool.h"
#include "processor/queue.h"
#include "tests/support/counted.h"
#include "tests/support/memory.h"
#include "tests/support/records.h"

/* -- the rule -- */

static int decide(struct pool_rule *rule, bool over_half, bool empty, uint64_t done, unsigned workers)
{
    const struct pool_view view = {.over_half = over_half, .empty = empty, .done = done};
    return pool_decide(rule, &view, workers, 1, 4);
}

static void a_full_queue_grows_it_up_to_the_most(void **state)
{
    (void)state;
    struct pool_rule rule = {0};
    assert_int_equal(decide(&rule, true, false, 100, 1), 1);
    assert_int_equal(decide(&rule, true, false, 200, 2), 1);
    assert_int_equal(decide(&rule, true, false, 300, 3), 1);
    assert_int_equal(decide(&rule, true, false, 400, 4), 0);
}

static void an_empty_queue_shrinks_it_down_to_the_least(void **state)
{
    (void)state;
    struct pool_rule rule = {0};
    assert_int_equal(decide(&rule, false, true, 10, 3), -1);
    assert_int_equal(decide(&rule, false, true, 10, 2), -1);
    assert_int_equal(decide(&rule, false, true, 0, 1), 0);
}

static void a_queue_between_leaves_it_as_it_is(void **state)
{
    (void)state;
    struct pool_rule rule = {0};
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(decide(&rule, false, false, i * 100, 2), 0);
}

static void a_step_that_lowered_throughput_is_undone_and_not_tried_again_soon(void **state)
{
    (void)state;
    struct pool_rule rule = {0};
    assert_int_equal(decide(&rule, true, false, 1000, 1), 1);
    assert_int_equal(decide(&rule, true, false, 800, 2), -1);
    unsigned rest = 0;
    while (decide(&rule, true, false, 1000, 1) == 0)
        rest++;
    assert_in_range(rest, 10, 30);
}

static void a_tenth_less_is_noise(void **state)
{
    (void)state;
    struct pool_rule rule = {0};
    assert_int_equal(decide(&rule, true, false, 1000, 1), 1);
    assert_int_equal(decide(&rule, true, false, 950, 2), 1);
}

static int decide_by_latency(struct pool_rule *rule, int64_t latency)
{
    const struct pool_view view = {.over_half = true, .done = 1000, .latency = latency};
    return pool_decide(rule, &view, 2, 1, 9);
}

static void a_step_that_slowed_the_store_down_is_undone(void **state)
{
    (void)state;
    struct pool_rule rule = {0};
    assert_int_equal(decide_by_latency(&rule, 100), 1);
    assert_int_equal(decide_by_latency(&rule, 140), 1); /* less than half more is noise */
    assert_int_equal(decide_by_latency(&rule, 0), 1);   /* nothing was stored: nothing is known */
    assert_int_equal(decide_by_latency(&rule, 220), -1);
    assert_int_equal(decide_by_latency(&rule, 1000), 0); /* not by a step of ours */
}

static void the_rest_after_an_undone_step_also_passes_while_the_queue_is_empty(void **state)
{
    (void)state;
    struct pool_rule rule = {0};
    assert_int_equal(decide(&rule, true, false, 1000, 1), 1);
    assert_int_equal(decide(&rule, true, false, 500, 2), -1);
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(decide(&rule, false, true, 0, 1), 0);
    assert_int_equal(decide(&rule, true, false, 100, 1), 1); /* a new burst */
}

/* -- real threads -- */

struct fixture {
    struct records records;
    struct metrics *metrics;
    struct context *context;
    struct queue *queue;
    struct group *group;
    struct pool *pool;
    unsigned threads; /* of the process, before there were workers */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool closing;   /* mutex: all are to end */
    bool busy;      /* mutex: workers do not look whether they are to leave */
    bool slow;      /* mutex: workers that leave take their time */
    unsigned going; /* mutex: how many left */
};

static enum status serve(void *arg, struct pool *pool, struct context *context, struct error *error)
{
    struct fixture *fixture = arg;
    (void)error;
    CHECK_CALL(pthread_mutex_lock(&fixture->mutex));
    while (!fixture->closing && (fixture->busy || !pool_should_leave(pool))) {
        enum status status = context_wait(context, &fixture->changed, &fixture->mutex, clock_now() + CLOCK_MS);
        CHECK(status == STATUS_OK || status == STATUS_EMPTY);
    }
    fixture->going++;
    CHECK_CALL(pthread_cond_broadcast(&fixture->changed));
    while (fixture->slow)
        CHECK_CALL(pthread_cond_wait(&fixture->changed, &fixture->mutex));
    CHECK_CALL(pthread_mutex_unlock(&fixture->mutex));
    return STATUS_OK;
}

static void set_up(struct fixture *fixture, unsigned min, unsigned max)
{
    const struct queue_config queue = {.name = "decode", .records = 10, .bytes = 1 << 30};
    *fixture = (struct fixture){.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    records_init(&fixture->records);
    fixture->metrics = metrics_new();
    fixture->context = context_new(NULL, clock_now() + 60 * CLOCK_SECOND);
    fixture->queue = queue_new(&queue, NULL);
    fixture->group = group_new(fixture->context);
    fixture->threads = count_threads();
    const struct pool_config config = {
        .name = "decode", .min = min, .max = max, .queue = fixture->queue, .run = serve, .arg = fixture};
    fixture->pool = pool_new(&config, fixture->group, fixture->metrics);
    struct error error;
    assert_int_equal(pool_start(fixture->pool, &error), STATUS_OK);
}

static void set(struct fixture *fixture, bool *flag, bool value)
{
    CHECK_CALL(pthread_mutex_lock(&fixture->mutex));
    *flag = value;
    CHECK_CALL(pthread_cond_broadcast(&fixture->changed));
    CHECK_CALL(pthread_mutex_unlock(&fixture->mutex));
}

static void tear_down(struct fixture *fixture)
{
    set(fixture, &fixture->closing, true);
    assert_int_equal(pool_join(fixture->pool, fixture->context), STATUS_OK);
    assert_int_equal(pool_workers(fixture->pool), 0);
    assert_int_equal(group_wait(fixture->group, NULL), STATUS_OK);
    pool_free(fixture->pool);
    pool_free(NULL);
    group_free(fixture->group);
    queue_free(fixture->queue);
    context_free(fixture->context);
    metrics_free(fixture->metrics);
    records_fini(&fixture->records);
}

static unsigned get(struct fixture *fixture, const unsigned *number)
{
    CHECK_CALL(pthread_mutex_lock(&fixture->mutex));
    unsigned value = *number;
    CHECK_CALL(pthread_mutex_unlock(&fixture->mutex));
    return value;
}

static void fill(struct fixture *fixture, unsigned records)
{
    for (unsigned i = 0; i < records; i++) {
        struct batch *batch = records_batch(&fixture->records);
        records_add(batch, NULL, "x");
        assert_int_equal(queue_try_push(fixture->queue, batch), STATUS_OK);
    }
}

static void empty(struct fixture *fixture)
{
    struct batch *batch;
    while (queue_pop(fixture->queue, fixture->context, clock_now(), &batch) == STATUS_OK)
        batch_free(batch);
}

struct expected {
    struct fixture *fixture;
    unsigned workers;
};

static bool workers_are(void *arg)
{
    struct expected *expected = arg;
    return pool_workers(expected->fixture->pool) == expected->workers;
}

/* So many threads of the system, reaped ones not among them. */
static bool threads_are(void *arg)
{
    struct expected *expected = arg;
    group_reap(expected->fixture->group);
    return count_threads() == expected->fixture->threads + expected->workers;
}

static void await_workers(struct fixture *fixture, unsigned workers)
{
    struct expected expected = {fixture, workers};
    assert_true(eventually(workers_are, &expected));
}

static void await_threads(struct fixture *fixture, unsigned workers)
{
    struct expected expected = {fixture, workers};
    assert_true(eventually(threads_are, &expected));
}

static void a_fixed_pool_has_its_workers_whatever_the_queue_does(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 3, 3);
    assert_int_equal(pool_workers(f.pool), 3);
    fill(&f, 10);
    for (unsigned i = 0; i < 5; i++)
        pool_tick(f.pool, 0);
    assert_int_equal(pool_workers(f.pool), 3);
    assert_false(pool_should_leave(f.pool));
    tear_down(&f);
}

static void a_shrunk_workers_thread_really_ends(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1, 4);
    fill(&f, 8);
    for (unsigned i = 0; i < 5; i++) {
        pool_done(f.pool, 1000);
        pool_tick(f.pool, 0);
    }
    await_threads(&f, 4);
    assert_int_equal(pool_workers(f.pool), 4);
    const struct metric *gauge = metrics_get(f.metrics, METRIC_GAUGE, "weir_stage_workers", "", "stage=\"decode\"");
    assert_int_equal(metric_get(gauge), 4);
    empty(&f);
    for (unsigned left = 3; left >= 1; left--) {
        pool_tick(f.pool, 0);
        await_workers(&f, left);
        await_threads(&f, left);
        assert_int_equal(metric_get(gauge), left);
    }
    for (unsigned i = 0; i < 5; i++)
        pool_tick(f.pool, 0);
    assert_false(pool_should_leave(f.pool));
    await_threads(&f, 1);
    tear_down(&f);
}

/* A worker that was told to leave and is not gone yet is not one that stays. */
static void workers_that_leave_slowly_do_not_take_it_below_the_least(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1, 2);
    fill(&f, 8);
    pool_tick(f.pool, 0);
    await_workers(&f, 2);
    empty(&f);
    set(&f, &f.slow, true);
    pool_tick(f.pool, 0);
    CHECK_CALL(pthread_mutex_lock(&f.mutex));
    while (f.going == 0)
        CHECK_CALL(pthread_cond_wait(&f.changed, &f.mutex));
    CHECK_CALL(pthread_mutex_unlock(&f.mutex));
    for (unsigned i = 0; i < 5; i++)
        pool_tick(f.pool, 0);
    assert_false(pool_should_leave(f.pool));
    assert_int_equal(get(&f, &f.going), 1);
    set(&f, &f.slow, false);
    await_workers(&f, 1);
    for (unsigned i = 0; i < 5; i++)
        pool_tick(f.pool, 0);
    assert_false(pool_should_leave(f.pool));
    tear_down(&f);
}

static void one_that_was_to_leave_and_is_needed_again_stays(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 1, 2);
    fill(&f, 8);
    pool_tick(f.pool, 0);
    await_workers(&f, 2);
    set(&f, &f.busy, true);
    empty(&f);
    pool_tick(f.pool, 0); /* one is to leave, and nobody has time to */
    fill(&f, 8);
    pool_tick(f.pool, 0);
    assert_int_equal(pool_workers(f.pool), 2);
    set(&f, &f.busy, false);
    assert_false(pool_should_leave(f.pool));
    await_threads(&f, 2);
    tear_down(&f);
}

static void joining_ends_with_its_context(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 2, 2);
    struct context *soon = context_new(f.context, clock_now() + 2 * CLOCK_MS);
    assert_int_equal(pool_join(f.pool, soon), STATUS_DEADLINE);
    context_free(soon);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_grows_it_up_to_the_most),
        cmocka_unit_test(an_empty_queue_shrinks_it_down_to_the_least),
        cmocka_unit_test(a_queue_between_leaves_it_as_it_is),
        cmocka_unit_test(a_step_that_lowered_throughput_is_undone_and_not_tried_again_soon),
        cmocka_unit_test(a_tenth_less_is_noise),
        cmocka_unit_test(a_step_that_slowed_the_store_down_is_undone),
        cmocka_unit_test(the_rest_after_an_undone_step_also_passes_while_the_queue_is_empty),
        cmocka_unit_test(a_fixed_pool_has_its_workers_whatever_the_queue_does),
        cmocka_unit_test(a_shrunk_workers_thread_really_ends),
        cmocka_unit_test(workers_that_leave_slowly_do_not_take_it_below_the_least),
        cmocka_unit_test(one_that_was_to_leave_and_is_needed_again_stays),
        cmocka_unit_test(joining_ends_with_its_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
