/* What `weir check --live` is told by a cluster (librdkafka's mock), and what it makes of errors. That it changes nothing is shown on a real broker: tests/integration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "processor/clock.h"
#include "processor/log.h"
#include "tests/support/checked.h"
#include "tests/support/mock.h"

enum { OFFSET_FETCH = 9 };

static int64_t patience = 5 * CLOCK_SECOND;

/* source: beside brokers. */
static void check(struct checked *checked, const struct mock *mock, const char *source, const char *rest)
{
    char yaml[1024];
    snprintf(yaml, sizeof yaml, "service: s\nsource:\n  kafka:\n    brokers: \"%s\"\n%s\nstages:\n  - store:\n%s\n",
             mock->brokers, source, rest);
    checked_init(checked, yaml, patience);
}

static void a_cluster_with_all_of_it_is_good(void **state)
{
    (void)state;
    struct mock mock;
    struct checked checked;
    mock_init(&mock);
    mock_topic(&mock, "orders", 4);
    mock_topic(&mock, "orders.clean", 1);
    mock_topic(&mock, "orders.dlq", 1);
    check(&checked, &mock, "    group: g\n    topics: [orders, \"^orders[.]cl.*\"]",
          "      kafka: {topic: other, properties: {linger.ms: 5, compression.codec: lz4}}\nerrors: {dead_letter: "
          "{topic: "
          "orders.dlq}}");
    checked_assert_counts(&checked, 0, 0);
    checked_fini(&checked);
    mock_fini(&mock);
}

static void every_topic_that_can_not_be_had_is_told_at_its_place(void **state)
{
    (void)state;
    struct mock mock;
    struct checked checked;
    mock_init(&mock);
    mock_topic(&mock, "orders", 2);
    mock_topic(&mock, "secret", 2);
    mock_topic(&mock, "leaderless", 3);
    rd_kafka_mock_topic_set_error(mock.cluster, "secret", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    rd_kafka_mock_partition_set_leader(mock.cluster, "leaderless", 1, -1);
    rd_kafka_mock_partition_set_leader(mock.cluster, "leaderless", 2, -1);
    check(&checked, &mock, "    group: g\n    topics: [orders, secret, leaderless, \"^nothing\"]",
          "      kafka: {topic: secret.too}\nerrors: {dead_letter: {topic: secret.dlq}}");
    checked_assert_place(&checked, "6:22: source.kafka.topics[1]: expected the right to use the topic \"secret\": ");
    checked_assert_place(&checked, "6:30: source.kafka.topics[2]: topic \"leaderless\": 2 of 3 partitions have no "
                                   "leader");
    checked_assert_place(&checked, "6:43: source.kafka.topics[3]: no topic matches \"^nothing\"");
    checked_assert_counts(&checked, 1, 2);
    checked_fini(&checked);
    mock_fini(&mock);
}

static void rights_to_what_is_written_to_are_asked_for(void **state)
{
    (void)state;
    struct mock mock;
    struct checked checked;
    mock_init(&mock);
    mock_topic(&mock, "orders", 1);
    mock_topic(&mock, "out", 1);
    mock_topic(&mock, "dlq", 1);
    rd_kafka_mock_topic_set_error(mock.cluster, "out", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    rd_kafka_mock_topic_set_error(mock.cluster, "dlq", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    check(&checked, &mock, "    group: g\n    topics: [orders]",
          "      kafka: {topic: out}\nerrors: {dead_letter: {topic: dlq}}");
    checked_assert_place(&checked, "9:22: stages[0].store.kafka.topic: expected the right to use the topic \"out\": ");
    checked_assert_place(&checked, "10:31: errors.dead_letter.topic: expected the right to use the topic \"dlq\": ");
    checked_assert_counts(&checked, 2, 0);
    checked_fini(&checked);
    mock_fini(&mock);
}

static void a_group_that_may_not_be_read_is_wrong(void **state)
{
    (void)state;
    struct mock mock;
    struct checked checked;
    mock_init(&mock);
    mock_topic(&mock, "orders", 1);
    mock_fail(&mock, OFFSET_FETCH, 20, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    check(&checked, &mock, "    group: g\n    topics: [orders]", "      stdout: {}");
    checked_assert_place(&checked, "5:12: source.kafka.group: expected the right to use the group \"g\": ");
    checked_assert_counts(&checked, 1, 0);
    checked_fini(&checked);
    mock_fini(&mock);
}

static void *bring_up(void *arg)
{
    struct mock *mock = arg;
    (void)usleep(700000); /* the delay that is to be waited for */
    mock_down(mock, false);
    return NULL;
}

static void a_broker_that_comes_back_in_time_is_waited_for(void **state)
{
    (void)state;
    struct mock mock;
    struct checked checked;
    pthread_t thread;
    mock_init(&mock);
    mock_topic(&mock, "orders", 1);
    mock_down(&mock, true);
    assert_int_equal(pthread_create(&thread, NULL, bring_up, &mock), 0);
    check(&checked, &mock, "    group: g\n    topics: [orders]", "      stdout: {}");
    assert_int_equal(pthread_join(thread, NULL), 0);
    checked_assert_counts(&checked, 0, 0);
    checked_fini(&checked);
    mock_fini(&mock);
}

static void brokers_that_do_not_answer_are_out_of_reach_and_nothing_else_is_told(void **state)
{
    (void)state;
    struct mock mock;
    struct checked checked;
    mock_init(&mock);
    mock_topic(&mock, "orders", 1);
    mock_down(&mock, true);
    patience = CLOCK_SECOND;
    check(&checked, &mock, "    group: g\n    topics: [orders]",
          "      kafka: {topic: out}\nerrors: {dead_letter: {topic: dlq}}");
    checked_assert_place(&checked, "4:15: source.kafka.brokers: expected a broker that answers in time: ");
    checked_assert_place(&checked, "9:7: stages[0].store.kafka: expected a broker that answers in time: ");
    checked_assert_counts(&checked, 0, 2);
    checked_fini(&checked);
    mock_fini(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_with_all_of_it_is_good),
        cmocka_unit_test(every_topic_that_can_not_be_had_is_told_at_its_place),
        cmocka_unit_test(rights_to_what_is_written_to_are_asked_for),
        cmocka_unit_test(a_group_that_may_not_be_read_is_wrong),
        cmocka_unit_test(a_broker_that_comes_back_in_time_is_waited_for),
        cmocka_unit_test(brokers_that_do_not_answer_are_out_of_reach_and_nothing_else_is_told),
    };
    log_set(LOG_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
