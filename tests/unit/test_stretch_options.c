/* Which stretch the options of replay, archive and redrive mean, and how they say what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "cli/stretch_options.h"

/* 2026-11-25T12:00:00Z */
#define NOW INT64_C(1795608000000)

struct given {
    struct command command;
    struct stretch_options *options;
    const struct stretch_request *request;
    char message[512];
};

static void read_all(struct given *given)
{
    stretch_options_free(given->options);
    given->message[0] = '\0';
    given->options = stretch_options_read(&given->command, NOW, given->message, sizeof given->message);
    given->request = given->options != NULL ? stretch_options_request(given->options) : NULL;
}

static void read_good(struct given *given)
{
    read_all(given);
    if (given->options == NULL)
        fail_msg("%s", given->message);
}

static void assert_wrong(enum option_id id, const char *value, const char *message)
{
    struct given given = {0};
    given.command.values[id] = value;
    read_all(&given);
    if (given.options != NULL)
        fail_msg("\"%s\" was taken", value);
    assert_string_equal(given.message, message);
}

static int64_t time_of(const char *text)
{
    struct given given = {0};
    given.command.values[OPTION_FROM] = text;
    read_good(&given);
    assert_int_equal(given.request->from.kind, STRETCH_TIME);
    int64_t time = given.request->from.time;
    stretch_options_free(given.options);
    return time;
}

static void without_options_it_is_everything_that_is_there_now(void **state)
{
    (void)state;
    struct given given = {0};
    read_good(&given);
    assert_int_equal(given.request->from.kind, STRETCH_BEGINNING);
    assert_int_equal(given.request->to.kind, STRETCH_NOW);
    assert_int_equal(given.request->partition_count, 0);
    assert_int_equal(given.request->late, 60000);
    assert_null(given.request->progress);
    struct stretch *stretch = stretch_new(1);
    stretch_options_apply(given.options, stretch);
    assert_null(stretch->filter.key.data);
    assert_null(stretch->filter.where);
    assert_int_equal(stretch->max_records, 0);
    assert_true(stretch->rate == 0 && stretch->speed == 0);
    stretch_free(stretch);
    stretch_options_free(given.options);
}

static void points_in_time_are_as_in_rfc_3339(void **state)
{
    (void)state;
    assert_int_equal(time_of("2026-11-25T12:00:00Z"), NOW);
    assert_int_equal(time_of("2026-11-25t12:00:00z"), NOW);
    assert_int_equal(time_of("2026-11-25 12:00:00Z"), NOW);
    assert_int_equal(time_of("2026-11-25T12:00Z"), NOW);
    assert_int_equal(time_of("2026-11-25T13:30:00+01:30"), NOW);
    assert_int_equal(time_of("2026-11-25T04:00:00-08:00"), NOW);
    assert_int_equal(time_of("2026-11-25T12:00:00.5Z"), NOW + 500);
    assert_int_equal(time_of("2026-11-25T12:00:00.123000Z"), NOW + 123);
    assert_int_equal(time_of("2026-11-25"), NOW - 12 * 3600000);
    assert_int_equal(time_of("1970-01-01"), 0);
    assert_int_equal(time_of("2024-02-29T23:59:59Z"), INT64_C(1709251199000));
    assert_int_equal(time_of("2000-03-01"), INT64_C(951868800000));
    assert_int_equal(time_of("1969-12-31T23:59:59Z"), -1000);
}

/* Records have whole milliseconds: none lies between the two. */
static void what_is_finer_than_a_millisecond_is_the_next_one(void **state)
{
    (void)state;
    assert_int_equal(time_of("2026-11-25T12:00:00.1230001Z"), NOW + 124);
    assert_int_equal(time_of("2026-11-25T12:00:00.9999Z"), NOW + 1000);
}

static void times_before_now_have_the_units_of_configs(void **state)
{
    (void)state;
    assert_int_equal(time_of("-2h"), NOW - 2 * 3600000);
    assert_int_equal(time_of("-1d12h"), NOW - 36 * 3600000);
    assert_int_equal(time_of("-90s"), NOW - 90000);
    assert_int_equal(time_of("-1m500ms"), NOW - 60500);
}

