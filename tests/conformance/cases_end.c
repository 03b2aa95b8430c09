/* How a store ends: busy, hanging, cancelled; and what is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <malloc.h>
#include <string.h>
#include <cmocka.h>

#include "tests/conformance/conformance.h"
#include "tests/support/counted.h"
#include "tests/support/memory.h"

/* "A few seconds", see struct store_type. */
#define FEW (6 * CLOCK_SECOND)

static void close_soon(struct subject *subject)
{
    int64_t began = clock_now();
    stored_close(&subject->stored);
    int64_t took = clock_now() - began;
    if (took > FEW)
        fail_msg("close took %lld ms", (long long)(took / CLOCK_MS));
}

void case_close_busy(struct subject *subject)
{
    enum { COUNT = 100, BUSY = 2000 };
    struct stored *stored = &subject->stored;
    struct tally tally;
    subject_put_surely(subject, 0, COUNT);
    struct batch *batch = conformance_batch(&stored->records, COUNT, BUSY);
    assert_int_equal(stored_write(stored, batch), STATUS_OK);
    close_soon(subject);
    batch_free(batch);
    subject_tally(subject, COUNT + BUSY, &tally);
    for (int64_t id = 0; id < COUNT; id++)
        assert_int_equal(tally.times[id], 1);
    if (subject->store->atomic)
        assert_int_equal(tally.rows, COUNT);
    assert_int_equal(tally.corrupt + tally.spurious + tally.inversions + tally_twice(&tally), 0);
    tally_fini(&tally);
    /* And the framework's worker, in the middle of much. */
    subject_start(subject);
    for (int i = 0; i < 20; i++)
        subject_push(subject, COUNT + i * BUSY / 4, BUSY / 4);
    assert_true(storage_wait_settled(&subject->storage, 1));
    int64_t began = clock_now();
    subject_abort(subject);
    assert_true(clock_now() - began < FEW);
}

static enum status put_next(struct subject *subject, struct context *context)
{
    struct batch *batch = conformance_batch(&subject->stored.records, 100, 100);
    enum status status = subject_put(subject, batch, context);
    /* The store may point into it until it is closed: so this is for the end. */
    subject->pending = batch;
    return status;
}

void case_close_hanging(struct subject *subject)
{
    struct context *context = context_new(NULL, clock_now() + CLOCK_SECOND / 2);
    subject_put_surely(subject, 0, 100);
    subject_hang(subject, true);
    enum status status = put_next(subject, context);
    struct batch *batch = subject->pending;
    subject_assert_passing(subject, status);
    close_soon(subject);
    subject_hang(subject, false);
    batch_free(batch);
    context_free(context);
    subject_must_open(subject);
}

/* -- cancelled -- */

static enum status open_it(struct subject *subject, struct context *context)
{
    struct stored *stored = &subject->stored;
    enum status status = stored->type->open(parsed_config(stored->parsed), &stored->env, context, &stored->store,
                                            &stored->error);
    if (status != STATUS_OK)
        stored->store = NULL;
    return status;
}

/* It must be waiting by then, as far as one can see from outside. */
static void cancel_while_waiting(struct subject *subject,
                                 enum status (*call)(struct subject *subject, struct context *context))
{
    struct context *context = context_new(NULL, clock_now() + 60 * CLOCK_SECOND);
    struct calling calling;
    uint64_t read = subject->proxy != NULL ? proxy_count(subject->proxy, PROXY_READ_UP) : 0;
    subject_hang(subject, true);
    calling_start(&calling, subject, context, call);
    if (subject->proxy != NULL)
        assert_true(proxy_wait(subject->proxy, PROXY_READ_UP, read + 1));
    int64_t began = clock_now();
    context_cancel(context);
    enum status status = calling_join(&calling);
    int64_t took = clock_now() - began;
    subject_hang(subject, false);
    assert_int_equal(status, STATUS_CANCELLED);
    if (took > 2 * CLOCK_SECOND)
        fail_msg("it came back %lld ms after it was cancelled", (long long)(took / CLOCK_MS));
    context_free(context);
}

void case_cancelled(struct subject *subject)
{
    subject_put_surely(subject, 0, 100);
    cancel_while_waiting(subject, put_next);
    struct batch *batch = subject->pending;
    close_soon(subject);
    batch_free(batch);
    if (subject->store->not_made[CASE_OPEN_HANGS] == NULL)
        cancel_while_waiting(subject, open_it);
    stored_close(&subject->stored);
    subject_put_surely(subject, 100, 100);
    subject_assert_stored(subject, 200, subject->store->server == NULL ? 0 : 100);
}

/* -- nothing left -- */

static void go_round(struct subject *subject, int64_t *next)
{
    struct context *context = context_new(NULL, clock_now() + 20 * CLOCK_SECOND);
    struct stored *stored = &subject->stored;
    subject_must_open(subject);
    subject_put_surely(subject, *next, 200);
    *next += 200;
    /* One that was handed over and is not flushed. */
    struct batch *batch = conformance_batch(&stored->records, *next, 10);
    assert_int_equal(stored->type->write(stored->store, batch, context, &stored->error), STATUS_OK);
    stored_close(stored);
    batch_free(batch);
    *next += 10;
    if (subject->proxy != NULL) {
        proxy_reset(subject->proxy);
        assert_int_not_equal(subject_open(subject, CLOCK_SECOND / 5), STATUS_OK);
        proxy_pass(subject->proxy);
    }
    context_free(context);
}

static bool threads_and_descriptors_are_back(void *arg)
{
    struct subject *subject = arg;
    return count_threads() == subject->threads && count_descriptors() == subject->descriptors;
}

void case_nothing_left(struct subject *subject)
{
    enum { ROUNDS = 8, LEAST_LEAK = 2048 };
    int64_t next = 0;
    struct subject *arg = subject;
    for (int i = 0; i < 3; i++)
        go_round(subject, &next);
    assert_true(eventually(threads_and_descriptors_are_back, arg));
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < ROUNDS; i++)
        go_round(subject, &next);
    assert_true(eventually(threads_and_descriptors_are_back, arg));
    size_t after = mallinfo2().uordblks;
    print_message("%zd bytes more after %d rounds\n", (ssize_t)(after - before), ROUNDS);
    if (after > before + ROUNDS * LEAST_LEAK)
        fail_msg("%zu bytes more after %d rounds", after - before, ROUNDS);
}

/* -- a full disk -- */

static bool has_tried_again(void *arg)
{
    return subject_retries(arg) > 0;
}

void case_full_disk(struct subject *subject)
{
    enum { BATCHES = 20, SIZE = 1000 };
    if (!subject->store->disk(subject, DISK_MAKE)) {
        print_message("no small disk can be mounted here (not root?): not tried\n");
        return;
    }
    subject_start(subject);
    for (int i = 0; i < BATCHES; i++)
        subject_push(subject, i * SIZE, SIZE);
    /* Not ready is also who is not open yet. */
    assert_true(eventually(has_tried_again, subject));
    assert_true(storage_wait_ready(&subject->storage, false));
    assert_true(storage_counts(&subject->storage).stored < BATCHES * SIZE);
    subject->store->disk(subject, DISK_ROOM);
    assert_true(storage_wait_settled(&subject->storage, BATCHES * SIZE));
    assert_true(storage_wait_ready(&subject->storage, true));
    subject_finish(subject);
    subject_assert_stored(subject, BATCHES * SIZE, 0);
    subject->store->disk(subject, DISK_REMOVE);
}
