#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/sequencer.h"

enum { WORKERS = 4, NUMBERS = 4000 };

struct work {
    struct sequencer *sequencer;
    struct context *context;
    pthread_mutex_t mutex;
    uint64_t given;        /* mutex */
    uint64_t out[NUMBERS]; /* whose turn it is */
    unsigned count;        /* whose turn it is */
};

static void *take_turns(void *arg)
{
    struct work *work = arg;
    for (;;) {
        CHECK_CALL(pthread_mutex_lock(&work->mutex));
        uint64_t sequence = work->given++;
        CHECK_CALL(pthread_mutex_unlock(&work->mutex));
        if (sequence >= NUMBERS)
            return NULL;
        CHECK(sequencer_wait(work->sequencer, sequence, work->context) == STATUS_OK);
        work->out[work->count++] = sequence; /* no lock: TSan would tell */
        if (sequence % 3 == 0)
            CHECK(sequencer_wait(work->sequencer, sequence, work->context) == STATUS_OK); /* asking again is fine */
        sequencer_done(work->sequencer, sequence);
    }
}

static void results_come_out_in_the_order_of_their_numbers(void **state)
{
    (void)state;
    static struct work work;
    pthread_t threads[WORKERS];
    work = (struct work){.sequencer = sequencer_new(), .mutex = PTHREAD_MUTEX_INITIALIZER};
    work.context = context_new(NULL, clock_now() + 60 * CLOCK_SECOND);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &work), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(work.count, NUMBERS);
    for (unsigned i = 0; i < NUMBERS; i++)
        assert_int_equal(work.out[i], i);
    sequencer_free(work.sequencer);
    context_free(work.context);
}

struct waiter {
    struct sequencer *sequencer;
    struct context *context;
    enum status status;
};

static void *wait_for_turn(void *arg)
{
    struct waiter *waiter = arg;
    waiter->status = sequencer_wait(waiter->sequencer, 1, waiter->context);
    return NULL;
}

/* The worker with number 0 failed and will never be done. */
static void who_waits_for_one_that_failed_ends_with_the_context(void **state)
{
    (void)state;
    struct context *context = context_new(NULL, clock_now() + 60 * CLOCK_SECOND);
    struct waiter waiter = {.sequencer = sequencer_new(), .context = context};
    pthread_t thread;
    assert_int_equal(sequencer_wait(waiter.sequencer, 0, context), STATUS_OK);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_turn, &waiter), 0);
    context_cancel(context);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waiter.status, STATUS_CANCELLED);
    sequencer_free(waiter.sequencer);
    sequencer_free(NULL);
    context_free(context);
}

static void a_deadline_ends_the_wait(void **state)
{
    (void)state;
    struct context *context = context_new(NULL, clock_now() + 2 * CLOCK_MS);
    struct sequencer *sequencer = sequencer_new();
    assert_int_equal(sequencer_wait(sequencer, 7, context), STATUS_DEADLINE);
    sequencer_free(sequencer);
    context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_come_out_in_the_order_of_their_numbers),
        cmocka_unit_test(who_waits_for_one_that_failed_ends_with_the_context),
        cmocka_unit_test(a_deadline_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