static void what_is_no_time_is_told_at_its_place(void **state)
{
    (void)state;
    assert_wrong(OPTION_FROM, "2026-13-01",
                 "--from \"2026-13-01\": at position 6: expected a month from 01 to 12, not \"13-01\"");
    assert_wrong(OPTION_TO, "2026-02-29",
                 "--to \"2026-02-29\": at position 9: expected a day of that month, of two digits, not \"29\"");
    assert_wrong(
        OPTION_FROM, "2026-11-25T10:00:00",
        "--from \"2026-11-25T10:00:00\": at position 20: expected the offset from UTC: Z, +01:00, not the end");
    assert_wrong(OPTION_FROM, "2026-11-25T24:00:00Z",
                 "--from \"2026-11-25T24:00:00Z\": at position 12: expected hours from 00 to 23, not \"24:00:00Z\"");
    assert_wrong(OPTION_FROM, "2026-11-25T10:00:00.Z",
                 "--from \"2026-11-25T10:00:00.Z\": at position 21: expected digits of a fraction, not \"Z\"");
    assert_wrong(OPTION_FROM, "2026-11-25T10:00:00Zulu",
                 "--from \"2026-11-25T10:00:00Zulu\": at position 21: expected the end, not \"ulu\"");
    assert_wrong(OPTION_FROM, "2026-11-25x",
                 "--from \"2026-11-25x\": at position 11: expected \"T\" and the time, or the end, not \"x\"");
    assert_wrong(
        OPTION_FROM, "yesterday",
        "--from \"yesterday\": at position 1: expected a year of four digits, \"-2h\", \"beginning\", \"now\" or "
        "TOPIC/PARTITION@OFFSET, not \"yesterday\"");
    assert_wrong(
        OPTION_FROM, "-2",
        "--from \"-2\": at position 2: expected a duration: \"2h\", \"1d12h\" (units ms, s, m, h, d), not \"2\"");
    assert_wrong(
        OPTION_FROM, "-1d2x",
        "--from \"-1d2x\": at position 4: expected a duration: \"2h\", \"1d12h\" (units ms, s, m, h, d), not \"2x\"");
    assert_wrong(OPTION_FROM, "",
                 "--from \"\": at position 1: expected a year of four digits, \"-2h\", \"beginning\", \"now\" or "
                 "TOPIC/PARTITION@OFFSET, not the end");
}

static void a_window_that_ends_before_it_begins_is_a_mistake(void **state)
{
    (void)state;
    struct given given = {0};
    given.command.values[OPTION_FROM] = "-1h";
    given.command.values[OPTION_TO] = "-2h";
    read_all(&given);
    assert_null(given.options);
    assert_string_equal(given.message, "--from \"-1h\" is later than --to \"-2h\"");
    given.command.values[OPTION_TO] = "-1h";
    read_good(&given);
    stretch_options_free(given.options);
}

static void what_is_later_shows_without_times_too(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"now", "beginning"}, {"now", "-1h"},         {"-1h", "beginning"},  {"0@5", "0@4"},
        {"a/1@5", "a/1@4"},   {"0@1,2@7", "1@0,2@6"}, {"0@5", "a/0@4"},      {"a/0@5", "0@4"},
        {"now", "0@5"},       {"now", "a/0@5"},       {"0@50", "beginning"},
    };
    static const char *const good[][2] = {
        {"now", "now"},
        {"beginning", "-1h"},
        {"2999-01-01T00:00:00Z", "now"},
        {"0@5", "1@4"},
        {"a/1@5", "b/1@4"},
        {"0@5", "now"},
        {"beginning", "beginning"},
        {"beginning", "0@5"},
        {"0@5", "a/0@5"},
        {"-1h", "0@5"},
        {"0@5", "-1h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct given given = {0};
        char expected[128];
        given.command.values[OPTION_FROM] = cases[i][0];
        given.command.values[OPTION_TO] = cases[i][1];
        snprintf(expected, sizeof expected, "--from \"%s\" is later than --to \"%s\"", cases[i][0], cases[i][1]);
        read_all(&given);
        assert_null(given.options);
        assert_string_equal(given.message, expected);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct given given = {0};
        given.command.values[OPTION_FROM] = good[i][0];
        given.command.values[OPTION_TO] = good[i][1];
        read_good(&given);
        stretch_options_free(given.options);
    }
}

static void read_window(struct given *given, const char *from, const char *to, const char *name)
{
    given->command.values[OPTION_FROM] = from;
    given->command.values[OPTION_TO] = to;
    given->command.values[OPTION_NAME] = name;
    read_all(given);
}

