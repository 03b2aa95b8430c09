#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/support/intaking.h"
#include "tests/support/memory.h"

/* -- ending -- */

static void a_soft_stop_begins_the_drain(void **state)
{
    (void)state;
    struct intaking f;
    char why[256];
    intaking_init(&f);
    assert_false(intake_draining(f.intake));
    assert_int_equal(intake_drain_deadline(f.intake), CLOCK_NEVER);
    int64_t before = clock_now();
    context_cancel(f.soft);
    assert_true(intake_draining(f.intake));
    assert_in_range(intake_drain_deadline(f.intake), before + 20 * CLOCK_MS, clock_now() + 20 * CLOCK_MS);
    assert_int_equal(f.wakes, 1);
    assert_int_equal(f.urges, 1); /* the stores are asked to flush, once and for all */
    assert_false(health_ready(f.health, why, sizeof why));
    assert_string_equal(why, "drain: the service is stopping\n");
    brake_drain(&f.brake);
    assert_int_equal(f.urges, 1);
    intaking_fini(&f);
}

static void a_hard_stop_wakes_the_source(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    context_cancel(f.context);
    assert_int_equal(f.wakes, 1);
    assert_false(intake_draining(f.intake));
    intaking_fini(&f);
}

static void an_intake_made_after_the_stop_is_draining(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    context_cancel(f.soft);
    struct intake *late = intake_new(&f.config);
    assert_true(intake_draining(late));
    assert_true(intake_drain_deadline(late) <= clock_now() + 20 * CLOCK_MS);
    intake_free(late);
    intaking_fini(&f);
}

static void the_next_run_does_not_inherit_the_drain_of_the_last(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    intake_finish(f.intake); /* it saw its end, and then failed: the group is built anew */
    assert_false(health_ready(f.health, NULL, 0));
    intake_free(f.intake);
    f.intake = intake_new(&f.config);
    intake_state(f.intake, true, 0, NULL);
    assert_true(health_ready(f.health, NULL, 0));
    intaking_fini(&f);
}

static void after_unsetting_the_wake_it_does_not_come_any_more(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    intake_on_wake(f.intake, NULL, NULL);
    context_cancel(f.soft);
    context_cancel(f.context);
    assert_int_equal(f.wakes, 0);
    intaking_fini(&f);
}

struct settling {
    struct intaking *fixture;
    struct intake_partition *partition;
    int64_t until;
    enum status status;
    _Atomic bool ended;
};

static void *settle_in_thread(void *arg)
{
    struct settling *settling = arg;
    settling->status = intake_settle(settling->fixture->intake, settling->partition, settling->fixture->context,
                                     settling->until);
    settling->ended = true;
    return NULL;
}

static void settling_urges_until_all_have_their_verdict(void **state)
{
    (void)state;
    struct intaking f;
    pthread_t thread;
    intaking_init(&f);
    struct intake_partition *partition = intaking_assign(&f, 0, 0), *other = intaking_assign(&f, 1, 0);
    struct settling settling = {.fixture = &f, .partition = partition, .until = CLOCK_NEVER};
    intaking_push(&f, partition, 0, 5);
    intaking_push(&f, other, 0, 5);
    assert_int_equal(pthread_create(&thread, NULL, settle_in_thread, &settling), 0);
    while (f.urges == 0)
        assert_int_equal(context_sleep(f.context, CLOCK_MS / 10), STATUS_OK);
    assert_false(settling.ended);
    intaking_settle(&f);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(settling.status, STATUS_OK);
    assert_int_equal(f.urges, 0);
    int64_t until = clock_now() + 2 * CLOCK_MS;
    assert_int_equal(intake_settle(f.intake, NULL, f.context, until),
                     STATUS_DEADLINE); /* the other one is still there */
    assert_true(clock_now() >= until);
    assert_int_equal(f.urges, 0);
    intaking_settle(&f);
    assert_int_equal(intake_settle(f.intake, NULL, f.context, clock_now() - 1), STATUS_OK);
    intaking_fini(&f);
}

