/*
 * Cancelling a statement. PQcancel asks over a connection of its own and waits until the server has closed it, for minutes when the server hangs. So it runs
 * in a thread, which is waited for half a second; what takes longer is left behind, ends by itself and frees what it has. A server that does not take one
 * request does not take the next either: no more than a few are left behind at a time.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "connectors/postgres/aside.h"
#include "connectors/postgres/connection.h"
#include "processor/clock.h"

#define PATIENCE (500 * CLOCK_MS)
enum { UNDER_WAY_MAX = 8 };

struct request {
    struct postgres_aside aside;
    PGcancel *cancel;
};

static _Atomic unsigned under_way;

static void request_free(struct postgres_aside *aside)
{
    struct request *request = (struct request *)aside;
    postgres_aside_fini(aside);
    PQfreeCancel(request->cancel);
    free(request);
    atomic_fetch_sub(&under_way, 1);
}

static void request_run(struct postgres_aside *aside)
{
    char why[256];
    (void)PQcancel(((struct request *)aside)->cancel, why, sizeof why); /* the connection is closed in any case */
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
    postgres_aside_init(&request->aside, request_run, request_free);
    return request;
}

void postgres_cancel(PGconn *pg)
{
    PGcancel *cancel = PQgetCancel(pg);
    struct request *request = cancel != NULL ? request_new(cancel) : NULL;
    if (request == NULL)
        return;
    if (!postgres_aside_start(&request->aside) || postgres_aside_leave(&request->aside, clock_now() + PATIENCE))
        request_free(&request->aside);
}
