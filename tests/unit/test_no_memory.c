/*
 * What the atoms do when the system has no memory: each scenario is run again and again, and each time another one of its allocations fails. Nothing may be lost,
 * leaked or left half-made. This program's own malloc does it; under the sanitizers, which bring theirs, the scenarios run without failures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "processor/clock.h"
#include "processor/outlet.h"
#include "processor/pool.h"
#include "processor/sequencer.h"
#include "tests/support/intaking.h"
#include "tests/support/staging.h"

static _Thread_local unsigned fail_in; /* the how manieth allocation from now on fails, in this thread; 0: none */
static _Thread_local unsigned failures;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static _Atomic long live;

static bool fails(void)
{
    if (fail_in == 0 || --fail_in > 0)
        return false;
    failures++;
    errno = ENOMEM;
    return true;
}

static void *count(void *memory)
{
    live += memory != NULL;
    return memory;
}

void *malloc(size_t size)
{
    return fails() ? NULL : count(__libc_malloc(size));
}

void *calloc(size_t number, size_t size)
{
    return fails() ? NULL : count(__libc_calloc(number, size));
}

void *realloc(void *memory, size_t size)
{
    if (fails())
        return NULL;
    void *result = __libc_realloc(memory, size);
    live += memory == NULL && result != NULL;
    return result;
}

void free(void *memory)
{
    live -= memory != NULL;
    __libc_free(memory);
}

static const bool can_fail = true;
#else
static const long live = 0;
static const bool can_fail = false;
#endif

/* Returns how many times the scenario had to be run until none of its allocations failed. */
static unsigned run(void (*scenario)(void *arg), void *arg)
{
    scenario(arg); /* what is made once and for all (metrics, names) is made now */
    for (unsigned n = 1;; n++) {
        long before = live;
        fail_in = n;
        failures = 0;
        scenario(arg);
        fail_in = 0;
        assert_int_equal(live, before);
        if (failures == 0)
            return n;
    }
}

static void assert_ran(unsigned runs, unsigned least)
{
    assert_true(!can_fail || runs > least);
}

/* -- batches -- */

static void use_batches(void *arg)
{
    struct budget *budget = budget_new(1 << 30);
    struct batch_pool *pool = budget != NULL ? batch_pool_new(budget, 1) : NULL;
    struct batch *batch = pool != NULL ? batch_new(pool, "orders", 0) : NULL;
    (void)arg;
    for (unsigned i = 0; batch != NULL && i < 100; i++) {
        struct record *record = batch_add(batch);
        if (record == NULL)
            break;
        record->value = arena_copy(&batch->arena, bytes_of_string("a value of some bytes"));
        batch_reject(batch, record, "json", "record %u is wrong", i); /* has a text in any case */
        assert_true(strlen(record->failure->message) > 0);
    }
    uint32_t before = batch != NULL ? batch->count : 0;
    struct batch *rest = before > 10 ? batch_split(batch, 10) : NULL;
    assert_true(batch == NULL || before == batch->count + (rest != NULL ? rest->count : 0));
    struct batch *branch = batch != NULL ? batch_branch(batch) : NULL;
    batch_free(batch);
    batch_free(rest);
    batch_free(branch);
    batch_pool_free(pool);
    assert_true(budget == NULL || budget_used(budget) == 0);
    budget_free(budget);
}

static void batches_stay_whole(void **state)
{
    (void)state;
    assert_ran(run(use_batches, NULL), 8);
}

static void use_outlet(void *arg)
{
    struct intaking *f = arg;
    const struct queue_config config = {.name = "store", .records = 1000, .bytes = 1 << 30};
    struct queue *queues[] = {queue_new(&config, NULL), queue_new(&config, NULL), queue_new(&config, NULL)};
    const struct outlet outlet = {.queues = queues, .count = 3};
    struct batch *batch = batch_new(f->batches, "orders", 0);
    if (queues[0] == NULL || queues[1] == NULL || queues[2] == NULL || batch == NULL || batch_add(batch) == NULL) {
        batch_free(batch);
    } else {
        enum status status = outlet_push(&outlet, batch, f->context); /* takes it in every case */
        assert_int_equal(status, failures > 0 ? STATUS_NO_MEMORY : STATUS_OK);
    }
    for (unsigned i = 0; i < 3; i++)
        queue_free(queues[i]);
    assert_int_equal(batch_pool_out(f->batches), 0);
}

static void branches_that_were_not_pushed_are_freed(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    assert_ran(run(use_outlet, &f), 8);
    intaking_fini(&f);
}

/* -- the intake and its ledger -- */

