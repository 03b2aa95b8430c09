/* A stretch against librdkafka's mock cluster, in a whole pipeline: what a real broker would be slow to do. The rest is tested in tests/integration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "processor/log.h"
#include "processor/stretch.h"
#include "tests/support/caught.h"
#include "tests/support/kafka_running.h"
#include "tests/support/mock.h"
#include "tests/support/running.h"

extern const struct source_type kafka_source;

#define ORDERS "group: g\ntopics: orders\n"

struct replay {
    struct mock mock;
    struct kafka_running running;
    struct stretch *stretch;
};

/* All of `count` records, under a name. */
static void begin(struct replay *replay, int64_t count)
{
    const struct stretch_request request = {
        .from = {.kind = STRETCH_BEGINNING}, .to = {.kind = STRETCH_NOW}, .progress = "fix"};
    const struct connector_env env = {.service = "s", .name = "kafka"};
    struct error error = {0};
    mock_init(&replay->mock);
    mock_topic(&replay->mock, "orders", 1);
    mock_produce(&replay->mock, "orders", 0, count);
    kafka_running_init(&replay->running, replay->mock.brokers, ORDERS);
    struct context *context = context_new(NULL, clock_now() + 20 * CLOCK_SECOND);
    if (kafka_source.stretch->find(replay->running.config.source_config, &env, &request, &replay->stretch, context,
                                   &error) != STATUS_OK)
        fail_msg("%s", error.text);
    context_free(context);
    replay->running.config.stretch = replay->stretch;
}

static void end(struct replay *replay)
{
    kafka_running_fini(&replay->running);
    stretch_free(replay->stretch);
    mock_fini(&replay->mock);
}

/* Whether another run has its name is asked every two seconds: for so long that one was asked, and had no answer. */
static void a_broker_that_is_away_for_a_while_does_not_end_it(void **state)
{
    (void)state;
    enum { MANY = 2000 };
    struct replay replay;
    struct caught caught;
    begin(&replay, MANY);
    replay.stretch->rate = 100;
    kafka_running_start(&replay.running);
    assert_true(memory_store_wait_count(replay.running.store, 20));
    caught_begin(&caught);
    mock_down(&replay.mock, true);
    assert_int_equal(context_sleep(replay.running.hard, 9 * CLOCK_SECOND), STATUS_OK);
    log_flush();
    caught_end(&caught);
    mock_down(&replay.mock, false);
    /* Records that were fetched before come all the time. */
    assert_non_null(strstr(caught.text, "all brokers are down"));
    assert_null(strstr(caught.text, "connected again"));
    assert_int_equal(kafka_running_wait(&replay.running), STATUS_OK);
    assert_all_stored_once_in_order(replay.running.store, MANY);
    assert_int_equal(mock_committed(&replay.mock, "g.fix", "orders", 0), MANY);
    end(&replay);
}

/* Nobody is in the group, so there is nothing to leave, and librdkafka waits for the answer to the commit. */
static void a_stop_without_the_broker_says_what_matters_and_no_more(void **state)
{
    (void)state;
    struct replay replay;
    struct caught caught;
    begin(&replay, 2000);
    replay.stretch->rate = 100;
    replay.running.config.shutdown = 2 * CLOCK_SECOND;
    kafka_running_start(&replay.running);
    assert_true(memory_store_wait_count(replay.running.store, 20));
    mock_down(&replay.mock, true);
    assert_true(kafka_running_wait_health(&replay.running, "all brokers are down"));
    caught_begin(&caught);
    int64_t began = clock_now();
    kafka_running_stop(&replay.running);
    (void)kafka_running_wait(&replay.running);
    int64_t took = clock_now() - began;
    log_flush();
    caught_end(&caught);
    assert_true(took < 6 * CLOCK_SECOND);
    assert_non_null(strstr(caught.text, "no answer to a commit in time"));
    assert_null(strstr(caught.text, "did not answer our leaving"));
    assert_null(strstr(caught.text, "did not end"));
    end(&replay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broker_that_is_away_for_a_while_does_not_end_it),
        cmocka_unit_test(a_stop_without_the_broker_says_what_matters_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
