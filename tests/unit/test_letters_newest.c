/* Which letters `weir dlq redrive` leaves alone: those that have a newer one of the same record, and those of topics that are not its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/letter_filter.h"
#include "cli/letter_newest.h"
#include "processor/letter_headers.h"
#include "tests/support/letters.h"

static void make_newest(struct letters *letters, struct letter_filter *filter, struct letter_newest *newest)
{
    struct letter_headers letter;
    for (uint32_t i = 0; i < letters->batch->count; i++) {
        assert_true(letter_headers_read(letters->batch->records[i].headers, &letter));
        assert_true(letter_newest_add(newest, &letter, 0, letters->batch->records[i].offset));
    }
    filter->newest = newest;
}

static void only_the_newest_letter_of_a_record_is_redriven(void **state)
{
    struct letters *letters = *state;
    struct letter_filter filter = {.redriven = true, .attempts_most = 10};
    struct letter_newest *newest = letter_newest_new(LETTER_NEWEST_MOST);
    letters_add(letters, &(struct letter_words){.attempts = "1"});
    letters_add(letters, &(struct letter_words){.attempts = "3"});
    letters_add(letters, &(struct letter_words){.attempts = "3"}); /* the same, sent twice */
    letters_add(letters, &(struct letter_words){.attempts = "2"});
    letters_add(letters, &(struct letter_words){.topic = "returns", .attempts = "1"});
    make_newest(letters, &filter, newest);
    for (uint32_t i = 0; i < letters->batch->count; i++)
        assert_int_equal(letter_filter_takes(&letters->batch->records[i], 0, &filter), i == 2 || i == 4);
    assert_int_equal(filter.counts.taken, 2);
    assert_int_equal(filter.counts.superseded, 3);
    letter_counts_tell(&filter, "", letters_open_text(letters));
    assert_string_equal(letters_text(letters),
                        "passed over: 3 (3 superseded by a newer letter); they stay in the topic\n");
    letter_counts_json(&filter.counts, letters_open_text(letters));
    assert_string_equal(letters_text(letters), "\"matching\": 2, \"passed_over\": {\"other\": 0, \"elsewhere\": 0, "
                                               "\"superseded\": 3, \"attempts\": 0, \"truncated\": 0, \"foreign\": 0}");
    letter_newest_free(newest);
}

static void older_letters_are_superseded_by_one_that_is_passed_over(void **state)
{
    struct letters *letters = *state;
    struct letter_newest *newest = letter_newest_new(LETTER_NEWEST_MOST);
    letters_add(letters, &(struct letter_words){.attempts = "1"});
    letters_add(letters, &(struct letter_words){.attempts = "2"});
    letters_add(letters, &(struct letter_words){.class = "constraint", .attempts = "5", .truncated = "9"});
    struct letter_filter filter = {.redriven = true, .attempts_most = 5};
    struct letter_filter of_class = {.redriven = true, .attempts_most = 10, .class = "json"};
    make_newest(letters, &filter, newest);
    of_class.newest = newest;
    for (uint32_t i = 0; i < letters->batch->count; i++) {
        assert_false(letter_filter_takes(&letters->batch->records[i], 0, &filter));
        assert_false(letter_filter_takes(&letters->batch->records[i], 0, &of_class));
    }
    assert_int_equal(filter.counts.superseded, 2);
    assert_int_equal(filter.counts.truncated, 1);
    assert_int_equal(of_class.counts.superseded, 2);
    assert_int_equal(of_class.counts.other, 1);
    letter_newest_free(newest);
}

static void letters_at_one_offset_of_two_partitions_are_two(void **state)
{
    (void)state;
    struct letter_newest *newest = letter_newest_new(LETTER_NEWEST_MOST);
    const struct letter_headers letter = {
        .topic = bytes_of_string("orders"), .partition = 3, .offset = 17, .attempts = 2};
    assert_true(letter_newest_add(newest, &letter, 1, 5));
    assert_true(letter_newest_add(newest, &letter, 0, 5));
    assert_true(letter_newest_is(newest, &letter, 1, 5));
    assert_false(letter_newest_is(newest, &letter, 0, 5));
    letter_newest_free(newest);
}

static void records_are_told_apart_however_many_up_to_a_limit(void **state)
{
    (void)state;
    enum { MOST = 30000 };
    struct letter_newest *newest = letter_newest_new(MOST);
    struct letter_headers letter = {.attempts = 1};
    for (int i = 0; i < MOST; i++) {
        letter.topic = bytes_of_string(i % 2 == 0 ? "orders" : "returns");
        letter.partition = i % 6;
        letter.offset = i / 6;
        assert_true(letter_newest_add(newest, &letter, 0, i));
    }
    letter.offset = MOST;
    assert_false(letter_newest_add(newest, &letter, 0, MOST));
    for (int i = 0; i < MOST; i++) {
        letter.topic = bytes_of_string(i % 2 == 0 ? "orders" : "returns");
        letter.partition = i % 6;
        letter.offset = i / 6;
        assert_true(letter_newest_is(newest, &letter, 0, i));
        assert_false(letter_newest_is(newest, &letter, 0, i - 1));
    }
    /* Another letter of one that is there needs no room. */
    letter.attempts = 2;
    assert_true(letter_newest_add(newest, &letter, 0, 0));
    assert_true(letter_newest_is(newest, &letter, 0, 0));
    letter_newest_free(newest);
}

static bool is_orders(const void *arg, const char *topic)
{
    (void)arg;
    return strcmp(topic, "orders") == 0;
}

static void letters_of_topics_that_are_not_consumed_are_not_redriven(void **state)
{
    struct letters *letters = *state;
    struct letter_filter filter = {.redriven = true, .attempts_most = 10, .consumes = is_orders, .file = "orders.yaml"};
    letters_add(letters, &(struct letter_words){0});
    letters_add(letters, &(struct letter_words){.topic = "orders.eu"});
    letters_add(letters, &(struct letter_words){.topic = "returns"});
    letters_add(letters, &(struct letter_words){0});
    for (uint32_t i = 0; i < letters->batch->count; i++)
        assert_int_equal(letter_filter_takes(&letters->batch->records[i], 0, &filter), i == 0 || i == 3);
    assert_int_equal(filter.counts.elsewhere, 2);
    letter_counts_tell(&filter, "", letters_open_text(letters));
    assert_string_equal(letters_text(letters),
                        "passed over: 2 (2 from topics that orders.yaml does not consume); they stay in the topic\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, letters_set_up, letters_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(only_the_newest_letter_of_a_record_is_redriven),
        TEST(older_letters_are_superseded_by_one_that_is_passed_over),
        TEST(letters_at_one_offset_of_two_partitions_are_two),
        TEST(records_are_told_apart_however_many_up_to_a_limit),
        TEST(letters_of_topics_that_are_not_consumed_are_not_redriven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
