/*
 * Where a window of time ends in a topic with transactions, against a real broker. A marker has an offset and a timestamp, that of its commit, so the broker may well
 * name one when it is asked for the first record of a time: the end is a record all the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/kafka.h"
#include "tests/support/kafka_running.h"
#include "tests/support/scene.h"
#include "tests/support/sought.h"

#define T INT64_C(1700000000000)
#define MINUTE INT64_C(60000)

static struct stretch_request window(int64_t from, int64_t to, int64_t late)
{
    return (struct stretch_request){
        .from = {.kind = STRETCH_TIME, .time = T + from * MINUTE},
        .to = {.kind = STRETCH_TIME, .time = T + to * MINUTE},
        .late = late * MINUTE,
    };
}

static struct stretch *find(const char *yaml, const struct stretch_request *request)
{
    struct error error;
    struct stretch *stretch = sought_find(yaml, request, &error);
    if (stretch == NULL)
        fail_msg("%s", error.text);
    return stretch;
}

static void assert_ends(const char *yaml, const struct stretch_request *request, int32_t partition, int64_t end)
{
    struct stretch *stretch = find(yaml, request);
    assert_int_equal(stretch->parts[partition].end, end);
    assert_string_equal(stretch->parts[partition].note, "");
    stretch_free(stretch);
}

static void send_at(const char *topic, int32_t partition, int64_t minute)
{
    sought_send(topic, partition, "k", T + minute * MINUTE);
    scene_flush();
}

/* Of ten minutes each; three records and a marker: 0-2 3, 4-6 7, 8-10 11 and so on. */
static void send_transactions(const char *topic, int32_t partition, int count)
{
    for (int i = 0; i < count; i++)
        sought_transaction(topic, partition, T + 10 * i * MINUTE, 3, true);
}

static void the_end_is_a_record_and_not_the_marker_before_it(void **state)
{
    (void)state;
    static const char YAML[] = "group: end-marker\ntopics: [end-marker]\n";
    kafka_make_topic(scene_producer, "end-marker", 2);
    send_transactions("end-marker", 0, 5);
    for (int i = 0; i < 5; i++)
        send_at("end-marker", 1, 10 * i);
    const struct stretch_request request = window(5, 25, 0);
    assert_ends(YAML, &request, 0, 12);
    assert_ends(YAML, &request, 1, 3);
    const struct stretch_request first = window(-5, 5, 0);
    assert_ends(YAML, &first, 0, 4);
    /* Up to the last record there is none that is later: the log's end. */
    const struct stretch_request last = window(15, 50, 0);
    assert_ends(YAML, &last, 0, 20);
}

static void what_may_be_late_is_looked_for_behind_markers_too(void **state)
{
    (void)state;
    static const char YAML[] = "group: end-late\ntopics: [end-late]\n";
    kafka_make_topic(scene_producer, "end-late", 1);
    send_transactions("end-late", 0, 4);
    sought_transaction("end-late", 0, T + 12 * MINUTE, 1, true);
    send_at("end-late", 0, 40);
    struct stretch_request request = window(5, 15, 10);
    assert_ends(YAML, &request, 0, 12);
    request.late = 20 * MINUTE;
    assert_ends(YAML, &request, 0, 18);
}

static void an_aborted_record_is_no_end(void **state)
{
    (void)state;
    static const char YAML[] = "group: end-aborted\ntopics: [end-aborted]\n";
    static const char ALL[] = "group: end-aborted\ntopics: [end-aborted]\n"
                              "properties: {isolation.level: read_uncommitted}\n";
    kafka_make_topic(scene_producer, "end-aborted", 1);
    send_at("end-aborted", 0, 0);
    sought_transaction("end-aborted", 0, T + 60 * MINUTE, 3, false);
    send_at("end-aborted", 0, 10);
    send_at("end-aborted", 0, 20);
    const struct stretch_request request = window(0, 15, 0);
    assert_ends(YAML, &request, 0, 6);
    /* Who reads what was aborted has it as the first that is later. */
    assert_ends(ALL, &request, 0, 1);
}

/* More than one fetch has, in several partitions at once. */
static void the_end_is_found_however_far_it_is_behind_the_marker(void **state)
{
    (void)state;
    static const char YAML[] = "group: end-far\ntopics: [end-far]\n";
    enum { MANY = 30000 };
    kafka_make_topic(scene_producer, "end-far", 3);
    for (int32_t partition = 0; partition < 3; partition++) {
        sought_transaction("end-far", partition, T, 1, true);
        for (int i = 0; i < MANY; i++)
            sought_send("end-far", partition, "k", T + i);
        send_at("end-far", partition, 20);
        send_at("end-far", partition, 5);
    }
    const struct stretch_request request = window(0, 10, 0);
    for (int32_t partition = 0; partition < 3; partition++)
        assert_ends(YAML, &request, partition, 2 + MANY);
}

static void just_the_records_of_the_window_are_stored(void **state)
{
    (void)state;
    static const char YAML[] = "group: end-run\ntopics: [end-run]\n";
    struct kafka_running running;
    kafka_make_topic(scene_producer, "end-run", 1);
    send_transactions("end-run", 0, 6);
    const struct stretch_request request = window(10, 40, 1);
    struct stretch *stretch = find(YAML, &request);
    kafka_running_init(&running, scene_broker, YAML);
    running.config.stretch = stretch;
    kafka_running_start(&running);
    assert_int_equal(kafka_running_wait(&running), STATUS_OK);
    assert_int_equal(running.result.counts.stored, 9);
    for (int64_t offset = 0; offset < 24; offset++) {
        const bool wanted = offset / 4 >= 1 && offset / 4 <= 3 && offset % 4 != 3;
        assert_int_equal(memory_store_times(running.store, 0, offset), wanted);
    }
    kafka_running_fini(&running);
    stretch_free(stretch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_is_a_record_and_not_the_marker_before_it),
        cmocka_unit_test(what_may_be_late_is_looked_for_behind_markers_too),
        cmocka_unit_test(an_aborted_record_is_no_end),
        cmocka_unit_test(the_end_is_found_however_far_it_is_behind_the_marker),
        cmocka_unit_test(just_the_records_of_the_window_are_stored),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
