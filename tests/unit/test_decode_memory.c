/* What decode keeps is paid from the budget, and large buffers are not kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/staged.h"

extern const struct stage_type decode_stage;

enum { LARGE = 900 * 1000, SMALL = 64 };

/* An array of this many bytes. */
static void decode_text(struct staged *staged, size_t size)
{
    static uint8_t text[LARGE];
    memset(text, ' ', size);
    text[0] = '[';
    text[size - 1] = ']';
    struct batch *batch = records_batch(&staged->records);
    struct record *record = records_add_bytes(batch, (struct bytes){0}, bytes_of(text, (uint32_t)size));
    staged_process(staged, batch);
    assert_int_equal(record->answer, STAGE_FORWARD);
    batch_free(batch);
}

static void buffers_are_paid_and_large_ones_given_back_after_the_batch(void **state)
{
    (void)state;
    struct staged staged;
    staged_init(&staged, &decode_stage, ".", "{}");
    decode_text(&staged, SMALL);
    size_t before = budget_used(staged.records.budget);
    assert_true(before > 0);
    decode_text(&staged, LARGE);
    /* Seen while it lasted, gone now: an idle worker must not hold what the source waits for. */
    assert_true(budget_peak(staged.records.budget) > 10 * LARGE);
    assert_true(budget_used(staged.records.budget) < before + 2 * 1024 * 1024);
    decode_text(&staged, SMALL);
    staged_fini(&staged); /* asserts that nothing is owed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_are_paid_and_large_ones_given_back_after_the_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