static void settling_ends_with_the_context(void **state)
{
    (void)state;
    struct intaking f;
    pthread_t thread;
    intaking_init(&f);
    struct settling settling = {.fixture = &f, .until = CLOCK_NEVER};
    intaking_push(&f, intaking_assign(&f, 0, 0), 0, 5);
    assert_int_equal(pthread_create(&thread, NULL, settle_in_thread, &settling), 0);
    context_cancel(f.context);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(settling.status, STATUS_CANCELLED);
    assert_int_equal(f.urges, 0);
    intaking_fini(&f);
}

/* An exit at the end drains without a deadline. A stop that is asked for then has one, and the store may be dead. */
static void a_stop_during_the_drain_of_an_exit_at_the_end_has_its_deadline(void **state)
{
    (void)state;
    struct intaking f;
    pthread_t thread;
    intaking_init(&f);
    intaking_push(&f, intaking_assign(&f, 0, 0), 0, 5);
    intake_finish(f.intake);
    assert_true(intake_draining(f.intake));
    assert_int_equal(f.wakes, 1);
    struct settling settling = {.fixture = &f, .until = intake_drain_deadline(f.intake)};
    assert_int_equal(settling.until, CLOCK_NEVER);
    assert_int_equal(pthread_create(&thread, NULL, settle_in_thread, &settling), 0);
    while (f.urges < 2)
        assert_int_equal(context_sleep(f.context, CLOCK_MS / 10), STATUS_OK);
    context_cancel(f.soft);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(settling.status, STATUS_DEADLINE);
    assert_int_equal(context_status(f.context), STATUS_OK);
    intaking_fini(&f);
}

/* -- what is told about it -- */

static void the_sources_state_is_its_health(void **state)
{
    (void)state;
    struct intaking f;
    char why[256];
    intaking_init(&f);
    assert_true(health_ready(f.health, why, sizeof why));
    intake_state(f.intake, false, 3, "all brokers down");
    assert_false(health_ready(f.health, why, sizeof why));
    assert_string_equal(why, "source: all brokers down\n");
    intake_state(f.intake, true, -1, NULL);
    assert_false(health_ready(f.health, why, sizeof why));
    assert_string_equal(why, "source: no partitions assigned yet\n");
    intake_state(f.intake, false, -1, NULL);
    assert_false(health_ready(f.health, why, sizeof why));
    assert_string_equal(why, "source: not connected\n");
    intake_state(f.intake, true, 0, NULL); /* more members than partitions: nothing is wrong */
    assert_true(health_ready(f.health, why, sizeof why));
    intaking_fini(&f);
}

static void lag_is_what_lies_between_settled_and_end(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    struct intake_partition *partition = intaking_assign(&f, 0, -1);
    intake_tick(f.intake, NULL);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_kafka_lag_records", INTAKING_PARTITION_0),
                     0); /* nothing is known */
    intaking_push(&f, partition, 1000, 10);
    intake_position(partition, 1010, 1100);
    intake_tick(f.intake, NULL);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_kafka_lag_records", INTAKING_PARTITION_0),
                     100); /* from the first one seen */
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_kafka_position", INTAKING_PARTITION_0), 1010);
    intaking_settle(&f);
    intake_tick(f.intake, NULL);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_kafka_lag_records", INTAKING_PARTITION_0), 90);
    struct intake_partition *other = intaking_assign(&f, 1, 5);
    intake_position(other, 5, 12);
    intake_tick(f.intake, NULL);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_lag_records", NULL), 97);
    intake_position(other, 5, -1);
    intake_tick(f.intake, NULL);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_lag_records", NULL), 90);
    intaking_fini(&f);
}

struct stall {
    struct intaking *fixture;
    const char *blocking;
};

static bool is_stalled(void *arg)
{
    struct stall *stall = arg;
    intake_tick(stall->fixture->intake, stall->blocking);
    return intaking_metric(stall->fixture, METRIC_GAUGE, "weir_stalled", NULL) == 1;
}