static void consume(struct intaking *f, struct intake *intake)
{
    struct intake_partition *partition = intake_assign(intake, "orders", 0, 5);
    if (partition == NULL)
        return;
    struct batch *batch = intake_begin(partition);
    struct record *record = batch != NULL ? batch_add(batch) : NULL;
    if (record == NULL) {
        batch_free(batch);
    } else {
        record->offset = 5;
        bool had_failures = failures > 0;
        enum status status = intake_push(partition, batch, f->context);
        assert_int_equal(status, !had_failures && failures > 0 ? STATUS_NO_MEMORY : STATUS_OK);
        assert_int_equal(intake_in_flight(partition), status == STATUS_OK);
        if (status == STATUS_OK)
            intaking_settle(f);
        assert_int_equal(intake_committable(partition), status == STATUS_OK ? 6 : -1);
        intake_committed(partition, 6);
    }
    intake_revoke(partition);
}

static void use_intake(void *arg)
{
    struct intaking *f = arg;
    struct ledger *ledger = ledger_new(1, NULL);
    struct intake_config config = f->config;
    config.ledger = ledger;
    struct intake *intake = ledger != NULL ? intake_new(&config) : NULL;
    if (intake != NULL)
        consume(f, intake);
    intake_free(intake);
    ledger_free(ledger);
    assert_int_equal(batch_pool_out(f->batches), 0);
}

static void what_the_intake_could_not_push_was_not_issued(void **state)
{
    (void)state;
    struct intaking f;
    intaking_init(&f);
    assert_ran(run(use_intake, &f), 6);
    intaking_fini(&f);
}

/* -- threads and what they wait on -- */

static enum status end_at_once(void *arg, struct context *context, struct error *error)
{
    (void)arg;
    (void)error;
    return context_status(context);
}

static void use_group(void *arg)
{
    struct context *root = context_new(NULL, CLOCK_NEVER);
    struct group *group = root != NULL ? group_new(root) : NULL;
    struct sequencer *sequencer = sequencer_new();
    (void)arg;
    if (group != NULL) {
        struct error error = {0};
        unsigned before = failures;
        enum status status = group_go(group, "member", end_at_once, NULL, &error);
        if (failures > before && status != STATUS_OK)
            assert_true(status == STATUS_FAILED && error.class == ERROR_TRANSIENT);
        assert_int_equal(group_wait(group, &error), STATUS_OK);
    }
    sequencer_free(sequencer);
    group_free(group);
    context_free(root);
}

static void groups_and_contexts_are_whole_or_not_there(void **state)
{
    (void)state;
    assert_ran(run(use_group, NULL), 4);
}

/* -- a worker: without it the others would wait for ever -- */

static void lose_memory(struct probe *probe, struct batch *batch, struct record *record)
{
    (void)record;
    (void)batch;
    fail_in = probe->gate;
}

static void lose_memory_and_cut(struct probe *probe, struct batch *batch, struct record *record)
{
    lose_memory(probe, batch, record);
    batch->cut = 1;
}

static void assert_restarts(void (*each)(struct probe *, struct batch *, struct record *), bool two_outputs)
{
    struct staging f;
    struct error error = {0};
    staging_init(&f);
    struct queue *outputs[] = {f.output, f.output};
    if (two_outputs)
        f.config.output = (struct outlet){.queues = outputs, .count = 2};
    f.config.workers_min = f.config.workers_max = 2;
    f.probes[0].each = can_fail ? each : NULL;
    f.probes[0].gate = 1;
    staging_start(&f);
    for (unsigned i = 0; i < 20; i++)
        staging_push(&f, 3);
    queue_close(f.input);
    enum status status = group_wait(f.group, &error);
    assert_int_equal(status, can_fail ? STATUS_FAILED : STATUS_OK);
    assert_string_equal(error.text, can_fail ? "enrich: out of memory" : "");
    assert_int_equal(error.class, can_fail ? ERROR_RESTART : ERROR_NONE);
    staging_fini(&f);
}

static void a_worker_that_can_not_branch_ends_the_group(void **state)
{
    (void)state;
    assert_restarts(lose_memory, true);
}

static void a_worker_that_can_not_split_ends_the_group(void **state)
{
    (void)state;
    assert_restarts(lose_memory_and_cut, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_stay_whole),
        cmocka_unit_test(branches_that_were_not_pushed_are_freed),
        cmocka_unit_test(what_the_intake_could_not_push_was_not_issued),
        cmocka_unit_test(groups_and_contexts_are_whole_or_not_there),
        cmocka_unit_test(a_worker_that_can_not_branch_ends_the_group),
        cmocka_unit_test(a_worker_that_can_not_split_ends_the_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
