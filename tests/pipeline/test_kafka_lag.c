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

struct looking {
    struct mock mock;
    struct checked checked;
    const struct source_lag *source;
    void *lag;
    struct lag_report report;
};

/* At a topic with one partition, of three brokers. */
static void begin(struct looking *looking)
{
    struct mock *mock = &looking->mock;
    *looking = (struct looking){0};
    mock_init(mock);
    assert_int_equal(rd_kafka_mock_broker_add(mock->cluster, 2), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_mock_broker_add(mock->cluster, 3), RD_KAFKA_RESP_ERR_NO_ERROR);
    mock_topic(mock, "orders", 1);
    rd_kafka_mock_partition_set_leader(mock->cluster, "orders", 0, 1);
    (void)mock_produce(mock, "orders", 0, 5);
}

static void open_lag(struct looking *looking, const char *protocol)
{
    char yaml[512];
    struct error error = {0};
    snprintf(yaml, sizeof yaml,
             "service: s\nsource: {kafka: {brokers: \"%s\", group: g, topics: [orders], protocol: %s}}\n"
             "stages: [{store: {stdout: {}}}]\n",
             looking->mock.brokers, protocol);
    checked_init(&looking->checked, yaml, 0);
    const struct connector_env env = {.service = "s", .name = "kafka", .config_dir = "."};
    looking->source = looking->checked.config->source_type->lag;
    assert_int_equal(looking->source->open(looking->checked.config->source_config, &env, &looking->lag, &error),
                     STATUS_OK);
}

static enum status look(struct looking *looking, int64_t timeout, struct error *error)
{
    struct context *context = context_new(NULL, clock_now() + timeout);
    *error = (struct error){0};
    enum status status = looking->source->look(looking->lag, &looking->report, context, error);
    context_free(context);
    return status;
}

static void assert_sees(struct looking *looking)
{
    struct error error;
    if (look(looking, TIMEOUT, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    assert_int_equal(looking->report.problem_count, 0);
    assert_int_equal(looking->report.count, 1);
    assert_int_equal(looking->report.partitions[0].latest.end, 5);
}

static void close_lag(struct looking *looking)
{
    looking->source->close(looking->lag);
    lag_fini(&looking->report);
    looking->report = (struct lag_report){0};
    checked_fini(&looking->checked);
}

/* How long one look takes. */
static int64_t look_takes(struct looking *looking, const char *protocol)
{
    open_lag(looking, protocol);
    int64_t began = clock_now();
    assert_sees(looking);
    int64_t took = clock_now() - began;
    close_lag(looking);
    return took;
}

static void a_broker_that_can_not_be_reached_and_has_no_part_in_it_holds_no_look(void **state)
{
    (void)state;
    struct looking looking;
    begin(&looking);
    rd_kafka_mock_coordinator_set(looking.mock.cluster, "group", "g", 1);
    /* A cluster does not name those that it knows to be down: this one is cut off from here alone. */
    rd_kafka_mock_broker_set_host_port(looking.mock.cluster, 3, "127.0.0.1", process_free_port());
    assert_true(look_takes(&looking, "classic") < 5 * CLOCK_SECOND);
    /* Whether nobody is in a group of this protocol is asked of every broker. */
    assert_true(look_takes(&looking, "consumer") < 5 * CLOCK_SECOND);
    mock_fini(&looking.mock);
}

static void a_coordinator_that_is_away_for_longer_than_a_look_ends_no_later_one(void **state)
{
    (void)state;
    struct looking looking;
    struct error error;
    begin(&looking);
    rd_kafka_mock_coordinator_set(looking.mock.cluster, "group", "g", 2);
    open_lag(&looking, "classic");
    assert_sees(&looking);
    rd_kafka_mock_broker_set_down(looking.mock.cluster, 2);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(look(&looking, CLOCK_SECOND, &error), STATUS_FAILED);
        assert_int_equal(error.class, ERROR_TRANSIENT);
    }
    rd_kafka_mock_broker_set_up(looking.mock.cluster, 2);
    assert_sees(&looking);
    close_lag(&looking);
    mock_fini(&looking.mock);
}

static void a_look_without_its_coordinator_leaves_nothing_that_holds_the_end(void **state)
{
    (void)state;
    struct looking looking;
    struct error error;
    begin(&looking);
    rd_kafka_mock_coordinator_set(looking.mock.cluster, "group", "g", 2);
    rd_kafka_mock_broker_set_down(looking.mock.cluster, 2);
    open_lag(&looking, "classic");
    assert_int_equal(look(&looking, CLOCK_SECOND, &error), STATUS_FAILED);
    int64_t began = clock_now();
    close_lag(&looking);
    assert_true(clock_now() - began < CLOCK_SECOND);
    mock_fini(&looking.mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broker_that_can_not_be_reached_and_has_no_part_in_it_holds_no_look),
        cmocka_unit_test(a_coordinator_that_is_away_for_longer_than_a_look_ends_no_later_one),
        cmocka_unit_test(a_look_without_its_coordinator_leaves_nothing_that_holds_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
