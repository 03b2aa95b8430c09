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
#include "tests/support/records.h"

struct fixture {
    struct records records;
    struct batch *batch;
    char *text;
    size_t size;
    FILE *out;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    records_init(&fixture->records);
    fixture->batch = records_batch(&fixture->records);
    fixture->batch->topic = "orders.dlq";
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    batch_free(fixture->batch);
    records_fini(&fixture->records);
    free(fixture->text);
    free(fixture);
    return 0;
}

static FILE *open_text(struct fixture *fixture)
{
    free(fixture->text);
    fixture->out = open_memstream(&fixture->text, &fixture->size);
    assert_non_null(fixture->out);
    return fixture->out;
}

static const char *text(struct fixture *fixture)
{
    assert_int_equal(fclose(fixture->out), 0);
    return fixture->text;
}

struct letter {
    const char *class, *topic, *attempts, *truncated;
};

/* All of a topic are of one record. */
static void add(struct fixture *fixture, const struct letter *letter)
{
    struct record *record = records_add(fixture->batch, "key", "{\"id\":1}");
    records_header(fixture->batch, record, "weir.error.stage", "decode");
    records_header(fixture->batch, record, "weir.error.class", letter->class != NULL ? letter->class : "json");
    records_header(fixture->batch, record, "weir.source.topic", letter->topic != NULL ? letter->topic : "orders");
    records_header(fixture->batch, record, "weir.source.partition", "3");
    records_header(fixture->batch, record, "weir.source.offset", "17");
    records_header(fixture->batch, record, "weir.attempts", letter->attempts != NULL ? letter->attempts : "1");
    if (letter->truncated != NULL)
        records_header(fixture->batch, record, "weir.value.truncated", letter->truncated);
}

static void make_newest(struct fixture *fixture, struct letter_filter *filter, struct letter_newest *newest)
{
    struct letter_headers letter;
    for (uint32_t i = 0; i < fixture->batch->count; i++) {
        assert_true(letter_headers_read(fixture->batch->records[i].headers, &letter));
        assert_true(letter_newest_add(newest, &letter, 0, fixture->batch->records[i].offset));
    }
    filter->newest = newest;
}

static void only_the_newest_letter_of_a_record_is_redriven(void **state)
{
    struct fixture *fixture = *state;
    struct letter_filter filter = {.redriven = true, .attempts_most = 10};
    struct letter_newest *newest = letter_newest_new(LETTER_NEWEST_MOST);
    add(fixture, &(struct letter){.attempts = "1"});
    add(fixture, &(struct letter){.attempts = "3"});
    add(fixture, &(struct letter){.attempts = "3"}); /* the same, sent twice */
    add(fixture, &(struct letter){.attempts = "2"});
    add(fixture, &(struct letter){.topic = "returns", .attempts = "1"});
    make_newest(fixture, &filter, newest);
    for (uint32_t i = 0; i < fixture->batch->count; i++)
        assert_int_equal(letter_filter_takes(&fixture->batch->records[i], 0, &filter), i == 2 || i == 4);
    assert_int_equal(filter.counts.taken, 2);
    assert_int_equal(filter.counts.superseded, 3);
    letter_counts_tell(&filter, "", open_text(fixture));
    assert_string_equal(text(fixture), "passed over: 3 (3 superseded by a newer letter); they stay in the topic\n");
    letter_counts_json(&filter.counts, open_text(fixture));
    assert_string_equal(text(fixture), "\"matching\": 2, \"passed_over\": {\"other\": 0, \"elsewhere\": 0, "
                                       "\"superseded\": 3, \"attempts\": 0, \"truncated\": 0, \"foreign\": 0}");
    letter_newest_free(newest);
}

static void older_letters_are_superseded_by_one_that_is_passed_over(void **state)
{
    struct fixture *fixture = *state;
    struct letter_newest *newest = letter_newest_new(LETTER_NEWEST_MOST);
    add(fixture, &(struct letter){.attempts = "1"});
    add(fixture, &(struct letter){.attempts = "2"});
    add(fixture, &(struct letter){.class = "constraint", .attempts = "5", .truncated = "9"});
    struct letter_filter filter = {.redriven = true, .attempts_most = 5};
    struct letter_filter of_class = {.redriven = true, .attempts_most = 10, .class = "json"};
    make_newest(fixture, &filter, newest);
    of_class.newest = newest;
    for (uint32_t i = 0; i < fixture->batch->count; i++) {
        assert_false(letter_filter_takes(&fixture->batch->records[i], 0, &filter));
        assert_false(letter_filter_takes(&fixture->batch->records[i], 0, &of_class));
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
    struct fixture *fixture = *state;
    struct letter_filter filter = {.redriven = true, .attempts_most = 10, .consumes = is_orders, .file = "orders.yaml"};
    add(fixture, &(struct letter){0});
    add(fixture, &(struct letter){.topic = "orders.eu"});
    add(fixture, &(struct letter){.topic = "returns"});
    add(fixture, &(struct letter){0});
    for (uint32_t i = 0; i < fixture->batch->count; i++)
        assert_int_equal(letter_filter_takes(&fixture->batch->records[i], 0, &filter), i == 0 || i == 3);
    assert_int_equal(filter.counts.elsewhere, 2);
    letter_counts_tell(&filter, "", open_text(fixture));
    assert_string_equal(text(fixture),
                        "passed over: 2 (2 from topics that orders.yaml does not consume); they stay in the topic\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(only_the_newest_letter_of_a_record_is_redriven),
        TEST(older_letters_are_superseded_by_one_that_is_passed_over),
        TEST(letters_at_one_offset_of_two_partitions_are_two),
        TEST(records_are_told_apart_however_many_up_to_a_limit),
        TEST(letters_of_topics_that_are_not_consumed_are_not_redriven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
