/* Stretches with limits on a real broker: how many, how fast; and what becomes of them when the pipeline is built anew, or offsets are kept in the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "processor/clock.h"
#include "tests/support/copied.h"
#include "tests/support/kafka.h"
#include "tests/support/kafka_running.h"
#include "tests/support/running.h"
#include "tests/support/scene.h"
#include "tests/support/sought.h"

#define T INT64_C(1700000000000)

static const struct stretch_request ALL = {.from = {.kind = STRETCH_BEGINNING}, .to = {.kind = STRETCH_NOW}};

struct replay {
    struct kafka_running running;
    struct stretch *stretch;
};

static void begin_with(struct replay *replay, const char *topic, const struct stretch_request *request,
                       const char *more)
{
    char yaml[256];
    struct error error;
    snprintf(yaml, sizeof yaml, "group: %s\ntopics: [%s]\n%s", topic, topic, more);
    replay->stretch = sought_find(yaml, request, &error);
    if (replay->stretch == NULL)
        fail_msg("%s", error.text);
    kafka_running_init(&replay->running, scene_broker, yaml);
    replay->running.config.stretch = replay->stretch;
}

static void begin(struct replay *replay, const char *topic, const struct stretch_request *request)
{
    begin_with(replay, topic, request, "");
}

static void end(struct replay *replay)
{
    kafka_running_fini(&replay->running);
    stretch_free(replay->stretch);
}

/* Returns how long it took, ns. */
static int64_t run(struct replay *replay)
{
    int64_t began = clock_now();
    kafka_running_start(&replay->running);
    enum status status = kafka_running_wait(&replay->running);
    if (status != STATUS_OK)
        fail_msg("%s", replay->running.error.text);
    return clock_now() - began;
}

static void make(const char *topic, int partitions, int each)
{
    kafka_make_topic(scene_producer, topic, partitions);
    for (int i = 0; i < each; i++) {
        for (int32_t partition = 0; partition < partitions; partition++)
            sought_send(topic, partition, "k", T + i);
    }
    scene_flush();
}

/* -- how many -- */

static void no_more_records_than_are_wanted_come_and_the_next_run_goes_on(void **state)
{
    (void)state;
    struct replay replay;
    struct stretch_request request = ALL;
    request.progress = "some";
    make("pace-max", 3, 100);
    begin(&replay, "pace-max", &request);
    replay.stretch->max_records = 110;
    run(&replay);
    assert_int_equal(memory_store_count(replay.running.store), 110);
    assert_int_equal(kafka_running_metric(&replay.running, METRIC_COUNTER, "weir_records_consumed_total", NULL), 110);
    end(&replay);
    begin(&replay, "pace-max", &request);
    assert_int_equal(stretch_left(replay.stretch), 190);
    replay.stretch->max_records = 1000;
    run(&replay);
    assert_int_equal(memory_store_count(replay.running.store), 190);
    end(&replay);
}

/* -- how fast -- */

static void a_rate_is_kept(void **state)
{
    (void)state;
    struct replay replay;
    make("pace-rate", 2, 200);
    begin(&replay, "pace-rate", &ALL);
    replay.stretch->rate = 400;
    int64_t took = run(&replay);
    assert_int_equal(memory_store_count(replay.running.store), 400);
    assert_true(took > 950 * CLOCK_MS);
    assert_true(took < 20 * CLOCK_SECOND);
    end(&replay);
}

static void by_speed_records_come_in_the_order_of_their_timestamps(void **state)
{
    (void)state;
    struct replay replay;
    kafka_make_topic(scene_producer, "pace-speed", 2);
    /* The first partition's begin three seconds after the second one's. */
    for (int i = 0; i < 10; i++)
        sought_send("pace-speed", 0, "k", T + 3000 + i * 1000);
    for (int i = 0; i < 13; i++)
        sought_send("pace-speed", 1, "k", T + i * 1000 + 500 - (i == 0 ? 500 : 0));
    scene_flush();
    begin(&replay, "pace-speed", &ALL);
    replay.stretch->speed = 5;
    replay.running.stores[0].flush_interval = 10 * CLOCK_MS;
    int64_t took = run(&replay);
    assert_true(took > 2450 * CLOCK_MS);
    assert_int_equal(memory_store_count(replay.running.store), 23);
    int64_t before = 0;
    for (size_t i = 0; i < 23; i++) {
        struct memory_row row = memory_store_row(replay.running.store, i);
        int64_t timestamp = row.partition == 0 ? 3000 + row.offset * 1000
                                               : row.offset * 1000 + (row.offset == 0 ? 0 : 500);
        assert_true(timestamp >= before);
        before = timestamp;
    }
    end(&replay);
}

