/* The plan of a replay, an archive or a redrive, as people and machines read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/stretch_view.h"

/* 2026-11-25T10:00:00Z */
#define TEN INT64_C(1795600800000)

static const struct stretch_view_store STORES[] = {{.name = "orders", .type = "sqlite", .replaces = true},
                                                   {.name = "file", .type = "file"}};

static void part(struct stretch *stretch, int32_t partition, int64_t first, int64_t end, int64_t bytes)
{
    struct stretch_part *part = stretch_add(stretch, "orders", partition);
    assert_non_null(part);
    part->first = part->next = first;
    part->end = end;
    part->bytes = bytes;
    if (first < end) {
        part->first_time = TEN + partition * 1000;
        part->last_time = TEN + 600000 - 1 + partition * 1000;
    }
}

/* Two partitions of a ten-minute window, and one with nothing in it. */
static struct stretch *some_stretch(void)
{
    struct stretch *stretch = stretch_new(3);
    part(stretch, 0, 1200, 1001200, 64 << 20);
    part(stretch, 1, 0, 500000, 32 << 20);
    part(stretch, 2, 77, 77, 0);
    stretch->filter.from_time = TEN;
    stretch->filter.to_time = TEN + 600000;
    return stretch;
}

static struct stretch_view view_of(const struct stretch *stretch)
{
    return (struct stretch_view){
        .what = "replay", .service = "orders.replay", .stretch = stretch, .stores = STORES, .store_count = 2};
}

