/* `weir dlq`: what is counted of dead letters, which are meant, and how they are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/letter_filter.h"
#include "cli/letter_show.h"
#include "cli/letter_tally.h"
#include "tests/support/letters.h"

static void assert_holds(const char *whole, const char *part)
{
    if (strstr(whole, part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, whole);
}

static void add_some(struct letters *letters)
{
    for (unsigned i = 0; i < 3; i++)
        letters_add(letters, &(struct letter_words){"decode", "json", "early\x1b[31m", .timestamp = "1700000000000"});
    letters_add(letters,
                &(struct letter_words){"decode", "json", "newest", .timestamp = "1700003600000", .attempts = "4"});
    letters_add(letters, &(struct letter_words){"decode", "json", "late to come", .timestamp = "1700000000500"});
    letters_add(letters, &(struct letter_words){"sqlite", "constraint", "NOT NULL", "returns", "1700007200000",
                                                .truncated = "70000"});
    letters_add(letters, &(struct letter_words){"decode", "utf8", "at byte 3", .timestamp = "-1"});
    (void)records_add(letters->batch, "somebody", "else's");
}

static void tally(struct letters *letters, struct letter_tally *tally)
{
    letter_tally_init(tally);
    for (uint32_t i = 0; i < letters->batch->count; i++)
        letter_tally_add(tally, letters->batch, &letters->batch->records[i]);
    letter_tally_sort(tally);
}

static void letters_are_counted_by_stage_class_topic_and_time(void **state)
{
    struct letters *letters = *state;
    struct letter_tally counted;
    add_some(letters);
    tally(letters, &counted);
    assert_int_equal(counted.total, 7);
    assert_int_equal(counted.foreign, 1);
    assert_int_equal(counted.truncated, 1);
    assert_int_equal(counted.undated, 1);
    assert_int_equal(counted.oldest, 1700000000000);
    assert_int_equal(counted.newest, 1700007200000);
    assert_int_equal(counted.group_count, 3);
    const struct letter_group *json = &counted.groups[0];
    assert_string_equal(json->class, "json");
    assert_int_equal(json->count, 5);
    assert_int_equal(json->attempts, 4);
    assert_string_equal(json->message, "newest");
    assert_int_equal(json->offset, 3);
    assert_int_equal(json->newest, 1700003600000);
    assert_int_equal(counted.groups[2].newest, 1700007200000);
    assert_int_equal(counted.origin_count, 2);
    assert_string_equal(counted.origins[0].topic, "orders");
    assert_int_equal(counted.origins[0].count, 6);
    assert_int_equal(histogram_most(&counted.times), 4);
    letter_tally_fini(&counted);
}

static void the_time_of_a_letter_is_that_of_its_record(void **state)
{
    struct letters *letters = *state;
    struct record *record = letters_add(letters, &(struct letter_words){.timestamp = "1700000000000"});
    record->timestamp = 1764000000000;
    assert_int_equal(letter_filter_time(record), 1700000000000);
    record = letters_add(letters, &(struct letter_words){.timestamp = "-1"});
    record->timestamp = 1764000000000;
    assert_int_equal(letter_filter_time(record), -1);
    record = records_add(letters->batch, "somebody", "else's");
    record->timestamp = 1764000000000;
    assert_int_equal(letter_filter_time(record), 1764000000000);
}

static void a_zero_byte_in_a_header_makes_no_group_for_each_letter(void **state)
{
    struct letters *letters = *state;
    struct letter_tally counted;
    for (unsigned i = 0; i < 3; i++) {
        struct record *record = letters_add(letters, &(struct letter_words){"dec~ode", "js~on", .topic = "ord~ers"});
        uint8_t *headers = (uint8_t *)record->headers.data, *at;
        while ((at = memchr(headers, '~', record->headers.size)) != NULL)
            *at = '\0';
    }
    tally(letters, &counted);
    assert_int_equal(counted.group_count, 1);
    assert_int_equal(counted.origin_count, 1);
    assert_int_equal(counted.groups[0].count, 3);
    assert_string_equal(counted.groups[0].stage, "dec");
    letter_tally_fini(&counted);
}

static void the_table_shows_them_and_lets_nothing_at_the_terminal(void **state)
{
    struct letters *letters = *state;
    struct letter_tally counted;
    letters_add(letters, &(struct letter_words){"decode", "json",
                                                "red \x1b[31m\nand \xc2\x9b"
                                                "31m more",
                                                .timestamp = "1700000000000"});
    letters_add(letters, &(struct letter_words){"decode", "utf8", "at byte 3", .timestamp = "1700003600000"});
    letters_add(letters, &(struct letter_words){"decode", "utf8", "at byte 4", .timestamp = "1700003600000"});
    tally(letters, &counted);
    letter_tally_table(&counted, "orders.yaml", "orders.dlq", false, letters_open_text(letters));
    assert_string_equal(
        letters_text(letters),
        "orders.dlq: 3 dead letters, of records from 2023-11-14T22:13:20Z to 2023-11-14T23:13:20Z\n"
        "\n"
        "STAGE   CLASS  LETTERS  OLDEST                NEWEST                LAST MESSAGE\n"
        "decode  utf8         2  2023-11-14T23:13:20Z  2023-11-14T23:13:20Z  orders.dlq/0@2: at byte 4\n"
        "decode  json         1  2023-11-14T22:13:20Z  2023-11-14T22:13:20Z  orders.dlq/0@0: red  [31m and   31m more\n"
        "\n"
        "FROM    LETTERS\n"
        "orders        3\n"
        "\n"
        "TIME (UTC)        LETTERS  (a line for 5 min)\n"
        "2023-11-14 22:10        1  ####################\n"
        "2023-11-14 22:15        0\n"
        "2023-11-14 22:20        0\n"
        "2023-11-14 22:25        0\n"
        "2023-11-14 22:30        0\n"
        "2023-11-14 22:35        0\n"
        "2023-11-14 22:40        0\n"
        "2023-11-14 22:45        0\n"
        "2023-11-14 22:50        0\n"
        "2023-11-14 22:55        0\n"
        "2023-11-14 23:00        0\n"
        "2023-11-14 23:05        0\n"
        "2023-11-14 23:10        2  ########################################\n"
        "\n"
        "See one: weir dlq show orders.yaml 0@2\n");
    letter_tally_fini(&counted);
}

static void an_empty_header_leaves_its_cell_empty(void **state)
{
    struct letters *letters = *state;
    struct letter_tally counted;
    for (unsigned i = 0; i < 2; i++)
        letters_add(letters, &(struct letter_words){"decode", "json", .attempts = "1"});
    letters_add(letters, &(struct letter_words){"", "", .attempts = "1"});
    tally(letters, &counted);
    assert_int_equal(counted.group_count, 2);
    letter_tally_table(&counted, "weir.yaml", "orders.dlq", false, letters_open_text(letters));
    const char *first = strstr(letters_text(letters), "decode");
    assert_non_null(first);
    assert_null(strstr(first + 1, "decode")); /* that of the line before */
    letter_tally_fini(&counted);
}

