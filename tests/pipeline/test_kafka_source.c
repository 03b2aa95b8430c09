/* The Kafka source against librdkafka's mock cluster, in a whole pipeline. Rebalances and what needs a real broker are tested in tests/integration. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "tests/support/counted.h"
#include "tests/support/kafka_running.h"
#include "tests/support/mock.h"
#include "tests/support/running.h"

/* The mock cluster lets a group that was left rest for its session timeout. */
#define QUICKLY "session.timeout.ms: 1000, heartbeat.interval.ms: 200"
#define GROUP "group: g\nproperties: {" QUICKLY "}\n"
#define ORDERS GROUP "topics: orders\n"
#define ORDERS_WITH(properties) "group: g\ntopics: orders\nproperties: {" QUICKLY ", " properties "}\n"

struct fixture {
    struct mock mock;
    struct kafka_running running;
};

/* partitions 0: no topic. */
static void begin(struct fixture *fixture, int partitions, const char *yaml)
{
    mock_init(&fixture->mock);
    if (partitions > 0)
        mock_topic(&fixture->mock, "orders", partitions);
    kafka_running_init(&fixture->running, fixture->mock.brokers, yaml);
}

static void end(struct fixture *fixture)
{
    kafka_running_fini(&fixture->running);
    mock_fini(&fixture->mock);
}

/* Another run of the same config, with what was stored so far still there. */
static void begin_again(struct fixture *fixture)
{
    context_free(fixture->running.shared.soft);
    offsets_free(fixture->running.shared.offsets);
    fixture->running.shared.soft = context_new(NULL, CLOCK_NEVER);
    fixture->running.shared.offsets = offsets_new();
    assert_non_null(fixture->running.shared.soft);
}

static void it_consumes_all_partitions_once_in_order_and_commits_their_ends(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 4, ORDERS); /* partition 3 stays empty */
    for (int i = 0; i < 3; i++)
        mock_produce(&fixture.mock, "orders", i, 1000 + i);
    assert_int_equal(kafka_running_run(&fixture.running), STATUS_OK);
    assert_all_stored_once_in_order(fixture.running.store, 3003);
    assert_int_equal(fixture.running.result.counts.stored, 3003);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mock_committed(&fixture.mock, "g", "orders", i), 1000 + i);
    end(&fixture);
}

static void exit_at_end_leaves_what_came_after_the_start(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1, ORDERS);
    mock_produce(&fixture.mock, "orders", 0, 100);
    memory_store_block(fixture.running.store, MEMORY_WRITE);
    fixture.running.config.exit_at_end = true;
    kafka_running_start(&fixture.running);
    assert_true(memory_store_wait_blocked(fixture.running.store, MEMORY_WRITE));
    mock_produce(&fixture.mock, "orders", 0, 50);
    memory_store_release(fixture.running.store, MEMORY_WRITE);
    assert_int_equal(kafka_running_wait(&fixture.running), STATUS_OK);
    assert_all_stored_once_in_order(fixture.running.store, 100);
    assert_int_equal(mock_committed(&fixture.mock, "g", "orders", 0), 100);
    end(&fixture);
}

static void exit_at_end_keeps_its_ends_when_the_pipeline_is_built_anew(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1, ORDERS);
    mock_produce(&fixture.mock, "orders", 0, 100);
    memory_store_block(fixture.running.store, MEMORY_FLUSH);
    memory_store_fail(fixture.running.store, MEMORY_FLUSH, ERROR_RESTART, 0, 1);
    fixture.running.supervisor.restarts_max = 1;
    fixture.running.config.exit_at_end = true;
    kafka_running_start(&fixture.running);
    assert_true(memory_store_wait_blocked(fixture.running.store, MEMORY_FLUSH));
    mock_produce(&fixture.mock, "orders", 0, 50);
    memory_store_release(fixture.running.store, MEMORY_FLUSH);
    assert_int_equal(kafka_running_wait(&fixture.running), STATUS_OK);
    assert_int_equal(fixture.running.result.restarts, 1);
    assert_all_stored_once_in_order(fixture.running.store, 100);
    assert_int_equal(mock_committed(&fixture.mock, "g", "orders", 0), 100);
    end(&fixture);
}

