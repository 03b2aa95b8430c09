#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "processor/clock.h"
#include "processor/group.h"
#include "tests/support/counted.h"
#include "tests/support/memory.h"

/* A joined thread may be seen for another moment. */
static bool threads_are(void *count)
{
    return count_threads() == *(unsigned *)count;
}

static enum status wait_for_the_end(void *arg, struct context *context, struct error *error)
{
    (void)error;
    enum status status = context_sleep(context, 60 * CLOCK_SECOND);
    atomic_fetch_add((_Atomic int *)arg, status == STATUS_CANCELLED);
    return status;
}

static enum status fail_with(void *arg, struct context *context, struct error *error)
{
    (void)context;
    return error_set(error, ERROR_RESTART, "%s", (const char *)arg);
}

static enum status count_up(void *arg, struct context *context, struct error *error)
{
    (void)context;
    (void)error;
    atomic_fetch_add((_Atomic int *)arg, 1);
    return STATUS_OK;
}

static void go(struct group *group, group_run *run, void *arg)
{
    struct error error;
    assert_int_equal(group_go(group, "member", run, arg, &error), STATUS_OK);
}

static void a_group_whose_members_end_well_ends_well(void **state)
{
    (void)state;
    _Atomic int count = 0;
    struct error error = {.text = "untouched"};
    unsigned threads = count_threads();
    struct group *group = group_new(NULL);
    for (unsigned i = 0; i < 10; i++)
        go(group, count_up, &count);
    assert_int_equal(group_wait(group, &error), STATUS_OK);
    assert_int_equal(count, 10);
    assert_string_equal(error.text, "untouched");
    assert_int_equal(context_status(group_context(group)), STATUS_OK);
    assert_true(eventually(threads_are, &threads));
    group_free(group);
    group_free(NULL);
}

static void the_first_error_ends_them_all(void **state)
{
    (void)state;
    _Atomic int ended = 0;
    struct error error;
    unsigned threads = count_threads();
    struct context *root = context_new(NULL, CLOCK_NEVER);
    struct group *group = group_new(root);
    for (unsigned i = 0; i < 5; i++)
        go(group, wait_for_the_end, &ended);
    go(group, fail_with, "the database is gone");
    assert_int_equal(group_wait(group, &error), STATUS_FAILED);
    assert_int_equal(ended, 5);
    assert_string_equal(error.text, "the database is gone");
    assert_int_equal(error.class, ERROR_RESTART);
    assert_int_equal(context_status(root), STATUS_OK); /* others go on */
    assert_true(eventually(threads_are, &threads));
    group_free(group);
    context_free(root);
}

static void later_errors_are_passed_over(void **state)
{
    (void)state;
    struct error error, outside;
    struct group *group = group_new(NULL);
    error_set(&outside, ERROR_FATAL, "from outside");
    group_fail(group, &outside);
    go(group, fail_with, "later");
    assert_int_equal(group_wait(group, &error), STATUS_FAILED);
    assert_string_equal(error.text, "from outside");
    assert_int_equal(group_wait(group, NULL), STATUS_FAILED);
    group_free(group);
}

static void a_cancelled_member_is_no_error(void **state)
{
    (void)state;
    _Atomic int ended = 0;
    struct error error;
    struct context *root = context_new(NULL, CLOCK_NEVER);
    struct group *group = group_new(root);
    go(group, wait_for_the_end, &ended);
    context_cancel(root);
    assert_int_equal(group_wait(group, &error), STATUS_OK);
    assert_int_equal(ended, 1);
    group_free(group);
    context_free(root);
}

static enum status fail_silently(void *arg, struct context *context, struct error *error)
{
    (void)arg;
    (void)context;
    (void)error;
    return STATUS_FAILED;
}

static void a_member_that_fails_without_a_word_still_has_an_error(void **state)
{
    (void)state;
    struct error error = {0};
    struct group *group = group_new(NULL);
    go(group, fail_silently, NULL);
    assert_int_equal(group_wait(group, &error), STATUS_FAILED);
    assert_int_equal(error.class, ERROR_FATAL);
    assert_true(strlen(error.text) > 0);
    group_free(group);
}

static enum status tell_name(void *arg, struct context *context, struct error *error)
{
    (void)context;
    (void)error;
    return pthread_getname_np(pthread_self(), arg, 16) == 0 ? STATUS_OK : STATUS_FAILED;
}

