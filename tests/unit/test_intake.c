#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/support/intaking.h"

static void what_is_pushed_has_a_ticket_and_is_counted(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    struct intake_partition *partition = intaking_assign(&f, 0, 100);
    assert_int_equal(intake_committable(partition), -1);
    int64_t before = clock_now();
    intaking_push(&f, partition, 100, 3);
    intaking_push(&f, partition, 103, 2);
    intaking_push(&f, partition, 105, 0); /* an empty one is just freed */
    assert_int_equal(intake_in_flight(partition), 5);
    assert_int_equal(queue_get_stats(f.queue).batches, 2);
    assert_int_equal(intaking_metric(&f, METRIC_COUNTER, "weir_records_consumed_total", NULL), 5);
    assert_int_equal(intaking_metric(&f, METRIC_COUNTER, "weir_bytes_consumed_total", NULL), 25);
    struct batch *batch;
    assert_int_equal(queue_pop(f.queue, f.context, clock_now(), &batch), STATUS_OK);
    assert_string_equal(batch->topic, "orders");
    assert_true(batch->entered >= before && batch->entered <= clock_now());
    ticket_settle(batch->ticket, 0, 3, VERDICT_STORED);
    batch_free(batch);
    assert_int_equal(intake_committable(partition), 103);
    intaking_settle(&f);
    assert_int_equal(intake_committable(partition), 105);
    intaking_fini(&f);
}

static void the_topics_name_outlives_the_partition(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    char topic[] = "orders";
    struct intake_partition *partition = intake_assign(f.intake, topic, 0, 0);
    struct batch *batch = intaking_batch(partition, 0, 1);
    topic[0] = 'x';
    assert_int_equal(intake_push(partition, batch, f.context), STATUS_OK);
    intake_revoke(partition);
    assert_int_equal(queue_pop(f.queue, f.context, clock_now(), &batch), STATUS_OK);
    assert_string_equal(batch->topic, "orders");
    ticket_settle(batch->ticket, 0, 1, VERDICT_STORED);
    batch_free(batch);
    intaking_fini(&f);
}

/* -- room -- */

static void the_queue_closes_the_intake_above_80_and_opens_it_below_50_percent(void **state)
{
    (void)state;
    struct intaking f;
    const char *reason = "old";
    intaking_init(&f);
    struct intake_partition *partition = intaking_assign(&f, 0, 0);
    for (unsigned i = 0; i < 8; i++)
        intaking_push(&f, partition, i * 10, 10);
    assert_true(intake_has_room(f.intake, &reason));
    assert_null(reason);
    intaking_push(&f, partition, 80, 10);
    assert_false(intake_has_room(f.intake, &reason));
    assert_string_equal(reason, "the first queue is full");
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_intake_paused", NULL), 1);
    for (unsigned i = 0; i < 3; i++) {
        intaking_settle(&f);
        assert_false(intake_has_room(f.intake, NULL));
    }
    assert_int_equal(f.wakes, 0);
    intaking_settle(&f);
    assert_int_equal(f.wakes, 1);
    assert_true(intake_has_room(f.intake, NULL));
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_intake_paused", NULL), 0);
    intaking_fini(&f);
}

static void the_budget_closes_the_intake_and_wakes_it(void **state)
{
    (void)state;
    struct intaking f;
    const char *reason;
    intaking_init(&f);
    assert_true(intake_has_room(f.intake, NULL));
    budget_take(f.budget, INTAKING_BUDGET - 100000); /* not enough for one more batch */
    assert_false(intake_has_room(f.intake, &reason));
    assert_string_equal(reason, "the memory budget is in use");
    budget_give(f.budget, 1024 * 1024);
    assert_false(intake_has_room(f.intake, NULL)); /* enough for one, but not worth beginning again */
    assert_int_equal(f.wakes, 0);
    while (!intake_has_room(f.intake, NULL)) {
        int before = f.wakes;
        budget_give(f.budget, 1024 * 1024);
        if (budget_used(f.budget) <= INTAKING_BUDGET / 4 * 3)
            assert_true(f.wakes > before); /* as often as it looked in vain */
    }
    assert_in_range(budget_used(f.budget), INTAKING_BUDGET / 2, INTAKING_BUDGET / 4 * 3);
    budget_give(f.budget, budget_used(f.budget));
    intaking_fini(&f);
}

