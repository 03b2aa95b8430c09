#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "processor/batch.h"
#include "processor/headers.h"
#include "processor/stretch.h"
#include "processor/where.h"

static void parts_lie_by_topic_and_then_by_partition(void **state)
{
    (void)state;
    struct stretch *stretch = stretch_new(4);
    assert_non_null(stretch_add(stretch, "orders", 10));
    assert_non_null(stretch_add(stretch, "orders", 2));
    assert_non_null(stretch_add(stretch, "bills", 7));
    struct stretch_part *last = stretch_add(stretch, "orders", 3);
    assert_int_equal(last->partition, 3);
    assert_null(stretch_add(stretch, "orders", 4));
    assert_int_equal(stretch->count, 4);
    assert_string_equal(stretch->parts[0].topic, "bills");
    assert_int_equal(stretch->parts[1].partition, 2);
    assert_int_equal(stretch->parts[2].partition, 3);
    assert_int_equal(stretch->parts[3].partition, 10);
    stretch_free(stretch);
}

static void a_part_is_found_by_its_topic_and_partition(void **state)
{
    (void)state;
    struct stretch *stretch = stretch_new(3);
    assert_non_null(stretch_add(stretch, "b", 0));
    assert_non_null(stretch_add(stretch, "a", 1));
    assert_non_null(stretch_add(stretch, "b", 2));
    assert_ptr_equal(stretch_part(stretch, "a", 1), &stretch->parts[0]);
    assert_ptr_equal(stretch_part(stretch, "b", 0), &stretch->parts[1]);
    assert_ptr_equal(stretch_part(stretch, "b", 2), &stretch->parts[2]);
    assert_null(stretch_part(stretch, "b", 1));
    assert_null(stretch_part(stretch, "a", 0));
    assert_null(stretch_part(stretch, "c", 0));
    stretch_free(stretch);
}

static void it_is_finished_when_every_part_got_to_its_end(void **state)
{
    (void)state;
    struct stretch *stretch = stretch_new(1);
    struct stretch_part *part = stretch_add(stretch, "a", 0);
    part->first = 10;
    part->next = 12;
    part->end = 20;
    assert_int_equal(stretch_left(stretch), 8);
    assert_false(stretch_finished(stretch));
    part->next = 20;
    assert_int_equal(stretch_left(stretch), 0);
    assert_true(stretch_finished(stretch));
    stretch_free(stretch);
}

static void so_much_that_it_cannot_be_counted_is_not_nothing(void **state)
{
    (void)state;
    struct stretch *stretch = stretch_new(4);
    for (int i = 0; i < 4; i++)
        stretch_add(stretch, "a", i)->end = i < 2 ? INT64_MAX : 1; /* their sum is 2^64 */
    assert_int_equal(stretch_left(stretch), INT64_MAX);
    assert_false(stretch_finished(stretch));
    stretch_free(stretch);
}

static void without_a_filter_every_record_is_taken(void **state)
{
    (void)state;
    struct stretch *stretch = stretch_new(1);
    const struct record dated = {.timestamp = 1700000000000, .key = bytes_of_string("k")}, undated = {.timestamp = -1};
    assert_true(stretch_takes(stretch, &dated, 0));
    assert_true(stretch_takes(stretch, &undated, 0));
    stretch_free(stretch);
}