static void lag_without_progress_is_an_incident_with_a_reason(void **state)
{
    (void)state;
    struct intaking f;
    char why[512];
    intaking_init(&f);
    struct intake_partition *partition = intaking_assign(&f, 0, 0);
    struct stall stall = {.fixture = &f};
    intaking_push(&f, partition, 0, 90);
    intake_position(partition, 90, 200);
    assert_true(eventually(is_stalled, &stall));
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_kafka_partition_stalled", INTAKING_PARTITION_0), 1);
    assert_false(health_ready(f.health, why, sizeof why));
    assert_memory_equal(why, "watchdog: orders/0: 200 records behind and no progress for ", 59);
    assert_non_null(strstr(why, ": what is in flight has no verdict yet\n"));
    assert_false(intake_has_room(f.intake, NULL));
    intake_tick(f.intake, NULL);
    assert_false(health_ready(f.health, why, sizeof why));
    assert_non_null(strstr(why, ": the first queue is full\n"));
    intake_tick(f.intake, "store out");
    assert_false(health_ready(f.health, why, sizeof why));
    assert_non_null(strstr(why, ": held up by store out; the first queue is full\n"));
    intaking_settle(&f);
    intake_tick(f.intake, NULL);
    assert_true(health_ready(f.health, why, sizeof why));
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_stalled", NULL), 0);
    intaking_fini(&f);
}

static void a_broker_that_sends_nothing_is_named(void **state)
{
    (void)state;
    struct intaking f;
    char why[512];
    intaking_init(&f);
    struct stall stall = {.fixture = &f};
    intake_position(intaking_assign(&f, 0, 0), 0, 200);
    assert_true(eventually(is_stalled, &stall));
    assert_false(health_ready(f.health, why, sizeof why));
    assert_non_null(strstr(why, ": the broker sends nothing\n"));
    intaking_fini(&f);
}

static void a_partition_without_lag_never_stalls(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    struct intake_partition *partition = intaking_assign(&f, 0, 0);
    intake_position(partition, 50, 50);
    intaking_push(&f, partition, 0, 50);
    intaking_settle(&f);
    intake_tick(f.intake, NULL);
    assert_int_equal(context_sleep(f.context, 3 * CLOCK_MS), STATUS_OK);
    intake_tick(f.intake, NULL);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_stalled", NULL), 0);
    intake_position(partition, 50, 51); /* the first record after a long silence is no incident either */
    intake_tick(f.intake, NULL);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_stalled", NULL), 0);
    intaking_fini(&f);
}

static void what_the_source_holds_back_by_its_pace_does_not_stall_but_what_is_in_flight_does(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    struct intake_partition *partition = intaking_assign(&f, 0, 0);
    struct stall stall = {.fixture = &f};
    intake_position(partition, 0, 200);
    intake_waits(partition, true);
    intake_tick(f.intake, NULL);
    assert_int_equal(context_sleep(f.context, 3 * CLOCK_MS), STATUS_OK);
    intake_tick(f.intake, NULL);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_stalled", NULL), 0);
    intaking_push(&f, partition, 0, 50);
    assert_true(eventually(is_stalled, &stall));
    intaking_settle(&f);
    intake_tick(f.intake, NULL);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_stalled", NULL), 0);
    intake_waits(partition, false);
    assert_true(eventually(is_stalled, &stall));
    intaking_fini(&f);
}

/* A transaction's marker has an offset, and is no record: the position passes it, and nothing is there to be settled. */
static void what_is_no_record_at_the_end_is_no_lag_and_no_stall(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    struct intake_partition *partition = intaking_assign(&f, 0, 0);
    intaking_push(&f, partition, 0, 50);
    intake_position(partition, 51, 51);
    intake_tick(f.intake, NULL);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_kafka_lag_records", INTAKING_PARTITION_0), 51);
    intaking_settle(&f);
    intake_tick(f.intake, NULL);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_kafka_lag_records", INTAKING_PARTITION_0), 0);
    assert_int_equal(context_sleep(f.context, 3 * CLOCK_MS), STATUS_OK);
    intake_tick(f.intake, NULL);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_stalled", NULL), 0);
    intaking_fini(&f);
}

