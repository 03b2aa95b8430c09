#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/context.h"

static void a_child_ends_with_its_parent_and_not_the_other_way(void **state)
{
    (void)state;
    struct context *root = context_new(NULL, CLOCK_NEVER);
    struct context *left = context_new(root, CLOCK_NEVER), *right = context_new(root, CLOCK_NEVER);
    struct context *leaf = context_new(left, CLOCK_NEVER);
    context_cancel(left);
    context_cancel(left);
    assert_int_equal(context_status(left), STATUS_CANCELLED);
    assert_int_equal(context_status(leaf), STATUS_CANCELLED);
    assert_int_equal(context_status(right), STATUS_OK);
    assert_int_equal(context_status(root), STATUS_OK);
    context_cancel(root);
    assert_int_equal(context_status(right), STATUS_CANCELLED);
    context_free(leaf);
    context_free(left);
    context_free(right);
    context_free(root);
    context_free(NULL);
}

static void a_child_of_an_ended_parent_is_born_ended(void **state)
{
    (void)state;
    struct context *root = context_new(NULL, CLOCK_NEVER);
    context_cancel(root);
    struct context *child = context_new(root, CLOCK_NEVER);
    assert_int_equal(context_status(child), STATUS_CANCELLED);
    assert_int_equal(context_sleep(child, CLOCK_SECOND), STATUS_CANCELLED);
    context_free(child);
    context_free(root);
}

static void a_deadline_is_never_later_than_the_parents(void **state)
{
    (void)state;
    int64_t soon = clock_now() + CLOCK_SECOND;
    struct context *root = context_new(NULL, soon);
    struct context *later = context_new(root, soon + CLOCK_SECOND), *never = context_new(root, CLOCK_NEVER),
                   *sooner = context_new(root, soon - CLOCK_MS);
    assert_int_equal(context_deadline(later), soon);
    assert_int_equal(context_deadline(never), soon);
    assert_int_equal(context_deadline(sooner), soon - CLOCK_MS);
    context_free(sooner);
    context_free(never);
    context_free(later);
    context_free(root);
}

static void a_deadline_that_passed_is_told_from_a_cancellation(void **state)
{
    (void)state;
    struct context *context = context_new(NULL, clock_now() - 1);
    assert_int_equal(context_status(context), STATUS_DEADLINE);
    context_cancel(context);
    assert_int_equal(context_status(context), STATUS_CANCELLED);
    context_free(context);
}

static void a_sleep_lasts_as_long_as_it_should(void **state)
{
    (void)state;
    struct context *context = context_new(NULL, clock_now() + 30 * CLOCK_SECOND);
    int64_t begin = clock_now();
    assert_int_equal(context_sleep(context, 20 * CLOCK_MS), STATUS_OK);
    assert_true(clock_now() - begin >= 20 * CLOCK_MS);
    assert_int_equal(context_sleep(context, 0), STATUS_OK);
    context_free(context);
}

static void a_sleep_ends_at_the_deadline(void **state)
{
    (void)state;
    int64_t deadline = clock_now() + 20 * CLOCK_MS;
    struct context *context = context_new(NULL, deadline);
    assert_int_equal(context_sleep(context, INT64_MAX), STATUS_DEADLINE);
    assert_true(clock_now() >= deadline);
    context_free(context);
}

struct sleeper {
    struct context *context;
    pthread_t thread;
    enum status status;
};

static void *sleep_long(void *arg)
{
    struct sleeper *sleeper = arg;
    sleeper->status = context_sleep(sleeper->context, 60 * CLOCK_SECOND);
    return NULL;
}

static void cancelling_wakes_every_waiter_below_at_once(void **state)
{
    (void)state;
    struct context *root = context_new(NULL, CLOCK_NEVER);
    struct context *branches[4];
    struct sleeper sleepers[8];
    for (unsigned i = 0; i < 4; i++)
        branches[i] = context_new(i > 0 ? branches[i - 1] : root, CLOCK_NEVER);
    for (unsigned i = 0; i < 8; i++) {
        sleepers[i] = (struct sleeper){.context = branches[i / 2]};
        assert_int_equal(pthread_create(&sleepers[i].thread, NULL, sleep_long, &sleepers[i]), 0);
    }
    int64_t begin = clock_now();
    context_cancel(root);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(sleepers[i].thread, NULL), 0);
        assert_int_equal(sleepers[i].status, STATUS_CANCELLED);
    }
    assert_true(clock_now() - begin < 30 * CLOCK_SECOND);
    for (unsigned i = 4; i > 0; i--)
        context_free(branches[i - 1]);
    context_free(root);
}

