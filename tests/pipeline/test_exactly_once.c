/* Exactly-once delivery over a store in memory that keeps offsets: each record is there once, whatever fails in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/running.h"

/* Value of offset 10 k + 3 has the word w[0], of 10 k + 7 w[1]; the words are in arg. */
static int with_words(void *arg, int32_t partition, int64_t offset, char *out, size_t size)
{
    const char *const *words = arg;
    const char *word = offset % 10 == 3 ? words[0] : offset % 10 == 7 ? words[1] : "fine";
    return snprintf(out, size, "{\"id\":\"%d-%lld\",\"is\":\"%s\"}", partition, (long long)offset, word);
}

static void set_up(struct running *running, unsigned partitions)
{
    running_init(running, partitions);
    running->config.exactly_once = true;
    running->stores[0].type = &memory_keeping_store_type;
}

static void assert_offsets(struct running *running, unsigned partitions)
{
    for (unsigned i = 0; i < partitions; i++)
        assert_int_equal(memory_store_offset(running->store, (int32_t)i),
                         memory_broker_end(running->broker, (int32_t)i));
}

static void assert_whole(struct running *running, unsigned partitions, uint64_t records)
{
    assert_all_stored_once_in_order(running->store, records);
    assert_offsets(running, partitions);
    assert_committed_to_the_end(running, partitions);
}

static void the_offsets_are_in_the_store_and_the_group_follows(void **state)
{
    (void)state;
    static const char *const words[] = {"bad", "drop"};
    struct running running;
    set_up(&running, 4);
    running.stages[0].workers_min = 3;
    memory_broker_make(running.broker, 128, with_words, (void *)words);
    running_produce(&running, 4, 5000);
    assert_int_equal(running_run(&running), STATUS_OK);
    assert_whole(&running, 4, 16000);
    assert_int_equal(memory_letters_count(running.broker), 2000);
    assert_int_equal(running.result.counts.dropped, 2000);
    running_fini(&running);
}

/* The group's commits lag behind the store when a run fails: the store knows better. */
static void a_run_that_fails_stores_nothing_twice(void **state)
{
    (void)state;
    static const enum memory_point points[] = {MEMORY_WRITE, MEMORY_MOVE, MEMORY_FLUSH};
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned after = 0; after < 20; after += 3) {
            struct running running;
            set_up(&running, 2);
            running.stores[0].flush_records = 100;
            running_produce(&running, 2, 4000);
            memory_store_fail(running.store, points[i], ERROR_RESTART, after, 1);
            assert_int_equal(running_run(&running), STATUS_OK);
            assert_int_equal(running.result.restarts, 1);
            assert_whole(&running, 2, 8000);
            running_fini(&running);
        }
    }
}

static void a_call_that_fails_for_a_while_is_made_again(void **state)
{
    (void)state;
    static const enum memory_point points[] = {MEMORY_WRITE, MEMORY_MOVE, MEMORY_FLUSH, MEMORY_READ};
    for (unsigned i = 0; i < 4; i++) {
        struct running running;
        set_up(&running, 2);
        running_produce(&running, 2, 2000);
        memory_store_fail(running.store, points[i], ERROR_TRANSIENT, i == 3 ? 0 : 1, 3);
        assert_int_equal(running_run(&running), STATUS_OK);
        assert_int_equal(running.result.restarts, 0);
        assert_whole(&running, 2, 4000);
        running_fini(&running);
    }
}

static void a_commit_whose_answer_was_lost_is_recognised(void **state)
{
    (void)state;
    struct running running;
    set_up(&running, 2);
    running_produce(&running, 2, 3000);
    memory_store_lose_answers(running.store, 3);
    assert_int_equal(running_run(&running), STATUS_OK);
    assert_int_equal(running.result.restarts, 0);
    assert_whole(&running, 2, 6000);
    running_fini(&running);
}

static void the_store_wins_over_the_group(void **state)
{
    (void)state;
    struct running running;
    set_up(&running, 1);
    running_produce(&running, 1, 1000);
    assert_int_equal(running_run(&running), STATUS_OK);
    /* As after a backup was played back: the store is behind what the group has committed. */
    memory_store_set_offset(running.store, 0, 400);
    assert_int_equal(running_run(&running), STATUS_OK);
    assert_int_equal(memory_store_times(running.store, 0, 399), 1);
    assert_int_equal(memory_store_times(running.store, 0, 400), 2);
    assert_int_equal(memory_store_count(running.store), 1600);
    assert_offsets(&running, 1);
    running_fini(&running);
}

