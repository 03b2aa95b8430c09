#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <string.h>

#include "processor/clock.h"
#include "processor/metrics.h"
#include "tests/support/storage.h"

static void what_was_flushed_is_stored_and_nothing_before(void **state)
{
    (void)state;
    struct storage s;
    storage_init(&s);
    storage_start(&s);
    storage_push(&s, 5);
    storage_push(&s, 7);
    assert_true(memory_store_wait_calls(s.store, MEMORY_WRITE, 2));
    assert_int_equal(memory_store_count(s.store), 0);
    assert_int_equal(ledger_committable(s.partition), -1);
    storage_finish(&s);
    storage_assert_each_once(&s, 12);
    assert_int_equal(memory_store_calls(s.store, MEMORY_FLUSH), 1);
    assert_int_equal(ledger_committable(s.partition), 12);
    assert_int_equal(storage_counter(&s, "weir_stage_records_in_total"), 12);
    assert_int_equal(storage_counter(&s, "weir_stage_records_out_total"), 12);
    storage_fini(&s);
}

static void it_flushes_when_enough_records_are_held(void **state)
{
    (void)state;
    struct storage s;
    storage_init(&s);
    s.config.flush_records = 10;
    storage_start(&s);
    for (unsigned i = 0; i < 5; i++)
        storage_push(&s, 4);
    assert_true(storage_wait_settled(&s, 12)); /* after the third batch */
    assert_true(memory_store_wait_calls(s.store, MEMORY_WRITE, 5));
    assert_int_equal(memory_store_calls(s.store, MEMORY_FLUSH), 1);
    assert_int_equal(storage_counts(&s).stored, 12);
    storage_finish(&s);
    storage_fini(&s);
}

static void it_flushes_when_enough_bytes_are_held(void **state)
{
    (void)state;
    struct storage s;
    storage_init(&s);
    s.config.flush_bytes = 150000; /* each batch holds 64 KiB and more */
    storage_start(&s);
    for (unsigned i = 0; i < 3; i++)
        storage_push(&s, 1);
    assert_true(storage_wait_settled(&s, 2));
    storage_finish(&s);
    assert_in_range(memory_store_calls(s.store, MEMORY_FLUSH), 1, 2);
    storage_fini(&s);
}

static void it_flushes_after_the_interval(void **state)
{
    (void)state;
    struct storage s;
    storage_init(&s);
    s.config.flush_interval = 5 * CLOCK_MS;
    storage_start(&s);
    int64_t begin = clock_now();
    storage_push(&s, 1);
    assert_true(storage_wait_settled(&s, 1));
    assert_true(clock_now() - begin >= 5 * CLOCK_MS);
    storage_push(&s, 1);
    assert_true(storage_wait_settled(&s, 2));
    storage_finish(&s);
    storage_fini(&s);
}

static void the_stores_own_limits_hold_when_the_config_has_none(void **state)
{
    (void)state;
    struct storage s;
    storage_init(&s);
    s.config.flush_records = s.config.flush_bytes = 0;
    s.config.flush_interval = 0; /* memory_store_type: 20 ms */
    storage_start(&s);
    storage_push(&s, 1);
    assert_true(storage_wait_settled(&s, 1));
    storage_finish(&s);
    storage_fini(&s);
}

static void who_urges_gets_a_flush_at_once_as_often_as_there_is_something(void **state)
{
    (void)state;
    struct storage s;
    storage_init(&s);
    storage_start(&s);
    storage_push(&s, 3);
    assert_true(memory_store_wait_calls(s.store, MEMORY_WRITE, 1));
    storing_urge(s.storing);
    storing_urge(s.storing);
    assert_true(storage_wait_settled(&s, 3));
    storing_relax(s.storing); /* one of two still urges */
    storage_push(&s, 3);
    assert_true(storage_wait_settled(&s, 6));
    storing_relax(s.storing);
    storage_push(&s, 3);
    assert_true(memory_store_wait_calls(s.store, MEMORY_WRITE, 3));
    assert_int_equal(context_sleep(s.context, 60 * CLOCK_MS), STATUS_OK); /* three looks of the worker */
    assert_int_equal(storage_counts(&s).stored, 6);
    storage_finish(&s);
    assert_int_equal(storage_counts(&s).stored, 9);
    storage_fini(&s);
}

/* -- rejects -- */

static bool is_odd(void *arg, const struct batch *batch, const struct record *record)
{
    (void)arg;
    (void)batch;
    return record->offset % 2 == 1;
}

static void what_the_store_rejects_goes_to_the_dead_letters(void **state)
{
    (void)state;
    for (enum memory_point point = MEMORY_WRITE; point <= MEMORY_FLUSH; point++) {
        struct storage s;
        storage_init(&s);
        memory_store_reject(s.store, point, is_odd, NULL);
        storage_start(&s);
        storage_push(&s, 10);
        storage_push(&s, 1);
        storage_push(&s, 1); /* nothing of it is right */
        storage_finish(&s);
        storage_assert_each_once(&s, 6);
        assert_int_equal(memory_letters_count(s.broker), 6);
        struct memory_letter letter = memory_letters_get(s.broker, 5);
        assert_int_equal(letter.offset, 11);
        assert_string_equal(letter.stage, "out");
        assert_string_equal(letter.class, "constraint");
        assert_int_equal(ledger_committable(s.partition), 12);
        struct ledger_counts counts = storage_counts(&s);
        assert_true(counts.stored == 6 && counts.dead_lettered == 6);
        storage_fini(&s);
    }
}