static void no_letters_are_said_to_be_none(void **state)
{
    struct letters *letters = *state;
    struct letter_tally counted;
    tally(letters, &counted);
    letter_tally_table(&counted, "orders.yaml", "orders.dlq", false, letters_open_text(letters));
    assert_string_equal(letters_text(letters), "orders.dlq: no dead letters\n");
    letter_tally_json(&counted, "orders-store", "orders.dlq", letters_open_text(letters));
    assert_string_equal(letters_text(letters),
                        "{\"service\": \"orders-store\", \"topic\": \"orders.dlq\", \"letters\": 0, \"truncated\": 0, "
                        "\"undated\": 0, \"not_shown\": 0, \"foreign\": 0, \"oldest\": null, \"newest\": null, "
                        "\"groups\": [], \"sources\": [], \"times\": [], \"times_seconds\": 0}\n");
    letter_tally_fini(&counted);
}

static void machines_get_the_same(void **state)
{
    struct letters *letters = *state;
    struct letter_tally counted;
    add_some(letters);
    tally(letters, &counted);
    letter_tally_json(&counted, "orders-store", "orders.dlq", letters_open_text(letters));
    const char *json = letters_text(letters);
    assert_holds(json, "\"letters\": 7, \"truncated\": 1, \"undated\": 1, \"not_shown\": 0, \"foreign\": 1, "
                       "\"oldest\": \"2023-11-14T22:13:20.000Z\", \"newest\": \"2023-11-15T00:13:20.000Z\"");
    assert_holds(json, "{\"stage\": \"decode\", \"class\": \"json\", \"letters\": 5, \"attempts_most\": 4, ");
    assert_holds(json, "\"last\": {\"place\": \"orders.dlq/0@3\", \"message\": \"newest\"}");
    assert_holds(json, "\"sources\": [{\"topic\": \"orders\", \"letters\": 6}, ");
    assert_holds(json, "\"times\": [{\"from\": \"2023-11-14T22:00:00.000Z\", \"letters\": 4}");
    letter_tally_fini(&counted);
}

