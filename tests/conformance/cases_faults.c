/* The other side goes away, hangs, or answers into the void; and comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "tests/conformance/conformance.h"
#include "tests/support/memory.h"

/* The deadline of a call that hangs, and how much later it may come back. */
#define DEADLINE CLOCK_SECOND
#define LATE (3 * CLOCK_SECOND)

void case_trouble(struct subject *subject)
{
    enum { HALF = 500 };
    subject_start(subject);
    subject_push(subject, 0, HALF);
    assert_true(storage_wait_settled(&subject->storage, HALF));
    assert_int_equal(subject_retries(subject), 0);
    subject_trouble(subject, true);
    subject_push(subject, HALF, HALF);
    assert_true(storage_wait_ready(&subject->storage, false));
    assert_int_equal(storage_counts(&subject->storage).stored, HALF);
    subject_trouble(subject, false);
    assert_true(storage_wait_settled(&subject->storage, 2 * HALF));
    assert_true(storage_wait_ready(&subject->storage, true));
    assert_true(subject_retries(subject) > 0);
    subject_finish(subject);
    subject_assert_stored(subject, 2 * HALF, subject->store->atomic ? 0 : HALF);
}

static void finish_all(struct subject *subject, int64_t records)
{
    if (subject->wishes.exactly_once) {
        subject_finish_exactly(subject, records);
        return;
    }
    assert_true(storage_wait_settled(&subject->storage, (uint64_t)records));
    subject_finish(subject);
}

static void store_over_a_kill(struct subject *subject, uint64_t twice)
{
    enum { BATCHES = 50, SIZE = 200, BEFORE = 40 };
    subject_set_up(subject);
    for (int i = 0; i < BEFORE; i++)
        subject_push(subject, i * SIZE, SIZE);
    storage_start(&subject->storage);
    assert_true(storage_wait_settled(&subject->storage, SIZE));
    subject->store->server->kill();
    for (int i = BEFORE; i < BATCHES; i++)
        subject_push(subject, i * SIZE, SIZE);
    assert_true(storage_wait_ready(&subject->storage, false));
    subject->store->server->start();
    finish_all(subject, BATCHES * SIZE);
    subject_assert_stored(subject, BATCHES * SIZE, twice);
}

/* At least once: what was being committed when it was killed may be there twice. */
void case_server_killed(struct subject *subject)
{
    store_over_a_kill(subject, 400 + 200);
}

void case_offsets_server_killed(struct subject *subject)
{
    store_over_a_kill(subject, 0);
}

static void run_into(struct subject *subject, void (*hang)(struct subject *subject, bool on))
{
    enum { COUNT = 100 };
    subject_put_surely(subject, 0, COUNT);
    struct batch *batch = conformance_batch(&subject->stored.records, COUNT, COUNT);
    hang(subject, true);
    int64_t began = clock_now();
    struct context *context = context_new(NULL, began + DEADLINE);
    enum status status = subject_put(subject, batch, context);
    int64_t took = clock_now() - began;
    hang(subject, false);
    subject_assert_passing(subject, status);
    if (subject->wishes.patient)
        assert_int_equal(status, STATUS_DEADLINE);
    if (took > DEADLINE + LATE)
        fail_msg("it came back after %lld ms", (long long)(took / CLOCK_MS));
    context_free(context);
    batch_free(batch);
    /* As after every failure the framework hands the same again; or, after a deadline, closes it. */
    stored_close(&subject->stored);
    subject_put_surely(subject, COUNT, COUNT);
    subject_assert_stored(subject, 2 * COUNT, subject->store->server == NULL ? 0 : COUNT);
}

void case_hangs(struct subject *subject)
{
    run_into(subject, subject_hang);
}

static void stop_server(struct subject *subject, bool on)
{
    subject->store->server->stop(on);
}

void case_server_stopped(struct subject *subject)
{
    run_into(subject, stop_server);
}

