#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/receipt.h"
#include "cli/service.h"
#include "cli/text.h"
#include "processor/clock.h"
#include "tests/support/counted.h"

struct fixture {
    struct offsets *offsets;
    struct receipt receipt;
    char dir[64], file[80];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->offsets = offsets_new();
    fixture->receipt = (struct receipt){
        .service = "orders",
        .counts = {.issued = 1234567, .stored = 1234000, .dead_lettered = 500, .dropped = 60, .abandoned = 7},
        .restarts = 2,
        .wall = 2500 * CLOCK_MS,
        .cpu = 3 * CLOCK_SECOND,
        .peak_rss = 64 * 1024 * 1024,
        .offsets = fixture->offsets,
    };
    snprintf(fixture->dir, sizeof fixture->dir, "/tmp/test-receipt-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    snprintf(fixture->file, sizeof fixture->file, "%s/receipt.json", fixture->dir);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->file);
    rmdir(fixture->dir);
    offsets_free(fixture->offsets);
    free(fixture);
    return 0;
}

static char *print_with(const struct receipt *receipt, void (*print)(const struct receipt *receipt, FILE *out))
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    print(receipt, out);
    fclose(out);
    return text;
}

static void read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void json_has_exactly_what_was_promised(void **state)
{
    struct fixture *fixture = *state;
    offsets_set(fixture->offsets, "orders", 1, 995);
    offsets_set(fixture->offsets, "orders", 0, 1000);
    offsets_set(fixture->offsets, "a.first", 12, 5);
    char *text = print_with(&fixture->receipt, receipt_json);
    assert_string_equal(text,
                        "{\"consumed\": 1234567, \"stored\": 1234000, \"dead_lettered\": 500, \"dropped\": 60, "
                        "\"abandoned\": 7, \"seconds\": 2.500, \"cpu_seconds\": 3.000, \"peak_rss_bytes\": 67108864, "
                        "\"restarts\": 2, \"lost_offsets\": 0, \"offsets\": {\"a.first\": {\"12\": 5}, \"orders\": "
                        "{\"0\": 1000, \"1\": 995}}}\n");
    free(text);
}

static void json_without_commits_is_whole_too(void **state)
{
    struct fixture *fixture = *state;
    char *text = print_with(&fixture->receipt, receipt_json);
    assert_non_null(strstr(text, "\"offsets\": {}}\n"));
    free(text);
}

static void what_could_not_be_read_is_told(void **state)
{
    struct fixture *fixture = *state;
    fixture->receipt.of_stretch = true;
    fixture->receipt.lost = 2999;
    char *text = print_with(&fixture->receipt, receipt_json);
    assert_non_null(strstr(text, "\"lost_offsets\": 2999, "));
    free(text);
    text = print_with(&fixture->receipt, receipt_print);
    assert_non_null(strstr(text, "all of it that could still be read"));
    assert_non_null(strstr(text, "  lost                     2,999  offsets"));
    free(text);
}

static void what_was_passed_over_is_told_where_something_chooses(void **state)
{
    struct fixture *fixture = *state;
    char *text = print_with(&fixture->receipt, receipt_json);
    assert_null(strstr(text, "passed_over"));
    free(text);
    fixture->receipt.filtered = true;
    fixture->receipt.passed_over = 1234;
    text = print_with(&fixture->receipt, receipt_json);
    assert_non_null(strstr(text, "\"offsets\": {}, \"passed_over\": 1234}\n"));
    free(text);
    fixture->receipt.passed_over_by = "{\"other\": 1234}";
    text = print_with(&fixture->receipt, receipt_json);
    assert_non_null(strstr(text, "\"passed_over\": 1234, \"passed_over_by\": {\"other\": 1234}}\n"));
    free(text);
    text = print_with(&fixture->receipt, receipt_print);
    assert_non_null(strstr(text, "  passed over              1,234\n"));
    free(text);
}

static void what_was_there_already_is_not_told_as_stored(void **state)
{
    struct fixture *fixture = *state;
    fixture->receipt.kept = true;
    fixture->receipt.passed_over = 1233000;
    char *text = print_with(&fixture->receipt, receipt_json);
    assert_non_null(strstr(text, "\"stored\": 1000, "));
    assert_non_null(strstr(text, "\"passed_over\": 1233000}\n"));
    free(text);
    text = print_with(&fixture->receipt, receipt_print);
    assert_non_null(strstr(text, "  stored                   1,000\n"));
    assert_non_null(strstr(text, "  passed over          1,233,000  that are there already\n"));
    free(text);
    fixture->receipt.passed_over = fixture->receipt.counts.stored + 1; /* of a run that was begun anew */
    text = print_with(&fixture->receipt, receipt_json);
    assert_non_null(strstr(text, "\"stored\": 0, "));
    free(text);
}

