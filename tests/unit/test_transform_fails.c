#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "tests/support/staging.h"

/* -- a record that nobody may skip -- */

static void stop_at_four(struct probe *probe, struct batch *batch, struct record *record)
{
    (void)probe;
    if (record->offset == 4)
        batch_fatal(batch, record, "schema", "unknown");
    else if (record->offset == 5)
        batch_reject(batch, record, "json", "behind it");
    else if (record->offset == 1)
        batch_drop(record);
}

static void what_comes_before_it_goes_on_and_the_rest_is_given_up(void **state)
{
    (void)state;
    struct staging f;
    int64_t offsets[64];
    staging_init(&f);
    f.config.workers_min = f.config.workers_max = 3;
    f.probes[1].each = stop_at_four;
    staging_start(&f);
    staging_push(&f, 2);
    staging_push(&f, 5);
    staging_push(&f, 7);
    staging_push(&f, 7);
    staging_finish(&f);
    assert_true(brake_is_halted(&f.brake));
    assert_int_equal(f.brake.error.class, ERROR_FATAL);
    assert_non_null(strstr(f.brake.error.text, "orders/0@4: schema: unknown"));
    assert_int_equal(context_status(f.brake.soft), STATUS_CANCELLED);
    assert_int_equal(staging_store_all(&f, offsets), 3);
    assert_true(offsets[0] == 0 && offsets[1] == 2 && offsets[2] == 3);
    assert_int_equal(ledger_committable(f.partition), 4); /* up to the very record */
    struct ledger_counts counts = staging_counts(&f);
    assert_int_equal(counts.in_flight, 0); /* so that a drain ends */
    assert_int_equal(counts.abandoned, 17);
    assert_int_equal(memory_letters_count(f.broker), 0);
    staging_fini(&f);
}

/* The first batch is fatal, but not before the second one was processed, too. */
static void stop_late(struct probe *probe, struct batch *batch, struct record *record)
{
    CHECK_CALL(pthread_mutex_lock(&probe->mutex));
    if (record->offset == 1)
        probe->gate = 1;
    CHECK_CALL(pthread_cond_broadcast(&probe->changed));
    while (probe->gate == 0)
        CHECK_CALL(pthread_cond_wait(&probe->changed, &probe->mutex));
    CHECK_CALL(pthread_mutex_unlock(&probe->mutex));
    if (record->offset == 0)
        batch_fatal(batch, record, "schema", "unknown");
}

static void what_is_in_hand_when_it_halts_is_given_up_too(void **state)
{
    (void)state;
    struct staging f;
    int64_t offsets[16];
    staging_init(&f);
    f.config.workers_min = f.config.workers_max = 2;
    f.probes[0].each = stop_late;
    staging_start(&f);
    staging_push(&f, 1);
    staging_push(&f, 5);
    staging_finish(&f);
    assert_int_equal(staging_store_all(&f, offsets), 0);
    assert_int_equal(staging_counts(&f).abandoned, 6);
    assert_int_equal(staging_counts(&f).in_flight, 0);
    staging_fini(&f);
}

static void inflate_and_stop_at_four(struct probe *probe, struct batch *batch, struct record *record)
{
    staging_inflate(probe, batch, record);
    stop_at_four(probe, batch, record);
}

static void parts_behind_it_are_given_up_too(void **state)
{
    (void)state;
    struct staging f;
    int64_t offsets[64];
    staging_init(&f);
    f.probes[0].each = inflate_and_stop_at_four;
    staging_start(&f);
    staging_push(&f, 10);
    staging_push(&f, 3);
    staging_finish(&f);
    assert_int_equal(staging_store_all(&f, offsets), 3);
    assert_int_equal(ledger_committable(f.partition), 4);
    assert_int_equal(staging_counts(&f).in_flight, 0);
    assert_int_equal(f.probes[0].seen, 6);
    staging_fini(&f);
}

static void a_stage_behind_the_one_that_halted_goes_on(void **state)
{
    (void)state;
    for (unsigned position = 0; position < 3; position++) {
        struct staging f;
        int64_t offsets[16];
        struct error error;
        staging_init(&f);
        f.config.position = position;
        error_set(&error, ERROR_FATAL, "halted at 1");
        brake_halt(&f.brake, 1, &error);
        staging_start(&f);
        staging_push(&f, 5);
        staging_finish(&f);
        assert_int_equal(staging_store_all(&f, offsets), position == 2 ? 5 : 0);
        assert_int_equal(staging_counts(&f).in_flight, 0);
        staging_fini(&f);
    }
}

/* -- failures -- */