static void more_groups_than_can_be_shown_are_counted_all_the_same(void **state)
{
    struct letters *letters = *state;
    struct letter_tally counted;
    char class[16];
    for (unsigned i = 0; i < LETTER_TALLY_GROUPS + 3; i++) {
        snprintf(class, sizeof class, "class-%u", i);
        letters_add(letters, &(struct letter_words){"decode", class, "m", .timestamp = "1"});
    }
    tally(letters, &counted);
    assert_int_equal(counted.group_count, LETTER_TALLY_GROUPS);
    assert_int_equal(counted.total, LETTER_TALLY_GROUPS + 3);
    assert_int_equal(counted.ungrouped, 3);
    letter_tally_fini(&counted);
}

/* -- which are meant -- */

static void only_what_is_asked_for_and_can_be_is_redriven(void **state)
{
    struct letters *letters = *state;
    struct letter_filter filter = {.class = "json", .redriven = true, .attempts_most = 4};
    add_some(letters);
    letters_add(letters, &(struct letter_words){"decode", "json", "m", .timestamp = "1", .truncated = "9"});
    for (uint32_t i = 0; i < letters->batch->count; i++) {
        bool taken = i < 3 || i == 4;
        assert_int_equal(letter_filter_takes(&letters->batch->records[i], 0, &filter), taken);
    }
    assert_int_equal(filter.counts.taken, 4);
    assert_int_equal(filter.counts.attempts, 1);
    assert_int_equal(filter.counts.other, 2);
    assert_int_equal(filter.counts.truncated, 1);
    assert_int_equal(filter.counts.foreign, 1);
    letter_counts_tell(&filter, "redrive: ", letters_open_text(letters));
    assert_string_equal(letters_text(letters),
                        "redrive: passed over: 5 (2 of another stage or class, 1 refused 4 times or more: see "
                        "--max-attempts, 1 with a value that was cut, 1 that are no dead letters of weir); they stay "
                        "in the topic\n");
}

static void to_look_at_them_all_are_taken(void **state)
{
    struct letters *letters = *state;
    struct letter_filter filter = {0};
    add_some(letters);
    for (uint32_t i = 0; i < letters->batch->count; i++)
        assert_true(letter_filter_takes(&letters->batch->records[i], 0, &filter));
    filter.stage = "sqlite";
    for (uint32_t i = 0; i < letters->batch->count; i++)
        assert_int_equal(letter_filter_takes(&letters->batch->records[i], 0, &filter), i == 5);
    filter = (struct letter_filter){0};
    letter_counts_tell(&filter, "", letters_open_text(letters));
    assert_string_equal(letters_text(letters), "");
}