static void people_read_counts_rate_and_offsets(void **state)
{
    struct fixture *fixture = *state;
    offsets_set(fixture->offsets, "orders", 0, 1000);
    char *text = print_with(&fixture->receipt, receipt_print);
    assert_non_null(strstr(text, "orders: drained\n"));
    assert_non_null(strstr(text, "1,234,567  in 2.50 s, 493,826/s\n"));
    assert_non_null(strstr(text, "dead-lettered              500\n"));
    assert_non_null(strstr(text, "2.43 us a record\n"));
    assert_non_null(strstr(text, "64.0 MiB\n"));
    assert_non_null(strstr(text, "orders/0@1000\n"));
    free(text);
}

static void people_are_told_when_it_did_not_end_well(void **state)
{
    struct fixture *fixture = *state;
    fixture->receipt.status = STATUS_FAILED;
    char *text = print_with(&fixture->receipt, receipt_print);
    assert_non_null(strstr(text, "orders: failed\n"));
    free(text);
    fixture->receipt.status = STATUS_DEADLINE;
    text = print_with(&fixture->receipt, receipt_print);
    assert_non_null(strstr(text, "orders: not drained in time"));
    free(text);
}

static void many_partitions_are_cut_for_people_only(void **state)
{
    struct fixture *fixture = *state;
    for (int32_t i = 0; i < 1000; i++)
        offsets_set(fixture->offsets, "orders", i, i);
    char *text = print_with(&fixture->receipt, receipt_print);
    assert_non_null(strstr(text, "and 976 more\n"));
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 120);
    free(text);
    text = print_with(&fixture->receipt, receipt_json);
    assert_non_null(strstr(text, "\"999\": 999"));
    free(text);
}

static void the_file_is_replaced_whole_and_nothing_is_left_beside_it(void **state)
{
    struct fixture *fixture = *state;
    struct error error;
    char text[1024];
    FILE *old = fopen(fixture->file, "w");
    fputs("an older receipt", old);
    fclose(old);
    assert_int_equal(receipt_probe(fixture->file, &error), STATUS_OK);
    read_file(fixture->file, text, sizeof text);
    assert_string_equal(text, "an older receipt");
    assert_int_equal(receipt_write(&fixture->receipt, fixture->file, &error), STATUS_OK);
    read_file(fixture->file, text, sizeof text);
    char *json = print_with(&fixture->receipt, receipt_json);
    assert_string_equal(text, json);
    free(json);
    assert_int_equal(count_files(fixture->dir), 1);
}

static void a_folder_that_is_not_there_is_told_before_the_run(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(receipt_probe("/nonexistent/receipt.json", &error), STATUS_FAILED);
    assert_non_null(strstr(error.text, "/nonexistent/receipt.json: No such file"));
}

static void a_device_is_written_to_and_not_replaced(void **state)
{
    struct fixture *fixture = *state;
    struct error error;
    struct stat stat_of;
    assert_int_equal(receipt_probe("/dev/null", &error), STATUS_OK);
    assert_int_equal(receipt_write(&fixture->receipt, "/dev/null", &error), STATUS_OK);
    assert_int_equal(stat("/dev/null", &stat_of), 0);
    assert_true(S_ISCHR(stat_of.st_mode));
    assert_int_equal(receipt_write(&fixture->receipt, "/dev/full", &error), STATUS_FAILED);
}

static void exit_codes_follow_the_outcome(void **state)
{
    struct fixture *fixture = *state;
    struct receipt *receipt = &fixture->receipt;
    receipt->status = STATUS_OK;
    assert_int_equal(service_exit_code(receipt), 0);
    receipt->status = STATUS_DEADLINE;
    assert_int_equal(service_exit_code(receipt), 75);
    receipt->status = STATUS_CANCELLED;
    assert_int_equal(service_exit_code(receipt), 75);
    receipt->status = STATUS_FAILED;
    receipt->error.class = ERROR_FATAL;
    assert_int_equal(service_exit_code(receipt), 1);
    receipt->error.class = ERROR_TRANSIENT;
    assert_int_equal(service_exit_code(receipt), 69);
}

