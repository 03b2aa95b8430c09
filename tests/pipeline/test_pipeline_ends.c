/* How pipelines end, lose partitions and say that they are not well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/running.h"

/* -- stopping -- */

static void a_soft_stop_stores_and_commits_what_was_taken(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 2);
    running.config.exit_at_end = false;
    memory_store_block(running.store, MEMORY_FLUSH);
    running_produce(&running, 2, 3000);
    running_start(&running);
    assert_true(memory_store_wait_blocked(running.store, MEMORY_FLUSH));
    context_cancel(running.shared.soft);
    memory_store_release(running.store, MEMORY_FLUSH);
    assert_int_equal(running_wait(&running), STATUS_OK);
    struct memory_tally tally = memory_store_tally(running.store);
    assert_int_equal(tally.rows, tally.distinct);
    assert_int_equal(running.result.counts.abandoned, 0);
    assert_int_equal(running.result.counts.issued, tally.rows);
    assert_int_equal(memory_broker_committed(running.broker, 0) + memory_broker_committed(running.broker, 1),
                     tally.rows);
    running_fini(&running);
}

static void a_drain_that_takes_too_long_is_abandoned_and_says_so(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    running.config.exit_at_end = false;
    running.config.shutdown = 50 * CLOCK_MS;
    memory_store_block(running.store, MEMORY_FLUSH);
    running_produce(&running, 1, 1000);
    running_start(&running);
    assert_true(memory_store_wait_blocked(running.store, MEMORY_FLUSH));
    context_cancel(running.shared.soft);
    assert_int_equal(running_wait(&running), STATUS_DEADLINE);
    assert_true(running.result.counts.abandoned > 0);
    assert_int_equal(memory_store_count(running.store), 0);
    assert_true(memory_broker_committed(running.broker, 0) <= 0);
    running_fini(&running);
}

static void a_soft_stop_does_not_wait_for_a_store_that_never_opened(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    running.config.exit_at_end = false;
    running.config.backoff_least = running.config.backoff_most = 3600 * CLOCK_SECOND;
    memory_store_fail(running.store, MEMORY_OPEN, ERROR_TRANSIENT, 0, UINT32_MAX);
    running_start(&running);
    assert_true(memory_store_wait_calls(running.store, MEMORY_OPEN, 1));
    context_cancel(running.shared.soft);
    assert_int_equal(running_wait(&running), STATUS_OK);
    running_fini(&running);
}

static void a_hard_stop_ends_a_blocked_pipeline_at_once(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    memory_store_block(running.store, MEMORY_WRITE);
    running_produce(&running, 1, 1000);
    running_start(&running);
    assert_true(memory_store_wait_blocked(running.store, MEMORY_WRITE));
    context_cancel(running.hard);
    assert_int_equal(running_wait(&running), STATUS_CANCELLED);
    assert_true(memory_broker_committed(running.broker, 0) <= 0);
    running_fini(&running);
}

/* -- rebalances -- */

static void a_revoked_partition_is_drained_and_committed_and_another_goes_on_from_there(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 2);
    running.config.exit_at_end = false;
    running_produce(&running, 2, 50000);
    running_start(&running);
    assert_true(memory_store_wait_count(running.store, 1000));
    assert_true(memory_broker_revoke(running.broker, 1, false, 30 * CLOCK_SECOND));
    assert_true(memory_broker_assign(running.broker, 1));
    assert_true(memory_broker_wait_committed(running.broker));
    context_cancel(running.shared.soft);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_all_stored_once_in_order(running.store, 100000);
    running_fini(&running);
}

static void a_lost_partition_comes_again_and_nothing_of_the_old_epoch_is_committed(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    running.config.exit_at_end = false;
    memory_store_block(running.store, MEMORY_FLUSH);
    running_produce(&running, 1, 1000);
    running_start(&running);
    assert_true(memory_store_wait_blocked(running.store, MEMORY_FLUSH));
    assert_true(memory_broker_revoke(running.broker, 0, true, 0));
    memory_store_release(running.store, MEMORY_FLUSH);
    assert_true(memory_store_wait_count(running.store, 1));
    assert_true(memory_broker_committed(running.broker, 0) <= 0);
    assert_true(memory_broker_assign(running.broker, 0));
    assert_true(memory_broker_wait_committed(running.broker));
    context_cancel(running.shared.soft);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_int_equal(memory_store_tally(running.store).distinct, 1000);
    running_fini(&running);
}

/* -- readiness -- */

static bool is_ready(void *arg)
{
    return health_ready(arg, NULL, 0);
}

/* Not ready for a while is also what has just begun: the reason counts. */
static bool names_the_store(void *arg)
{
    char why[512];
    return !health_ready(arg, why, sizeof why) && strstr(why, "store out") != NULL;
}

