/* Whole pipelines over a broker and stores in memory: one verdict a record, whatever happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
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

static int wide(void *arg, int32_t partition, int64_t offset, char *out, size_t size)
{
    int width = *(const int *)arg;
    (void)size;
    int n = sprintf(out, "{\"id\":\"%d-%lld\",\"wide\":\"", partition, (long long)offset);
    memset(out + n, 'x', (size_t)width);
    memcpy(out + n + width, "\"}", 2);
    return n + width + 2;
}

static void every_record_is_stored_once_and_in_order(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 4);
    running.stages[0].workers_min = 3;
    running_produce(&running, 4, 20000);
    assert_int_equal(running_run(&running), STATUS_OK);
    assert_all_stored_once_in_order(running.store, 80000);
    assert_committed_to_the_end(&running, 4);
    assert_int_equal(running.result.counts.stored, 80000);
    assert_int_equal(running.result.counts.abandoned, 0);
    assert_int_equal(running_metric(&running, METRIC_COUNTER, "weir_verdicts_total", "verdict=\"stored\""), 80000);
    running_fini(&running);
}

static void without_a_stage_records_go_straight_to_several_stores(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 2);
    running_two_stores(&running);
    running.config.stage_count = 0;
    running_produce(&running, 2, 5000);
    assert_int_equal(running_run(&running), STATUS_OK);
    assert_all_stored_once_in_order(running.store, 10000);
    assert_all_stored_once_in_order(running.second, 10000);
    assert_int_equal(running.result.counts.stored, 10000);
    running_fini(&running);
}

static void a_rejected_record_is_a_dead_letter_and_a_dropped_one_is_counted(void **state)
{
    (void)state;
    static const char *const words[] = {"bad", "drop"};
    struct running running;
    running_init(&running, 2);
    memory_broker_make(running.broker, 128, with_words, (void *)words);
    running_produce(&running, 2, 1000);
    assert_int_equal(running_run(&running), STATUS_OK);
    assert_int_equal(running.result.counts.stored, 1600);
    assert_int_equal(running.result.counts.dead_lettered, 200);
    assert_int_equal(running.result.counts.dropped, 200);
    assert_int_equal(memory_letters_count(running.broker), 200);
    struct memory_letter letter = memory_letters_get(running.broker, 0);
    assert_int_equal(letter.offset % 10, 3);
    assert_string_equal(letter.stage, "words");
    assert_string_equal(letter.class, "word");
    assert_committed_to_the_end(&running, 2);
    running_fini(&running);
}

static void a_retried_record_keeps_its_place(void **state)
{
    (void)state;
    static const char *const words[] = {"again", "never"};
    struct running running;
    running_init(&running, 1);
    memory_broker_make(running.broker, 128, with_words, (void *)words);
    running_produce(&running, 1, 200);
    assert_int_equal(running_run(&running), STATUS_OK);
    assert_all_stored_once_in_order(running.store, 180);
    assert_int_equal(running.result.counts.dead_lettered, 20);
    assert_string_equal(memory_letters_get(running.broker, 0).class, "later");
    running_fini(&running);
}

static void nothing_is_committed_past_a_dead_letter_that_is_not_acknowledged(void **state)
{
    (void)state;
    static const char *const words[] = {"bad", "fine"};
    struct running running;
    running_init(&running, 1);
    memory_broker_make(running.broker, 128, with_words, (void *)words);
    memory_letters_hold(running.broker, 1000);
    running_produce(&running, 1, 100);
    running_start(&running);
    assert_true(memory_letters_wait_waiting(running.broker, 10));
    assert_true(memory_store_wait_count(running.store, 90));
    assert_true(memory_broker_committed(running.broker, 0) <= 3);
    memory_letters_ack(running.broker, UINT32_MAX);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_committed_to_the_end(&running, 1);
    running_fini(&running);
}

static void without_a_dead_letter_topic_the_service_stops_at_the_record_and_commits_what_came_before(void **state)
{
    (void)state;
    static const char *const words[] = {"fine", "bad"};
    struct running running;
    running_init(&running, 1);
    running.config.dead_letter.topic = NULL;
    memory_broker_make(running.broker, 128, with_words, (void *)words);
    running_produce(&running, 1, 5000);
    assert_int_equal(running_run(&running), STATUS_FAILED);
    assert_int_equal(running.error.class, ERROR_FATAL);
    assert_non_null(strstr(running.error.text, "orders/0@7"));
    assert_non_null(strstr(running.error.text, "dead_letter"));
    assert_int_equal(memory_broker_committed(running.broker, 0), 7);
    assert_int_equal(running.result.restarts, 0);
    running_fini(&running);
}

static void a_stage_may_stop_the_service_at_a_record(void **state)
{
    (void)state;
    static const char *const words[] = {"fatal", "fine"};
    struct running running;
    running_init(&running, 1);
    memory_broker_make(running.broker, 128, with_words, (void *)words);
    running_produce(&running, 1, 500);
    assert_int_equal(running_run(&running), STATUS_FAILED);
    assert_non_null(strstr(running.error.text, "orders/0@3"));
    assert_int_equal(memory_broker_committed(running.broker, 0), 3);
    running_fini(&running);
}

static bool offset_42(void *arg, const struct batch *batch, const struct record *record)
{
    (void)arg, (void)batch;
    return record->offset == 42;
}

static void a_record_that_only_the_flush_finds_wrong_is_the_only_one_rejected(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    memory_store_reject(running.store, MEMORY_FLUSH, offset_42, NULL);
    running_produce(&running, 1, 1000);
    assert_int_equal(running_run(&running), STATUS_OK);
    assert_int_equal(running.result.counts.stored, 999);
    assert_int_equal(running.result.counts.dead_lettered, 1);
    assert_int_equal(memory_letters_get(running.broker, 0).offset, 42);
    assert_int_equal(memory_store_times(running.store, 0, 42), 0);
    assert_int_equal(memory_store_times(running.store, 0, 41), 1);
    running_fini(&running);
}

static void a_record_counts_when_the_slower_of_two_stores_has_it(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    running_two_stores(&running);
    memory_store_block(running.second, MEMORY_FLUSH);
    running_produce(&running, 1, 1000);
    running_start(&running);
    assert_true(memory_store_wait_count(running.store, 1000));
    assert_true(memory_store_wait_blocked(running.second, MEMORY_FLUSH));
    assert_true(memory_broker_committed(running.broker, 0) <= 0);
    memory_store_release(running.second, MEMORY_FLUSH);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_all_stored_once_in_order(running.second, 1000);
    assert_committed_to_the_end(&running, 1);
    running_fini(&running);
}

static void a_blocked_store_holds_the_source_back_within_the_memory(void **state)
{
    (void)state;
    static const int width = 2000;
    struct running running;
    running_init(&running, 4);
    memory_broker_make(running.broker, (size_t)width + 128, wide, (void *)&width);
    memory_store_block(running.store, MEMORY_WRITE);
    running_produce(&running, 4, 20000); /* 160 MB against 16 MiB */
    running_start(&running);
    assert_true(memory_broker_wait_held(running.broker, true));
    assert_true(memory_broker_wait_paused(running.broker, true));
    assert_int_equal(running_metric(&running, METRIC_GAUGE, "weir_intake_paused", NULL), 1);
    assert_true(running_metric(&running, METRIC_GAUGE, "weir_budget_used_bytes", NULL) <= 16 * 1024 * 1024);
    memory_store_release(running.store, MEMORY_WRITE);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_all_stored_once_in_order(running.store, 80000);
    assert_committed_to_the_end(&running, 4);
    running_fini(&running);
}

