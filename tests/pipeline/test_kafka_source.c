/* The Kafka source against librdkafka's mock cluster, in a whole pipeline. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/support/kafka_running.h"
#include "tests/support/mock.h"
#include "tests/support/running.h"

#define ORDERS "group: g\ntopics: orders\n"

static void it_consumes_all_partitions_once_in_order_and_commits_their_ends(void **state)
{
    (void)state;
    struct mock mock;
    struct kafka_running running;
    mock_init(&mock);
    mock_topic(&mock, "orders", 3);
    for (int i = 0; i < 3; i++)
        mock_produce(&mock, "orders", i, 1000 + i);
    kafka_running_init(&running, mock.brokers, ORDERS);
    assert_int_equal(kafka_running_run(&running), STATUS_OK);
    assert_all_stored_once_in_order(running.store, 3003);
    assert_int_equal(running.result.counts.stored, 3003);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mock_committed(&mock, "g", "orders", i), 1000 + i);
    kafka_running_fini(&running);
    mock_fini(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_consumes_all_partitions_once_in_order_and_commits_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