/* -- one of them -- */

static const char *show(struct letters *letters, const struct record *record, bool hex)
{
    letter_show(letters->batch, record, hex, letters_open_text(letters));
    return letters_text(letters);
}

static struct record *add_value(struct letters *letters, struct bytes key, struct bytes value)
{
    struct record *record = records_add_bytes(letters->batch, key, value);
    records_header(letters->batch, record, "weir.error.class", "json");
    records_header(letters->batch, record, "weir.source.topic", "orders");
    records_header(letters->batch, record, "weir.source.partition", "0");
    records_header(letters->batch, record, "weir.source.offset", "1");
    return record;
}

static void a_letter_is_shown_with_where_it_came_from_and_why(void **state)
{
    struct letters *letters = *state;
    struct record *record = letters_add(letters, &(struct letter_words){"sqlite", "constraint", "NOT NULL failed",
                                                                        "orders", "1700000000123", "2", NULL});
    records_header(letters->batch, record, "null", NULL);
    records_header(letters->batch, record, "bytes", "\x01\x02");
    assert_string_equal(show(letters, record, false), "letter     orders.dlq/0@0\n"
                                                      "stage      sqlite\n"
                                                      "class      constraint\n"
                                                      "message    NOT NULL failed\n"
                                                      "from       orders/3@17\n"
                                                      "timestamp  2023-11-14T22:13:20.123Z\n"
                                                      "service    orders-store\n"
                                                      "attempts   2\n"
                                                      "headers    trace: t1\n"
                                                      "           null: null\n"
                                                      "           bytes: 0x0102\n"
                                                      "key        key\n"
                                                      "value      8 bytes\n"
                                                      "\n"
                                                      "{\n"
                                                      "  \"id\": 1\n"
                                                      "}\n");
}

static void text_of_several_lines_stays_text_and_in_its_line(void **state)
{
    struct letters *letters = *state;
    struct record *record = letters_add(
        letters,
        &(struct letter_words){"postgres", "constraint", .message = "duplicate \"key\"\nDETAIL:\tit is there"});
    records_header(letters->batch, record, "stack", "at a\r\nat b");
    const char *shown = show(letters, record, false);
    assert_holds(shown, "message    \"duplicate \\\"key\\\"\\nDETAIL:\\tit is there\"\n");
    assert_holds(shown, "stack: \"at a\\r\\nat b\"\n");
}

static void json_is_indented_and_keeps_what_is_in_it(void **state)
{
    struct letters *letters = *state;
    struct record *record = add_value(
        letters, bytes_of_string("k"),
        bytes_of_string(" {\"a\" :[ 1.50,{},[ ], {\"b\":\"x, {y}: \\\"z\\\\\"}],\"u\":\"\\u00e9\xc3\xa9\"} "));
    assert_holds(show(letters, record, false), "\n"
                                               "{\n"
                                               "  \"a\": [\n"
                                               "    1.50,\n"
                                               "    {},\n"
                                               "    [],\n"
                                               "    {\n"
                                               "      \"b\": \"x, {y}: \\\"z\\\\\"\n"
                                               "    }\n"
                                               "  ],\n"
                                               "  \"u\": \"\\u00e9\xc3\xa9\"\n"
                                               "}\n");
}