static void a_missing_topic_is_waited_for_and_said(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 0, ORDERS);
    kafka_running_start(&fixture.running);
    assert_true(kafka_running_wait_health(&fixture.running, "there is no topic orders"));
    mock_topic(&fixture.mock, "orders", 2);
    mock_produce(&fixture.mock, "orders", 1, 10);
    assert_true(memory_store_wait_count(fixture.running.store, 10));
    assert_true(kafka_running_wait_health(&fixture.running, ""));
    kafka_running_drain(&fixture.running);
    end(&fixture);
}

static void a_stop_while_the_topic_is_missing_ends_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 0, ORDERS);
    kafka_running_start(&fixture.running);
    assert_true(kafka_running_wait_health(&fixture.running, "there is no topic orders"));
    kafka_running_drain(&fixture.running);
    end(&fixture);
}

static void one_topic_of_several_that_is_missing_holds_up_readiness_and_not_the_others(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1,
          "group: g\ntopics: [orders, returns]\nproperties: {" QUICKLY ", topic.metadata.refresh.interval.ms: 500}\n");
    mock_produce(&fixture.mock, "orders", 0, 10);
    kafka_running_start(&fixture.running);
    assert_true(memory_store_wait_count(fixture.running.store, 10));
    assert_true(kafka_running_wait_health(&fixture.running, "there is no topic returns"));
    mock_topic(&fixture.mock, "returns", 1);
    mock_produce(&fixture.mock, "returns", 0, 10);
    assert_true(memory_store_wait_count(fixture.running.store, 20));
    assert_true(kafka_running_wait_health(&fixture.running, ""));
    kafka_running_drain(&fixture.running);
    end(&fixture);
}

static void a_pattern_takes_the_topics_that_match_and_those_that_come_later(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1,
          "group: g\ntopics: ^ord.*\nproperties: {" QUICKLY ", topic.metadata.refresh.interval.ms: 500}\n");
    mock_topic(&fixture.mock, "returns", 1);
    mock_produce(&fixture.mock, "orders", 0, 10);
    mock_produce(&fixture.mock, "returns", 0, 10);
    kafka_running_start(&fixture.running);
    assert_true(memory_store_wait_count(fixture.running.store, 10));
    mock_topic(&fixture.mock, "ordinary", 1);
    mock_produce(&fixture.mock, "ordinary", 0, 5);
    assert_true(memory_store_wait_count(fixture.running.store, 15));
    kafka_running_drain(&fixture.running);
    assert_int_equal(fixture.running.result.counts.stored, 15);
    end(&fixture);
}

static void start_latest_takes_only_what_comes_after_and_a_restart_goes_on_from_there(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1, ORDERS "start: latest\n");
    mock_produce(&fixture.mock, "orders", 0, 10);
    kafka_running_start(&fixture.running);
    /* The position at the end is committed, though nothing was consumed: what comes while nobody runs is not lost. */
    assert_true(kafka_running_wait_metric(&fixture.running, METRIC_GAUGE, "weir_kafka_committed",
                                          "topic=\"orders\",partition=\"0\"", 10));
    kafka_running_drain(&fixture.running);
    assert_int_equal(memory_store_count(fixture.running.store), 0);
    mock_produce(&fixture.mock, "orders", 0, 5);
    begin_again(&fixture);
    assert_int_equal(kafka_running_run(&fixture.running), STATUS_OK);
    assert_int_equal(memory_store_count(fixture.running.store), 5);
    assert_int_equal(memory_store_row(fixture.running.store, 0).offset, 10);
    end(&fixture);
}

static void a_stop_drains_and_the_next_run_goes_on_without_a_duplicate(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 2, ORDERS);
    mock_produce(&fixture.mock, "orders", 0, 5000);
    mock_produce(&fixture.mock, "orders", 1, 5000);
    memory_store_block(fixture.running.store, MEMORY_WRITE);
    memory_store_allow(fixture.running.store, MEMORY_WRITE, 2);
    kafka_running_start(&fixture.running);
    assert_true(memory_store_wait_blocked(fixture.running.store, MEMORY_WRITE));
    kafka_running_stop(&fixture.running);
    memory_store_release(fixture.running.store, MEMORY_WRITE);
    assert_int_equal(kafka_running_wait(&fixture.running), STATUS_OK);
    assert_int_equal(fixture.running.result.counts.abandoned, 0);
    begin_again(&fixture);
    assert_int_equal(kafka_running_run(&fixture.running), STATUS_OK);
    assert_all_stored_once_in_order(fixture.running.store, 10000);
    end(&fixture);
}