static void what_is_behind_the_window_is_not_waited_for(void **state)
{
    (void)state;
    struct replay replay;
    kafka_make_topic(scene_producer, "pace-late", 1);
    const int64_t times[] = {0, 200, 3600000, 100, 7200000};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        sought_send("pace-late", 0, "k", T + times[i]);
    scene_flush();
    begin(&replay, "pace-late",
          &(struct stretch_request){.from = {.kind = STRETCH_TIME, .time = T},
                                    .to = {.kind = STRETCH_TIME, .time = T + 1000},
                                    .late = 7200000 - 1000});
    replay.stretch->speed = 1;
    assert_true(run(&replay) < 30 * CLOCK_SECOND);
    assert_int_equal(memory_store_count(replay.running.store), 3);
    end(&replay);
}

static void what_is_behind_the_last_offset_is_not_waited_for_either(void **state)
{
    (void)state;
    struct replay replay;
    const struct stretch_offset to[] = {{NULL, 0, 3}};
    /* Offset 2 is the marker of the transaction: only what comes behind it tells that the part is at its end. */
    kafka_make_topic(scene_producer, "pace-behind", 1);
    sought_transaction("pace-behind", 0, T, 2, true);
    sought_send("pace-behind", 0, "k", T + 20000);
    scene_flush();
    begin(&replay, "pace-behind",
          &(struct stretch_request){.from = {.kind = STRETCH_BEGINNING},
                                    .to = {.kind = STRETCH_OFFSETS, .offsets = to, .offset_count = 1}});
    replay.stretch->speed = 1;
    assert_true(run(&replay) < 15 * CLOCK_SECOND);
    assert_int_equal(memory_store_count(replay.running.store), 2);
    end(&replay);
}

static void a_stop_does_not_wait_for_what_is_due_in_an_hour(void **state)
{
    (void)state;
    struct replay replay;
    struct stretch_request request = ALL;
    request.progress = "slow";
    kafka_make_topic(scene_producer, "pace-stop", 1);
    sought_send("pace-stop", 0, "k", T);
    sought_send("pace-stop", 0, "k", T + 3600000);
    scene_flush();
    begin(&replay, "pace-stop", &request);
    replay.stretch->speed = 1;
    kafka_running_start(&replay.running);
    assert_true(memory_store_wait_count(replay.running.store, 1));
    int64_t began = clock_now();
    kafka_running_drain(&replay.running);
    assert_true(clock_now() - began < 10 * CLOCK_SECOND);
    end(&replay);
    assert_int_equal(scene_committed("pace-stop.slow", "pace-stop", 0), 1);
}

/* -- built anew -- */

static void assert_all_stored(struct replay *replay, uint64_t records, uint64_t most_rows)
{
    struct memory_tally tally = memory_store_tally(replay->running.store);
    assert_int_equal(tally.distinct, records);
    assert_in_range(tally.rows, records, most_rows);
    assert_true(tally.in_order);
}

/* Flushes fail, one after some went well, so that the pipeline is built anew: one record then is in each flush. */
static void fail_in_the_middle(struct replay *replay)
{
    replay->running.supervisor.restarts_max = 3;
    replay->running.stores[0].flush_records = 20;
    replay->stretch->rate = 500;
    memory_store_fail(replay->running.store, MEMORY_FLUSH, ERROR_RESTART, 5, 1);
}

static void without_a_name_a_pipeline_that_is_built_anew_goes_on_where_it_was(void **state)
{
    (void)state;
    struct replay replay;
    make("pace-anew", 1, 400);
    begin(&replay, "pace-anew", &ALL);
    fail_in_the_middle(&replay);
    run(&replay);
    assert_int_equal(memory_store_calls(replay.running.store, MEMORY_OPEN), 2);
    /* It had stored some before it failed, and these do not come again. */
    assert_all_stored(&replay, 400, 400);
    end(&replay);
}

static void with_a_name_too_and_no_more_than_are_wanted(void **state)
{
    (void)state;
    struct replay replay;
    struct stretch_request request = ALL;
    request.progress = "fix";
    make("pace-anew-max", 1, 400);
    begin(&replay, "pace-anew-max", &request);
    fail_in_the_middle(&replay);
    replay.stretch->max_records = 250;
    run(&replay);
    assert_all_stored(&replay, 250, 250);
    end(&replay);
    assert_int_equal(scene_committed("pace-anew-max.fix", "pace-anew-max", 0), 250);
}