static void count(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
}

static void a_watch_runs_once_however_often_its_context_ends(void **state)
{
    (void)state;
    _Atomic int runs = 0, others = 0;
    struct context *root = context_new(NULL, CLOCK_NEVER), *child = context_new(root, CLOCK_NEVER);
    struct context_watch watch = {.wake = count, .arg = &runs}, gone = {.wake = count, .arg = &others};
    context_watch(child, &watch);
    context_watch(root, &gone);
    context_unwatch(root, &gone);
    assert_int_equal(runs, 0);
    context_cancel(root);
    context_cancel(child);
    context_cancel(root);
    assert_int_equal(runs, 1);
    assert_int_equal(others, 0);
    context_unwatch(child, &watch);
    context_free(child);
    context_free(root);
}

static void a_watch_on_an_ended_context_runs_at_once(void **state)
{
    (void)state;
    _Atomic int runs = 0;
    struct context *context = context_new(NULL, CLOCK_NEVER);
    struct context_watch watch = {.wake = count, .arg = &runs};
    context_cancel(context);
    context_watch(context, &watch);
    assert_int_equal(runs, 1);
    context_unwatch(context, &watch);
    context_free(context);
}

struct slow {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool began, may_end, ended;
    struct context *context;
    struct context_watch watch;
};

static void wake_slowly(void *arg)
{
    struct slow *slow = arg;
    CHECK_CALL(pthread_mutex_lock(&slow->mutex));
    slow->began = true;
    CHECK_CALL(pthread_cond_broadcast(&slow->cond));
    while (!slow->may_end)
        CHECK_CALL(pthread_cond_wait(&slow->cond, &slow->mutex));
    slow->ended = true;
    CHECK_CALL(pthread_mutex_unlock(&slow->mutex));
}

static void *cancel(void *arg)
{
    context_cancel(arg);
    return NULL;
}

static void *unwatch(void *arg)
{
    struct slow *slow = arg;
    context_unwatch(slow->context, &slow->watch);
    CHECK_CALL(pthread_mutex_lock(&slow->mutex));
    CHECK(slow->ended); /* never back before the wake is over */
    CHECK_CALL(pthread_mutex_unlock(&slow->mutex));
    return NULL;
}

static void unwatching_waits_for_the_wake_that_runs(void **state)
{
    (void)state;
    struct slow slow = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    pthread_t canceller, unwatcher;
    slow.context = context_new(NULL, CLOCK_NEVER);
    slow.watch = (struct context_watch){.wake = wake_slowly, .arg = &slow};
    context_watch(slow.context, &slow.watch);
    assert_int_equal(pthread_create(&canceller, NULL, cancel, slow.context), 0);
    CHECK_CALL(pthread_mutex_lock(&slow.mutex));
    while (!slow.began)
        CHECK_CALL(pthread_cond_wait(&slow.cond, &slow.mutex));
    CHECK_CALL(pthread_mutex_unlock(&slow.mutex));
    assert_int_equal(pthread_create(&unwatcher, NULL, unwatch, &slow), 0);
    /* The wake runs without any lock of the context: others may use the tree meanwhile. */
    struct context *child = context_new(slow.context, CLOCK_NEVER);
    assert_int_equal(context_status(child), STATUS_CANCELLED);
    context_free(child);
    CHECK_CALL(pthread_mutex_lock(&slow.mutex));
    slow.may_end = true;
    CHECK_CALL(pthread_cond_broadcast(&slow.cond));
    CHECK_CALL(pthread_mutex_unlock(&slow.mutex));
    assert_int_equal(pthread_join(unwatcher, NULL), 0);
    assert_int_equal(pthread_join(canceller, NULL), 0);
    context_free(slow.context);
}

static void a_wait_answers_what_ended_it(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    struct context *context = context_new(NULL, CLOCK_NEVER);
    struct context *short_lived = context_new(context, clock_now() + 5 * CLOCK_MS);
    enum status status = STATUS_OK;
    CHECK_CALL(pthread_mutex_lock(&mutex));
    assert_int_equal(context_wait(context, &cond, &mutex, clock_now() - CLOCK_SECOND), STATUS_EMPTY);
    while (status == STATUS_OK)
        status = context_wait(context, &cond, &mutex, clock_now() + CLOCK_MS);
    assert_int_equal(status, STATUS_EMPTY);
    status = STATUS_OK;
    while (status == STATUS_OK)
        status = context_wait(short_lived, &cond, &mutex, CLOCK_NEVER);
    assert_int_equal(status, STATUS_DEADLINE);
    context_cancel(context);
    assert_int_equal(context_wait(context, &cond, &mutex, CLOCK_NEVER), STATUS_CANCELLED);
    assert_int_equal(context_wait(short_lived, &cond, &mutex, CLOCK_NEVER), STATUS_CANCELLED);
    CHECK_CALL(pthread_mutex_unlock(&mutex));
    context_free(short_lived);
    context_free(context);
}