/* The bounds are those of the first start, when "-2h" was before ten o'clock. */
static void what_goes_on_under_a_name_may_say_a_time_before_now_that_is_later_by_now(void **state)
{
    (void)state;
    static const char TEN[] = "2026-11-25T10:00:00Z", FOUR[] = "2026-11-25T16:00:00Z";
    struct given given = {0};
    read_window(&given, "-1h", TEN, NULL);
    assert_string_equal(given.message, "--from \"-1h\" is later than --to \"2026-11-25T10:00:00Z\"");
    read_window(&given, "-1h", TEN, "fix");
    assert_non_null(given.options);
    read_window(&given, FOUR, "-1h", "fix");
    assert_non_null(given.options);
    /* Both move, or neither does. */
    read_window(&given, "-1h", "-2h", "fix");
    assert_string_equal(given.message, "--from \"-1h\" is later than --to \"-2h\"");
    read_window(&given, FOUR, TEN, "fix");
    assert_string_equal(given.message, "--from \"2026-11-25T16:00:00Z\" is later than --to \"2026-11-25T10:00:00Z\"");
    read_window(&given, "now", TEN, "fix");
    assert_string_equal(given.message, "--from \"now\" is later than --to \"2026-11-25T10:00:00Z\"");
}

static void offsets_are_for_the_partitions_that_they_name(void **state)
{
    (void)state;
    struct given given = {0};
    given.command.values[OPTION_FROM] = "orders/0@100,or.de-rs_2/11@9000000000";
    given.command.values[OPTION_TO] = "3@7";
    read_good(&given);
    const struct stretch_bound *from = &given.request->from, *to = &given.request->to;
    assert_int_equal(from->kind, STRETCH_OFFSETS);
    assert_int_equal(from->offset_count, 2);
    assert_string_equal(from->offsets[0].topic, "orders");
    assert_int_equal(from->offsets[0].partition, 0);
    assert_int_equal(from->offsets[0].offset, 100);
    assert_string_equal(from->offsets[1].topic, "or.de-rs_2");
    assert_int_equal(from->offsets[1].partition, 11);
    assert_int_equal(from->offsets[1].offset, INT64_C(9000000000));
    assert_int_equal(to->kind, STRETCH_OFFSETS);
    assert_null(to->offsets[0].topic);
    assert_int_equal(to->offsets[0].partition, 3);
    assert_int_equal(to->offsets[0].offset, 7);
    stretch_options_free(given.options);
}

static void what_is_no_offset_is_told_at_its_place(void **state)
{
    (void)state;
    assert_wrong(OPTION_FROM, "orders/0",
                 "--from \"orders/0\": at position 9: expected \"@\" and an offset, not the end");
    assert_wrong(OPTION_FROM, "orders/x@1",
                 "--from \"orders/x@1\": at position 8: expected a partition's number, not \"x@1\"");
    assert_wrong(OPTION_FROM, "orders/0@1,",
                 "--from \"orders/0@1,\": at position 12: expected a partition's number, not the end");
    assert_wrong(OPTION_FROM, "orders/0@1,orders/0@2",
                 "--from \"orders/0@1,orders/0@2\": at position 12: expected each partition once, not \"orders/0@2\"");
    assert_wrong(OPTION_FROM, "/0@1", "--from \"/0@1\": at position 1: expected a topic's name, not \"/0@1\"");
    assert_wrong(OPTION_FROM, "0@99999999999999999999",
                 "--from \"0@99999999999999999999\": at position 3: expected a number that fits into 64 bits, not "
                 "\"99999999999999999999\"");
}

static void partitions_are_named_alone_and_by_ranges(void **state)
{
    (void)state;
    struct given given = {0};
    given.command.values[OPTION_PARTITIONS] = "0,2-4,3,orders/3,orders/5-6";
    read_good(&given);
    const struct stretch_partition *partitions = given.request->partitions;
    static const struct stretch_partition EXPECTED[] = {{NULL, 0},     {NULL, 2},     {NULL, 3},    {NULL, 4},
                                                        {"orders", 3}, {"orders", 5}, {"orders", 6}};
    assert_int_equal(given.request->partition_count, 7);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(partitions[i].partition, EXPECTED[i].partition);
        if (EXPECTED[i].topic == NULL)
            assert_null(partitions[i].topic);
        else
            assert_string_equal(partitions[i].topic, EXPECTED[i].topic);
    }
    stretch_options_free(given.options);
    assert_wrong(OPTION_PARTITIONS, "0;1",
                 "--partitions \"0;1\": at position 2: expected \",\", \"-\" or the end, not \";1\"");
    assert_wrong(OPTION_PARTITIONS, "5-2",
                 "--partitions \"5-2\": at position 1: expected a range that ends behind where it begins, not \"5-2\"");
    assert_wrong(
        OPTION_PARTITIONS, "0-99999999",
        "--partitions \"0-99999999\": at position 1: expected no more than 10000 partitions, not \"0-99999999\"");
    assert_wrong(OPTION_PARTITIONS, "", "--partitions \"\": at position 1: expected a partition's number, not the end");
}