static void of_two_that_run_under_one_name_the_first_ends(void **state)
{
    (void)state;
    struct replay first, second;
    struct stretch_request request = ALL;
    request.progress = "twice";
    make("pace-twice", 2, 1000);
    /* So that it does not cover what the other one commits. */
    begin_with(&first, "pace-twice", &request, "properties: {auto.commit.interval.ms: 60000}\n");
    first.stretch->rate = 20;
    kafka_running_start(&first.running);
    assert_true(memory_store_wait_count(first.running.store, 5));
    begin(&second, "pace-twice", &request);
    assert_true(second.stretch->resumed);
    second.stretch->rate = 20;
    kafka_running_start(&second.running);
    assert_int_equal(kafka_running_wait(&first.running), STATUS_FAILED);
    assert_int_equal(first.running.error.class, ERROR_FATAL);
    assert_non_null(strstr(first.running.error.text, "another process began to run under the name \"twice\""));
    end(&first);
    /* The other one is in its way still. */
    assert_true(memory_store_wait_count(second.running.store, memory_store_count(second.running.store) + 20));
    kafka_running_drain(&second.running);
    end(&second);
}

static void what_was_in_the_hand_counts_again(void **state)
{
    (void)state;
    struct replay replay;
    make("pace-hand", 1, 6000);
    begin(&replay, "pace-hand", &ALL);
    replay.running.supervisor.restarts_max = 3;
    replay.running.stores[0].queue_records = 1500;
    replay.stretch->max_records = 5000;
    memory_store_block(replay.running.store, MEMORY_WRITE);
    memory_store_fail(replay.running.store, MEMORY_WRITE, ERROR_RESTART, 0, 1);
    kafka_running_start(&replay.running);
    assert_true(memory_store_wait_blocked(replay.running.store, MEMORY_WRITE));
    /* More than the queue can have: the last batch has no room in it. */
    assert_true(kafka_running_wait_metric(&replay.running, METRIC_GAUGE, "weir_kafka_position",
                                          "topic=\"pace-hand\",partition=\"0\"", 1501));
    memory_store_release(replay.running.store, MEMORY_WRITE);
    assert_int_equal(kafka_running_wait(&replay.running), STATUS_OK);
    assert_int_equal(memory_store_calls(replay.running.store, MEMORY_OPEN), 2);
    assert_all_stored(&replay, 5000, 5000);
    end(&replay);
}

/* -- exactly once -- */

static void offsets_in_the_store_count_more_than_those_in_the_group(void **state)
{
    (void)state;
    struct replay replay;
    struct stretch_request request = ALL;
    request.progress = "once";
    make("pace-once", 2, 300);
    begin(&replay, "pace-once", &request);
    replay.stretch->max_records = 50;
    run(&replay);
    end(&replay);
    begin(&replay, "pace-once", &request);
    replay.running.config.exactly_once = true;
    replay.running.stores[0].type = &memory_keeping_store_type;
    /* The store has come further than the group was told. */
    memory_store_set_offset(replay.running.store, 0, 200);
    fail_in_the_middle(&replay);
    run(&replay);
    assert_int_equal(memory_store_times(replay.running.store, 0, 199), 0);
    assert_int_equal(memory_store_times(replay.running.store, 0, 200), 1);
    assert_int_equal(memory_store_offset(replay.running.store, 1), 300);
    end(&replay);
    assert_int_equal(scene_committed("pace-once.once", "pace-once", 0), 300);
}

static void begin_copy(struct replay *replay, const char *topic, const struct stretch_request *request)
{
    char store[128];
    snprintf(store, sizeof store, "topic: %s.copy\n", topic);
    begin(replay, topic, request);
    kafka_running_store(&replay->running, store);
    replay->running.config.service = topic;
    replay->running.config.exactly_once = true;
    replay->running.stores[0].flush_interval = 100 * CLOCK_MS;
}