struct ping {
    struct context *context;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    unsigned turn;
    enum status status;
};

enum { PINGS = 2000 };

static void *pong(void *arg)
{
    struct ping *ping = arg;
    CHECK_CALL(pthread_mutex_lock(&ping->mutex));
    while (ping->turn < 2 * PINGS && ping->status == STATUS_OK) {
        while (ping->turn % 2 == 0 && ping->turn < 2 * PINGS && ping->status == STATUS_OK)
            ping->status = context_wait(ping->context, &ping->cond, &ping->mutex, CLOCK_NEVER);
        ping->turn++;
        CHECK_CALL(pthread_cond_signal(&ping->cond));
    }
    CHECK_CALL(pthread_mutex_unlock(&ping->mutex));
    return NULL;
}

/* The mutex is let go between being woken and returning: no signal may be lost there. */
static void waiters_that_look_at_their_predicate_miss_no_signal(void **state)
{
    (void)state;
    struct ping ping = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    pthread_t thread;
    ping.context = context_new(NULL, clock_now() + 60 * CLOCK_SECOND);
    assert_int_equal(pthread_create(&thread, NULL, pong, &ping), 0);
    CHECK_CALL(pthread_mutex_lock(&ping.mutex));
    enum status status = STATUS_OK;
    while (ping.turn < 2 * PINGS && status == STATUS_OK) {
        ping.turn++;
        CHECK_CALL(pthread_cond_signal(&ping.cond));
        while (ping.turn % 2 == 1 && ping.turn < 2 * PINGS && status == STATUS_OK)
            status = context_wait(ping.context, &ping.cond, &ping.mutex, CLOCK_NEVER);
    }
    CHECK_CALL(pthread_cond_signal(&ping.cond));
    CHECK_CALL(pthread_mutex_unlock(&ping.mutex));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(ping.status, STATUS_OK);
    context_free(ping.context);
}

static void *watch_and_unwatch(void *arg)
{
    struct context *parent = arg;
    _Atomic int runs = 0;
    while (context_status(parent) == STATUS_OK) {
        struct context *child = context_new(parent, CLOCK_NEVER);
        struct context_watch watch = {.wake = count, .arg = &runs};
        CHECK(child != NULL);
        context_watch(child, &watch);
        (void)context_sleep(child, CLOCK_MS / 10);
        context_unwatch(child, &watch);
        context_free(child);
    }
    CHECK(runs <= 1);
    return NULL;
}

static void trees_grow_and_shrink_while_they_are_cancelled(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 30; round++) {
        struct context *root = context_new(NULL, CLOCK_NEVER);
        pthread_t threads[3];
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, watch_and_unwatch, root), 0);
        struct context *other = context_new(NULL, CLOCK_NEVER);
        assert_int_equal(context_sleep(other, CLOCK_MS), STATUS_OK);
        context_cancel(root);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        context_free(other);
        context_free(root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_ends_with_its_parent_and_not_the_other_way),
        cmocka_unit_test(a_child_of_an_ended_parent_is_born_ended),
        cmocka_unit_test(a_deadline_is_never_later_than_the_parents),
        cmocka_unit_test(a_deadline_that_passed_is_told_from_a_cancellation),
        cmocka_unit_test(a_sleep_lasts_as_long_as_it_should),
        cmocka_unit_test(a_sleep_ends_at_the_deadline),
        cmocka_unit_test(cancelling_wakes_every_waiter_below_at_once),
        cmocka_unit_test(a_watch_runs_once_however_often_its_context_ends),
        cmocka_unit_test(a_watch_on_an_ended_context_runs_at_once),
        cmocka_unit_test(unwatching_waits_for_the_wake_that_runs),
        cmocka_unit_test(a_wait_answers_what_ended_it),
        cmocka_unit_test(waiters_that_look_at_their_predicate_miss_no_signal),
        cmocka_unit_test(trees_grow_and_shrink_while_they_are_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
