/* How looks at offsets become a state (Burrow's rules), and what `weir lag` makes of them on the page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lag_view.h"
#include "config/config.h"
#include "processor/clock.h"
#include "processor/lag.h"

/* The looks at one partition, five seconds apart; low is 0. */
struct looks {
    struct lag_report report;
    int64_t now;
    char reason[LAG_REASON_MAX];
};

static void look(struct looks *looks, int64_t committed, int64_t end, enum lag_owner owner)
{
    const struct lag_sample sample = {.at = looks->now,
                                      .committed = committed,
                                      .position = committed < 0     ? 0
                                                  : committed > end ? 0
                                                                    : committed,
                                      .end = end,
                                      .owner = owner};
    assert_int_equal(lag_add(&looks->report, "orders", 0, &sample), STATUS_OK);
    looks->now += 5 * CLOCK_SECOND;
}

static enum lag_state judge(struct looks *looks)
{
    return lag_judge(&looks->report.partitions[0], looks->reason);
}

static void assert_judged(struct looks *looks, enum lag_state state, const char *words)
{
    assert_string_equal(lag_state_name(judge(looks)), lag_state_name(state));
    if (strstr(looks->reason, words) == NULL)
        fail_msg("no \"%s\" in: %s", words, looks->reason);
    lag_fini(&looks->report);
}

static void no_lag_is_good_whoever_is_there(void **state)
{
    (void)state;
    struct looks looks = {0};
    look(&looks, 7, 7, LAG_OWNER_NONE);
    assert_judged(&looks, LAG_OK, "caught up");
}

static void no_lag_in_between_is_good_as_well(void **state)
{
    (void)state;
    struct looks looks = {0};
    look(&looks, 5, 9, LAG_OWNER_MEMBER);
    look(&looks, 10, 10, LAG_OWNER_MEMBER);
    look(&looks, 10, 20, LAG_OWNER_MEMBER);
    look(&looks, 10, 20, LAG_OWNER_MEMBER);
    assert_judged(&looks, LAG_OK, "had caught up meanwhile");
}

static void one_look_tells_only_whether_somebody_has_it(void **state)
{
    (void)state;
    struct looks looks = {0};
    look(&looks, 5, 9, LAG_OWNER_MEMBER);
    assert_judged(&looks, LAG_UNKNOWN, "one look does not tell");
    looks = (struct looks){0};
    look(&looks, -1, 9, LAG_OWNER_UNKNOWN);
    assert_judged(&looks, LAG_UNKNOWN, "nothing was committed yet");
    looks = (struct looks){0};
    look(&looks, -1, 9, LAG_OWNER_NONE);
    assert_judged(&looks, LAG_STOP, "no member of the group has it; nothing was committed yet");
}

static void what_stands_still_is_stalled_with_a_member_and_stopped_without(void **state)
{
    (void)state;
    static const struct {
        enum lag_owner owner;
        enum lag_state state;
        const char *words;
    } CASES[] = {
        {LAG_OWNER_MEMBER, LAG_STALL, "a member has it: the committed offset does not move (for 10 s now)"},
        {LAG_OWNER_STATIC, LAG_STALL, "a static member has it, or stopped less than its session timeout ago: the com"},
        {LAG_OWNER_UNKNOWN, LAG_STALL, "the group does not say who has it"},
        {LAG_OWNER_NONE, LAG_STOP, "no member of the group has it; the committed offset does not move"},
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct looks looks = {0};
        look(&looks, 5, 9, CASES[i].owner);
        look(&looks, 5, 9, CASES[i].owner);
        look(&looks, 5, 12, CASES[i].owner);
        assert_judged(&looks, CASES[i].state, CASES[i].words);
    }
}

static void what_stands_longer_than_it_had_moved_stands_still(void **state)
{
    (void)state;
    struct looks looks = {0};
    look(&looks, 5, 100, LAG_OWNER_MEMBER);
    look(&looks, 50, 100, LAG_OWNER_MEMBER);
    look(&looks, 50, 100, LAG_OWNER_MEMBER);
    assert_int_equal(judge(&looks), LAG_OK); /* as long as it had moved: not yet */
    look(&looks, 50, 100, LAG_OWNER_MEMBER);
    assert_judged(&looks, LAG_STALL, "does not move (for 10 s now)");
}