static void threads_have_names(void **state)
{
    (void)state;
    char name[16];
    struct error error;
    struct group *group = group_new(NULL);
    assert_int_equal(group_go(group, "a name that is far too long", tell_name, name, &error), STATUS_OK);
    assert_int_equal(group_wait(group, NULL), STATUS_OK);
    assert_string_equal(name, "a name that is ");
    group_free(group);
}

static void ended_members_are_reaped_while_others_run(void **state)
{
    (void)state;
    _Atomic int ended = 0, count = 0;
    unsigned threads = count_threads();
    struct context *patience = context_new(NULL, clock_now() + 30 * CLOCK_SECOND);
    struct group *group = group_new(NULL);
    go(group, wait_for_the_end, &ended);
    for (unsigned i = 0; i < 20; i++)
        go(group, count_up, &count);
    while (group_running(group) > 1)
        assert_int_equal(context_sleep(patience, CLOCK_MS / 10), STATUS_OK);
    group_reap(group);
    assert_int_equal(count, 20);
    threads++;
    assert_true(eventually(threads_are, &threads));
    context_cancel(group_context(group));
    assert_int_equal(group_wait(group, NULL), STATUS_OK);
    group_free(group);
    context_free(patience);
}

struct starter {
    struct group *group;
    _Atomic int count;
};

static enum status start_others(void *arg, struct context *context, struct error *error)
{
    struct starter *starter = arg;
    for (unsigned i = 0; i < 10; i++) {
        enum status status = group_go(starter->group, "other", count_up, &starter->count, error);
        if (status != STATUS_OK)
            return status;
    }
    return context_status(context);
}

static void members_may_start_members(void **state)
{
    (void)state;
    struct starter starter = {.group = group_new(NULL)};
    for (unsigned i = 0; i < 4; i++)
        go(starter.group, start_others, &starter);
    assert_int_equal(group_wait(starter.group, NULL), STATUS_OK);
    assert_int_equal(starter.count, 40);
    group_free(starter.group);
}

static pthread_key_t farewell;

/* Runs when the thread has left its function and can't be joined yet. */
static void say_farewell(void *arg)
{
    struct context *context = context_new(NULL, CLOCK_NEVER);
    (void)context_sleep(context, CLOCK_MS);
    context_free(context);
    atomic_fetch_add((_Atomic int *)arg, 1);
}

static enum status leave_slowly(void *arg, struct context *context, struct error *error)
{
    (void)context;
    (void)error;
    pthread_setspecific(farewell, arg);
    return STATUS_OK;
}

static void *reap(void *arg)
{
    for (unsigned i = 0; i < 20; i++)
        group_reap(arg);
    return NULL;
}

/* Whoever takes a member off the list joins it; the wait is not over before that. */
static void waiting_also_waits_for_what_another_thread_reaps(void **state)
{
    (void)state;
    assert_int_equal(pthread_key_create(&farewell, say_farewell), 0);
    for (unsigned round = 0; round < 50; round++) {
        _Atomic int gone = 0;
        struct group *group = group_new(NULL);
        pthread_t reaper;
        for (int i = 0; i < 5; i++)
            go(group, leave_slowly, (void *)&gone);
        assert_int_equal(pthread_create(&reaper, NULL, reap, group), 0);
        assert_int_equal(group_wait(group, NULL), STATUS_OK);
        assert_int_equal(gone, 5);
        assert_int_equal(pthread_join(reaper, NULL), 0);
        group_free(group);
    }
    assert_int_equal(pthread_key_delete(farewell), 0);
}

/* The thread sanitizer has a thread of its own from the first one on. */
static int start_the_first_thread(void **state)
{
    (void)state;
    _Atomic int count = 0;
    struct group *group = group_new(NULL);
    go(group, count_up, &count);
    enum status status = group_wait(group, NULL);
    group_free(group);
    return status == STATUS_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_whose_members_end_well_ends_well),
        cmocka_unit_test(the_first_error_ends_them_all),
        cmocka_unit_test(later_errors_are_passed_over),
        cmocka_unit_test(a_cancelled_member_is_no_error),
        cmocka_unit_test(a_member_that_fails_without_a_word_still_has_an_error),
        cmocka_unit_test(threads_have_names),
        cmocka_unit_test(ended_members_are_reaped_while_others_run),
        cmocka_unit_test(members_may_start_members),
        cmocka_unit_test(waiting_also_waits_for_what_another_thread_reaps),
    };
    return cmocka_run_group_tests(tests, start_the_first_thread, NULL);
}
