/* What a request for a stretch comes to, against a real broker: bounds by time, by offset and by name, and what is said where they do not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/kafka.h"
#include "tests/support/scene.h"
#include "tests/support/sought.h"

#define T INT64_C(1700000000000)
#define MINUTE INT64_C(60000)

static const struct stretch_bound BEGINNING = {.kind = STRETCH_BEGINNING}, NOW = {.kind = STRETCH_NOW};

static struct stretch_bound at(int64_t time)
{
    return (struct stretch_bound){.kind = STRETCH_TIME, .time = time};
}

static struct stretch *find(const char *topic, const struct stretch_request *request)
{
    char yaml[256];
    struct error error;
    snprintf(yaml, sizeof yaml, "group: %s\ntopics: [%s]\n", topic, topic);
    struct stretch *stretch = sought_find(yaml, request, &error);
    if (stretch == NULL)
        fail_msg("%s", error.text);
    return stretch;
}

static void assert_refused(const char *topics, const struct stretch_request *request, const char *words)
{
    char yaml[256];
    struct error error;
    snprintf(yaml, sizeof yaml, "group: g\ntopics: [%s]\n", topics);
    assert_null(sought_find(yaml, request, &error));
    assert_int_equal(error.class, ERROR_FATAL);
    if (strstr(error.text, words) == NULL)
        fail_msg("no \"%s\" in \"%s\"", words, error.text);
}

static void assert_part(const struct stretch *stretch, unsigned number, int64_t first, int64_t end, const char *note)
{
    const struct stretch_part *part = &stretch->parts[number];
    assert_int_equal(part->first, first);
    assert_int_equal(part->end, end);
    if (strstr(part->note, note) == NULL || (note[0] == '\0' && part->note[0] != '\0'))
        fail_msg("expected \"%s\", found the note \"%s\"", note, part->note);
}

/* Records a minute apart. */
static void make(const char *topic, int partitions, int each)
{
    kafka_make_topic(scene_producer, topic, partitions);
    for (int i = 0; i < each; i++) {
        for (int32_t partition = 0; partition < partitions; partition++)
            sought_send(topic, partition, "k", T + i * MINUTE);
    }
    scene_flush();
}

static void all_of_it_from_the_beginning_to_now(void **state)
{
    (void)state;
    make("find-all", 3, 10);
    sought_send("find-all", 1, "k", T + 60 * MINUTE);
    scene_flush();
    struct stretch *stretch = find("find-all", &(struct stretch_request){.from = BEGINNING, .to = NOW});
    assert_int_equal(stretch->count, 3);
    assert_part(stretch, 0, 0, 10, "");
    assert_part(stretch, 1, 0, 11, "");
    assert_int_equal(stretch->parts[1].first_time, T);
    assert_int_equal(stretch->parts[1].last_time, T + 60 * MINUTE);
    assert_int_equal(stretch->parts[0].last_time, T + 9 * MINUTE);
    /* A key of one byte and a value of some 25. */
    assert_in_range(stretch->parts[0].bytes, 200, 400);
    assert_int_equal(stretch_left(stretch), 31);
    assert_false(stretch->resumed);
    assert_string_equal(stretch->kept, "");
    assert_int_equal(stretch->filter.from_time, INT64_MIN);
    stretch_free(stretch);
}

static void a_window_goes_from_the_first_record_in_it_to_the_first_behind_it(void **state)
{
    (void)state;
    make("find-window", 2, 10);
    struct stretch *stretch = find("find-window",
                                   &(struct stretch_request){.from = at(T + 2 * MINUTE - 1), .to = at(T + 5 * MINUTE)});
    assert_part(stretch, 0, 2, 5, "");
    assert_part(stretch, 1, 2, 5, "");
    assert_int_equal(stretch->filter.from_time, T + 2 * MINUTE - 1);
    assert_int_equal(stretch->filter.to_time, T + 5 * MINUTE);
    assert_int_equal(stretch->parts[0].first_time, T + 2 * MINUTE);
    assert_int_equal(stretch->parts[0].last_time, T + 4 * MINUTE);
    stretch_free(stretch);
}

static void what_may_be_late_is_looked_for_behind_the_window(void **state)
{
    (void)state;
    kafka_make_topic(scene_producer, "find-late", 1);
    const int64_t minutes[] = {0, 5, 3, 8, 4, 20};
    for (size_t i = 0; i < sizeof minutes / sizeof minutes[0]; i++)
        sought_send("find-late", 0, "k", T + minutes[i] * MINUTE);
    scene_flush();
    struct stretch_request request = {.from = at(T + 3 * MINUTE), .to = at(T + 5 * MINUTE)};
    struct stretch *stretch = find("find-late", &request);
    assert_part(stretch, 0, 1, 1, "");
    stretch_free(stretch);
    request.late = 10 * MINUTE;
    stretch = find("find-late", &request);
    assert_part(stretch, 0, 1, 5, "");
    stretch_free(stretch);
}

