/* The Kafka source beside a store that commits its offsets in transactions, on librdkafka's mock cluster. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "tests/support/kafka_running.h"
#include "tests/support/mock.h"

struct told {
    int partitions;
    int64_t sum;
};

static void add_offset(const char *topic, int32_t partition, int64_t offset, void *arg)
{
    struct told *told = arg;
    (void)topic, (void)partition;
    told->partitions++;
    told->sum += offset;
}

/* The mock cluster does not keep the transactions' offsets: what it has is what the source committed. */
static void the_source_commits_nothing_and_tells_what_the_store_has_committed(void **state)
{
    (void)state;
    struct mock mock;
    struct kafka_running running;
    struct told told = {0};
    mock_init(&mock);
    mock_topic(&mock, "orders", 3);
    mock_topic(&mock, "copies", 1);
    mock_produce(&mock, "orders", 0, 3000);
    mock_produce(&mock, "orders", 1, 2000);
    kafka_running_init(&running, mock.brokers, "group: g\ntopics: orders\nproperties: {auto.commit.interval.ms: 10}\n");
    kafka_running_store(&running, "topic: copies\n");
    running.config.exactly_once = true;
    assert_int_equal(kafka_running_run(&running), STATUS_OK);
    assert_int_equal(running.result.counts.stored, 5000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mock_committed(&mock, "g", "orders", i), -1);
    offsets_each(running.shared.offsets, add_offset, &told);
    assert_int_equal(told.partitions, 2);
    assert_int_equal(told.sum, 5000);
    kafka_running_fini(&running);
    mock_fini(&mock);
}

static void a_source_that_reads_uncommitted_records_is_refused(void **state)
{
    (void)state;
    struct mock mock;
    struct kafka_running running;
    mock_init(&mock);
    mock_topic(&mock, "orders", 1);
    mock_topic(&mock, "copies", 1);
    kafka_running_init(&running, mock.brokers,
                       "group: g\ntopics: orders\nproperties: {isolation.level: read_uncommitted}\n");
    kafka_running_store(&running, "topic: copies\n");
    running.config.exactly_once = true;
    assert_int_equal(kafka_running_run(&running), STATUS_FAILED);
    assert_int_equal(running.error.class, ERROR_FATAL);
    assert_non_null(strstr(running.error.text, "isolation.level"));
    kafka_running_fini(&running);
    mock_fini(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_source_commits_nothing_and_tells_what_the_store_has_committed),
        cmocka_unit_test(a_source_that_reads_uncommitted_records_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
