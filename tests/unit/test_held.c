#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "processor/held.h"
#include "tests/support/records.h"

static struct batch *batch_of(struct records *records, unsigned count)
{
    struct batch *batch = records_batch(records);
    for (unsigned i = 0; i < count; i++)
        records_add(batch, NULL, "x");
    return batch;
}

static void the_oldest_comes_out_first(void **state)
{
    (void)state;
    struct records records;
    struct held held;
    records_init(&records);
    held_init(&held);
    assert_null(held_pop(&held));
    int64_t before = clock_now();
    for (unsigned i = 1; i <= 3; i++)
        held_push(&held, batch_of(&records, i));
    assert_true(held.since >= before && held.since <= clock_now());
    assert_int_equal(held.batches, 3);
    assert_int_equal(held.records, 6);
    for (unsigned i = 1; i <= 3; i++) {
        struct batch *batch = held_pop(&held);
        assert_int_equal(batch->count, i);
        assert_null(batch->next);
        batch_free(batch);
    }
    assert_null(held_pop(&held));
    held_push(&held, batch_of(&records, 4)); /* and goes on after it was empty */
    batch_free(held_pop(&held));
    assert_int_equal(held.batches, 0);
    assert_int_equal(held.records, 0);
    assert_int_equal(held.bytes, 0);
    records_fini(&records);
}

/* Messages of rejected records: what a batch is counted off with is what it was counted with, or the sum would drift away for as long as it never gets empty. */
static void batches_that_grow_while_they_are_held_do_not_upset_the_sum(void **state)
{
    (void)state;
    struct records records;
    struct held held;
    records_init(&records);
    held_init(&held);
    held_push(&held, batch_of(&records, 1));
    for (unsigned i = 0; i < 100; i++) {
        struct batch *batch = batch_of(&records, 1);
        held_push(&held, batch);
        assert_non_null(arena_text(&batch->arena, 100000));
        batch_free(held_pop(&held));
        assert_int_equal(held.bytes, held.first->queued_bytes);
        assert_true(held.bytes > 0);
    }
    batch_free(held_pop(&held));
    assert_int_equal(held.bytes, 0);
    records_fini(&records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_comes_out_first),
        cmocka_unit_test(batches_that_grow_while_they_are_held_do_not_upset_the_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
