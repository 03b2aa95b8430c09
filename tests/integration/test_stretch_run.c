/* A whole pipeline over a stretch of topics on a real broker: what it stores, where it ends, what it keeps in its group, and that it goes on from there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/clock.h"
#include "processor/where.h"
#include "tests/support/kafka.h"
#include "tests/support/kafka_running.h"
#include "tests/support/running.h"
#include "tests/support/scene.h"
#include "tests/support/sought.h"

#define T INT64_C(1700000000000)
#define MINUTE INT64_C(60000)

static const struct stretch_bound BEGINNING = {.kind = STRETCH_BEGINNING}, NOW = {.kind = STRETCH_NOW};

struct replay {
    struct kafka_running running;
    struct stretch *stretch;
};

static struct stretch_bound at(int64_t time)
{
    return (struct stretch_bound){.kind = STRETCH_TIME, .time = time};
}

/* Finds it, and sets up the pipeline from the topic into the memory store; the group is called like the topic. */
static void begin(struct replay *replay, const char *topic, const struct stretch_request *request)
{
    char yaml[256];
    struct error error;
    snprintf(yaml, sizeof yaml, "group: %s\ntopics: [%s]\n", topic, topic);
    replay->stretch = sought_find(yaml, request, &error);
    if (replay->stretch == NULL)
        fail_msg("%s", error.text);
    kafka_running_init(&replay->running, scene_broker, yaml);
    replay->running.config.stretch = replay->stretch;
}

static void end(struct replay *replay)
{
    kafka_running_fini(&replay->running);
    stretch_free(replay->stretch);
}

static void run(struct replay *replay, uint64_t stored)
{
    kafka_running_start(&replay->running);
    enum status status = kafka_running_wait(&replay->running);
    if (status != STATUS_OK)
        fail_msg("%s", replay->running.error.text);
    assert_int_equal(replay->running.result.counts.stored, stored);
    assert_int_equal(memory_store_count(replay->running.store), stored);
}

static void assert_has(struct replay *replay, int32_t partition, int64_t offset, unsigned times)
{
    assert_int_equal(memory_store_times(replay->running.store, partition, offset), times);
}

/* Each in turn, a minute apart. */
static void make(const char *topic, int partitions, int each)
{
    kafka_make_topic(scene_producer, topic, partitions);
    for (int i = 0; i < each; i++) {
        for (int32_t partition = 0; partition < partitions; partition++)
            sought_send(topic, partition, i % 2 == 0 ? "even" : "odd", T + i * MINUTE);
    }
    scene_flush();
}

/* -- which records -- */

static void just_the_records_of_a_window_are_stored_whatever_their_order(void **state)
{
    (void)state;
    struct replay replay;
    const int64_t minutes[] = {0, 5, 3, 8, 4, 20, 30};
    kafka_make_topic(scene_producer, "run-window", 2);
    for (size_t i = 0; i < sizeof minutes / sizeof minutes[0]; i++) {
        sought_send("run-window", 0, "k", T + minutes[i] * MINUTE);
        sought_send("run-window", 1, "k", T + minutes[i] * MINUTE);
    }
    scene_flush();
    begin(&replay, "run-window",
          &(struct stretch_request){.from = at(T + 3 * MINUTE), .to = at(T + 5 * MINUTE), .late = 10 * MINUTE});
    run(&replay, 4);
    for (int32_t partition = 0; partition < 2; partition++) {
        assert_has(&replay, partition, 2, 1);
        assert_has(&replay, partition, 4, 1);
    }
    end(&replay);
}

static void a_part_ends_before_what_is_produced_meanwhile(void **state)
{
    (void)state;
    struct replay replay;
    make("run-end", 3, 10);
    begin(&replay, "run-end", &(struct stretch_request){.from = BEGINNING, .to = NOW});
    for (int i = 0; i < 5; i++)
        sought_send("run-end", 0, "k", T);
    scene_flush();
    run(&replay, 30);
    assert_has(&replay, 0, 9, 1);
    assert_has(&replay, 0, 10, 0);
    end(&replay);
}

static void offsets_are_the_first_and_the_one_behind_the_last(void **state)
{
    (void)state;
    struct replay replay;
    make("run-offsets", 2, 10);
    const struct stretch_offset from[] = {{NULL, 1, 3}}, to[] = {{NULL, 1, 6}};
    begin(&replay, "run-offsets",
          &(struct stretch_request){
              .from = {.kind = STRETCH_OFFSETS, .offsets = from, .offset_count = 1},
              .to = {.kind = STRETCH_OFFSETS, .offsets = to, .offset_count = 1},
          });
    run(&replay, 3);
    assert_has(&replay, 1, 3, 1);
    assert_has(&replay, 1, 5, 1);
    end(&replay);
}