static void a_transaction_of_the_store_moves_the_progress_and_keeps_its_bounds(void **state)
{
    (void)state;
    struct replay replay;
    struct stretch_request request = ALL;
    char seal[200], first[200];
    request.progress = "copy";
    kafka_make_topic(scene_producer, "pace-copy", 4);
    kafka_make_topic(scene_producer, "pace-copy.copy", 4);
    copied_send("pace-copy", 4, 0, 2000);
    begin_copy(&replay, "pace-copy", &request);
    snprintf(first, sizeof first, "%s r", replay.stretch->parts[2].seal);
    replay.stretch->rate = 1000;
    kafka_running_start(&replay.running);
    assert_true(kafka_running_wait_metric(&replay.running, METRIC_COUNTER, "weir_stage_records_out_total",
                                          "stage=\"out\"", 500));
    kafka_running_drain(&replay.running);
    end(&replay);
    assert_true(sought_committed("pace-copy.copy", "pace-copy", 2, seal, sizeof seal) > 0);
    assert_int_equal(strncmp(seal, first, strlen(first)), 0);
    begin_copy(&replay, "pace-copy", &request);
    assert_true(replay.stretch->resumed);
    assert_in_range(stretch_left(replay.stretch), 1, 1500);
    run(&replay);
    end(&replay);
    assert_int_equal(sought_committed("pace-copy.copy", "pace-copy", 2, seal, sizeof seal), 500);
    assert_int_equal(strncmp(seal, first, strlen(first)), 0);
    assert_int_equal(scene_committed("pace-copy", "pace-copy", 2), -1);
    struct copied copied;
    copied_init(&copied, scene_broker, "pace-copy.copy");
    assert_int_equal(copied.count, 2000);
    assert_int_equal(copied.distinct, 2000);
    copied_fini(&copied);
}

static void the_end_is_done_when_the_store_commits_and_the_last_records_are_not_let_through(void **state)
{
    (void)state;
    struct replay replay;
    struct stretch_request request = ALL;
    request.progress = "copy";
    kafka_make_topic(scene_producer, "pace-tail", 1);
    kafka_make_topic(scene_producer, "pace-tail.copy", 1);
    sought_send("pace-tail", 0, "yes", T);
    for (int i = 0; i < 5; i++)
        sought_send("pace-tail", 0, "no", T);
    scene_flush();
    begin_copy(&replay, "pace-tail", &request);
    replay.stretch->filter.key = bytes_of_string("yes");
    run(&replay);
    assert_int_equal(replay.running.result.counts.stored, 1);
    end(&replay);
    begin_copy(&replay, "pace-tail", &request);
    assert_true(stretch_finished(replay.stretch));
    end(&replay);
}

static void a_part_of_which_nothing_is_let_through_is_done_when_the_store_commits(void **state)
{
    (void)state;
    struct replay replay;
    struct stretch_request request = ALL;
    request.progress = "copy";
    kafka_make_topic(scene_producer, "pace-none", 2);
    kafka_make_topic(scene_producer, "pace-none.copy", 2);
    sought_send("pace-none", 0, "yes", T);
    sought_send("pace-none", 1, "no", T);
    scene_flush();
    begin_copy(&replay, "pace-none", &request);
    replay.stretch->filter.key = bytes_of_string("yes");
    run(&replay);
    assert_int_equal(replay.running.result.counts.stored, 1);
    end(&replay);
    begin_copy(&replay, "pace-none", &request);
    assert_true(stretch_finished(replay.stretch));
    end(&replay);
}

static void a_store_that_moves_the_groups_offsets_wants_a_name(void **state)
{
    (void)state;
    struct replay replay;
    make("pace-nameless", 1, 1);
    kafka_make_topic(scene_producer, "pace-nameless.copy", 1);
    begin_copy(&replay, "pace-nameless", &ALL);
    kafka_running_start(&replay.running);
    assert_int_equal(kafka_running_wait(&replay.running), STATUS_FAILED);
    assert_non_null(strstr(replay.running.error.text, "expected a name for the progress"));
    end(&replay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_records_than_are_wanted_come_and_the_next_run_goes_on),
        cmocka_unit_test(a_rate_is_kept),
        cmocka_unit_test(by_speed_records_come_in_the_order_of_their_timestamps),
        cmocka_unit_test(what_is_behind_the_window_is_not_waited_for),
        cmocka_unit_test(what_is_behind_the_last_offset_is_not_waited_for_either),
        cmocka_unit_test(a_stop_does_not_wait_for_what_is_due_in_an_hour),
        cmocka_unit_test(without_a_name_a_pipeline_that_is_built_anew_goes_on_where_it_was),
        cmocka_unit_test(with_a_name_too_and_no_more_than_are_wanted),
        cmocka_unit_test(of_two_that_run_under_one_name_the_first_ends),
        cmocka_unit_test(what_was_in_the_hand_counts_again),
        cmocka_unit_test(offsets_in_the_store_count_more_than_those_in_the_group),
        cmocka_unit_test(a_transaction_of_the_store_moves_the_progress_and_keeps_its_bounds),
        cmocka_unit_test(the_end_is_done_when_the_store_commits_and_the_last_records_are_not_let_through),
        cmocka_unit_test(a_part_of_which_nothing_is_let_through_is_done_when_the_store_commits),
        cmocka_unit_test(a_store_that_moves_the_groups_offsets_wants_a_name),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
