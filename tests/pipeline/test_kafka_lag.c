/* What `weir lag` asks of a cluster of several brokers (librdkafka's mock), of which one can't be reached. What it makes of the answers: tests/unit/test_lag.c, tests/integration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "config/config.h"
#include "processor/clock.h"
#include "processor/context.h"
#include "processor/lag.h"
#include "tests/support/checked.h"
#include "tests/support/mock.h"
#include "tests/support/process.h"

#define TIMEOUT (20 * CLOCK_SECOND)

/* How long one look takes at a topic with one partition, whose leader and coordinator is broker 1. */
static int64_t look_takes(struct mock *mock, const char *protocol)
{
    char yaml[512];
    struct checked checked;
    struct lag_report report = {0};
    struct error error = {0};
    void *lag;
    snprintf(yaml, sizeof yaml,
             "service: s\nsource: {kafka: {brokers: \"%s\", group: g, topics: [orders], protocol: %s}}\n"
             "stages: [{store: {stdout: {}}}]\n",
             mock->brokers, protocol);
    checked_init(&checked, yaml, 0);
    const struct source_lag *source = checked.config->source_type->lag;
    const struct connector_env env = {.service = "s", .name = "kafka", .config_dir = "."};
    struct context *context = context_new(NULL, clock_now() + TIMEOUT);
    assert_int_equal(source->open(checked.config->source_config, &env, &lag, &error), STATUS_OK);
    int64_t began = clock_now();
    enum status status = source->look(lag, &report, context, &error);
    int64_t took = clock_now() - began;
    if (status != STATUS_OK)
        fail_msg("%s", error.text);
    assert_int_equal(report.problem_count, 0);
    assert_int_equal(report.count, 1);
    assert_int_equal(report.partitions[0].latest.end, 5);
    source->close(lag);
    context_free(context);
    lag_fini(&report);
    checked_fini(&checked);
    return took;
}

static void a_broker_that_can_not_be_reached_and_has_no_part_in_it_holds_no_look(void **state)
{
    (void)state;
    struct mock mock;
    mock_init(&mock);
    assert_int_equal(rd_kafka_mock_broker_add(mock.cluster, 2), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_mock_broker_add(mock.cluster, 3), RD_KAFKA_RESP_ERR_NO_ERROR);
    mock_topic(&mock, "orders", 1);
    rd_kafka_mock_partition_set_leader(mock.cluster, "orders", 0, 1);
    rd_kafka_mock_coordinator_set(mock.cluster, "group", "g", 1);
    (void)mock_produce(&mock, "orders", 0, 5);
    /* A cluster does not name those that it knows to be down: this one is cut off from here alone. */
    rd_kafka_mock_broker_set_host_port(mock.cluster, 3, "127.0.0.1", process_free_port());
    assert_true(look_takes(&mock, "classic") < 5 * CLOCK_SECOND);
    /* Whether nobody is in a group of this protocol is asked of every broker. */
    assert_true(look_takes(&mock, "consumer") < 5 * CLOCK_SECOND);
    mock_fini(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broker_that_can_not_be_reached_and_has_no_part_in_it_holds_no_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