/* -- acknowledgements that come by themselves -- */

static void what_is_acknowledged_is_settled_oldest_first(void **state)
{
    (void)state;
    struct storage s;
    storage_init(&s);
    s.config.type = &memory_acking_store_type;
    storage_start(&s);
    for (unsigned i = 0; i < 4; i++)
        storage_push(&s, 2);
    assert_true(memory_store_wait_calls(s.store, MEMORY_WRITE, 4));
    assert_int_equal(storage_counts(&s).stored, 0);
    memory_store_ack(s.store, 1);
    assert_true(storage_wait_settled(&s, 2));
    assert_int_equal(ledger_committable(s.partition), 2);
    memory_store_ack(s.store, 2);
    assert_true(storage_wait_settled(&s, 6));
    assert_int_equal(storage_counts(&s).stored, 6);
    storing_urge(s.storing);
    assert_true(storage_wait_settled(&s, 8)); /* a flush makes the rest durable */
    memory_store_ack(s.store, UINT_MAX);
    storage_push(&s, 2);
    assert_true(storage_wait_settled(&s, 10));
    storage_finish(&s);
    storage_assert_each_once(&s, 10);
    storage_fini(&s);
}

/* -- several workers -- */

static void each_worker_has_a_store_of_its_own(void **state)
{
    (void)state;
    struct storage s;
    storage_init(&s);
    s.config.workers = 3;
    storage_start(&s);
    assert_true(memory_store_wait_calls(s.store, MEMORY_OPEN, 3));
    for (unsigned i = 0; i < 300; i++)
        storage_push(&s, 3);
    storage_finish(&s);
    struct memory_tally tally = memory_store_tally(s.store);
    assert_true(tally.rows == 900 && tally.distinct == 900);
    assert_int_equal(ledger_committable(s.partition), 900);
    storage_fini(&s);
}

static void the_stores_time_for_each_record_is_told(void **state)
{
    (void)state;
    struct storage s;
    storage_init(&s);
    memory_store_block(s.store, MEMORY_FLUSH);
    storage_start(&s);
    assert_int_equal(storing_latency(s.storing), 0);
    storage_push(&s, 10);
    storing_urge(s.storing);
    assert_true(memory_store_wait_blocked(s.store, MEMORY_FLUSH));
    assert_int_equal(context_sleep(s.context, 5 * CLOCK_MS), STATUS_OK);
    memory_store_release(s.store, MEMORY_FLUSH);
    assert_true(storage_wait_settled(&s, 10));
    storage_finish(&s);
    assert_in_range(storing_latency(s.storing), CLOCK_MS / 2, CLOCK_SECOND);
    assert_int_equal(storing_latency(s.storing), 0);
    storage_fini(&s);
}

static void end_to_end_time_is_measured_for_every_stored_record(void **state)
{
    (void)state;
    struct storage s;
    uint64_t count = 0;
    storage_init(&s);
    memory_store_reject(s.store, MEMORY_WRITE, is_odd, NULL);
    storage_start(&s);
    storage_push(&s, 10);
    storage_finish(&s);
    struct metric *metric = metrics_get(s.metrics, METRIC_HISTOGRAM, "weir_end_to_end_seconds", "", "stage=\"out\"");
    for (unsigned i = 0; i < METRIC_BUCKETS; i++)
        count += metric->buckets[i];
    assert_int_equal(count, 5);
    storage_fini(&s);
}

static _Atomic unsigned idles;

static void count_idle(void *store)
{
    (void)store;
    idles++;
}

static bool was_idle(void *arg)
{
    (void)arg;
    return idles > 0;
}

static void a_store_is_told_that_nothing_comes(void **state)
{
    (void)state;
    struct storage storage;
    storage_init(&storage);
    struct store_type type = memory_store_type;
    type.idle = count_idle;
    storage.config.type = &type;
    storage_start(&storage);
    assert_true(eventually(was_idle, NULL));
    storage_push(&storage, 10);
    assert_true(memory_store_wait_calls(storage.store, MEMORY_WRITE, 1));
    idles = 0;
    storing_urge(storage.storing);
    assert_true(storage_wait_settled(&storage, 10));
    assert_true(eventually(was_idle, NULL));
    storage_finish(&storage);
    storage_assert_each_once(&storage, 10);
    storage_fini(&storage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_flushed_is_stored_and_nothing_before),
        cmocka_unit_test(it_flushes_when_enough_records_are_held),
        cmocka_unit_test(it_flushes_when_enough_bytes_are_held),
        cmocka_unit_test(it_flushes_after_the_interval),
        cmocka_unit_test(the_stores_own_limits_hold_when_the_config_has_none),
        cmocka_unit_test(who_urges_gets_a_flush_at_once_as_often_as_there_is_something),
        cmocka_unit_test(what_the_store_rejects_goes_to_the_dead_letters),
        cmocka_unit_test(what_is_acknowledged_is_settled_oldest_first),
        cmocka_unit_test(each_worker_has_a_store_of_its_own),
        cmocka_unit_test(the_stores_time_for_each_record_is_told),
        cmocka_unit_test(end_to_end_time_is_measured_for_every_stored_record),
        cmocka_unit_test(a_store_is_told_that_nothing_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
