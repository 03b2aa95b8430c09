/* Past batches that can't be read: see connectors/kafka/corrupt.c. The mock cluster takes them without a look; a real broker does not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "processor/stretch.h"
#include "tests/support/kafka_running.h"
#include "tests/support/mock.h"
#include "tests/support/running.h"

#define ORDERS "group: g\ntopics: orders\n"
enum { FETCH = 1, LIST_OFFSETS = 2 }; /* Kafka's API keys */

struct corrupt {
    struct mock mock;
    struct kafka_running running;
};

static void begin(struct corrupt *corrupt, const char *yaml)
{
    mock_init(&corrupt->mock);
    mock_topic(&corrupt->mock, "orders", 1);
    kafka_running_init(&corrupt->running, corrupt->mock.brokers, yaml);
}

static void end(struct corrupt *corrupt)
{
    kafka_running_fini(&corrupt->running);
    mock_fini(&corrupt->mock);
}

/* Runs to the end: all but [from, to) is stored once, that is counted as lost, and the end is committed. */
static void assert_skips(struct corrupt *corrupt, int64_t from, int64_t to, int64_t last)
{
    struct kafka_running *running = &corrupt->running;
    assert_int_equal(kafka_running_run(running), STATUS_OK);
    for (int64_t offset = 0; offset < last; offset++)
        assert_int_equal(memory_store_times(running->store, 0, offset), offset < from || offset >= to);
    assert_int_equal(kafka_running_metric(running, METRIC_COUNTER, "weir_lost_offsets_total", NULL), to - from);
    assert_int_equal(mock_committed(&corrupt->mock, "g", "orders", 0), last);
}

static void skips(enum mock_broken how)
{
    struct corrupt corrupt;
    begin(&corrupt, ORDERS);
    mock_produce(&corrupt.mock, "orders", 0, 10);
    assert_int_equal(mock_produce_broken(&corrupt.mock, "orders", 0, 23, how), 10);
    mock_produce(&corrupt.mock, "orders", 0, 10);
    assert_skips(&corrupt, 10, 33, 43);
    end(&corrupt);
}

static void a_batch_that_can_not_be_decompressed_is_skipped_and_no_good_record_with_it(void **state)
{
    (void)state;
    skips(MOCK_BAD_ZSTD);
}

static void a_batch_with_a_wrong_checksum_is_skipped_and_no_good_record_with_it(void **state)
{
    (void)state;
    skips(MOCK_BAD_CRC);
}

static void broken_batches_next_to_each_other_are_skipped(void **state)
{
    (void)state;
    struct corrupt corrupt;
    begin(&corrupt, ORDERS);
    mock_produce(&corrupt.mock, "orders", 0, 3);
    mock_produce_broken(&corrupt.mock, "orders", 0, 1, MOCK_BAD_ZSTD);
    mock_produce_broken(&corrupt.mock, "orders", 0, 7, MOCK_BAD_CRC);
    mock_produce_broken(&corrupt.mock, "orders", 0, 4, MOCK_BAD_ZSTD);
    mock_produce(&corrupt.mock, "orders", 0, 2);
    assert_skips(&corrupt, 3, 15, 17);
    end(&corrupt);
}

static void a_broken_batch_at_the_beginning_is_skipped(void **state)
{
    (void)state;
    struct corrupt corrupt;
    begin(&corrupt, ORDERS);
    mock_produce_broken(&corrupt.mock, "orders", 0, 5, MOCK_BAD_CRC);
    mock_produce(&corrupt.mock, "orders", 0, 5);
    assert_skips(&corrupt, 0, 5, 10);
    end(&corrupt);
}

static void a_broken_batch_at_the_end_is_skipped(void **state)
{
    (void)state;
    struct corrupt corrupt;
    begin(&corrupt, ORDERS);
    mock_produce(&corrupt.mock, "orders", 0, 5);
    mock_produce_broken(&corrupt.mock, "orders", 0, 6, MOCK_BAD_ZSTD);
    assert_skips(&corrupt, 5, 11, 11);
    end(&corrupt);
}

/* Broken [5, 22), good [22, 30), nothing up to 60. The search for the end of what is broken looks behind the good ones, into the gap: the partition's end
 * answers, which is no reason to stop there. */
static void begin_before_gap(struct corrupt *corrupt, const char *yaml)
{
    begin(corrupt, yaml);
    mock_produce(&corrupt->mock, "orders", 0, 5);
    mock_produce_broken(&corrupt->mock, "orders", 0, 17, MOCK_BAD_ZSTD);
    mock_produce(&corrupt->mock, "orders", 0, 8);
    assert_int_equal(mock_produce_gap(&corrupt->mock, "orders", 0, 30), 30);
}

static void assert_good_before_gap(struct corrupt *corrupt, int64_t good)
{
    for (int64_t offset = 0; offset < 60; offset++)
        assert_int_equal(memory_store_times(corrupt->running.store, 0, offset),
                         offset < 5 || (offset >= 22 && offset < good));
    assert_int_equal(kafka_running_metric(&corrupt->running, METRIC_COUNTER, "weir_lost_offsets_total", NULL), 17);
}

static void good_records_between_a_broken_batch_and_a_gap_at_the_end_are_stored(void **state)
{
    (void)state;
    struct corrupt corrupt;
    begin_before_gap(&corrupt, ORDERS);
    assert_int_equal(kafka_running_run(&corrupt.running), STATUS_OK);
    assert_good_before_gap(&corrupt, 30);
    assert_int_equal(mock_committed(&corrupt.mock, "g", "orders", 0), 60);
    end(&corrupt);
}

