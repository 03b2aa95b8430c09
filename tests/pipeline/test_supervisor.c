/* Pipelines that fail and are built anew: nothing is lost, nothing is left behind, and there is an end to it. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/counted.h"
#include "tests/support/running.h"

static void a_failed_run_goes_on_from_the_committed_offsets(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 2);
    running.stores[0].flush_records = 500;
    memory_store_fail(running.store, MEMORY_FLUSH, ERROR_RESTART, 3, 1);
    memory_broker_produce(running.broker, 0, 10000);
    memory_broker_produce(running.broker, 1, 10000);
    assert_int_equal(running_run(&running), STATUS_OK);
    assert_int_equal(running.result.restarts, 1);
    assert_int_equal(memory_broker_runs(running.broker), 2);
    assert_int_equal(memory_store_tally(running.store).distinct, 20000);
    assert_int_equal(memory_broker_committed(running.broker, 0), 10000);
    assert_int_equal(memory_broker_committed(running.broker, 1), 10000);
    assert_int_equal(running_metric(&running, METRIC_COUNTER, "weir_restarts_total", NULL), 1);
    running_fini(&running);
}

static void a_source_that_fails_is_opened_again(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    memory_broker_fail_open(running.broker, ERROR_TRANSIENT, 2);
    memory_broker_produce(running.broker, 0, 100);
    assert_int_equal(running_run(&running), STATUS_OK);
    assert_int_equal(running.result.restarts, 2);
    assert_int_equal(memory_store_count(running.store), 100);
    running_fini(&running);
}

static void a_fatal_error_is_the_end(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    memory_store_fail(running.store, MEMORY_WRITE, ERROR_FATAL, 0, 1);
    memory_broker_produce(running.broker, 0, 100);
    assert_int_equal(running_run(&running), STATUS_FAILED);
    assert_int_equal(running.result.restarts, 0);
    assert_non_null(strstr(running.error.text, "store out"));
    running_fini(&running);
}

static void past_the_budget_of_restarts_the_service_ends_and_says_why(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    memory_store_fail(running.store, MEMORY_WRITE, ERROR_RESTART, 0, UINT32_MAX);
    memory_broker_produce(running.broker, 0, 100);
    assert_int_equal(running_run(&running), STATUS_FAILED);
    assert_int_equal(running.result.restarts, 3);
    assert_non_null(strstr(running.error.text, "more than 3 times"));
    assert_int_equal(memory_store_count(running.store), 0);
    running_fini(&running);
}

static void a_stop_between_two_runs_ends_at_once(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    running.supervisor.backoff_least = running.supervisor.backoff_most = 3600 * CLOCK_SECOND;
    memory_store_fail(running.store, MEMORY_WRITE, ERROR_RESTART, 0, UINT32_MAX);
    memory_broker_produce(running.broker, 0, 100);
    running_start(&running);
    assert_true(memory_store_wait_calls(running.store, MEMORY_WRITE, 1));
    context_cancel(running.shared.soft);
    assert_int_not_equal(running_wait(&running), STATUS_DEADLINE);
    running_fini(&running);
}

/* Threads and fds are exact. Memory: freed runs leave the allocator's own state behind, so the later ones are compared with each other. */
static void after_each_restart_and_drain_nothing_is_left_behind(void **state)
{
    (void)state;
    unsigned threads = count_threads(), fds = count_descriptors();
    size_t settled = 0;
    for (int round = 0; round < 6; round++) {
        struct running running;
        running_init(&running, 3);
        running.stages[0].workers_min = 2;
        running.stores[0].flush_records = 100;
        memory_store_fail(running.store, MEMORY_FLUSH, ERROR_RESTART, 2, 2);
        for (int i = 0; i < 3; i++)
            memory_broker_produce(running.broker, i, 2000);
        assert_int_equal(running_run(&running), STATUS_OK);
        assert_int_equal(running.result.restarts, 2);
        assert_int_equal(memory_store_tally(running.store).distinct, 6000);
        assert_int_equal(running_metric(&running, METRIC_GAUGE, "weir_records_in_flight", NULL), 0);
        running_fini(&running);
        assert_int_equal(count_threads(), threads);
        assert_int_equal(count_descriptors(), fds);
        size_t now = mallinfo2().uordblks;
        if (round == 2)
            settled = now;
        if (round > 2)
            assert_true(now <= settled + 16 * 1024);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_run_goes_on_from_the_committed_offsets),
        cmocka_unit_test(a_source_that_fails_is_opened_again),
        cmocka_unit_test(a_fatal_error_is_the_end),
        cmocka_unit_test(past_the_budget_of_restarts_the_service_ends_and_says_why),
        cmocka_unit_test(a_stop_between_two_runs_ends_at_once),
        cmocka_unit_test(after_each_restart_and_drain_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