static void a_window_after_all_records_is_empty_at_the_end(void **state)
{
    (void)state;
    make("find-after", 1, 10);
    struct stretch *stretch = find("find-after",
                                   &(struct stretch_request){.from = at(T + 100 * MINUTE), .to = at(T + 200 * MINUTE)});
    assert_part(stretch, 0, 10, 10, "");
    assert_true(stretch_finished(stretch));
    assert_int_equal(stretch->parts[0].bytes, 0);
    assert_int_equal(stretch->parts[0].first_time, -1);
    stretch_free(stretch);
}

static void a_window_before_all_records_is_empty_at_the_start(void **state)
{
    (void)state;
    make("find-before", 2, 3);
    struct stretch *stretch = find("find-before",
                                   &(struct stretch_request){.from = at(T - 2 * MINUTE), .to = at(T - MINUTE)});
    assert_part(stretch, 0, 0, 0, "");
    stretch_free(stretch);
}

static void a_partition_without_records_is_empty(void **state)
{
    (void)state;
    kafka_make_topic(scene_producer, "find-nothing", 2);
    sought_send("find-nothing", 1, "k", T);
    scene_flush();
    struct stretch *stretch = find("find-nothing", &(struct stretch_request){.from = at(T - 1), .to = NOW});
    assert_part(stretch, 0, 0, 0, "");
    assert_part(stretch, 1, 0, 1, "");
    stretch_free(stretch);
}

static void offsets_choose_their_partitions_and_are_cut_to_what_is_there(void **state)
{
    (void)state;
    make("find-offsets", 3, 10);
    const struct stretch_offset from[] = {{"find-offsets", 0, 4}, {NULL, 2, 20}}, to[] = {{NULL, 0, 99}, {NULL, 2, 5}};
    const struct stretch_request request = {
        .from = {.kind = STRETCH_OFFSETS, .offsets = from, .offset_count = 2},
        .to = {.kind = STRETCH_OFFSETS, .offsets = to, .offset_count = 2},
    };
    struct stretch *stretch = find("find-offsets", &request);
    assert_int_equal(stretch->count, 2);
    assert_part(stretch, 0, 4, 10, "offset 99 is past the end: up to 10");
    assert_int_equal(stretch->parts[1].partition, 2);
    assert_part(stretch, 1, 10, 10, "the start, offset 20, is past the end, which is 10");
    stretch_free(stretch);
}

static void an_end_before_the_start_is_nothing(void **state)
{
    (void)state;
    make("find-turned", 1, 10);
    const struct stretch_offset from[] = {{NULL, 0, 8}}, to[] = {{NULL, 0, 3}};
    const struct stretch_request request = {
        .from = {.kind = STRETCH_OFFSETS, .offsets = from, .offset_count = 1},
        .to = {.kind = STRETCH_OFFSETS, .offsets = to, .offset_count = 1},
    };
    struct stretch *stretch = find("find-turned", &request);
    assert_part(stretch, 0, 8, 8, "the end, offset 3, is before the start, offset 8: nothing");
    stretch_free(stretch);
}

static void what_retention_removed_is_said(void **state)
{
    (void)state;
    make("find-retention", 1, 10);
    scene_delete_before("find-retention", 0, 4);
    const struct stretch_offset from[] = {{NULL, 0, 1}}, to[] = {{NULL, 0, 3}};
    struct stretch_request request = {.from = {.kind = STRETCH_OFFSETS, .offsets = from, .offset_count = 1}, .to = NOW};
    struct stretch *stretch = find("find-retention", &request);
    assert_part(stretch, 0, 4, 10, "retention has removed offsets 1 to 3: it begins at 4");
    stretch_free(stretch);
    request.to = (struct stretch_bound){.kind = STRETCH_OFFSETS, .offsets = to, .offset_count = 1};
    stretch = find("find-retention", &request);
    assert_part(stretch, 0, 4, 4, "retention has removed all of it");
    stretch_free(stretch);
    stretch = find("find-retention", &(struct stretch_request){.from = at(T + MINUTE), .to = NOW});
    assert_part(stretch, 0, 4, 10, "retention has removed what was before offset 4");
    stretch_free(stretch);
    stretch = find("find-retention", &(struct stretch_request){.from = at(T + 4 * MINUTE), .to = NOW});
    assert_part(stretch, 0, 4, 10, "");
    stretch_free(stretch);
}