static bool is_held_in_the_hand(void *arg)
{
    struct kafka_running *running = arg;
    return kafka_running_metric(running, METRIC_GAUGE, "weir_kafka_position", "topic=\"orders\",partition=\"0\"") >
           kafka_running_metric(running, METRIC_COUNTER, "weir_records_consumed_total", NULL);
}

static void what_found_no_room_before_a_stop_is_not_committed(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1, ORDERS);
    fixture.running.stores[0].queue_records = BATCH_RECORDS +
                                              BATCH_RECORDS / 2; /* a second batch is begun, and does not fit */
    mock_produce(&fixture.mock, "orders", 0, 10000);
    memory_store_block(fixture.running.store, MEMORY_WRITE);
    kafka_running_start(&fixture.running);
    assert_true(eventually(is_held_in_the_hand, &fixture.running));
    kafka_running_stop(&fixture.running);
    assert_true(kafka_running_wait_health(&fixture.running, "the service is stopping"));
    memory_store_release(fixture.running.store, MEMORY_WRITE);
    assert_int_equal(kafka_running_wait(&fixture.running), STATUS_OK);
    assert_in_range(memory_store_count(fixture.running.store), 1, 9999);
    assert_int_equal(mock_committed(&fixture.mock, "g", "orders", 0), memory_store_count(fixture.running.store));
    begin_again(&fixture);
    assert_int_equal(kafka_running_run(&fixture.running), STATUS_OK);
    assert_all_stored_once_in_order(fixture.running.store, 10000);
    end(&fixture);
}

static void a_drain_past_its_deadline_commits_what_was_stored(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1, ORDERS);
    fixture.running.config.shutdown = CLOCK_SECOND / 2;
    fixture.running.stores[0].flush_records = 1;
    mock_produce(&fixture.mock, "orders", 0, 10);
    kafka_running_start(&fixture.running);
    assert_true(memory_store_wait_count(fixture.running.store, 10));
    memory_store_block(fixture.running.store, MEMORY_WRITE);
    mock_produce(&fixture.mock, "orders", 0, 10);
    assert_true(memory_store_wait_blocked(fixture.running.store, MEMORY_WRITE));
    kafka_running_stop(&fixture.running);
    assert_int_equal(kafka_running_wait(&fixture.running), STATUS_DEADLINE);
    assert_int_equal(fixture.running.result.counts.abandoned, 10);
    assert_int_equal(mock_committed(&fixture.mock, "g", "orders", 0), 10);
    end(&fixture);
}

static void a_hard_stop_ends_soon_and_loses_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1, ORDERS);
    mock_produce(&fixture.mock, "orders", 0, 1000);
    memory_store_block(fixture.running.store, MEMORY_FLUSH);
    kafka_running_start(&fixture.running);
    assert_true(memory_store_wait_blocked(fixture.running.store, MEMORY_FLUSH));
    int64_t began = clock_now();
    context_cancel(fixture.running.hard);
    assert_int_equal(kafka_running_wait(&fixture.running), STATUS_CANCELLED);
    assert_true(clock_now() - began < 5 * CLOCK_SECOND);
    memory_store_release(fixture.running.store, MEMORY_FLUSH);
    context_free(fixture.running.hard);
    fixture.running.hard = context_new(NULL, CLOCK_NEVER);
    begin_again(&fixture);
    assert_int_equal(kafka_running_run(&fixture.running), STATUS_OK);
    assert_int_equal(memory_store_tally(fixture.running.store).distinct, 1000);
    end(&fixture);
}

/* An assignment that is on its way when the consumer closes has a second event behind it that must not be answered: see connectors/kafka/rebalance.c. */
static void a_stop_at_whatever_moment_of_joining_ends(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        struct fixture fixture;
        begin(&fixture, 1, ORDERS);
        kafka_running_start(&fixture.running);
        assert_int_equal(context_sleep(fixture.running.hard, i * CLOCK_MS / 2), STATUS_OK);
        if (i % 2 == 0)
            kafka_running_stop(&fixture.running);
        else
            context_cancel(fixture.running.hard);
        assert_int_equal(kafka_running_wait(&fixture.running), i % 2 == 0 ? STATUS_OK : STATUS_CANCELLED);
        end(&fixture);
    }
}