static void who_is_fenced_stores_nothing_and_begins_anew(void **state)
{
    (void)state;
    struct running running;
    set_up(&running, 1);
    memory_store_block(running.store, MEMORY_MOVE);
    running_produce(&running, 1, 1000);
    running_start(&running);
    assert_true(memory_store_wait_blocked(running.store, MEMORY_MOVE));
    /* Somebody else has stored the first 600 meanwhile. */
    memory_store_set_offset(running.store, 0, 600);
    memory_store_release(running.store, MEMORY_MOVE);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_int_equal(running.result.restarts, 1);
    assert_int_equal(memory_store_times(running.store, 0, 599), 0);
    assert_int_equal(memory_store_times(running.store, 0, 600), 1);
    assert_int_equal(memory_store_count(running.store), 400);
    assert_offsets(&running, 1);
    running_fini(&running);
}

/* What a store was handed of a partition that went elsewhere is taken back from it. */
static void a_partition_that_was_lost_is_not_stored(void **state)
{
    (void)state;
    struct running running;
    set_up(&running, 2);
    running.config.exit_at_end = false;
    running.stores[0].flush_records = 1000000;
    running.stores[0].flush_interval = 3600 * CLOCK_SECOND;
    running_produce(&running, 2, 1000);
    running_start(&running);
    assert_true(memory_store_wait_calls(running.store, MEMORY_WRITE, 32));
    assert_true(memory_broker_revoke(running.broker, 0, true, 0));
    assert_int_equal(memory_store_count(running.store), 0);
    context_cancel(running.shared.soft);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_int_equal(memory_store_count(running.store), 1000);
    assert_int_equal(memory_store_times(running.store, 0, 0), 0);
    assert_int_equal(memory_store_times(running.store, 1, 999), 1);
    assert_int_equal(memory_store_offset(running.store, 0), -1);
    assert_int_equal(memory_store_offset(running.store, 1), 1000);
    running_fini(&running);
}

static void partitions_that_come_and_go_are_stored_once(void **state)
{
    (void)state;
    struct running running;
    set_up(&running, 3);
    running.config.exit_at_end = false;
    running_produce(&running, 3, 20000);
    running_start(&running);
    for (int i = 0; i < 30; i++) {
        assert_true(memory_store_wait_count(running.store, (size_t)i * 100));
        assert_true(memory_broker_revoke(running.broker, i % 3, i % 2 == 0, 10 * CLOCK_SECOND));
        assert_true(memory_broker_assign(running.broker, i % 3));
    }
    assert_true(memory_broker_wait_committed(running.broker));
    context_cancel(running.shared.soft);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_whole(&running, 3, 60000);
    running_fini(&running);
}

static void nothing_is_stored_behind_a_dead_letter_that_is_not_acknowledged(void **state)
{
    (void)state;
    static const char *const words[] = {"bad", "fine"};
    struct running running;
    set_up(&running, 1);
    memory_broker_make(running.broker, 128, with_words, (void *)words);
    memory_letters_hold(running.broker, 1000);
    running_produce(&running, 1, 100);
    running_start(&running);
    assert_true(memory_letters_wait_waiting(running.broker, 10));
    assert_true(memory_store_wait_calls(running.store, MEMORY_WRITE, 2));
    assert_int_equal(memory_store_count(running.store), 0);
    memory_letters_ack(running.broker, UINT32_MAX);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_whole(&running, 1, 90);
    running_fini(&running);
}

static bool ends_with_five(void *arg, const struct batch *batch, const struct record *record)
{
    (void)arg;
    (void)batch;
    return record->offset % 10 == 5;
}

static void records_found_wrong_at_the_flush_are_dead_letters_before_the_offset_moves(void **state)
{
    (void)state;
    struct running running;
    set_up(&running, 2);
    running_produce(&running, 2, 1000);
    memory_store_reject(running.store, MEMORY_FLUSH, ends_with_five, NULL);
    assert_int_equal(running_run(&running), STATUS_OK);
    assert_whole(&running, 2, 1800);
    assert_int_equal(memory_letters_count(running.broker), 200);
    running_fini(&running);
}

static bool among_the_first(void *arg, const struct batch *batch, const struct record *record)
{
    (void)batch;
    return record->offset < *(const int64_t *)arg;
}

/* As when rows are refused because they are there: stored by who took the partition over. */
static void what_is_refused_by_a_store_that_has_moved_on_is_no_dead_letter(void **state)
{
    (void)state;
    static const enum memory_point points[] = {MEMORY_WRITE, MEMORY_FLUSH};
    for (unsigned i = 0; i < 2; i++) {
        struct running running;
        int64_t there = 600;
        set_up(&running, 1);
        memory_store_reject(running.store, points[i], among_the_first, &there);
        memory_store_block(running.store, MEMORY_WRITE);
        running_produce(&running, 1, 1000);
        running_start(&running);
        assert_true(memory_store_wait_blocked(running.store, MEMORY_WRITE));
        memory_store_set_offset(running.store, 0, 600);
        memory_store_release(running.store, MEMORY_WRITE);
        assert_int_equal(running_wait(&running), STATUS_OK);
        assert_int_equal(running.result.restarts, 1);
        assert_int_equal(memory_letters_count(running.broker), 0);
        assert_int_equal(memory_store_count(running.store), 400);
        running_fini(&running);
    }
}

