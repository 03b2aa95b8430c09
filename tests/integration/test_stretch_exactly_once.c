/*
 * A stretch whose store keeps offsets, on a real broker: what counts when the store and the group of its own do not say the same. Nothing may be passed over that
 * nobody has stored.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/kafka.h"
#include "tests/support/kafka_running.h"
#include "tests/support/running.h"
#include "tests/support/scene.h"
#include "tests/support/sought.h"

#define T INT64_C(1700000000000)

struct replay {
    struct kafka_running running;
    struct stretch *stretch;
};

/* The next one under the name, by what the group has; the group is called like the topic. stored: what the store keeps of partition 0. */
static void begin(struct replay *replay, const char *topic, int64_t stored)
{
    char yaml[256];
    struct error error;
    const struct stretch_request request = {
        .from = {.kind = STRETCH_BEGINNING}, .to = {.kind = STRETCH_NOW}, .progress = "letters", .onward = true};
    snprintf(yaml, sizeof yaml, "group: %s\ntopics: [%s]\n", topic, topic);
    replay->stretch = sought_find(yaml, &request, &error);
    if (replay->stretch == NULL)
        fail_msg("%s", error.text);
    kafka_running_init(&replay->running, scene_broker, yaml);
    replay->running.config.stretch = replay->stretch;
    replay->running.config.exactly_once = true;
    replay->running.stores[0].type = &memory_keeping_store_type;
    memory_store_set_offset(replay->running.store, 0, stored);
}

static void end(struct replay *replay)
{
    kafka_running_fini(&replay->running);
    stretch_free(replay->stretch);
}

/* Runs it; the store has so many records then, and this offset of partition 0. */
static void take(const char *topic, int64_t stored, uint64_t count, int64_t stored_then)
{
    struct replay replay;
    begin(&replay, topic, stored);
    kafka_running_start(&replay.running);
    if (kafka_running_wait(&replay.running) != STATUS_OK)
        fail_msg("%s", replay.running.error.text);
    assert_int_equal(memory_store_count(replay.running.store), count);
    assert_int_equal(memory_store_offset(replay.running.store, 0), stored_then);
    end(&replay);
}

static void assert_refused(const char *topic, int64_t stored, const char *words)
{
    struct replay replay;
    begin(&replay, topic, stored);
    kafka_running_start(&replay.running);
    assert_int_equal(kafka_running_wait(&replay.running), STATUS_FAILED);
    assert_int_equal(replay.running.error.class, ERROR_FATAL);
    if (strstr(replay.running.error.text, words) == NULL)
        fail_msg("no \"%s\" in \"%s\"", words, replay.running.error.text);
    assert_int_equal(memory_store_count(replay.running.store), 0);
    assert_int_equal(memory_store_offset(replay.running.store, 0), stored);
    end(&replay);
}

static void add_letters(const char *topic, int count)
{
    for (int i = 0; i < count; i++)
        sought_send(topic, 0, "k", T + i);
    scene_flush();
}

static int64_t progress(const char *topic)
{
    char group[64];
    snprintf(group, sizeof group, "%s.letters", topic);
    return scene_committed(group, topic, 0);
}

static void the_next_one_begins_where_the_last_one_ended(void **state)
{
    (void)state;
    kafka_make_topic(scene_producer, "once-onward", 2);
    add_letters("once-onward", 10);
    take("once-onward", -1, 10, 10);
    add_letters("once-onward", 3);
    take("once-onward", 10, 3, 13);
    assert_int_equal(progress("once-onward"), 13);
    /* The last ones of the stretch before were not wanted. */
    add_letters("once-onward", 2);
    take("once-onward", 12, 2, 15);
    /* A store that is a new one. */
    add_letters("once-onward", 4);
    take("once-onward", -1, 4, 19);
}

/* Also when it's tried again: what was refused has left no progress. */
static void offsets_in_the_store_without_any_progress_are_of_another_stretch(void **state)
{
    (void)state;
    kafka_make_topic(scene_producer, "once-gone", 1);
    add_letters("once-gone", 300);
    for (int again = 0; again < 2; again++) {
        assert_refused("once-gone", 100, "whose progress is gone");
        assert_int_equal(progress("once-gone"), -1);
    }
}

static void a_store_that_is_past_the_progress_passes_nothing_over(void **state)
{
    (void)state;
    kafka_make_topic(scene_producer, "once-past", 1);
    add_letters("once-past", 10);
    take("once-past", -1, 10, 10);
    add_letters("once-past", 10);
    for (int again = 0; again < 2; again++) {
        assert_refused("once-past", 15, "the store keeps offset 15 of service \"test\"");
        assert_int_equal(progress("once-past"), 10);
    }
    take("once-past", 10, 10, 20);
}

/* A kill between the store's commit and the group's. */
static void what_the_store_has_done_is_done_and_the_next_one_follows(void **state)
{
    (void)state;
    struct replay replay;
    kafka_make_topic(scene_producer, "once-killed", 1);
    add_letters("once-killed", 10);
    begin(&replay, "once-killed", -1);
    replay.stretch->max_records = 4;
    kafka_running_start(&replay.running);
    assert_int_equal(kafka_running_wait(&replay.running), STATUS_OK);
    end(&replay);
    assert_int_equal(progress("once-killed"), 4);
    add_letters("once-killed", 3);
    take("once-killed", 10, 0, 10);
    assert_int_equal(progress("once-killed"), 10);
    take("once-killed", 10, 3, 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_one_begins_where_the_last_one_ended),
        cmocka_unit_test(offsets_in_the_store_without_any_progress_are_of_another_stretch),
        cmocka_unit_test(a_store_that_is_past_the_progress_passes_nothing_over),
        cmocka_unit_test(what_the_store_has_done_is_done_and_the_next_one_follows),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