static void numbers_read_well(void **state)
{
    (void)state;
    char text[TEXT_MAX];
    assert_string_equal(text_count(text, 0), "0");
    assert_string_equal(text_count(text, 999), "999");
    assert_string_equal(text_count(text, 1000), "1,000");
    assert_string_equal(text_count(text, -1234567), "-1,234,567");
    assert_string_equal(text_count(text, INT64_MIN), "-9,223,372,036,854,775,808");
    assert_string_equal(text_bytes(text, 1023), "1023 B");
    assert_string_equal(text_bytes(text, 1024), "1.0 KiB");
    assert_string_equal(text_bytes(text, 1024 * 1024 - 1), "1.0 MiB");
    assert_string_equal(text_bytes(text, INT64_C(250) << 30), "250 GiB");
    assert_string_equal(text_time(text, 1500 * CLOCK_MS), "1.50 s");
    assert_string_equal(text_time(text, 12340 * CLOCK_MS), "12.3 s");
    assert_string_equal(text_time(text, 200 * CLOCK_SECOND), "3 min 20 s");
    assert_string_equal(text_time(text, 7500 * CLOCK_SECOND), "2 h 5 min");
}

static void json_strings_are_valid_whatever_comes_in(void **state)
{
    (void)state;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    text_json(out, "a\"b\\c\nd\x01 Zo\xc3\xab \xff \xe2\x82");
    fclose(out);
    assert_string_equal(text, "\"a\\\"b\\\\c\\u000ad\\u0001 Zo\xc3\xab \\ufffd \\ufffd\\ufffd\"");
    free(text);
}

static void assert_printed_and_told(const struct receipt *receipt, const char *words, const char *json)
{
    char *text = print_with(receipt, receipt_print);
    if (strstr(text, words) == NULL)
        fail_msg("no \"%s\" in:\n%s", words, text);
    free(text);
    text = print_with(receipt, receipt_json);
    if (strstr(text, json) == NULL)
        fail_msg("no \"%s\" in:\n%s", json, text);
    free(text);
}

static void a_run_that_has_an_end_says_whether_it_was_reached(void **state)
{
    struct receipt receipt = ((struct fixture *)*state)->receipt;
    char *text = print_with(&receipt, receipt_json);
    assert_null(strstr(text, "finished"));
    free(text);
    receipt.of_stretch = true;
    assert_printed_and_told(&receipt, "orders: all of it\n", "}, \"finished\": true, \"dry_run\": false}\n");
    receipt.more = true;
    assert_printed_and_told(&receipt, "orders: as many records as were wanted; there is more of it",
                            "\"finished\": false, ");
    receipt.stopped = true;
    assert_printed_and_told(&receipt, "orders: stopped before its end\n", "\"finished\": false, ");
    receipt.status = STATUS_DEADLINE;
    assert_printed_and_told(&receipt, "orders: not drained in time", "\"finished\": false, ");
}

static void a_dry_run_says_what_would_be(void **state)
{
    struct receipt receipt = ((struct fixture *)*state)->receipt;
    receipt.of_stretch = receipt.dry_run = true;
    assert_printed_and_told(&receipt, "all of it (dry run: nothing was written, no dead letter was sent)\n",
                            "\"finished\": true, \"dry_run\": true}\n");
    assert_printed_and_told(&receipt, "  would store          1,234,000\n  would reject               500\n",
                            "\"stored\": 1234000, \"dead_lettered\": 500, ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_run_that_has_an_end_says_whether_it_was_reached),
        TEST(a_dry_run_says_what_would_be),
        TEST(json_has_exactly_what_was_promised),
        TEST(json_without_commits_is_whole_too),
        TEST(what_could_not_be_read_is_told),
        TEST(what_was_passed_over_is_told_where_something_chooses),
        TEST(what_was_there_already_is_not_told_as_stored),
        TEST(people_read_counts_rate_and_offsets),
        TEST(people_are_told_when_it_did_not_end_well),
        TEST(many_partitions_are_cut_for_people_only),
        TEST(the_file_is_replaced_whole_and_nothing_is_left_beside_it),
        TEST(a_folder_that_is_not_there_is_told_before_the_run),
        TEST(a_device_is_written_to_and_not_replaced),
        TEST(exit_codes_follow_the_outcome),
        TEST(numbers_read_well),
        TEST(json_strings_are_valid_whatever_comes_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