static void a_store_that_is_down_pauses_the_partitions_and_the_rest_comes_when_it_is_back(void **state)
{
    (void)state;
    struct fixture fixture;
    /* A heartbeat that fails would show as a rebalance: a poll is due every 4 s here, and the store is down for longer. */
    begin(&fixture, 2, ORDERS_WITH("max.poll.interval.ms: 4000"));
    fixture.running.stores[0].queue_records = 100; /* less than a batch: the hand has to hold one */
    mock_produce(&fixture.mock, "orders", 0, 20000);
    mock_produce(&fixture.mock, "orders", 1, 20000);
    memory_store_block(fixture.running.store, MEMORY_WRITE);
    kafka_running_start(&fixture.running);
    assert_true(kafka_running_wait_metric(&fixture.running, METRIC_GAUGE, "weir_kafka_partition_paused",
                                          "topic=\"orders\",partition=\"1\"", 1));
    int64_t until = clock_now() + 5 * CLOCK_SECOND;
    while (clock_now() < until)
        assert_int_equal(context_sleep(fixture.running.hard, CLOCK_SECOND / 4), STATUS_OK);
    assert_int_equal(kafka_running_metric(&fixture.running, METRIC_COUNTER, "weir_rebalances_total", NULL), 1);
    /* What comes while nothing is fetched counts as well. */
    mock_produce(&fixture.mock, "orders", 1, 1000);
    assert_true(kafka_running_wait_metric(&fixture.running, METRIC_GAUGE, "weir_lag_records", NULL, 41000));
    memory_store_release(fixture.running.store, MEMORY_WRITE);
    assert_true(memory_store_wait_count(fixture.running.store, 41000));
    assert_all_stored_once_in_order(fixture.running.store, 41000);
    assert_int_equal(kafka_running_metric(&fixture.running, METRIC_GAUGE, "weir_kafka_partition_paused",
                                          "topic=\"orders\",partition=\"1\""),
                     0);
    kafka_running_drain(&fixture.running);
    end(&fixture);
}

static void a_broker_that_is_away_is_said_and_waited_for(void **state)
{
    (void)state;
    struct fixture fixture;
    /* On a busy machine a second goes by without a broker, and then the group gives the partition away. */
    begin(&fixture, 1,
          "group: g\ntopics: orders\nproperties: {session.timeout.ms: 10000, reconnect.backoff.max.ms: 200}\n");
    mock_produce(&fixture.mock, "orders", 0, 10);
    kafka_running_start(&fixture.running);
    assert_true(memory_store_wait_count(fixture.running.store, 10));
    assert_true(kafka_running_wait_health(&fixture.running, ""));
    mock_down(&fixture.mock, true);
    assert_true(kafka_running_wait_health(&fixture.running, "all brokers are down"));
    mock_down(&fixture.mock, false);
    assert_true(kafka_running_wait_health(&fixture.running, ""));
    mock_produce(&fixture.mock, "orders", 0, 10);
    assert_true(memory_store_wait_count(fixture.running.store, 20));
    kafka_running_drain(&fixture.running);
    assert_all_stored_once_in_order(fixture.running.store, 20);
    end(&fixture);
}

static void a_commit_that_fails_at_the_end_is_tried_again(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1, ORDERS_WITH("auto.commit.interval.ms: 60000"));
    mock_produce(&fixture.mock, "orders", 0, 10);
    mock_fail(&fixture.mock, 8, 3, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    assert_int_equal(kafka_running_run(&fixture.running), STATUS_OK);
    assert_int_equal(mock_committed(&fixture.mock, "g", "orders", 0), 10);
    end(&fixture);
}

