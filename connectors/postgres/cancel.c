/*
 * Cancelling a statement. PQcancel asks over a connection of its own and waits until the server has closed it, for minutes when the server hangs. So it runs
 * in a thread, which is waited for half a second; what takes longer is left behind, ends by itself and frees what it has. A server that does not take one
 * request does not take the next either: no more than a few are left behind at a time.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "connectors/postgres/connection.h"
#include "processor/check.h"
#include "processor/clock.h"

#define PATIENCE (500 * CLOCK_MS)
enum { UNDER_WAY_MAX = 8 };

struct request {
    PGcancel *cancel;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool done, left; /* mutex; left: the thread frees it */
};

static _Atomic unsigned under_way;

static void request_free(struct request *request)
{
    CHECK_CALL(pthread_cond_destroy(&request->changed));
    CHECK_CALL(pthread_mutex_destroy(&request->mutex));
    PQfreeCancel(request->cancel);
    free(request);
    atomic_fetch_sub(&under_way, 1);
}

/* Takes cancel. NULL: too many, or no memory. */
static struct request *request_new(PGcancel *cancel)
{
    bool room = atomic_fetch_add(&under_way, 1) < UNDER_WAY_MAX;
    struct request *request = room ? calloc(1, sizeof *request) : NULL;
    if (request == NULL) {
        PQfreeCancel(cancel);
        atomic_fetch_sub(&under_way, 1);
        return NULL;
    }
    request->cancel = cancel;
    CHECK_CALL(pthread_mutex_init(&request->mutex, NULL));
    CHECK_CALL(pthread_cond_init(&request->changed, NULL));
    return request;
}

static void *request_main(void *arg)
{
    struct request *request = arg;
    char why[256];
    (void)PQcancel(request->cancel, why, sizeof why); /* the connection is closed in any case */
    CHECK_CALL(pthread_mutex_lock(&request->mutex));
    bool left = request->left;
    request->done = true;
    CHECK_CALL(pthread_cond_signal(&request->changed));
    CHECK_CALL(pthread_mutex_unlock(&request->mutex));
    if (left)
        request_free(request);
    return NULL;
}

static bool request_start(struct request *request, pthread_t *ret)
{
    sigset_t all, before;
    /* Signals are for the threads that expect them. */
    sigfillset(&all);
    CHECK_CALL(pthread_sigmask(SIG_SETMASK, &all, &before));
    int code = pthread_create(ret, NULL, request_main, request);
    CHECK_CALL(pthread_sigmask(SIG_SETMASK, &before, NULL));
    return code == 0;
}

/* Within the patience: joins the thread. Else the request is not the caller's any more. */
static void request_await(struct request *request, pthread_t thread)
{
    struct timespec until = clock_timespec(clock_now() + PATIENCE);
    CHECK_CALL(pthread_mutex_lock(&request->mutex));
    while (!request->done && pthread_cond_clockwait(&request->changed, &request->mutex, CLOCK_MONOTONIC, &until) == 0)
        continue;
    bool done = request->done;
    request->left = !done;
    CHECK_CALL(pthread_mutex_unlock(&request->mutex));
    if (!done) {
        CHECK_CALL(pthread_detach(thread));
        return;
    }
    CHECK_CALL(pthread_join(thread, NULL));
    request_free(request);
}

void postgres_cancel(PGconn *pg)
{
    pthread_t thread;
    PGcancel *cancel = PQgetCancel(pg);
    struct request *request = cancel != NULL ? request_new(cancel) : NULL;
    if (request == NULL)
        return;
    if (request_start(request, &thread))
        request_await(request, thread);
    else
        request_free(request);
}
