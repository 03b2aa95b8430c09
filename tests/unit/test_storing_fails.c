#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdatomic.h>
#include <string.h>

#include "processor/clock.h"
#include "tests/support/storage.h"

/* -- the other side is away -- */

static void a_write_that_fails_for_a_while_is_tried_again(void **state)
{
    (void)state;
    struct storage s;
    char why[256];
    storage_init(&s);
    memory_store_fail(s.store, MEMORY_WRITE, ERROR_TRANSIENT, 1, 5);
    memory_store_block(s.store, MEMORY_WRITE);
    storage_start(&s);
    storage_push(&s, 3);
    storage_push(&s, 3);
    storage_push(&s, 3);
    memory_store_allow(s.store, MEMORY_WRITE, 3); /* one goes well, two fail */
    assert_true(memory_store_wait_calls(s.store, MEMORY_WRITE, 4));
    assert_false(health_ready(s.health, why, sizeof why));
    assert_string_equal(why, "store out: write fails as it was told\n");
    memory_store_release(s.store, MEMORY_WRITE);
    assert_true(storage_wait_ready(&s, true));
    storage_finish(&s);
    storage_assert_each_once(&s, 9);
    assert_int_equal(memory_store_calls(s.store, MEMORY_WRITE), 3 + 5);
    assert_int_equal(storage_counter(&s, "weir_retries_total"), 5);
    storage_fini(&s);
}

struct watcher {
    struct storage *storage;
    _Atomic unsigned ready, looks;
};

/* Looks at the health while the store is written to. */
static bool look_at_health(void *arg, const struct batch *batch, const struct record *record)
{
    struct watcher *watcher = arg;
    (void)batch;
    (void)record;
    watcher->looks++;
    watcher->ready += health_ready(watcher->storage->health, NULL, 0);
    return false;
}

/* A write that goes well after a failed flush says nothing: only the next flush does. */
static void a_store_whose_flush_fails_is_in_trouble_until_a_flush_goes_well(void **state)
{
    (void)state;
    struct storage s;
    struct watcher watcher = {.storage = &s};
    storage_init(&s);
    memory_store_fail(s.store, MEMORY_FLUSH, ERROR_TRANSIENT, 0, 6);
    memory_store_block(s.store, MEMORY_FLUSH);
    storage_start(&s);
    storage_push(&s, 3);
    storage_push(&s, 3);
    queue_close(s.input);
    assert_true(memory_store_wait_blocked(s.store, MEMORY_FLUSH));
    memory_store_reject(s.store, MEMORY_WRITE, look_at_health, &watcher);
    memory_store_release(s.store, MEMORY_FLUSH);
    storage_finish(&s);
    assert_int_equal(watcher.looks, 6 * 6); /* six records are written again after each of six failures */
    assert_int_equal(watcher.ready, 0);
    assert_true(health_ready(s.health, NULL, 0));
    storage_assert_each_once(&s, 6);
    assert_int_equal(storage_counter(&s, "weir_retries_total"), 6);
    assert_int_equal(ledger_committable(s.partition), 6);
    storage_fini(&s);
}

/* Were it not so, a full disk would be asked every few milliseconds for hours. */
static void the_wait_between_flushes_that_fail_grows(void **state)
{
    (void)state;
    struct storage s;
    storage_init(&s);
    s.config.backoff_least = CLOCK_MS;
    s.config.backoff_most = 1000 * CLOCK_SECOND;
    memory_store_fail(s.store, MEMORY_FLUSH, ERROR_TRANSIENT, 0, UINT_MAX);
    storage_start(&s);
    storage_push(&s, 1);
    storing_urge(s.storing);
    assert_int_equal(context_sleep(s.context, 300 * CLOCK_MS), STATUS_OK);
    /* Twelve doublings are some seconds; 300 waits of a millisecond at most would be 300. */
    assert_in_range(memory_store_calls(s.store, MEMORY_FLUSH), 2, 60);
    context_cancel(s.context);
    assert_int_equal(group_wait(s.group, NULL), STATUS_OK);
    storage_fini(&s);
}

static void a_store_that_can_not_be_opened_yet_is_waited_for(void **state)
{
    (void)state;
    struct storage s;
    char why[256];
    storage_init(&s);
    memory_store_fail(s.store, MEMORY_OPEN, ERROR_TRANSIENT, 0, 3);
    memory_store_block(s.store, MEMORY_OPEN);
    storage_start(&s);
    assert_false(health_ready(s.health, why, sizeof why));
    assert_string_equal(why, "store out: not open yet\n");
    memory_store_allow(s.store, MEMORY_OPEN, 2);
    assert_true(memory_store_wait_calls(s.store, MEMORY_OPEN, 3));
    assert_false(health_ready(s.health, why, sizeof why));
    assert_string_equal(why, "store out: open fails as it was told\n");
    memory_store_release(s.store, MEMORY_OPEN);
    assert_true(storage_wait_ready(&s, true));
    storage_push(&s, 1);
    storage_finish(&s);
    storage_assert_each_once(&s, 1);
    storage_fini(&s);
}

/* -- what ends the group -- */