static void an_empty_stretch_ends_at_once(void **state)
{
    (void)state;
    struct replay replay;
    make("run-empty", 2, 3);
    begin(&replay, "run-empty",
          &(struct stretch_request){.from = at(T + 90 * MINUTE), .to = at(T + 99 * MINUTE), .progress = "n"});
    run(&replay, 0);
    end(&replay);
    assert_int_equal(scene_committed("run-empty.n", "run-empty", 0), 3);
}

static void it_ends_where_the_last_offsets_are_markers_and_aborted_records(void **state)
{
    (void)state;
    struct replay replay;
    kafka_make_topic(scene_producer, "run-markers", 2);
    sought_transaction("run-markers", 0, T, 5, true);
    sought_transaction("run-markers", 0, T, 50, false);
    sought_transaction("run-markers", 1, T, 5, true);
    begin(&replay, "run-markers", &(struct stretch_request){.from = BEGINNING, .to = NOW, .progress = "n"});
    /* One partition goes on, the other ends with its marker. */
    sought_transaction("run-markers", 0, T, 5, true);
    run(&replay, 10);
    end(&replay);
    assert_int_equal(scene_committed("run-markers.n", "run-markers", 0), 57);
    assert_int_equal(scene_committed("run-markers.n", "run-markers", 1), 6);
    begin(&replay, "run-markers", &(struct stretch_request){.from = BEGINNING, .to = NOW, .progress = "n"});
    assert_true(replay.stretch->resumed);
    assert_true(stretch_finished(replay.stretch));
    end(&replay);
}

static void a_filter_lets_through_by_key_and_header_and_the_end_is_done_all_the_same(void **state)
{
    (void)state;
    struct replay replay;
    struct where *where;
    const char *why;
    unsigned place;
    make("run-filter", 2, 10);
    scene_send("run-filter", 0, "even", "{}"); /* with the header trace=t-1 */
    scene_send("run-filter", 1, "odd", "{}");
    sought_send("run-filter", 0, "odd", T);
    sought_send("run-filter", 1, "odd", T);
    scene_flush();
    begin(&replay, "run-filter", &(struct stretch_request){.from = BEGINNING, .to = NOW, .progress = "key"});
    replay.stretch->filter.key = bytes_of_string("even");
    run(&replay, 11);
    assert_has(&replay, 0, 0, 1);
    assert_has(&replay, 0, 1, 0);
    end(&replay);
    assert_int_equal(scene_committed("run-filter.key", "run-filter", 0), 12);
    assert_int_equal(scene_committed("run-filter.key", "run-filter", 1), 12);
    assert_int_equal(where_parse("header.trace=t-1", 0, &where, &place, &why), STATUS_OK);
    begin(&replay, "run-filter", &(struct stretch_request){.from = BEGINNING, .to = NOW});
    replay.stretch->filter.where = where;
    run(&replay, 2);
    assert_has(&replay, 0, 10, 1);
    assert_has(&replay, 1, 10, 1);
    end(&replay);
    where_free(where);
}

/* -- progress -- */

static void the_live_group_is_left_alone(void **state)
{
    (void)state;
    struct replay replay;
    make("run-live", 2, 10);
    scene_commit("run-live", "run-live", 0, 7);
    begin(&replay, "run-live", &(struct stretch_request){.from = BEGINNING, .to = NOW});
    assert_string_equal(replay.stretch->kept, "");
    run(&replay, 20);
    end(&replay);
    begin(&replay, "run-live", &(struct stretch_request){.from = BEGINNING, .to = NOW, .progress = "fix"});
    assert_string_equal(replay.stretch->kept, "the group run-live.fix");
    run(&replay, 20);
    end(&replay);
    assert_int_equal(scene_committed("run-live", "run-live", 0), 7);
    assert_int_equal(scene_committed("run-live", "run-live", 1), -1);
    assert_int_equal(scene_committed("run-live.unnamed-replay", "run-live", 0), -1);
    assert_int_equal(scene_committed("run-live.fix", "run-live", 0), 10);
}