static void a_stop_at_a_record_stores_what_comes_before_it_and_no_more(void **state)
{
    (void)state;
    static const char *const words[] = {"fine", "bad"};
    struct running running;
    set_up(&running, 1);
    running.config.dead_letter.topic = NULL;
    memory_broker_make(running.broker, 128, with_words, (void *)words);
    running_produce(&running, 1, 5000);
    assert_int_equal(running_run(&running), STATUS_FAILED);
    assert_non_null(strstr(running.error.text, "orders/0@7"));
    assert_all_stored_once_in_order(running.store, 7);
    assert_int_equal(memory_store_offset(running.store, 0), 7);
    running_fini(&running);
}

static void a_stop_at_a_record_of_the_store_stores_what_comes_before_it_and_no_more(void **state)
{
    (void)state;
    struct running running;
    set_up(&running, 1);
    running.config.dead_letter.topic = NULL;
    running_produce(&running, 1, 5000);
    memory_store_reject(running.store, MEMORY_FLUSH, ends_with_five, NULL);
    assert_int_equal(running_run(&running), STATUS_FAILED);
    assert_non_null(strstr(running.error.text, "orders/0@5"));
    assert_all_stored_once_in_order(running.store, 5);
    assert_int_equal(memory_store_offset(running.store, 0), 5);
    running_fini(&running);
}

static void offsets_move_although_every_record_is_dropped(void **state)
{
    (void)state;
    static const char *const words[] = {"drop", "drop"};
    struct running running;
    set_up(&running, 1);
    running.config.exit_at_end = false;
    memory_broker_make(running.broker, 128, with_words, (void *)words);
    memory_broker_produce(running.broker, 0, 4);
    running_start(&running);
    assert_true(memory_broker_wait_committed(running.broker));
    assert_true(memory_store_wait_count(running.store, 3));
    context_cancel(running.shared.soft);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_int_equal(memory_store_offset(running.store, 0), 4);
    running_fini(&running);
}

static void a_drain_ends_although_the_store_cannot_say_where_to_start(void **state)
{
    (void)state;
    struct running running;
    set_up(&running, 1);
    running.config.exit_at_end = false;
    memory_store_fail(running.store, MEMORY_READ, ERROR_TRANSIENT, 0, 1000000);
    running_produce(&running, 1, 100);
    running_start(&running);
    assert_true(memory_store_wait_calls(running.store, MEMORY_READ, 2));
    context_cancel(running.shared.soft);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_int_equal(memory_store_count(running.store), 0);
    running_fini(&running);
}

static void two_stores_cannot_keep_the_offsets(void **state)
{
    (void)state;
    struct running running;
    set_up(&running, 1);
    running_two_stores(&running);
    assert_int_equal(running_run(&running), STATUS_FAILED);
    assert_int_equal(running.error.class, ERROR_FATAL);
    assert_non_null(strstr(running.error.text, "single store"));
    running_fini(&running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_offsets_are_in_the_store_and_the_group_follows),
        cmocka_unit_test(a_run_that_fails_stores_nothing_twice),
        cmocka_unit_test(a_call_that_fails_for_a_while_is_made_again),
        cmocka_unit_test(a_commit_whose_answer_was_lost_is_recognised),
        cmocka_unit_test(the_store_wins_over_the_group),
        cmocka_unit_test(who_is_fenced_stores_nothing_and_begins_anew),
        cmocka_unit_test(a_partition_that_was_lost_is_not_stored),
        cmocka_unit_test(partitions_that_come_and_go_are_stored_once),
        cmocka_unit_test(nothing_is_stored_behind_a_dead_letter_that_is_not_acknowledged),
        cmocka_unit_test(records_found_wrong_at_the_flush_are_dead_letters_before_the_offset_moves),
        cmocka_unit_test(what_is_refused_by_a_store_that_has_moved_on_is_no_dead_letter),
        cmocka_unit_test(a_stop_at_a_record_stores_what_comes_before_it_and_no_more),
        cmocka_unit_test(a_stop_at_a_record_of_the_store_stores_what_comes_before_it_and_no_more),
        cmocka_unit_test(offsets_move_although_every_record_is_dropped),
        cmocka_unit_test(a_drain_ends_although_the_store_cannot_say_where_to_start),
        cmocka_unit_test(two_stores_cannot_keep_the_offsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
