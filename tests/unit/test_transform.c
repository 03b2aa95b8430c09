#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/metrics.h"
#include "tests/support/staging.h"

static void append(struct batch *batch, struct record *record, char mark)
{
    uint8_t *text = arena_text(&batch->arena, record->value.size + 1);
    CHECK(text != NULL);
    memcpy(text, record->value.data, record->value.size);
    text[record->value.size] = (uint8_t)mark;
    record->value = bytes_of(text, record->value.size + 1);
}

static void append_a(struct probe *probe, struct batch *batch, struct record *record)
{
    (void)probe;
    append(batch, record, 'a');
}

static void append_b(struct probe *probe, struct batch *batch, struct record *record)
{
    (void)probe;
    append(batch, record, 'b');
}

static void steps_run_one_after_the_other_on_every_record(void **state)
{
    (void)state;
    struct staging f;
    struct batch *batch;
    staging_init(&f);
    f.probes[0].each = append_a;
    f.probes[1].each = append_b;
    staging_start(&f);
    staging_push(&f, 3);
    staging_push(&f, 2);
    staging_finish(&f);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(queue_pop(f.output, f.context, clock_now(), &batch), STATUS_OK);
        assert_int_equal(batch->count, 3 - i);
        for (unsigned k = 0; k < batch->count; k++)
            assert_true(bytes_equal(batch->records[k].value, bytes_of_string("valueab")));
        batch_free(batch);
    }
    const char *stage = "stage=\"enrich\"";
    assert_int_equal(metric_get(metrics_get(f.metrics, METRIC_COUNTER, "weir_stage_records_in_total", "", stage)), 5);
    assert_int_equal(metric_get(metrics_get(f.metrics, METRIC_COUNTER, "weir_stage_records_out_total", "", stage)), 5);
    staging_fini(&f);
}

static void what_does_not_go_forward_gets_its_verdict_here(void **state)
{
    (void)state;
    struct staging f;
    int64_t offsets[64];
    staging_init(&f);
    f.probes[0].each = staging_sift;
    staging_start(&f);
    staging_push(&f, 16);
    staging_push(&f, 14);
    staging_finish(&f);
    assert_int_equal(staging_store_all(&f, offsets), 16);
    assert_int_equal(f.probes[1].seen, 16); /* the next step does not see it any more */
    assert_int_equal(memory_letters_count(f.broker), 4);
    struct memory_letter letter = memory_letters_get(f.broker, 1);
    assert_int_equal(letter.offset, 10);
    assert_string_equal(letter.stage, "enrich");
    assert_string_equal(letter.message, "number 10");
    assert_int_equal(ledger_committable(f.partition), 30);
    struct ledger_counts counts = staging_counts(&f);
    assert_true(counts.stored == 16 && counts.dropped == 10 && counts.dead_lettered == 4);
    staging_fini(&f);
}

static void drop_all(struct probe *probe, struct batch *batch, struct record *record)
{
    (void)probe;
    (void)batch;
    batch_drop(record);
}

static void a_batch_with_nothing_left_goes_no_further(void **state)
{
    (void)state;
    struct staging f;
    staging_init(&f);
    f.probes[0].each = drop_all;
    staging_start(&f);
    staging_push(&f, 10);
    staging_finish(&f);
    assert_int_equal(queue_get_stats(f.output).batches, 0);
    assert_int_equal(ledger_committable(f.partition), 10);
    staging_fini(&f);
}

/* -- order -- */

/* The first batch waits until the gate was passed by another. */
static void first_waits_for_second(struct probe *probe, struct batch *batch, struct record *record)
{
    (void)batch;
    int64_t until = clock_now() + 30 * CLOCK_SECOND;
    struct timespec at = clock_timespec(until);
    CHECK_CALL(pthread_mutex_lock(&probe->mutex));
    if (record->offset > 0)
        probe->gate = 1;
    CHECK_CALL(pthread_cond_broadcast(&probe->changed));
    while (probe->gate == 0 && clock_now() < until)
        (void)pthread_cond_clockwait(&probe->changed, &probe->mutex, CLOCK_MONOTONIC, &at);
    CHECK_CALL(pthread_mutex_unlock(&probe->mutex));
}

static void several_workers_keep_the_order(void **state)
{
    (void)state;
    struct staging f;
    static int64_t offsets[2000];
    staging_init(&f);
    f.config.workers_min = f.config.workers_max = 3;
    f.probes[0].each = first_waits_for_second;
    staging_start(&f);
    for (unsigned i = 0; i < 200; i++)
        staging_push(&f, 1 + i % 7);
    staging_finish(&f);
    assert_int_equal(f.probes[0].starts, 3);
    assert_int_equal(staging_store_all(&f, offsets), f.next);
    for (int64_t i = 0; i < f.next; i++)
        assert_int_equal(offsets[i], i);
    assert_int_equal(ledger_committable(f.partition), f.next);
    staging_fini(&f);
}

/* The first batch waits until the test opens the gate. */
static void first_waits_for_the_gate(struct probe *probe, struct batch *batch, struct record *record)
{
    (void)batch;
    CHECK_CALL(pthread_mutex_lock(&probe->mutex));
    while (record->offset == 0 && probe->gate == 0)
        CHECK_CALL(pthread_cond_wait(&probe->changed, &probe->mutex));
    CHECK_CALL(pthread_mutex_unlock(&probe->mutex));
}