static void rate_speed_key_and_limits_go_into_the_stretch(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double rate;
    } RATES[] = {{"5000/s", 5000}, {"300/m", 5}, {"12.5", 12.5}};
    struct given given = {0};
    struct stretch *stretch = stretch_new(1);
    given.command.values[OPTION_SPEED] = "10x";
    given.command.values[OPTION_KEY] = "k-1";
    given.command.values[OPTION_WHERE] = "header.tenant=acme";
    given.command.values[OPTION_MAX_RECORDS] = "25";
    given.command.values[OPTION_LATE] = "0";
    given.command.values[OPTION_NAME] = "fix-1.2_b";
    for (size_t i = 0; i < sizeof RATES / sizeof RATES[0]; i++) {
        given.command.values[OPTION_RATE] = RATES[i].text;
        read_good(&given);
        stretch_options_apply(given.options, stretch);
        assert_true(stretch->rate == RATES[i].rate);
    }
    assert_true(stretch->speed == 10);
    assert_int_equal(stretch->max_records, 25);
    assert_true(bytes_equal(stretch->filter.key, bytes_of_string("k-1")));
    assert_non_null(stretch->filter.where);
    assert_int_equal(given.request->late, 0);
    assert_string_equal(given.request->progress, "fix-1.2_b");
    given.command.values[OPTION_SPEED] = "0.5";
    read_good(&given);
    stretch_options_apply(given.options, stretch);
    assert_true(stretch->speed == 0.5);
    stretch_free(stretch);
    stretch_options_free(given.options);
}

static void an_empty_key_is_a_key(void **state)
{
    (void)state;
    struct given given = {0};
    struct stretch *stretch = stretch_new(1);
    given.command.values[OPTION_KEY] = "";
    read_good(&given);
    stretch_options_apply(given.options, stretch);
    assert_non_null(stretch->filter.key.data);
    assert_int_equal(stretch->filter.key.size, 0);
    stretch_free(stretch);
    stretch_options_free(given.options);
}

static void the_others_are_told_at_their_place_as_well(void **state)
{
    (void)state;
    assert_wrong(OPTION_RATE, "fast",
                 "--rate \"fast\": at position 1: expected records a second or a minute: \"5000/s\", \"5000/m\", or a "
                 "number, not \"fast\"");
    assert_wrong(OPTION_RATE, "10/h", "--rate \"10/h\": at position 3: expected \"/s\", \"/m\" or the end, not \"/h\"");
    assert_wrong(OPTION_RATE, "0", "--rate \"0\": at position 1: expected a number above 0, not \"0\"");
    assert_wrong(OPTION_SPEED, "10y", "--speed \"10y\": at position 3: expected \"x\" or the end, not \"y\"");
    assert_wrong(OPTION_LATE, "soon",
                 "--late \"soon\": at position 1: expected a duration: \"0\", \"30s\", \"5m\", not \"soon\"");
    assert_wrong(OPTION_NAME, "a b",
                 "--name \"a b\": at position 2: expected letters, digits, \"-\", \"_\" and \".\", not \" b\"");
    assert_wrong(OPTION_NAME, "",
                 "--name \"\": at position 1: expected letters, digits, \"-\", \"_\" and \".\", not the end");
    struct given given = {0};
    given.command.values[OPTION_WHERE] = "header.x";
    read_all(&given);
    assert_null(given.options);
    assert_non_null(strstr(given.message, "--where \"header.x\": at position "));
    assert_non_null(strstr(given.message, ": expected header.NAME, "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_options_it_is_everything_that_is_there_now),
        cmocka_unit_test(points_in_time_are_as_in_rfc_3339),
        cmocka_unit_test(what_is_finer_than_a_millisecond_is_the_next_one),
        cmocka_unit_test(times_before_now_have_the_units_of_configs),
        cmocka_unit_test(what_is_no_time_is_told_at_its_place),
        cmocka_unit_test(a_window_that_ends_before_it_begins_is_a_mistake),
        cmocka_unit_test(what_is_later_shows_without_times_too),
        cmocka_unit_test(what_goes_on_under_a_name_may_say_a_time_before_now_that_is_later_by_now),
        cmocka_unit_test(offsets_are_for_the_partitions_that_they_name),
        cmocka_unit_test(what_is_no_offset_is_told_at_its_place),
        cmocka_unit_test(partitions_are_named_alone_and_by_ranges),
        cmocka_unit_test(rate_speed_key_and_limits_go_into_the_stretch),
        cmocka_unit_test(an_empty_key_is_a_key),
        cmocka_unit_test(the_others_are_told_at_their_place_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