struct stuck {
    struct stall stall;
    struct intake_partition *partition;
    int64_t next;
};

/* Records go on being taken and settled behind one that has no verdict. */
static bool stalls_though_it_flows(void *arg)
{
    struct stuck *stuck = arg;
    struct batch *batch;
    intaking_push(stuck->stall.fixture, stuck->partition, stuck->next++, 1);
    assert_int_equal(queue_pop(stuck->stall.fixture->queue, stuck->stall.fixture->context, CLOCK_NEVER, &batch),
                     STATUS_OK);
    if (stuck->next > 1)
        ticket_settle(batch->ticket, 0, 1, VERDICT_STORED);
    batch_free(batch);
    return is_stalled(&stuck->stall);
}

static void one_record_without_a_verdict_is_an_incident_though_others_flow(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    struct stuck stuck = {.stall = {.fixture = &f}, .partition = intaking_assign(&f, 0, 0)};
    intake_position(stuck.partition, 0, 1000000);
    assert_true(eventually(stalls_though_it_flows, &stuck));
    intaking_fini(&f);
}

static void note_offset(const char *topic, int32_t partition, int64_t offset, void *arg)
{
    assert_string_equal(topic, "orders");
    assert_int_equal(partition, 0);
    *(int64_t *)arg = offset;
}

static void commits_lost_ranges_and_rebalances_are_counted(void **state)
{
    (void)state;
    struct intaking f;
    int64_t offset = -1;
    intaking_init(&f);
    struct intake_partition *partition = intaking_assign(&f, 0, 0);
    intake_committed(partition, 17);
    offsets_each(f.offsets, note_offset, &offset);
    assert_int_equal(offset, 17);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_kafka_committed", INTAKING_PARTITION_0), 17);
    intake_lost_range(partition, 20, 25, "a corrupt batch");
    intake_lost_range(partition, 30, 31, "a corrupt batch");
    assert_int_equal(intaking_metric(&f, METRIC_COUNTER, "weir_lost_offsets_total", NULL), 6);
    intake_rebalanced(f.intake);
    assert_int_equal(intaking_metric(&f, METRIC_COUNTER, "weir_rebalances_total", NULL), 1);
    intake_paused(partition, true);
    assert_int_equal(intaking_metric(&f, METRIC_GAUGE, "weir_kafka_partition_paused", INTAKING_PARTITION_0), 1);
    intaking_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_soft_stop_begins_the_drain),
        cmocka_unit_test(a_hard_stop_wakes_the_source),
        cmocka_unit_test(an_intake_made_after_the_stop_is_draining),
        cmocka_unit_test(the_next_run_does_not_inherit_the_drain_of_the_last),
        cmocka_unit_test(after_unsetting_the_wake_it_does_not_come_any_more),
        cmocka_unit_test(settling_urges_until_all_have_their_verdict),
        cmocka_unit_test(settling_ends_with_the_context),
        cmocka_unit_test(a_stop_during_the_drain_of_an_exit_at_the_end_has_its_deadline),
        cmocka_unit_test(the_sources_state_is_its_health),
        cmocka_unit_test(lag_is_what_lies_between_settled_and_end),
        cmocka_unit_test(lag_without_progress_is_an_incident_with_a_reason),
        cmocka_unit_test(a_broker_that_sends_nothing_is_named),
        cmocka_unit_test(a_partition_without_lag_never_stalls),
        cmocka_unit_test(what_the_source_holds_back_by_its_pace_does_not_stall_but_what_is_in_flight_does),
        cmocka_unit_test(what_is_no_record_at_the_end_is_no_lag_and_no_stall),
        cmocka_unit_test(one_record_without_a_verdict_is_an_incident_though_others_flow),
        cmocka_unit_test(commits_lost_ranges_and_rebalances_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