static void the_least_memory_that_a_config_may_ask_for_is_enough_for_large_records(void **state)
{
    (void)state;
    static const int width = 900 * 1000;
    struct running running;
    running_init(&running, 2);
    memory_broker_make(running.broker, (size_t)width + 128, wide, (void *)&width);
    running_produce(&running, 2, 200);
    assert_int_equal(running_run(&running), STATUS_OK);
    assert_all_stored_once_in_order(running.store, 400);
    running_fini(&running);
}

static void failures_that_pass_lose_and_repeat_nothing(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 2);
    memory_store_fail(running.store, MEMORY_OPEN, ERROR_TRANSIENT, 0, 2);
    memory_store_fail(running.store, MEMORY_WRITE, ERROR_TRANSIENT, 3, 4);
    memory_store_fail(running.store, MEMORY_FLUSH, ERROR_TRANSIENT, 0, 3);
    running_produce(&running, 2, 10000);
    assert_int_equal(running_run(&running), STATUS_OK);
    assert_all_stored_once_in_order(running.store, 20000);
    assert_int_equal(running.result.restarts, 0);
    running_fini(&running);
}

static void batches_that_become_durable_by_themselves_are_settled_as_they_do(void **state)
{
    (void)state;
    struct running running;
    running_init(&running, 1);
    running.stores[0].type = &memory_acking_store_type;
    running_produce(&running, 1, 64 * 10);
    running.config.exit_at_end = false;
    running_start(&running);
    assert_true(memory_store_wait_calls(running.store, MEMORY_WRITE, 10));
    memory_store_ack(running.store, UINT32_MAX);
    assert_true(memory_broker_wait_committed(running.broker));
    context_cancel(running.shared.soft);
    assert_int_equal(running_wait(&running), STATUS_OK);
    assert_int_equal(running.result.counts.stored, 640);
    running_fini(&running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_is_stored_once_and_in_order),
        cmocka_unit_test(without_a_stage_records_go_straight_to_several_stores),
        cmocka_unit_test(a_rejected_record_is_a_dead_letter_and_a_dropped_one_is_counted),
        cmocka_unit_test(a_retried_record_keeps_its_place),
        cmocka_unit_test(nothing_is_committed_past_a_dead_letter_that_is_not_acknowledged),
        cmocka_unit_test(without_a_dead_letter_topic_the_service_stops_at_the_record_and_commits_what_came_before),
        cmocka_unit_test(a_stage_may_stop_the_service_at_a_record),
        cmocka_unit_test(a_record_that_only_the_flush_finds_wrong_is_the_only_one_rejected),
        cmocka_unit_test(a_record_counts_when_the_slower_of_two_stores_has_it),
        cmocka_unit_test(a_blocked_store_holds_the_source_back_within_the_memory),
        cmocka_unit_test(the_least_memory_that_a_config_may_ask_for_is_enough_for_large_records),
        cmocka_unit_test(failures_that_pass_lose_and_repeat_nothing),
        cmocka_unit_test(batches_that_become_durable_by_themselves_are_settled_as_they_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