static void assert_refused(const char *topic, const struct stretch_request *request, const char *words)
{
    char yaml[256];
    struct error error;
    snprintf(yaml, sizeof yaml, "group: %s\ntopics: ['^%s']\n", topic, topic);
    assert_null(sought_find(yaml, request, &error));
    assert_int_equal(error.class, ERROR_FATAL);
    if (strstr(error.text, words) == NULL)
        fail_msg("no \"%s\" in \"%s\"", words, error.text);
}

static void the_same_name_goes_on_within_the_bounds_of_the_first_run(void **state)
{
    (void)state;
    struct replay replay;
    make("run-resume", 2, 300);
    struct stretch_request request = {.from = at(T), .to = at(T + 200 * MINUTE), .progress = "fix"};
    request.from.relative = request.to.relative = true;
    request.from.ago = INT64_C(2) * 60 * MINUTE;
    request.to.ago = INT64_C(30) * MINUTE;
    begin(&replay, "run-resume", &request);
    assert_false(replay.stretch->resumed);
    replay.stretch->rate = 100;
    kafka_running_start(&replay.running);
    assert_true(memory_store_wait_count(replay.running.store, 60));
    kafka_running_drain(&replay.running);
    size_t before = memory_store_count(replay.running.store);
    assert_in_range(before, 60, 399);
    end(&replay);
    /* Two hours later "-2h" is another time, and means the same; "-1h" never does. */
    request.from.ago = INT64_C(1) * 60 * MINUTE;
    assert_refused("run-resume", &request,
                   "\"fix\" has -2h for its start, not -1h: another stretch wants another name");
    request.from.ago = INT64_C(2) * 60 * MINUTE;
    request.to.relative = false;
    assert_refused("run-resume", &request, "\"fix\" has -30m for its end, not 2023-");
    request.to.relative = true;
    request.from.time += MINUTE;
    request.to.time += MINUTE;
    begin(&replay, "run-resume", &request);
    assert_true(replay.stretch->resumed);
    assert_int_equal(replay.stretch->parts[0].first, 0);
    assert_int_equal(replay.stretch->parts[0].end, 200);
    assert_true(replay.stretch->parts[0].next > 0);
    assert_int_equal(replay.stretch->filter.to_time, T + 200 * MINUTE);
    assert_int_equal(stretch_left(replay.stretch), 400 - (int64_t)before);
    run(&replay, 400 - before);
    assert_has(&replay, 0, 199, 1);
    end(&replay);
    begin(&replay, "run-resume", &request);
    assert_true(stretch_finished(replay.stretch));
    run(&replay, 0);
    end(&replay);
}

static void after_a_kill_what_had_no_verdict_comes_again_and_nothing_is_missing(void **state)
{
    (void)state;
    struct replay replay;
    const struct stretch_request request = {.from = BEGINNING, .to = NOW, .progress = "fix"};
    make("run-kill", 2, 2000);
    begin(&replay, "run-kill", &request);
    memory_store_block(replay.running.store, MEMORY_WRITE);
    memory_store_allow(replay.running.store, MEMORY_WRITE, 1);
    kafka_running_start(&replay.running);
    assert_true(memory_store_wait_blocked(replay.running.store, MEMORY_WRITE));
    context_cancel(replay.running.hard);
    assert_int_equal(kafka_running_wait(&replay.running), STATUS_CANCELLED);
    end(&replay);
    begin(&replay, "run-kill", &request);
    assert_true(replay.stretch->resumed);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(replay.stretch->parts[i].end, 2000);
        assert_true(replay.stretch->parts[i].next < 2000);
    }
    run(&replay, (uint64_t)stretch_left(replay.stretch));
    end(&replay);
    assert_int_equal(scene_committed("run-kill.fix", "run-kill", 0), 2000);
}

static void another_stretch_under_the_same_name_is_refused(void **state)
{
    (void)state;
    struct replay replay;
    make("run-other", 2, 10);
    const struct stretch_partition first[] = {{NULL, 0}};
    struct stretch_request request = {.from = at(T), .to = NOW, .progress = "fix"};
    begin(&replay, "run-other", &request);
    run(&replay, 20);
    end(&replay);
    request.from.time = T + MINUTE;
    assert_refused("run-other", &request,
                   "\"fix\" has 2023-11-14T22:13:20.000Z for its start, not "
                   "2023-11-14T22:14:20.000Z: another stretch wants another name");
    request.from = BEGINNING;
    assert_refused("run-other", &request, "for its start, not the beginning");
    request.from = at(T);
    request.to = at(T + MINUTE);
    assert_refused("run-other", &request, "has what was the end then for its end, not");
    request.to = NOW;
    request.partitions = first;
    request.partition_count = 1;
    assert_refused("run-other", &request, "has partition run-other/1 in it");
    request.progress = "one";
    begin(&replay, "run-other", &request);
    run(&replay, 10);
    end(&replay);
    request.partition_count = 0;
    assert_refused("run-other", &request, "has no partition run-other/1 in it");
}

