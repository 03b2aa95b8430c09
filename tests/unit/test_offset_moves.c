/* Which moves of offsets were made already, and which are somebody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "processor/offset_moves.h"

static const struct offset_move MOVES[] = {
    {.topic = "orders", .partition = 0, .from = 3, .to = 7},
    {.topic = "orders", .partition = 1, .from = -1, .to = 2},
};

/* The store has these two. */
static bool look(struct offset_findings *findings, int64_t first, int64_t second)
{
    *findings = (struct offset_findings){0};
    return offset_findings_add(findings, &MOVES[0], first) && offset_findings_add(findings, &MOVES[1], second);
}

static void moves_are_still_to_be_made_while_all_stand_where_they_begin(void **state)
{
    struct offset_findings findings;
    (void)state;
    assert_true(look(&findings, 3, -1));
    assert_false(offset_findings_already(&findings));
}

static void moves_are_made_already_when_all_stand_where_they_lead(void **state)
{
    struct offset_findings findings;
    (void)state;
    assert_true(look(&findings, 7, 2));
    assert_true(offset_findings_already(&findings));
}

static void an_offset_elsewhere_is_somebody_elses(void **state)
{
    struct offset_findings findings;
    (void)state;
    assert_false(look(&findings, 5, -1));
    assert_false(look(&findings, -1, -1));
    assert_false(look(&findings, 7, 3));
}

static void some_moves_made_and_some_not_is_somebody_elses_doing(void **state)
{
    struct offset_findings findings;
    (void)state;
    assert_false(look(&findings, 7, -1));
    assert_false(look(&findings, 3, 2));
}

static void no_moves_are_not_made_already(void **state)
{
    (void)state;
    assert_false(offset_findings_already(&(struct offset_findings){0}));
}

static void kept_moves_are_those_of_the_last_flush(void **state)
{
    struct offset_moves moves = {0};
    struct offset_move given[] = {MOVES[0], MOVES[1]};
    (void)state;
    assert_true(offset_moves_set(&moves, given, 1));
    assert_true(offset_moves_set(&moves, given, 2));
    memset(given, 0, sizeof given);
    assert_int_equal(moves.count, 2);
    assert_int_equal(moves.items[0].to, 7);
    assert_int_equal(moves.items[1].to, 2);
    assert_true(offset_moves_set(&moves, NULL, 0));
    assert_int_equal(moves.count, 0);
    offset_moves_fini(&moves);
    assert_null(moves.items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_are_still_to_be_made_while_all_stand_where_they_begin),
        cmocka_unit_test(moves_are_made_already_when_all_stand_where_they_lead),
        cmocka_unit_test(an_offset_elsewhere_is_somebody_elses),
        cmocka_unit_test(some_moves_made_and_some_not_is_somebody_elses_doing),
        cmocka_unit_test(no_moves_are_not_made_already),
        cmocka_unit_test(kept_moves_are_those_of_the_last_flush),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