static void markers_of_transactions_at_the_end_are_no_records(void **state)
{
    (void)state;
    make("find-transactions", 1, 5);
    sought_transaction("find-transactions", 0, T + 10 * MINUTE, 3, true);
    sought_transaction("find-transactions", 0, T + 20 * MINUTE, 200, false);
    struct stretch *stretch = find("find-transactions", &(struct stretch_request){.from = BEGINNING, .to = NOW});
    assert_part(stretch, 0, 0, 5 + 3 + 1 + 200 + 1, "");
    assert_int_equal(stretch->parts[0].last_time, T + 10 * MINUTE + 2);
    stretch_free(stretch);
}

static void partitions_can_be_named_and_topics_be_a_pattern(void **state)
{
    (void)state;
    make("find-many-a", 2, 2);
    make("find-many-b", 3, 3);
    const struct stretch_partition wanted[] = {{"find-many-b", 0}, {NULL, 1}}, third[] = {{NULL, 2}};
    struct stretch_request request = {.from = BEGINNING, .to = NOW, .partitions = wanted, .partition_count = 2};
    struct error error;
    struct stretch *stretch = sought_find("group: g\ntopics: ['^find-many-.*']\n", &request, &error);
    assert_non_null(stretch);
    assert_int_equal(stretch->count, 3);
    assert_string_equal(stretch->parts[0].topic, "find-many-a");
    assert_int_equal(stretch->parts[0].partition, 1);
    assert_int_equal(stretch->parts[1].partition, 0);
    assert_int_equal(stretch->parts[2].partition, 1);
    stretch_free(stretch);
    request.partitions = third;
    request.partition_count = 1;
    stretch = sought_find("group: g\ntopics: [find-many-a, find-many-b]\n", &request, &error);
    assert_non_null(stretch);
    assert_int_equal(stretch->count, 1);
    stretch_free(stretch);
}

static void what_is_not_there_is_refused_by_name(void **state)
{
    (void)state;
    make("find-orders", 2, 1);
    make("find-bills", 1, 1);
    struct stretch_request request = {.from = BEGINNING, .to = NOW};
    assert_refused("find-absent", &request, "find-absent: there is no such topic");
    /* Nobody would see that the others are not all that was meant. */
    assert_refused("find-orders, find-absent", &request, "find-absent: there is no such topic; name the partitions");
    const struct stretch_partition seventh[] = {{"find-orders", 7}}, order[] = {{"find-order", 0}};
    request.partitions = seventh;
    request.partition_count = 1;
    assert_refused("find-orders, find-absent", &request, "partitions: there is no partition 7 in find-orders");
    assert_refused("find-orders", &request, "there is no partition 7 in find-orders: they are 0 to 1");
    request.partitions = order;
    assert_refused("find-orders, find-bills", &request,
                   "partitions: expected one of the source's topics (find-bills, ...), found \"find-order\"; did you "
                   "mean \"find-orders\"?");
    const struct stretch_offset any[] = {{NULL, 0, 0}}, one[] = {{"find-orders", 1, 0}};
    request = (struct stretch_request){.from = {.kind = STRETCH_OFFSETS, .offsets = any, .offset_count = 1}, .to = NOW};
    assert_refused("find-orders, find-bills", &request, "expected a topic before 0@0");
    request.to = (struct stretch_bound){.kind = STRETCH_OFFSETS, .offsets = one, .offset_count = 1};
    assert_refused("find-orders", &request, "no partition is in both");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_from_the_beginning_to_now),
        cmocka_unit_test(a_window_goes_from_the_first_record_in_it_to_the_first_behind_it),
        cmocka_unit_test(what_may_be_late_is_looked_for_behind_the_window),
        cmocka_unit_test(a_window_after_all_records_is_empty_at_the_end),
        cmocka_unit_test(a_window_before_all_records_is_empty_at_the_start),
        cmocka_unit_test(a_partition_without_records_is_empty),
        cmocka_unit_test(offsets_choose_their_partitions_and_are_cut_to_what_is_there),
        cmocka_unit_test(an_end_before_the_start_is_nothing),
        cmocka_unit_test(what_retention_removed_is_said),
        cmocka_unit_test(markers_of_transactions_at_the_end_are_no_records),
        cmocka_unit_test(partitions_can_be_named_and_topics_be_a_pattern),
        cmocka_unit_test(what_is_not_there_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