static void what_retention_took_while_nobody_consumed_is_reported(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1, ORDERS);
    mock_produce(&fixture.mock, "orders", 0, 10);
    assert_int_equal(kafka_running_run(&fixture.running), STATUS_OK);
    mock_produce(&fixture.mock, "orders", 0, 20);
    mock_produce(&fixture.mock, "orders", 0, 5);
    assert_int_equal(rd_kafka_mock_partition_delete_records(fixture.mock.cluster, "orders", 0, 30), 0);
    begin_again(&fixture);
    assert_int_equal(kafka_running_run(&fixture.running), STATUS_OK);
    assert_int_equal(memory_store_count(fixture.running.store), 15);
    assert_int_equal(kafka_running_metric(&fixture.running, METRIC_COUNTER, "weir_lost_offsets_total", NULL), 20);
    end(&fixture);
}

static void a_topic_made_anew_is_consumed_from_its_beginning(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1, ORDERS_WITH("topic.metadata.refresh.interval.ms: 500"));
    mock_produce(&fixture.mock, "orders", 0, 100);
    kafka_running_start(&fixture.running);
    assert_true(memory_store_wait_count(fixture.running.store, 100));
    assert_int_equal(rd_kafka_mock_topic_delete(fixture.mock.cluster, "orders"), 0);
    mock_topic(&fixture.mock, "orders", 1);
    mock_produce(&fixture.mock, "orders", 0, 10);
    assert_true(memory_store_wait_count(fixture.running.store, 110));
    kafka_running_drain(&fixture.running);
    assert_int_equal(mock_committed(&fixture.mock, "g", "orders", 0), 10);
    end(&fixture);
}

static void a_topic_that_may_not_be_read_is_said(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 1, ORDERS);
    rd_kafka_mock_topic_set_error(fixture.mock.cluster, "orders", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    kafka_running_start(&fixture.running);
    assert_true(kafka_running_wait_health(&fixture.running, "no right to read the topic orders"));
    kafka_running_drain(&fixture.running);
    end(&fixture);
}

struct used {
    unsigned threads, fds;
};

/* The mock cluster's own ends of our connections go a moment later than ours. */
static bool no_more_is_used(void *arg)
{
    const struct used *used = arg;
    return count_threads() <= used->threads && count_descriptors() <= used->fds;
}

static void nothing_is_left_of_a_run(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 3, ORDERS);
    mock_produce(&fixture.mock, "orders", 0, 10);
    assert_int_equal(kafka_running_run(&fixture.running), STATUS_OK);
    struct used used = {.threads = count_threads(), .fds = count_descriptors()};
    for (int i = 0; i < 3; i++) {
        begin_again(&fixture);
        assert_int_equal(kafka_running_run(&fixture.running), STATUS_OK);
    }
    assert_true(eventually(no_more_is_used, &used));
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_consumes_all_partitions_once_in_order_and_commits_their_ends),
        cmocka_unit_test(exit_at_end_leaves_what_came_after_the_start),
        cmocka_unit_test(exit_at_end_keeps_its_ends_when_the_pipeline_is_built_anew),
        cmocka_unit_test(a_missing_topic_is_waited_for_and_said),
        cmocka_unit_test(a_stop_while_the_topic_is_missing_ends_at_once),
        cmocka_unit_test(one_topic_of_several_that_is_missing_holds_up_readiness_and_not_the_others),
        cmocka_unit_test(a_pattern_takes_the_topics_that_match_and_those_that_come_later),
        cmocka_unit_test(start_latest_takes_only_what_comes_after_and_a_restart_goes_on_from_there),
        cmocka_unit_test(a_stop_drains_and_the_next_run_goes_on_without_a_duplicate),
        cmocka_unit_test(what_found_no_room_before_a_stop_is_not_committed),
        cmocka_unit_test(a_drain_past_its_deadline_commits_what_was_stored),
        cmocka_unit_test(a_hard_stop_ends_soon_and_loses_nothing),
        cmocka_unit_test(a_stop_at_whatever_moment_of_joining_ends),
        cmocka_unit_test(a_store_that_is_down_pauses_the_partitions_and_the_rest_comes_when_it_is_back),
        cmocka_unit_test(a_broker_that_is_away_is_said_and_waited_for),
        cmocka_unit_test(a_commit_that_fails_at_the_end_is_tried_again),
        cmocka_unit_test(what_retention_took_while_nobody_consumed_is_reported),
        cmocka_unit_test(a_topic_made_anew_is_consumed_from_its_beginning),
        cmocka_unit_test(a_topic_that_may_not_be_read_is_said),
        cmocka_unit_test(nothing_is_left_of_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
