#include "connectors/postgres/aside.h"

#include <signal.h>

#include "processor/check.h"
#include "processor/clock.h"

void postgres_aside_init(struct postgres_aside *aside, void (*run)(struct postgres_aside *aside),
                         void (*free)(struct postgres_aside *aside))
{
    *aside = (struct postgres_aside){.run = run, .free = free};
    CHECK_CALL(pthread_mutex_init(&aside->mutex, NULL));
    CHECK_CALL(pthread_cond_init(&aside->changed, NULL));
}

void postgres_aside_fini(struct postgres_aside *aside)
{
    CHECK_CALL(pthread_cond_destroy(&aside->changed));
    CHECK_CALL(pthread_mutex_destroy(&aside->mutex));
}

static void *thread_main(void *arg)
{
    struct postgres_aside *aside = arg;
    aside->run(aside);
    CHECK_CALL(pthread_mutex_lock(&aside->mutex));
    bool left = aside->left;
    aside->done = true;
    CHECK_CALL(pthread_cond_signal(&aside->changed));
    CHECK_CALL(pthread_mutex_unlock(&aside->mutex));
    if (left)
        aside->free(aside);
    return NULL;
}

bool postgres_aside_start(struct postgres_aside *aside)
{
    sigset_t all, before;
    /* Signals are for the threads that expect them. */
    sigfillset(&all);
    CHECK_CALL(pthread_sigmask(SIG_SETMASK, &all, &before));
    int code = pthread_create(&aside->thread, NULL, thread_main, aside);
    CHECK_CALL(pthread_sigmask(SIG_SETMASK, &before, NULL));
    return code == 0;
}

enum status postgres_aside_await(struct postgres_aside *aside, struct context *context, int64_t until)
{
    enum status status = STATUS_OK;
    CHECK_CALL(pthread_mutex_lock(&aside->mutex));
    while (status == STATUS_OK && !aside->done)
        status = context_wait(context, &aside->changed, &aside->mutex, until);
    CHECK_CALL(pthread_mutex_unlock(&aside->mutex));
    return status;
}

bool postgres_aside_leave(struct postgres_aside *aside, int64_t until)
{
    struct timespec patience = clock_timespec(until);
    pthread_t thread = aside->thread;
    CHECK_CALL(pthread_mutex_lock(&aside->mutex));
    while (!aside->done && pthread_cond_clockwait(&aside->changed, &aside->mutex, CLOCK_MONOTONIC, &patience) == 0)
        continue;
    bool done = aside->done;
    aside->left = !done;
    CHECK_CALL(pthread_mutex_unlock(&aside->mutex));
    if (done)
        CHECK_CALL(pthread_join(thread, NULL));
    else
        CHECK_CALL(pthread_detach(thread));
    return done;
}