static void assert_stretch_has(int64_t until, int64_t good)
{
    struct corrupt corrupt;
    struct stretch *stretch = stretch_new(1);
    struct stretch_part *part = stretch_add(stretch, "orders", 0);
    part->end = until;
    begin_before_gap(&corrupt, ORDERS);
    corrupt.running.config.stretch = stretch;
    assert_int_equal(kafka_running_run(&corrupt.running), STATUS_OK);
    assert_good_before_gap(&corrupt, good);
    end(&corrupt);
    stretch_free(stretch);
}

static void a_stretch_that_ends_behind_a_broken_batch_or_in_a_gap_has_its_last_records(void **state)
{
    (void)state;
    assert_stretch_has(60, 30);
    assert_stretch_has(40, 30);
    assert_stretch_has(25, 25);
}

static void a_gap_between_a_broken_batch_and_the_end_is_passed(void **state)
{
    (void)state;
    struct corrupt corrupt;
    begin(&corrupt, ORDERS);
    mock_produce(&corrupt.mock, "orders", 0, 5);
    mock_produce_broken(&corrupt.mock, "orders", 0, 6, MOCK_BAD_ZSTD);
    mock_produce_gap(&corrupt.mock, "orders", 0, 9);
    assert_int_equal(kafka_running_run(&corrupt.running), STATUS_OK);
    assert_int_equal(memory_store_count(corrupt.running.store), 5);
    assert_int_equal(kafka_running_metric(&corrupt.running, METRIC_COUNTER, "weir_lost_offsets_total", NULL), 6);
    assert_int_equal(mock_committed(&corrupt.mock, "g", "orders", 0), 20);
    end(&corrupt);
}

/* The first fetch brings the error; the next one, which tells that 1 is good, takes long. */
static void a_broker_that_answers_slowly_during_the_search_loses_no_good_record(void **state)
{
    (void)state;
    struct corrupt corrupt;
    begin(&corrupt, ORDERS);
    mock_produce_broken(&corrupt.mock, "orders", 0, 1, MOCK_BAD_ZSTD);
    mock_produce(&corrupt.mock, "orders", 0, 30);
    mock_slow(&corrupt.mock, FETCH, 0);
    mock_slow(&corrupt.mock, FETCH, 4000);
    assert_skips(&corrupt, 0, 1, 31);
    end(&corrupt);
}

/* Between the look at the end and the question: what the search asks for is behind the end then, and no answer is ever there. */
static void a_topic_that_is_made_anew_during_the_search_is_consumed_from_its_beginning(void **state)
{
    (void)state;
    struct corrupt corrupt;
    begin(&corrupt, ORDERS);
    mock_produce(&corrupt.mock, "orders", 0, 10);
    mock_produce_broken(&corrupt.mock, "orders", 0, 500, MOCK_BAD_ZSTD);
    for (int i = 0; i < 10; i++)
        mock_slow(&corrupt.mock, LIST_OFFSETS, 0);
    mock_slow(&corrupt.mock, LIST_OFFSETS, 1000);
    kafka_running_start(&corrupt.running);
    mock_await(&corrupt.mock, LIST_OFFSETS);
    rd_kafka_mock_topic_delete(corrupt.mock.cluster, "orders");
    mock_topic(&corrupt.mock, "orders", 1);
    mock_produce(&corrupt.mock, "orders", 0, 4);
    assert_true(memory_store_wait_count(corrupt.running.store, 14));
    kafka_running_drain(&corrupt.running);
    assert_int_equal(memory_store_times(corrupt.running.store, 0, 3), 2);
    assert_int_equal(mock_committed(&corrupt.mock, "g", "orders", 0), 4);
    end(&corrupt);
}

static void on_corrupt_stop_ends_the_service_and_commits_what_came_before(void **state)
{
    (void)state;
    struct corrupt corrupt;
    begin(&corrupt, ORDERS "on_corrupt: stop\n");
    mock_produce(&corrupt.mock, "orders", 0, 10);
    mock_produce_broken(&corrupt.mock, "orders", 0, 23, MOCK_BAD_ZSTD);
    mock_produce(&corrupt.mock, "orders", 0, 10);
    assert_int_equal(kafka_running_run(&corrupt.running), STATUS_FAILED);
    assert_int_equal(corrupt.running.error.class, ERROR_FATAL);
    assert_non_null(strstr(corrupt.running.error.text, "orders/0: the batch at offset 10"));
    end(&corrupt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_that_can_not_be_decompressed_is_skipped_and_no_good_record_with_it),
        cmocka_unit_test(a_batch_with_a_wrong_checksum_is_skipped_and_no_good_record_with_it),
        cmocka_unit_test(broken_batches_next_to_each_other_are_skipped),
        cmocka_unit_test(a_broken_batch_at_the_beginning_is_skipped),
        cmocka_unit_test(a_broken_batch_at_the_end_is_skipped),
        cmocka_unit_test(good_records_between_a_broken_batch_and_a_gap_at_the_end_are_stored),
        cmocka_unit_test(a_stretch_that_ends_behind_a_broken_batch_or_in_a_gap_has_its_last_records),
        cmocka_unit_test(a_gap_between_a_broken_batch_and_the_end_is_passed),
        cmocka_unit_test(a_broker_that_answers_slowly_during_the_search_loses_no_good_record),
        cmocka_unit_test(a_topic_that_is_made_anew_during_the_search_is_consumed_from_its_beginning),
        cmocka_unit_test(on_corrupt_stop_ends_the_service_and_commits_what_came_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