static void what_moves_must_get_nearer(void **state)
{
    (void)state;
    struct looks looks = {0};
    look(&looks, 5, 10, LAG_OWNER_MEMBER);
    look(&looks, 8, 20, LAG_OWNER_MEMBER);
    look(&looks, 10, 40, LAG_OWNER_MEMBER);
    assert_int_equal(judge(&looks), LAG_WARN);
    assert_non_null(strstr(looks.reason, "does not shrink: 5 at the first look"));
    look(&looks, 20, 41, LAG_OWNER_MEMBER);
    assert_judged(&looks, LAG_OK, "moves on");
}

static void an_offset_that_goes_back_or_that_the_log_lacks_is_a_warning(void **state)
{
    (void)state;
    struct looks looks = {0};
    look(&looks, 50, 100, LAG_OWNER_MEMBER);
    look(&looks, 20, 100, LAG_OWNER_MEMBER);
    assert_judged(&looks, LAG_WARN, "went back by 30");
    looks = (struct looks){0};
    look(&looks, 50, 10, LAG_OWNER_MEMBER);
    assert_judged(&looks, LAG_WARN, "behind the end of the log");
    struct lag_report report = {0};
    const struct lag_sample lost = {.committed = 5, .position = 10, .low = 10, .end = 10, .owner = LAG_OWNER_MEMBER};
    assert_int_equal(lag_add(&report, "t", 0, &lost), STATUS_OK);
    assert_int_equal(lag_judge(&report.partitions[0], looks.reason), LAG_WARN);
    assert_non_null(strstr(looks.reason, "offsets 5 to 9 were never consumed"));
    assert_int_equal(lag_records(&report.partitions[0]), 0);
    lag_fini(&report);
}

static void marks_of_transactions_alone_are_no_lag(void **state)
{
    (void)state;
    struct looks looks = {0};
    look(&looks, 5, 6, LAG_OWNER_NONE);
    looks.report.partitions[0].nothing_there = true;
    assert_int_equal(lag_records(&looks.report.partitions[0]), 0);
    assert_judged(&looks, LAG_OK, "no records");
}

static void the_age_is_the_first_records_and_never_negative(void **state)
{
    (void)state;
    struct looks looks = {0};
    look(&looks, 5, 6, LAG_OWNER_NONE);
    struct lag_partition *partition = &looks.report.partitions[0];
    assert_int_equal(lag_age(partition, 5000), -1);
    partition->oldest = 3000;
    assert_int_equal(lag_age(partition, 5000), 2000);
    partition->oldest = 6000;
    assert_int_equal(lag_age(partition, 5000), 0);
    look(&looks, 5, 6, LAG_OWNER_NONE);
    assert_int_equal(lag_age(partition, 5000), -1);
    lag_fini(&looks.report);
}

static void partitions_stand_in_order_however_they_come(void **state)
{
    (void)state;
    struct lag_report report = {0};
    const struct lag_sample sample = {.committed = 1, .position = 1, .end = 2};
    for (int32_t i = 99; i >= 0; i--) {
        assert_int_equal(lag_add(&report, i % 2 == 0 ? "b" : "a", i, &sample), STATUS_OK);
        assert_int_equal(lag_add(&report, i % 2 == 0 ? "b" : "a", i, &sample), STATUS_OK);
    }
    assert_int_equal(report.count, 100);
    for (unsigned i = 0; i < 100; i++) {
        assert_string_equal(report.partitions[i].topic, i < 50 ? "a" : "b");
        assert_int_equal(report.partitions[i].partition, i < 50 ? 2 * i + 1 : 2 * (i - 50));
        assert_int_equal(report.partitions[i].samples, 2);
    }
    lag_fini(&report);
}

/* -- the page -- */