static void ready_follows_the_store_and_the_drain(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    running.config.exit_at_end = false;
    running.config.backoff_most = 20 * CLOCK_MS;
    running_produce(&running, 1, 100);
    running_start(&running);
    assert_true(memory_store_wait_count(running.store, 100));
    assert_true(eventually(is_ready, running.shared.health));
    memory_store_fail(running.store, MEMORY_WRITE, ERROR_TRANSIENT, 0, UINT32_MAX);
    running_produce(&running, 1, 100);
    assert_true(eventually(names_the_store, running.shared.health));
    memory_store_fail(running.store, MEMORY_WRITE, ERROR_TRANSIENT, 0, 0);
    assert_true(eventually(is_ready, running.shared.health));
    context_cancel(running.shared.soft);
    assert_int_equal(running_wait(&running), STATUS_OK);
    running_fini(&running);
}

static bool is_one(void *arg)
{
    return metric_get(arg) == 1;
}

static bool is_zero(void *arg)
{
    return metric_get(arg) == 0;
}

/* Its queue is all but empty: nothing more comes. */
static void a_store_that_fails_is_what_blocks(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    running.config.exit_at_end = false;
    running.config.backoff_most = 20 * CLOCK_MS;
    memory_store_fail(running.store, MEMORY_WRITE, ERROR_TRANSIENT, 0, UINT32_MAX);
    running_produce(&running, 1, 100);
    running_start(&running);
    struct metric *blocking = metrics_get(running.shared.metrics, METRIC_GAUGE, "weir_stage_blocking", "",
                                          "stage=\"out\"");
    assert_true(eventually(is_one, blocking));
    memory_store_fail(running.store, MEMORY_WRITE, ERROR_TRANSIENT, 0, 0);
    assert_true(eventually(is_zero, blocking));
    context_cancel(running.shared.soft);
    assert_int_equal(running_wait(&running), STATUS_OK);
    running_fini(&running);
}

static bool is_past_ten(void *arg)
{
    return metric_get(arg) >= 10;
}

/* No call fails, and its queue is all but empty. */
static void a_store_that_hangs_is_what_blocks(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    running.config.exit_at_end = false;
    memory_store_block(running.store, MEMORY_FLUSH);
    running_produce(&running, 1, 100);
    running_start(&running);
    struct metric *blocking = metrics_get(running.shared.metrics, METRIC_GAUGE, "weir_stage_blocking", "",
                                          "stage=\"out\"");
    struct metric *stuck = metrics_get(running.shared.metrics, METRIC_GAUGE, "weir_stage_stuck_seconds", "",
                                       "stage=\"out\"");
    assert_true(eventually(is_past_ten, stuck));
    assert_true(eventually(is_one, blocking));
    memory_store_release(running.store, MEMORY_FLUSH);
    assert_true(eventually(is_zero, blocking));
    assert_true(eventually(is_zero, stuck));
    context_cancel(running.shared.soft);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_all_stored_once_in_order(running.store, 100);
    running_fini(&running);
}

static void a_partition_without_progress_is_an_incident_that_names_the_store(void **state)
{
    (void)state;
    struct running running;
    char why[1024];
    running_init(&running, 1);
    running.config.watchdog = 100 * CLOCK_MS;
    memory_store_block(running.store, MEMORY_WRITE);
    running_produce(&running, 1, 50000);
    running_start(&running);
    assert_true(memory_broker_wait_held(running.broker, true));
    struct metric *stalled = metrics_get(running.shared.metrics, METRIC_GAUGE, "weir_stalled", "", NULL);
    for (int64_t end = clock_now() + MEMORY_PATIENCE; metric_get(stalled) == 0;)
        assert_true(clock_now() < end);
    health_ready(running.shared.health, why, sizeof why);
    assert_non_null(strstr(why, "watchdog"));
    assert_non_null(strstr(why, "held up by out"));
    memory_store_release(running.store, MEMORY_WRITE);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_all_stored_once_in_order(running.store, 50000);
    running_fini(&running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_soft_stop_stores_and_commits_what_was_taken),
        cmocka_unit_test(a_drain_that_takes_too_long_is_abandoned_and_says_so),
        cmocka_unit_test(a_soft_stop_does_not_wait_for_a_store_that_never_opened),
        cmocka_unit_test(a_hard_stop_ends_a_blocked_pipeline_at_once),
        cmocka_unit_test(a_revoked_partition_is_drained_and_committed_and_another_goes_on_from_there),
        cmocka_unit_test(a_lost_partition_comes_again_and_nothing_of_the_old_epoch_is_committed),
        cmocka_unit_test(ready_follows_the_store_and_the_drain),
        cmocka_unit_test(a_store_that_fails_is_what_blocks),
        cmocka_unit_test(a_store_that_hangs_is_what_blocks),
        cmocka_unit_test(a_partition_without_progress_is_an_incident_that_names_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