static char *printed(const struct stretch_view *view, void (*print)(const struct stretch_view *view, FILE *out))
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    print(view, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void assert_shows(const struct stretch_view *view, const char *text)
{
    char *all = printed(view, stretch_view_table);
    if (strstr(all, text) == NULL)
        fail_msg("no \"%s\" in:\n%s", text, all);
    free(all);
}

static void assert_hides(const struct stretch_view *view, const char *text)
{
    char *all = printed(view, stretch_view_table);
    if (strstr(all, text) != NULL)
        fail_msg("\"%s\" in:\n%s", text, all);
    free(all);
}

static void the_table_has_a_line_for_each_partition_and_the_sum(void **state)
{
    (void)state;
    struct stretch *stretch = some_stretch();
    struct stretch_view view = view_of(stretch);
    snprintf(stretch->parts[0].note, sizeof stretch->parts[0].note, "retention removed what was before offset 1200");
    char *all = printed(&view, stretch_view_table);
    const char *expected =
        "replay as orders.replay\n"
        "TOPIC   PARTITION  FIRST     LAST    RECORDS     BYTES                FIRST TIME                 LAST TIME  "
        "ESTIMATE  NOTE\n"
        "orders          0   1200  1001199  1,000,000  64.0 MiB  2026-11-25T10:00:00.000Z  2026-11-25T10:09:59.999Z    "
        "20.0 s  retention removed what was before offset 1200\n"
        "orders          1      0   499999    500,000  32.0 MiB  2026-11-25T10:00:01.000Z  2026-11-25T10:10:00.999Z    "
        "10.0 s\n"
        "orders          2      -        -          0       0 B                         -                         -    "
        "0.00 s\n"
        "total           3                  1,500,000  96.0 MiB  2026-11-25T10:00:00.000Z  2026-11-25T10:10:00.999Z    "
        "30.0 s\n"
        "window    from 2026-11-25T10:00:00.000Z up to 2026-11-25T10:10:00.000Z, by the records' timestamps\n";
    if (strncmp(all, expected, strlen(expected)) != 0)
        fail_msg("expected:\n%sfound:\n%s", expected, all);
    free(all);
    stretch_free(stretch);
}

static void it_says_what_becomes_of_records_that_are_there_already(void **state)
{
    (void)state;
    struct stretch *stretch = some_stretch();
    struct stretch_view view = view_of(stretch);
    assert_shows(&view, "into      orders (sqlite): records replace the rows that their keys have there, newer ones as "
                        "well; a second time changes nothing\n");
    assert_shows(&view, "into      file: records that are there already are there TWICE afterwards\n");
    assert_hides(&view, "exactly once");
    view.exactly_once = true;
    assert_shows(&view, "delivery  exactly once, with offsets of its own as orders.replay\n");
    assert_shows(&view, "progress  none is kept, and exactly-once delivery needs it: give it a --name\n");
    view.dry_run = true;
    assert_shows(&view, "into      file: nothing is written (dry run), nor are dead letters\n");
    assert_shows(&view, "progress  none is kept (dry run)\n");
    stretch_free(stretch);
}

static void without_execute_it_ends_by_saying_that_nothing_was_done(void **state)
{
    (void)state;
    struct stretch *stretch = some_stretch();
    struct stretch_view view = view_of(stretch);
    char *all = printed(&view, stretch_view_table);
    const char *end = "nothing was done; add --execute\n";
    assert_string_equal(all + strlen(all) - strlen(end), end);
    free(all);
    view.execute = true;
    assert_hides(&view, "nothing was done");
    stretch_free(stretch);
}

static void the_estimate_says_what_it_is_made_of(void **state)
{
    (void)state;
    struct stretch *stretch = some_stretch();
    struct stretch_view view = view_of(stretch);
    assert_shows(&view, "takes     30.0 s at 50,000 records/s, which is only assumed");
    stretch->rate = 5000;
    assert_shows(&view, "takes     5 min 0 s at 5000 records/s\n");
    /* 601 s of records, ten times as fast: the rate decides still. */
    stretch->speed = 10;
    assert_shows(&view, "takes     5 min 0 s at 5000 records/s\n");
    stretch->speed = 0.5;
    assert_shows(&view, "takes     20 min 1 s at 0.5 times the speed at which the records came\n");
    stretch->rate = 0;
    stretch->speed = 10;
    assert_shows(&view, "takes     1 min 0 s at 10 times");
    /* Of half of the records, half of it. */
    stretch->max_records = 750000;
    assert_shows(&view, "takes     30.0 s at 10 times");
    stretch->speed = 0;
    stretch->max_records = 100000;
    assert_shows(&view, "takes     2.00 s at 50,000");
    assert_shows(&view, "at most   100,000 records\n");
    stretch->max_records = 1;
    assert_shows(&view, "at most   1 record\n");
    stretch_free(stretch);
}

static void a_run_that_goes_on_says_what_is_left(void **state)
{
    (void)state;
    struct stretch *stretch = some_stretch();
    struct stretch_view view = view_of(stretch);
    assert_shows(&view, "progress  none is kept: what is interrupted starts over; with --name NAME it goes on\n");
    stretch->progress = "fix";
    snprintf(stretch->kept, sizeof stretch->kept, "the group orders-store.fix");
    assert_shows(&view, "progress  \"fix\", kept in the group orders-store.fix\n");
    assert_hides(&view, "LEFT");
    stretch->resumed = true;
    stretch->parts[0].next = 901200;
    assert_shows(&view, "progress  \"fix\", kept in the group orders-store.fix; it goes on\n");
    assert_shows(&view, "left      600,000 of it\n");
    assert_shows(&view, "orders          0   1200  1001199  1,000,000  100,000  64.0 MiB");
    assert_shows(&view, "  12.0 s\nwindow");
    stretch_free(stretch);
}

static void a_finished_one_says_so_and_how_to_do_it_again(void **state)
{
    (void)state;
    struct stretch *stretch = some_stretch();
    struct stretch_view view = view_of(stretch);
    stretch->progress = "fix";
    stretch->resumed = true;
    for (unsigned i = 0; i < stretch->count; i++)
        stretch->parts[i].next = stretch->parts[i].end;
    assert_shows(&view, "\"fix\" is finished: nothing is left to replay; to do it again, or into another store, give "
                        "it another --name\n");
    assert_hides(&view, "nothing was done");
    assert_hides(&view, "takes");
    stretch_free(stretch);
}

static void an_empty_window_says_so(void **state)
{
    (void)state;
    struct stretch *stretch = stretch_new(1);
    struct stretch_view view = view_of(stretch);
    assert_true(stretch_view_is_empty(stretch));
    assert_shows(&view, "there is nothing in it to replay\n");
    part(stretch, 0, 10, 10, 0);
    assert_true(stretch_view_is_empty(stretch));
    assert_shows(&view, "there is nothing in it to replay\n");
    assert_hides(&view, "finished");
    assert_hides(&view, "nothing was done");
    stretch_free(stretch);
}

static void what_the_filter_may_leave_out_is_said_to_be_counted(void **state)
{
    (void)state;
    struct stretch *stretch = some_stretch();
    struct stretch_view view = view_of(stretch);
    assert_shows(&view, "between the offsets: what the window leaves out is among them\n");
    stretch->filter.key = bytes_of_string("k-1");
    assert_shows(&view, "between the offsets: what the window or the filter leaves out is among them\n");
    stretch->filter = (struct stretch_filter){.from_time = INT64_MIN, .to_time = INT64_MAX};
    assert_hides(&view, "between the offsets");
    assert_hides(&view, "window");
    stretch->filter.key = bytes_of_string("k-1");
    assert_shows(&view, "between the offsets: what the filter leaves out is among them\n");
    view.key = "k-1";
    view.where = "header.tenant=acme";
    assert_shows(&view, "key       \"k-1\"\nwhere     header.tenant=acme\n");
    stretch_free(stretch);
}

static void sizes_that_are_not_known_are_no_zeros(void **state)
{
    (void)state;
    struct stretch *stretch = some_stretch();
    struct stretch_view view = view_of(stretch);
    stretch->parts[1].bytes = -1;
    stretch->parts[1].first_time = stretch->parts[1].last_time = -1;
    assert_shows(&view, "orders          1      0   499999    500,000         -                         -");
    assert_shows(&view, "total           3                  1,500,000         -  2026");
    char *all = printed(&view, stretch_view_json);
    assert_non_null(
        strstr(all, "\"left\": 500000, \"bytes\": null, \"first_time_ms\": null, \"last_time_ms\": null, "));
    assert_non_null(strstr(all, "\"left\": 1500000, \"bytes\": null, "));
    free(all);
    stretch_free(stretch);
}

static void machines_get_one_line(void **state)
{
    (void)state;
    struct stretch *stretch = stretch_new(1);
    struct stretch_view view = view_of(stretch);
    part(stretch, 3, 100, 300, 4096);
    snprintf(stretch->parts[0].note, sizeof stretch->parts[0].note, "say \"so\"");
    stretch->progress = "fix";
    stretch->rate = 50;
    view.where = "key=\"a\"";
    char *all = printed(&view, stretch_view_json);
    assert_string_equal(
        all,
        "{\"plan\": \"replay\", \"service\": \"orders.replay\", \"name\": \"fix\", \"kept_in\": null, \"resumed\": "
        "false, \"finished\": false, \"empty\": false, \"exactly_once\": false, \"dry_run\": false, \"execute\": "
        "false, "
        "\"from_time_ms\": null, \"to_time_ms\": null, \"key\": null, \"where\": \"key=\\\"a\\\"\", "
        "\"max_records\": null, \"rate\": 50, \"speed\": null, \"records\": 200, \"left\": 200, "
        "\"bytes\": 4096, \"estimate_seconds\": 4.000, \"estimate_by\": \"rate\", \"partitions\": [{\"topic\": "
        "\"orders\", \"partition\": 3, \"first\": 100, \"end\": 300, \"next\": 100, \"records\": 200, \"left\": 200, "
        "\"bytes\": 4096, \"first_time_ms\": 1795600803000, \"last_time_ms\": 1795601402999, \"estimate_seconds\": "
        "4.000, \"note\": \"say \\\"so\\\"\"}], \"stores\": [{\"name\": \"orders\", \"type\": \"sqlite\", \"place\": "
        "null, \"again\": \"replaced\"}, {\"name\": \"file\", \"type\": \"file\", \"place\": null, \"again\": "
        "\"added\"}]}\n");
    free(all);
    stretch_free(stretch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_has_a_line_for_each_partition_and_the_sum),
        cmocka_unit_test(it_says_what_becomes_of_records_that_are_there_already),
        cmocka_unit_test(without_execute_it_ends_by_saying_that_nothing_was_done),
        cmocka_unit_test(the_estimate_says_what_it_is_made_of),
        cmocka_unit_test(a_run_that_goes_on_says_what_is_left),
        cmocka_unit_test(a_finished_one_says_so_and_how_to_do_it_again),
        cmocka_unit_test(an_empty_window_says_so),
        cmocka_unit_test(what_the_filter_may_leave_out_is_said_to_be_counted),
        cmocka_unit_test(sizes_that_are_not_known_are_no_zeros),
        cmocka_unit_test(machines_get_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