static void a_step_that_does_not_open_closes_those_before_it(void **state)
{
    (void)state;
    struct staging f;
    struct error error;
    staging_init(&f);
    f.probes[1].init_status = STATUS_FAILED;
    assert_int_equal(transform_new(&f.config, &f.transform, &error), STATUS_FAILED);
    assert_null(f.transform);
    assert_string_equal(error.text, "enrich: probe: no table");
    assert_int_equal(f.probes[0].closes, 1);
    assert_int_equal(f.probes[1].closes, 0);
    staging_fini(&f);
}

static void a_worker_that_can_not_start_ends_the_group(void **state)
{
    (void)state;
    static const enum status statuses[] = {STATUS_FAILED, STATUS_NO_MEMORY};
    for (unsigned i = 0; i < 2; i++) {
        struct staging f;
        struct error error;
        staging_init(&f);
        f.config.workers_min = f.config.workers_max = 2;
        f.probes[1].start_status = statuses[i];
        staging_start(&f);
        assert_int_equal(group_wait(f.group, &error), STATUS_FAILED);
        assert_int_equal(error.class, ERROR_RESTART);
        assert_non_null(strstr(error.text, i == 0 ? "enrich: probe: no parser" : "enrich: out of memory"));
        staging_fini(&f);
    }
}

/* It holds the turn when its sink fails: those that wait for theirs must end, though it is never done. */
static void who_waits_behind_a_worker_that_failed_ends(void **state)
{
    (void)state;
    struct staging f;
    struct error error;
    staging_init(&f);
    f.config.workers_min = f.config.workers_max = 4;
    f.probes[0].each = staging_sift;
    memory_letters_fail(f.broker, ERROR_RESTART);
    staging_start(&f);
    for (unsigned i = 0; i < 50; i++)
        staging_push(&f, 6);
    assert_int_equal(group_wait(f.group, &error), STATUS_FAILED);
    assert_int_equal(error.class, ERROR_RESTART);
    assert_int_equal(transform_join(f.transform, f.context), STATUS_OK);
    staging_fini(&f);
}

static void a_full_output_holds_it_and_a_hard_stop_lets_it_go(void **state)
{
    (void)state;
    struct staging f;
    const struct queue_config small = {.name = "q", .records = 2, .bytes = 1 << 30};
    staging_init(&f);
    queue_free(f.output);
    f.output = queue_new(&small, NULL);
    f.config.workers_min = f.config.workers_max = 2;
    staging_start(&f);
    for (unsigned i = 0; i < 10; i++)
        staging_push(&f, 2);
    while (f.probes[1].seen < 6)
        assert_int_equal(context_sleep(f.context, CLOCK_MS / 10), STATUS_OK);
    assert_int_equal(context_sleep(f.context, CLOCK_MS), STATUS_OK);
    assert_int_equal(f.probes[1].seen, 6); /* one batch is out, and each worker has one in hand */
    context_cancel(f.context);
    assert_int_equal(group_wait(f.group, NULL), STATUS_OK);
    staging_fini(&f);
}

static void a_dead_letter_that_blocks_ends_with_the_context(void **state)
{
    (void)state;
    struct staging f;
    staging_init(&f);
    f.probes[0].each = staging_sift;
    memory_letters_hold(f.broker, 1);
    staging_start(&f);
    staging_push(&f, 30);
    assert_true(memory_letters_wait_blocked(f.broker));
    context_cancel(f.context);
    assert_int_equal(group_wait(f.group, NULL), STATUS_OK);
    staging_fini(&f);
}

static void a_dead_letter_counts_only_when_it_is_acknowledged(void **state)
{
    (void)state;
    struct staging f;
    int64_t offsets[64];
    staging_init(&f);
    f.probes[0].each = staging_sift;
    memory_letters_hold(f.broker, 100);
    staging_start(&f);
    staging_push(&f, 12);
    staging_finish(&f);
    (void)staging_store_all(&f, offsets);
    assert_int_equal(ledger_committable(f.partition), 5);
    memory_letters_ack(f.broker, 1);
    assert_int_equal(ledger_committable(f.partition), 10);
    memory_letters_ack(f.broker, UINT_MAX);
    assert_int_equal(ledger_committable(f.partition), 12);
    staging_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_before_it_goes_on_and_the_rest_is_given_up),
        cmocka_unit_test(what_is_in_hand_when_it_halts_is_given_up_too),
        cmocka_unit_test(parts_behind_it_are_given_up_too),
        cmocka_unit_test(a_stage_behind_the_one_that_halted_goes_on),
        cmocka_unit_test(a_step_that_does_not_open_closes_those_before_it),
        cmocka_unit_test(a_worker_that_can_not_start_ends_the_group),
        cmocka_unit_test(who_waits_behind_a_worker_that_failed_ends),
        cmocka_unit_test(a_full_output_holds_it_and_a_hard_stop_lets_it_go),
        cmocka_unit_test(a_dead_letter_that_blocks_ends_with_the_context),
        cmocka_unit_test(a_dead_letter_counts_only_when_it_is_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