static void a_group_that_is_none_of_a_replay_is_refused(void **state)
{
    (void)state;
    make("run-foreign", 1, 1);
    scene_commit("run-foreign.fix", "run-foreign", 0, 1);
    assert_refused("run-foreign", &(struct stretch_request){.from = BEGINNING, .to = NOW, .progress = "fix"},
                   "the group run-foreign.fix has offsets that are none of a replay's progress");
}

static void partitions_that_were_added_meanwhile_are_not_in_it(void **state)
{
    (void)state;
    struct replay replay;
    const struct stretch_request request = {.from = BEGINNING, .to = NOW, .progress = "fix"};
    make("run-added-1", 1, 10);
    struct error error;
    struct stretch *stretch = sought_find("group: run-added\ntopics: ['^run-added-.*']\n", &request, &error);
    assert_non_null(stretch);
    kafka_running_init(&replay.running, scene_broker, "group: run-added\ntopics: ['^run-added-.*']\n");
    replay.running.config.stretch = replay.stretch = stretch;
    run(&replay, 10);
    end(&replay);
    make("run-added-2", 2, 10);
    stretch = sought_find("group: run-added\ntopics: ['^run-added-.*']\n", &request, &error);
    assert_non_null(stretch);
    assert_int_equal(stretch->count, 1);
    assert_string_equal(stretch->parts[0].note, "2 partitions were added since it was begun, and are not in it");
    stretch_free(stretch);
}

static void a_finished_one_is_followed_by_the_next_where_that_is_wanted(void **state)
{
    (void)state;
    struct replay replay;
    const struct stretch_request request = {.from = BEGINNING, .to = NOW, .progress = "letters", .onward = true};
    make("run-onward", 2, 10);
    begin(&replay, "run-onward", &request);
    run(&replay, 20);
    end(&replay);
    for (int i = 0; i < 3; i++)
        sought_send("run-onward", 1, "k", T);
    scene_flush();
    begin(&replay, "run-onward", &request);
    assert_false(replay.stretch->resumed);
    assert_int_equal(replay.stretch->parts[1].first, 10);
    assert_int_equal(replay.stretch->parts[1].end, 13);
    run(&replay, 3);
    end(&replay);
    assert_int_equal(scene_committed("run-onward.letters", "run-onward", 1), 13);
}

static void what_retention_takes_before_it_is_read_is_told_as_lost(void **state)
{
    (void)state;
    struct replay replay;
    make("run-lost", 1, 20);
    begin(&replay, "run-lost", &(struct stretch_request){.from = BEGINNING, .to = NOW, .progress = "fix"});
    scene_delete_before("run-lost", 0, 15);
    run(&replay, 5);
    assert_int_equal(kafka_running_metric(&replay.running, METRIC_COUNTER, "weir_lost_offsets_total", NULL), 15);
    end(&replay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(just_the_records_of_a_window_are_stored_whatever_their_order),
        cmocka_unit_test(a_part_ends_before_what_is_produced_meanwhile),
        cmocka_unit_test(offsets_are_the_first_and_the_one_behind_the_last),
        cmocka_unit_test(an_empty_stretch_ends_at_once),
        cmocka_unit_test(it_ends_where_the_last_offsets_are_markers_and_aborted_records),
        cmocka_unit_test(a_filter_lets_through_by_key_and_header_and_the_end_is_done_all_the_same),
        cmocka_unit_test(the_live_group_is_left_alone),
        cmocka_unit_test(the_same_name_goes_on_within_the_bounds_of_the_first_run),
        cmocka_unit_test(after_a_kill_what_had_no_verdict_comes_again_and_nothing_is_missing),
        cmocka_unit_test(another_stretch_under_the_same_name_is_refused),
        cmocka_unit_test(a_group_that_is_none_of_a_replay_is_refused),
        cmocka_unit_test(partitions_that_were_added_meanwhile_are_not_in_it),
        cmocka_unit_test(a_finished_one_is_followed_by_the_next_where_that_is_wanted),
        cmocka_unit_test(what_retention_takes_before_it_is_read_is_told_as_lost),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