static void fill_view(struct lag_view *view, const struct config *config)
{
    const struct lag_sample stopped = {.committed = 1200, .position = 1200, .end = 3500, .owner = LAG_OWNER_NONE};
    const struct lag_sample fresh = {.committed = -1, .owner = LAG_OWNER_NONE};
    *view = (struct lag_view){.config = config, .looks = 1, .at = 100000, .in_store = true};
    assert_int_equal(lag_add(&view->report, "orders", 0, &stopped), STATUS_OK);
    assert_int_equal(lag_add(&view->report, "orders", 10, &fresh), STATUS_OK);
    assert_int_equal(lag_add_problem(&view->report, "gone", "there is no such topic"), STATUS_OK);
    view->report.partitions[0].oldest = 98500;
}

static char *print(const struct lag_view *view, bool json, bool colour)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (json)
        lag_view_json(view, out);
    else
        lag_view_table(view, colour, out);
    fclose(out);
    return text;
}

static void the_table_is_aligned_and_ends_with_totals(void **state)
{
    (void)state;
    const struct config config = {.service = "orders-service"};
    struct lag_view view;
    fill_view(&view, &config);
    char *text = print(&view, false, false);
    assert_string_equal(
        text,
        "orders-service: 1 look; delivery is exactly_once: the store keeps the offsets that count, and what the group "
        "has committed only follows them\n"
        "TOPIC   PARTITION  COMMITTED    END    LAG  TIME LAG  STATE  REASON\n"
        "orders          0      1,200  3,500  2,300    1.50 s  STOP   no member of the group has it\n"
        "orders         10          -      0      0         -  OK     caught up: it is empty\n"
        "total           2                    2,300    1.50 s  STOP\n"
        "gone: there is no such topic\n");
    free(text);
    text = print(&view, false, true);
    assert_non_null(strstr(text, "\033[31mSTOP \033[0m  no member"));
    free(text);
    lag_fini(&view.report);
}

static void the_json_has_null_for_what_is_not_there(void **state)
{
    (void)state;
    const struct config config = {.service = "s"};
    struct lag_view view;
    fill_view(&view, &config);
    char *text = print(&view, true, false);
    assert_string_equal(
        text,
        "{\"service\": \"s\", \"at_ms\": 100000, \"looks\": 1, \"window_seconds\": 0.000, \"offsets_kept_by\": "
        "\"store\", \"state\": \"STOP\", \"lag\": 2300, \"lag_seconds\": 1.500, \"partitions\": [{\"topic\": "
        "\"orders\", \"partition\": 0, \"committed\": 1200, \"start\": 0, \"end\": 3500, \"lag\": 2300, "
        "\"lag_seconds\": 1.500, \"member\": false, \"looks\": 1, \"state\": \"STOP\", \"reason\": \"no member of the "
        "group has it\"}, {\"topic\": \"orders\", \"partition\": 10, \"committed\": null, \"start\": 0, \"end\": 0, "
        "\"lag\": 0, \"lag_seconds\": null, \"member\": false, \"looks\": 1, \"state\": \"OK\", \"reason\": \"caught "
        "up: it is empty\"}], \"problems\": [{\"topic\": \"gone\", \"problem\": \"there is no such topic\"}]}\n");
    free(text);
    lag_fini(&view.report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_lag_is_good_whoever_is_there),
        cmocka_unit_test(no_lag_in_between_is_good_as_well),
        cmocka_unit_test(one_look_tells_only_whether_somebody_has_it),
        cmocka_unit_test(what_stands_still_is_stalled_with_a_member_and_stopped_without),
        cmocka_unit_test(what_stands_longer_than_it_had_moved_stands_still),
        cmocka_unit_test(what_moves_must_get_nearer),
        cmocka_unit_test(an_offset_that_goes_back_or_that_the_log_lacks_is_a_warning),
        cmocka_unit_test(marks_of_transactions_alone_are_no_lag),
        cmocka_unit_test(the_age_is_the_first_records_and_never_negative),
        cmocka_unit_test(partitions_stand_in_order_however_they_come),
        cmocka_unit_test(the_table_is_aligned_and_ends_with_totals),
        cmocka_unit_test(the_json_has_null_for_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