static void other_errors_end_the_group_and_say_which_store(void **state)
{
    (void)state;
    static const enum error_class classes[] = {ERROR_RESTART, ERROR_FATAL};
    for (enum memory_point point = MEMORY_OPEN; point <= MEMORY_FLUSH; point++) {
        for (unsigned i = 0; i < 2; i++) {
            struct storage s;
            storage_init(&s);
            memory_store_fail(s.store, point, classes[i], 0, 1);
            s.config.flush_records = 1;
            storage_start(&s);
            storage_push(&s, 5);
            storage_push(&s, 5);
            struct error error = storage_fail(&s);
            assert_int_equal(error.class, classes[i]);
            assert_memory_equal(error.text, "store out: ", 11);
            assert_non_null(strstr(error.text, "fails as it was told"));
            assert_int_equal(memory_store_count(s.store), 0);
            assert_int_equal(ledger_committable(s.partition), -1);
            assert_false(health_ready(s.health, NULL, 0));
            storage_fini(&s);
        }
    }
}

static void a_hard_stop_lets_go_wherever_the_store_hangs(void **state)
{
    (void)state;
    for (enum memory_point point = MEMORY_OPEN; point <= MEMORY_FLUSH; point++) {
        struct storage s;
        storage_init(&s);
        memory_store_block(s.store, point);
        s.config.flush_records = 1;
        storage_start(&s);
        storage_push(&s, 5);
        storage_push(&s, 5);
        assert_true(memory_store_wait_blocked(s.store, point));
        context_cancel(s.context);
        assert_int_equal(group_wait(s.group, NULL), STATUS_OK);
        assert_int_equal(storage_counts(&s).stored, 0);
        storage_fini(&s);
    }
}

static void what_was_not_flushed_at_a_hard_stop_is_not_stored(void **state)
{
    (void)state;
    struct storage s;
    storage_init(&s);
    storage_start(&s);
    storage_push(&s, 5);
    assert_true(memory_store_wait_calls(s.store, MEMORY_WRITE, 1));
    context_cancel(s.context);
    assert_int_equal(group_wait(s.group, NULL), STATUS_OK);
    assert_int_equal(memory_store_count(s.store), 0);
    assert_int_equal(ledger_committable(s.partition), -1);
    storage_fini(&s);
}

/* -- a record that nobody may skip -- */

static bool is_four(void *arg, const struct batch *batch, const struct record *record)
{
    (void)arg;
    (void)batch;
    return record->offset == 4;
}

static void without_dead_letters_it_stops_at_the_record(void **state)
{
    (void)state;
    for (enum memory_point point = MEMORY_WRITE; point <= MEMORY_FLUSH; point++) {
        struct storage s;
        storage_init(&s);
        s.config.dead_letter = NULL;
        s.config.flush_records = 5;
        memory_store_reject(s.store, point, is_four, NULL);
        storage_start(&s);
        storage_push(&s, 2);
        storage_push(&s, 6);
        storage_push(&s, 6); /* behind it */
        storage_finish(&s);
        assert_true(brake_is_halted(&s.brake));
        assert_non_null(strstr(s.brake.error.text, "orders/0@4: constraint"));
        assert_int_equal(ledger_committable(s.partition), 4); /* up to the very record */
        struct ledger_counts counts = storage_counts(&s);
        assert_int_equal(counts.in_flight, 0);
        assert_int_equal(counts.stored, 4);
        assert_int_equal(counts.abandoned, 10);
        assert_int_equal(memory_store_times(s.store, 0, 3), 1);
        assert_int_equal(memory_store_times(s.store, 0, 4), 0);
        assert_int_equal(memory_store_times(s.store, 0, 10), 0); /* a later batch would only be stored twice */
        storage_fini(&s);
    }
}

/* -- dead letters -- */

static bool is_any(void *arg, const struct batch *batch, const struct record *record)
{
    (void)arg;
    (void)batch;
    (void)record;
    return true;
}

static void a_dead_letter_that_blocks_holds_the_store_and_loses_nothing(void **state)
{
    (void)state;
    struct storage s;
    storage_init(&s);
    s.config.flush_records = 1;
    memory_store_reject(s.store, MEMORY_WRITE, is_any, NULL);
    memory_letters_hold(s.broker, 2);
    storage_start(&s);
    storage_push(&s, 5);
    assert_true(memory_letters_wait_blocked(s.broker));
    assert_int_equal(ledger_committable(s.partition), -1);
    memory_letters_ack(s.broker, 1);
    assert_int_equal(ledger_committable(s.partition), 1);
    memory_letters_ack(s.broker, UINT_MAX);
    storage_finish(&s);
    assert_int_equal(ledger_committable(s.partition), 5);
    assert_int_equal(memory_letters_count(s.broker), 5);
    storage_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_fails_for_a_while_is_tried_again),
        cmocka_unit_test(a_store_whose_flush_fails_is_in_trouble_until_a_flush_goes_well),
        cmocka_unit_test(the_wait_between_flushes_that_fail_grows),
        cmocka_unit_test(a_store_that_can_not_be_opened_yet_is_waited_for),
        cmocka_unit_test(other_errors_end_the_group_and_say_which_store),
        cmocka_unit_test(a_hard_stop_lets_go_wherever_the_store_hangs),
        cmocka_unit_test(what_was_not_flushed_at_a_hard_stop_is_not_stored),
        cmocka_unit_test(without_dead_letters_it_stops_at_the_record),
        cmocka_unit_test(a_dead_letter_that_blocks_holds_the_store_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
