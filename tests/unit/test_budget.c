#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "processor/budget.h"
#include "processor/check.h"
#include "processor/clock.h"

static void count_wakes(void *arg)
{
    atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

static void it_has_room_up_to_its_size(void **state)
{
    (void)state;
    struct budget *budget = budget_new(1000);
    assert_int_equal(budget_size(budget), 1000);
    assert_true(budget_has_room(budget, 1000));
    assert_false(budget_has_room(budget, 1001));
    budget_take(budget, 600);
    assert_true(budget_has_room(budget, 400));
    assert_false(budget_has_room(budget, 401));
    budget_give(budget, 600);
    assert_int_equal(budget_used(budget), 0);
    budget_free(budget);
}

static void taking_never_waits_and_may_overdraw(void **state)
{
    (void)state;
    struct budget *budget = budget_new(1000);
    budget_take(budget, 900);
    budget_take(budget, 900);
    assert_int_equal(budget_used(budget), 1800);
    assert_int_equal(budget_peak(budget), 1800);
    assert_false(budget_has_room(budget, 0));
    budget_give(budget, 1800);
    assert_int_equal(budget_peak(budget), 1800);
    budget_free(budget);
}

static void who_saw_no_room_is_woken_once_below_three_quarters(void **state)
{
    (void)state;
    _Atomic unsigned wakes = 0;
    struct budget *budget = budget_new(1000);
    budget_on_room(budget, count_wakes, &wakes);
    budget_take(budget, 1000);
    budget_give(budget, 900);
    assert_int_equal(wakes, 0); /* nobody had asked */
    budget_take(budget, 900);
    assert_false(budget_has_room(budget, 1));
    budget_give(budget, 200);
    assert_int_equal(wakes, 0);
    budget_give(budget, 50);
    assert_int_equal(wakes, 1);
    budget_give(budget, 50);
    assert_int_equal(wakes, 1);
    assert_false(budget_has_room(budget, 500)); /* a lot is asked for: not yet, and told again */
    budget_give(budget, 1);
    assert_int_equal(wakes, 2);
    budget_on_room(budget, NULL, NULL);
    assert_false(budget_has_room(budget, 1001));
    budget_give(budget, 699);
    budget_free(budget);
}

struct waiter {
    struct budget *budget;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool woken;
};

static void wake_waiter(void *arg)
{
    struct waiter *waiter = arg;
    CHECK_CALL(pthread_mutex_lock(&waiter->mutex));
    waiter->woken = true;
    CHECK_CALL(pthread_cond_signal(&waiter->cond));
    CHECK_CALL(pthread_mutex_unlock(&waiter->mutex));
}

enum { ROUNDS = 20000, PIECE = 100 };

static void *give_back(void *arg)
{
    struct waiter *waiter = arg;
    for (unsigned i = 0; i < ROUNDS;) {
        if (budget_used(waiter->budget) < PIECE) {
            sched_yield();
            continue;
        }
        budget_give(waiter->budget, PIECE);
        i++;
    }
    return NULL;
}

/* One takes when there is room and otherwise only waits to be woken: a lost wake-up would be the end of it. */
static void no_wake_up_is_lost(void **state)
{
    (void)state;
    struct waiter waiter = {
        .budget = budget_new(250), .mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    pthread_t giver;
    struct timespec until = clock_timespec(clock_now() + 60 * CLOCK_SECOND);
    budget_on_room(waiter.budget, wake_waiter, &waiter);
    assert_int_equal(pthread_create(&giver, NULL, give_back, &waiter), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        while (!budget_has_room(waiter.budget, PIECE)) {
            int code = 0;
            CHECK_CALL(pthread_mutex_lock(&waiter.mutex));
            while (!waiter.woken && code == 0)
                code = pthread_cond_clockwait(&waiter.cond, &waiter.mutex, CLOCK_MONOTONIC, &until);
            waiter.woken = false;
            CHECK_CALL(pthread_mutex_unlock(&waiter.mutex));
            assert_int_equal(code, 0);
        }
        budget_take(waiter.budget, PIECE);
    }
    assert_int_equal(pthread_join(giver, NULL), 0);
    assert_int_equal(budget_used(waiter.budget), 0);
    assert_true(budget_peak(waiter.budget) <= 250);
    budget_free(waiter.budget);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_room_up_to_its_size),
        cmocka_unit_test(taking_never_waits_and_may_overdraw),
        cmocka_unit_test(who_saw_no_room_is_woken_once_below_three_quarters),
        cmocka_unit_test(no_wake_up_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