static void a_window_has_its_first_moment_and_not_its_last(void **state)
{
    (void)state;
    struct stretch *stretch = stretch_new(1);
    stretch->filter.from_time = 1000;
    stretch->filter.to_time = 2000;
    const struct {
        int64_t timestamp;
        bool taken;
    } cases[] = {{-1, false}, {0, false}, {999, false}, {1000, true}, {1999, true}, {2000, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct record record = {.timestamp = cases[i].timestamp};
        assert_int_equal(stretch_takes(stretch, &record, 0), cases[i].taken);
    }
    stretch->filter.from_time = INT64_MIN;
    const struct record undated = {.timestamp = -1}, early = {.timestamp = 0};
    assert_false(stretch_takes(stretch, &undated, 0));
    assert_true(stretch_takes(stretch, &early, 0));
    stretch_free(stretch);
}

static int64_t offset_as_time(const struct record *record)
{
    return record->offset;
}

static void a_window_may_be_of_another_time_than_the_timestamp(void **state)
{
    (void)state;
    struct stretch *stretch = stretch_new(1);
    const struct record in = {.timestamp = 5000, .offset = 1999}, out = {.timestamp = 1500, .offset = 2000},
                        without = {.timestamp = 1500, .offset = -1};
    stretch->filter.from_time = 1000;
    stretch->filter.to_time = 2000;
    stretch->filter.time = offset_as_time;
    assert_true(stretch_takes(stretch, &in, 0));
    assert_false(stretch_takes(stretch, &out, 0));
    assert_false(stretch_takes(stretch, &without, 0));
    /* Its headers may be wanted for it. */
    assert_true(stretch_may_take(stretch, &in));
    assert_true(stretch_may_take(stretch, &out));
    stretch_free(stretch);
}

static void a_key_is_compared_byte_for_byte_and_an_empty_one_is_not_null(void **state)
{
    (void)state;
    struct stretch *stretch = stretch_new(1);
    const struct record same = {.key = bytes_of_string("42")}, longer = {.key = bytes_of_string("421")},
                        empty = {.key = bytes_of_string("")}, none = {.timestamp = -1};
    stretch->filter.key = bytes_of_string("42");
    assert_true(stretch_takes(stretch, &same, 0));
    assert_false(stretch_takes(stretch, &longer, 0));
    assert_false(stretch_takes(stretch, &empty, 0));
    assert_false(stretch_takes(stretch, &none, 0));
    stretch->filter.key = bytes_of_string("");
    assert_true(stretch_takes(stretch, &empty, 0));
    assert_false(stretch_takes(stretch, &none, 0));
    stretch_free(stretch);
}

static bool count_and_take_even_of_7(const struct record *record, int32_t partition, void *arg)
{
    ++*(unsigned *)arg;
    return record->offset % 2 == 0 && partition == 7;
}

static void one_more_condition_is_asked_last(void **state)
{
    (void)state;
    struct stretch *stretch = stretch_new(1);
    const struct record even = {.offset = 2, .timestamp = 1000}, odd = {.offset = 3, .timestamp = 1000},
                        outside = {.offset = 4, .timestamp = 3000};
    unsigned asked = 0;
    stretch->filter.to_time = 2000;
    stretch->filter.also = count_and_take_even_of_7;
    stretch->filter.also_arg = &asked;
    assert_true(stretch_takes(stretch, &even, 7));
    assert_false(stretch_takes(stretch, &odd, 7));
    assert_false(stretch_takes(stretch, &outside, 7));
    assert_false(stretch_takes(stretch, &even, 6));
    assert_int_equal(asked, 3);
    stretch_free(stretch);
}

static void what_is_asked_of_headers_is_looked_at_after_key_and_time(void **state)
{
    (void)state;
    struct stretch *stretch = stretch_new(1);
    struct where *where;
    const char *why;
    unsigned at;
    uint8_t packed[64];
    uint8_t *end = headers_pack(packed, bytes_of_string("tenant"), bytes_of_string("acme"));
    const struct record ours = {.timestamp = 5, .headers = bytes_of(packed, (uint32_t)(end - packed))},
                        other = {.timestamp = 5}, late = {.timestamp = 10, .headers = ours.headers};
    assert_int_equal(where_parse("header.tenant=acme", 0, &where, &at, &why), STATUS_OK);
    stretch->filter.where = where;
    stretch->filter.to_time = 10;
    assert_true(stretch_takes(stretch, &ours, 0));
    assert_false(stretch_takes(stretch, &other, 0));
    assert_true(stretch_may_take(stretch, &other));
    assert_false(stretch_takes(stretch, &late, 0));
    assert_false(stretch_may_take(stretch, &late));
    where_free(where);
    stretch_free(stretch);
}

static void a_request_is_told_as_it_was_said(void **state)
{
    (void)state;
    static const struct stretch_offset offsets[] = {{"orders", 0, 12}, {NULL, 3, 4}};
    static const struct stretch_partition partitions[] = {{NULL, 0}, {"orders", 3}};
    struct stretch_request request = {.from = {.kind = STRETCH_BEGINNING}, .to = {.kind = STRETCH_NOW}};
    char words[100], few[24];
    stretch_request_words(&request, words, sizeof words);
    assert_string_equal(words, "--from beginning --to now");
    request.from = (struct stretch_bound){.kind = STRETCH_TIME, .relative = true, .ago = INT64_C(130500007)};
    request.to = (struct stretch_bound){.kind = STRETCH_TIME, .time = 1700000000000};
    stretch_request_words(&request, words, sizeof words);
    assert_string_equal(words, "--from -1d12h15m7ms --to 2023-11-14T22:13:20.000Z");
    request.from.ago = 0;
    request.to = (struct stretch_bound){.kind = STRETCH_OFFSETS, .offsets = offsets, .offset_count = 2};
    request.partitions = partitions;
    request.partition_count = 2;
    stretch_request_words(&request, words, sizeof words);
    assert_string_equal(words, "--from -0s --to orders/0@12,3@4 --partitions 0,orders/3");
    stretch_request_words(&request, few, sizeof few);
    assert_string_equal(few, "--from -0s --to orde...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_lie_by_topic_and_then_by_partition),
        cmocka_unit_test(a_part_is_found_by_its_topic_and_partition),
        cmocka_unit_test(it_is_finished_when_every_part_got_to_its_end),
        cmocka_unit_test(so_much_that_it_cannot_be_counted_is_not_nothing),
        cmocka_unit_test(without_a_filter_every_record_is_taken),
        cmocka_unit_test(a_window_has_its_first_moment_and_not_its_last),
        cmocka_unit_test(what_is_asked_of_headers_is_looked_at_after_key_and_time),
        cmocka_unit_test(a_window_may_be_of_another_time_than_the_timestamp),
        cmocka_unit_test(a_key_is_compared_byte_for_byte_and_an_empty_one_is_not_null),
        cmocka_unit_test(one_more_condition_is_asked_last),
        cmocka_unit_test(a_request_is_told_as_it_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