void case_open_hangs(struct subject *subject)
{
    subject_must_open(subject); /* makes what it needs */
    stored_close(&subject->stored);
    subject_hang(subject, true);
    int64_t began = clock_now();
    enum status status = subject_open(subject, DEADLINE);
    int64_t took = clock_now() - began;
    subject_hang(subject, false);
    subject_assert_passing(subject, status);
    if (took > DEADLINE + LATE)
        fail_msg("it came back after %lld ms", (long long)(took / CLOCK_MS));
    subject_put_surely(subject, 0, 10);
    subject_assert_stored(subject, 10, 0);
}

/* What the store sends is done, and it never hears of it. */
static void lose_the_answer(struct subject *subject, uint64_t twice)
{
    enum { COUNT = 300 };
    const struct conformance_mark *mark = subject->store->commit_mark;
    if (subject->wishes.exactly_once && subject->store->offsets_commit_mark != NULL)
        mark = subject->store->offsets_commit_mark;
    subject_start(subject);
    subject_push(subject, 0, COUNT);
    assert_true(storage_wait_settled(&subject->storage, COUNT));
    proxy_swallow(subject->proxy, mark != NULL ? mark->bytes : NULL, mark != NULL ? mark->size : 0);
    subject_push(subject, COUNT, COUNT);
    assert_true(proxy_wait(subject->proxy, PROXY_SWALLOWED, 1));
    assert_true(subject_wait_rows(subject, 2 * COUNT));
    assert_int_equal(storage_counts(&subject->storage).stored, COUNT);
    proxy_cut(subject->proxy);
    proxy_pass(subject->proxy);
    finish_all(subject, 2 * COUNT);
    subject_assert_stored(subject, 2 * COUNT, twice);
}

void case_answer_lost(struct subject *subject)
{
    lose_the_answer(subject, 300);
}

void case_offsets_answer_lost(struct subject *subject)
{
    lose_the_answer(subject, 0);
}

/* A line that is only slow is no failure. */
void case_slow_line(struct subject *subject)
{
    enum { COUNT = 300 };
    static const struct proxy_rules lines[] = {
        {.delay = 5 * CLOCK_MS, .jitter = 10 * CLOCK_MS, .seed = 1},
        {.slice = 53},
        {.rate = 200 * 1000},
    };
    enum { LINES = sizeof lines / sizeof lines[0] };
    subject_start(subject);
    for (unsigned i = 0; i < LINES; i++) {
        proxy_rule(subject->proxy, PROXY_BOTH, lines[i]);
        subject_push(subject, i * COUNT, COUNT);
        assert_true(storage_wait_settled(&subject->storage, (i + 1) * COUNT));
    }
    proxy_pass(subject->proxy);
    assert_int_equal(subject_retries(subject), 0);
    subject_finish(subject);
    subject_assert_stored(subject, LINES * COUNT, 0);
}

void case_process_killed(struct subject *subject)
{
    enum { SIZE = 50, ROUNDS = 4 };
    int64_t next = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct tally tally;
        unsigned durable = subject_store_until_killed(subject, next, SIZE, 1 + 4 * round);
        /* A start after it takes care of what was left. */
        subject_must_open(subject);
        stored_close(&subject->stored);
        subject_tally(subject, next + (int64_t)(durable + 1) * SIZE, &tally);
        assert_int_equal(tally.corrupt + tally.spurious + tally.inversions, 0);
        assert_int_equal(tally_twice(&tally), 0);
        for (int64_t id = 0; id < next + durable * SIZE; id++)
            assert_int_equal(tally.times[id], 1);
        /* Then comes what was under way: whole or not at all, or what there is of it. */
        int64_t end = (int64_t)tally.rows;
        if (subject->store->atomic)
            assert_int_equal(end % SIZE, 0);
        next = end;
        tally_fini(&tally);
    }
    subject_put_surely(subject, next, SIZE);
    subject_assert_stored(subject, next + SIZE, 0);
}