static void without_order_nobody_waits_for_a_slow_one(void **state)
{
    (void)state;
    struct staging f;
    struct batch *batch;
    staging_init(&f);
    f.config.workers_min = f.config.workers_max = 2;
    f.config.ordered = false;
    f.probes[0].each = first_waits_for_the_gate;
    staging_start(&f);
    staging_push(&f, 1);
    staging_push(&f, 1);
    assert_int_equal(queue_pop(f.output, f.context, CLOCK_NEVER, &batch), STATUS_OK);
    assert_int_equal(batch->records[0].offset, 1);
    batch_free(batch);
    CHECK_CALL(pthread_mutex_lock(&f.probes[0].mutex));
    f.probes[0].gate = 1;
    CHECK_CALL(pthread_cond_broadcast(&f.probes[0].changed));
    CHECK_CALL(pthread_mutex_unlock(&f.probes[0].mutex));
    staging_finish(&f);
    assert_int_equal(queue_get_stats(f.output).batches, 1);
    staging_fini(&f);
}

/* -- retries -- */

/* Odd offsets can't be told until they were asked four times. */
static void odd_ones_need_time(struct probe *probe, struct batch *batch, struct record *record)
{
    (void)probe;
    if (record->offset % 2 == 1 && record->attempts < 3)
        batch_retry(batch, record, "away", "attempt %u", record->attempts);
}

static void only_what_could_not_be_told_is_asked_again(void **state)
{
    (void)state;
    struct staging f;
    int64_t offsets[16];
    staging_init(&f);
    f.probes[0].each = odd_ones_need_time;
    f.probes[1].each = append_b;
    staging_start(&f);
    staging_push(&f, 6);
    staging_finish(&f);
    assert_int_equal(f.probes[0].seen, 6 + 3 * 3);
    assert_int_equal(f.probes[1].seen, 6);
    assert_int_equal(staging_store_all(&f, offsets), 6);
    assert_int_equal(metric_get(metrics_get(f.metrics, METRIC_COUNTER, "weir_retries_total", "", "stage=\"enrich\"")),
                     9);
    staging_fini(&f);
}

static void who_has_no_answer_after_all_attempts_is_rejected(void **state)
{
    (void)state;
    struct staging f;
    int64_t offsets[16];
    staging_init(&f);
    f.config.retry_max = 3;
    f.probes[0].each = odd_ones_need_time;
    staging_start(&f);
    staging_push(&f, 2);
    staging_finish(&f);
    assert_int_equal(staging_store_all(&f, offsets), 1);
    assert_int_equal(memory_letters_count(f.broker), 1);
    struct memory_letter letter = memory_letters_get(f.broker, 0);
    assert_string_equal(letter.class, "away");
    assert_string_equal(letter.message, "attempt 2");
    assert_int_equal(letter.attempts, 2);
    staging_fini(&f);
}

static void a_wait_between_attempts_ends_with_the_context(void **state)
{
    (void)state;
    struct staging f;
    staging_init(&f);
    f.config.backoff_least = f.config.backoff_most = 60 * CLOCK_SECOND;
    f.probes[0].each = odd_ones_need_time;
    staging_start(&f);
    staging_push(&f, 2);
    while (f.probes[0].seen < 2)
        assert_int_equal(context_sleep(f.context, CLOCK_MS / 10), STATUS_OK);
    context_cancel(f.context);
    assert_int_equal(group_wait(f.group, NULL), STATUS_OK);
    assert_int_equal(queue_get_stats(f.output).batches, 0);
    staging_fini(&f);
}

/* -- cuts -- */

static void a_batch_that_inflates_goes_on_in_parts(void **state)
{
    (void)state;
    struct staging f;
    int64_t offsets[64];
    staging_init(&f);
    f.config.workers_min = f.config.workers_max = 2;
    f.probes[0].each = staging_inflate;
    staging_start(&f);
    staging_push(&f, 9);
    staging_push(&f, 1);
    staging_push(&f, 4);
    staging_finish(&f);
    unsigned count = 0, parts = 0, before = 0;
    while (staging_store_one(&f, offsets, &count)) {
        assert_in_range(count - before, 1, 2);
        before = count;
        parts++;
    }
    assert_int_equal(count, 14);
    assert_true(parts >= 5 + 1 + 2);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(offsets[i], i);
    assert_int_equal(f.probes[0].seen, 14); /* nothing is inflated twice */
    assert_int_equal(f.probes[1].seen, 14);
    assert_int_equal(ledger_committable(f.partition), 14);
    staging_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_run_one_after_the_other_on_every_record),
        cmocka_unit_test(what_does_not_go_forward_gets_its_verdict_here),
        cmocka_unit_test(a_batch_with_nothing_left_goes_no_further),
        cmocka_unit_test(several_workers_keep_the_order),
        cmocka_unit_test(without_order_nobody_waits_for_a_slow_one),
        cmocka_unit_test(only_what_could_not_be_told_is_asked_again),
        cmocka_unit_test(who_has_no_answer_after_all_attempts_is_rejected),
        cmocka_unit_test(a_wait_between_attempts_ends_with_the_context),
        cmocka_unit_test(a_batch_that_inflates_goes_on_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