static void a_source_that_must_not_wait_keeps_its_batch_when_the_queue_is_full(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    struct intake_partition *partition = intaking_assign(&f, 0, 0);
    intaking_push(&f, partition, 0, 95);
    struct batch *batch = intaking_batch(partition, 95, 10);
    assert_int_equal(intake_try_push(partition, batch, f.context), STATUS_FULL);
    assert_int_equal(intake_in_flight(partition), 95); /* nothing was issued */
    assert_null(batch->ticket);
    intaking_settle(&f);
    assert_int_equal(f.wakes, 1);
    assert_int_equal(intake_try_push(partition, batch, f.context), STATUS_OK);
    intaking_settle(&f);
    assert_int_equal(intake_committable(partition), 105);
    intaking_fini(&f);
}

static void nothing_behind_a_push_that_failed_is_committable(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    struct intake_partition *partition = intaking_assign(&f, 0, 0);
    intaking_push(&f, partition, 0, 100);
    context_cancel(f.root);
    assert_int_equal(intake_push(partition, intaking_batch(partition, 100, 1), f.context), STATUS_CANCELLED);
    assert_int_equal(intake_in_flight(partition), 100);
    queue_close(f.queue);
    assert_int_equal(intake_push(partition, intaking_batch(partition, 101, 1), f.context), STATUS_CLOSED);
    struct ledger_counts counts;
    ledger_get_counts(f.ledger, &counts);
    assert_int_equal(counts.abandoned, 2);
    intaking_fini(&f);
}

/* -- epochs -- */

static void a_revoke_fences_and_a_new_assignment_begins_anew(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    struct intake_partition *partition = intaking_assign(&f, 0, 0);
    intaking_push(&f, partition, 0, 5);
    intake_revoke(partition);
    partition = intaking_assign(&f, 0, 3);
    intaking_push(&f, partition, 3, 2);
    intaking_settle(&f); /* the old epoch's: refused */
    assert_int_equal(intake_committable(partition), -1);
    intaking_settle(&f);
    assert_int_equal(intake_committable(partition), 5);
    struct ledger_counts counts;
    ledger_get_counts(f.ledger, &counts);
    assert_int_equal(counts.refused, 5);
    assert_int_equal(counts.stored, 2);
    intaking_fini(&f);
}

static void a_revoked_partitions_gauges_are_hidden(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    struct intake_partition *partition = intaking_assign(&f, 0, 0);
    const struct metric *lag = metrics_get(f.metrics, METRIC_GAUGE, "weir_kafka_lag_records", "", INTAKING_PARTITION_0);
    intake_position(partition, 0, 10);
    intake_tick(f.intake, NULL);
    assert_int_equal(metric_get(lag), 10);
    assert_false(lag->hidden);
    intake_revoke(partition);
    assert_true(lag->hidden);
    partition = intaking_assign(&f, 0, 4);
    intake_position(partition, 4, 10);
    intake_tick(f.intake, NULL);
    assert_int_equal(metric_get(lag), 6);
    assert_false(lag->hidden);
    intaking_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_pushed_has_a_ticket_and_is_counted),
        cmocka_unit_test(the_topics_name_outlives_the_partition),
        cmocka_unit_test(the_queue_closes_the_intake_above_80_and_opens_it_below_50_percent),
        cmocka_unit_test(the_budget_closes_the_intake_and_wakes_it),
        cmocka_unit_test(a_source_that_must_not_wait_keeps_its_batch_when_the_queue_is_full),
        cmocka_unit_test(nothing_behind_a_push_that_failed_is_committable),
        cmocka_unit_test(a_revoke_fences_and_a_new_assignment_begins_anew),
        cmocka_unit_test(a_revoked_partitions_gauges_are_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