static void text_is_text_and_bytes_are_dumped(void **state)
{
    struct letters *letters = *state;
    assert_holds(
        show(letters, add_value(letters, bytes_of_string("k"), bytes_of_string("{broken\n\tj\xc3\xb6rg")), false),
        "value      14 bytes\n\n{broken\n\tj\xc3\xb6rg\n");
    const char *dumped = show(
        letters, add_value(letters, bytes_of("\xff\x00", 2), bytes_of("0123456789abcdef\x1b[2J|\x00", 22)), false);
    assert_holds(dumped, "key        0xff00\n");
    assert_holds(dumped, "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n"
                         "00000010  1b 5b 32 4a 7c 00                                 |.[2J|.|\n");
    /* A C1 control character, in UTF-8. */
    assert_holds(show(letters, add_value(letters, bytes_of_string("\xc2\x9b"), bytes_of_string("\xc2\x9bx")), false),
                 "key        0xc29b\nvalue      3 bytes\n\n00000000  c2 9b 78 ");
    /* A line that begins anew writes over itself. */
    assert_holds(show(letters, add_value(letters, bytes_of_string("a\r"), bytes_of_string("a\r\nb\rc")), false),
                 "key        0x610d\nvalue      6 bytes\n\n00000000  61 0d 0a 62 0d 63 ");
    assert_holds(show(letters, add_value(letters, (struct bytes){0}, (struct bytes){0}), false),
                 "key        null\nvalue      null\n");
    assert_holds(show(letters, add_value(letters, bytes_of_string("k"), bytes_of_string("{}")), true),
                 "00000000  7b 7d    ");
}

static void a_value_that_was_cut_and_what_is_no_letter_are_told(void **state)
{
    struct letters *letters = *state;
    struct record *cut = letters_add(letters,
                                     &(struct letter_words){"kafka", "size", "too large", .truncated = "70000"});
    assert_holds(show(letters, cut, false),
                 "cut        the value was too large for the topic: what follows is the beginning of 70,000 bytes\n");
    struct record *foreign = records_add(letters->batch, "k", "v");
    const char *shown = show(letters, foreign, false);
    assert_holds(shown, "letter     orders.dlq/0@1\n           not a dead letter of weir: ");
    assert_holds(shown, "timestamp  no timestamp\n");
}

static void one_for_machines_has_everything(void **state)
{
    struct letters *letters = *state;
    struct record *record = add_value(letters, bytes_of("\xff", 1), bytes_of_string("{\"a\": \"\xc3\xa9\"}\n"));
    records_header(letters->batch, record, "trace", "t\"1");
    letter_show_json(letters->batch, record, letters_open_text(letters));
    assert_string_equal(
        letters_text(letters),
        "{\"topic\": \"orders.dlq\", \"partition\": 0, \"offset\": 0, \"letter\": true, \"stage\": null, "
        "\"class\": \"json\", \"message\": null, \"service\": null, \"source_topic\": \"orders\", "
        "\"source_partition\": 0, \"source_offset\": 1, \"timestamp\": null, \"attempts\": null, "
        "\"retries\": 0, \"truncated\": null, \"headers\": [[\"trace\", \"t\\\"1\"]], \"key\": "
        "{\"hex\": \"ff\"}, \"value\": \"{\\\"a\\\": \\\"\xc3\xa9\\\"}\\n\"}\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, letters_set_up, letters_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(letters_are_counted_by_stage_class_topic_and_time),
        TEST(the_time_of_a_letter_is_that_of_its_record),
        TEST(a_zero_byte_in_a_header_makes_no_group_for_each_letter),
        TEST(the_table_shows_them_and_lets_nothing_at_the_terminal),
        TEST(an_empty_header_leaves_its_cell_empty),
        TEST(no_letters_are_said_to_be_none),
        TEST(machines_get_the_same),
        TEST(more_groups_than_can_be_shown_are_counted_all_the_same),
        TEST(only_what_is_asked_for_and_can_be_is_redriven),
        TEST(to_look_at_them_all_are_taken),
        TEST(a_letter_is_shown_with_where_it_came_from_and_why),
        TEST(text_of_several_lines_stays_text_and_in_its_line),
        TEST(json_is_indented_and_keeps_what_is_in_it),
        TEST(text_is_text_and_bytes_are_dumped),
        TEST(a_value_that_was_cut_and_what_is_no_letter_are_told),
        TEST(one_for_machines_has_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
