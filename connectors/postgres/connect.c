/*
 * Connecting. libpq looks names up by getaddrinfo, which waits as long as the system's resolver likes, and nothing can wake it. So an attempt runs in a
 * thread of its own, until the connection stands: who waits for it can leave at any time. The thread is joined, but where it hangs in the resolver: then it
 * is left behind, and frees what it has when it comes back.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "connectors/postgres/aside.h"
#include "connectors/postgres/connection.h"
#include "connectors/postgres/slots.h"
#include "connectors/postgres/sqlstate.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/log.h"

/* How long an attempt that is not wanted any more may take to notice. */
#define LEAVE_PATIENCE (200 * CLOCK_MS)

struct attempt {
    struct postgres_aside aside;
    char *dsn, *application;
    int64_t until;
    int stop_fd; /* readable: not wanted any more */
    /* The thread's until it is done. */
    PGconn *pg;
    enum status status; /* STATUS_EMPTY: the time was up */
};

/* -- the thread -- */

static PGconn *start(const struct attempt *attempt)
{
    /* What stands before the dsn are defaults, what stands behind holds. A dead peer is found within ten seconds and a half; a host that does not answer
     * makes room for the dsn's next one after as long. */
    const char *const names[] = {
        "fallback_application_name", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout",          "dbname",          "client_encoding",     NULL};
    const char *const values[] = {attempt->application, "5", "2", "3", "10000", attempt->dsn, "UTF8", NULL};
    return PQconnectStartParams(names, values, 1);
}

static enum status connect_until(struct attempt *attempt)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    if (PQstatus(attempt->pg) == CONNECTION_BAD)
        return STATUS_FAILED;
    while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
        struct pollfd fds[2] = {
            {.fd = PQsocket(attempt->pg), .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT},
            {.fd = attempt->stop_fd, .events = POLLIN},
        };
        int64_t left = attempt->until - clock_now();
        if (left <= 0 || (poll(fds, 2, (int)(left / CLOCK_MS + 1)) >= 0 && fds[1].revents != 0))
            return STATUS_EMPTY;
        if (fds[0].revents != 0)
            state = PQconnectPoll(attempt->pg);
    }
    return state == PGRES_POLLING_OK ? STATUS_OK : STATUS_FAILED;
}

static void attempt_free(struct postgres_aside *aside)
{
    struct attempt *attempt = (struct attempt *)aside;
    postgres_aside_fini(aside);
    PQfinish(attempt->pg);
    if (attempt->stop_fd >= 0)
        (void)close(attempt->stop_fd);
    free(attempt->dsn);
    free(attempt->application);
    free(attempt);
}

static void attempt_run(struct postgres_aside *aside)
{
    struct attempt *attempt = (struct attempt *)aside;
    attempt->pg = start(attempt);
    if (attempt->pg == NULL)
        return;
    /* With the SQLSTATE in it, which is told nowhere else: see refusal. */
    (void)PQsetErrorVerbosity(attempt->pg, PQERRORS_VERBOSE);
    attempt->status = connect_until(attempt);
}

/* -- who waits -- */

static struct attempt *attempt_new(const struct postgres_connection *connection)
{
    struct attempt *attempt = calloc(1, sizeof *attempt);
    if (attempt == NULL)
        return NULL;
    postgres_aside_init(&attempt->aside, attempt_run, attempt_free);
    attempt->status = STATUS_NO_MEMORY;
    attempt->dsn = strdup(connection->config->dsn);
    attempt->application = strdup(connection->application);
    attempt->until = clock_now() + connection->config->timeout;
    attempt->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (attempt->dsn != NULL && attempt->application != NULL && attempt->stop_fd >= 0)
        return attempt;
    attempt_free(&attempt->aside);
    return NULL;
}

/* STATUS_OK: it is done, and the thread joined. Else the attempt is not the caller's any more. */
static enum status attempt_await(struct attempt *attempt, struct context *context)
{
    uint64_t one = 1;
    enum status status = postgres_aside_await(&attempt->aside, context, attempt->until);
    if (status != STATUS_OK)
        CHECK(write(attempt->stop_fd, &one, sizeof one) == (ssize_t)sizeof one);
    return postgres_aside_leave(&attempt->aside, clock_now() + LEAVE_PATIENCE) ? STATUS_OK : status;
}

/* -- connecting -- */

static void note_server(struct postgres_connection *connection)
{
    const char *host = PQhost(connection->pg), *port = PQport(connection->pg);
    if (host != NULL && host[0] != '\0')
        snprintf(connection->server, sizeof connection->server, "%.120s:%.10s", host, port != NULL ? port : "");
}

/*
 * A password that stands in the dsn or the environment stays what it is as long as the process lives: to stop is the way to another one, as whatever
 * started weir reads it anew. What libpq reads from a file at each connect, and what the server lets in without a password, may be put right under us.
 */
static bool password_is_fixed(const struct postgres_connection *connection)
{
    bool fixed = getenv("PGPASSWORD") != NULL;
    PQconninfoOption *options = PQconninfoParse(connection->config->dsn, NULL);
    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        if (strcmp(option->keyword, "password") == 0)
            fixed = fixed || option->val != NULL;
    }
    PQconninfoFree(options);
    return fixed;
}

/* "FATAL:  28P01: password authentication failed": behind the colon and two blanks; NULL: not so. */
static const char *find_state(const char *line, size_t size)
{
    for (size_t i = 0; i + 10 <= size; i++) {
        const char *at = line + i;
        if (strncmp(at, ":  ", 3) == 0 && strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
            strncmp(at + 8, ": ", 2) == 0)
            return at + 3;
    }
    return NULL;
}

/* What libpq says of all the servers that it tried, in one line and without the place in the server's source; and the first SQLSTATE. */
static void refusal(const PGconn *pg, char *words, size_t size, char state[6])
{
    size_t used = 0;
    words[0] = state[0] = '\0';
    for (const char *line = PQerrorMessage(pg); *line != '\0'; line += strspn(line, "\n\t ")) {
        size_t length = strcspn(line, "\n");
        const char *code = find_state(line, length);
        if (code != NULL && state[0] == '\0')
            snprintf(state, 6, "%.5s", code);
        if (strncmp(line, "LOCATION:", 9) != 0 && used < size) {
            int before = code != NULL ? (int)(code - line) - 1 : (int)length;
            used += (size_t)snprintf(words + used, size - used, "%s%.*s%.*s", used > 0 ? "; " : "", before, line,
                                     code != NULL ? (int)length - before - 7 : 0, code != NULL ? code + 6 : "");
        }
        line += length;
    }
}

static enum status refused(struct postgres_connection *connection, struct error *error)
{
    char words[360], state[6];
    refusal(connection->pg, words, sizeof words, state);
    enum error_class class = postgres_error_class(state);
    if (class == ERROR_RECORD || (strncmp(state, "28", 2) == 0 && !password_is_fixed(connection)))
        class = ERROR_TRANSIENT;
    return error_set(error, class, "PostgreSQL at %s: cannot connect: %s%s%s%s", connection->server, words,
                     state[0] != '\0' ? " [" : "", state, state[0] != '\0' ? "]" : "");
}

static enum status take_slot(struct postgres_connection *connection, struct context *context)
{
    if (connection->slots == NULL || connection->slot)
        return STATUS_OK;
    enum status status = postgres_slots_acquire(connection->slots, context, clock_now() + CLOCK_SECOND);
    if (status == STATUS_EMPTY) {
        log_info("postgres", "all %lld connections that `limit` allows are taken: a worker waits for one",
                 (long long)connection->config->limit);
        status = postgres_slots_acquire(connection->slots, context, CLOCK_NEVER);
    }
    connection->slot = status == STATUS_OK;
    return status;
}

static enum status no_connection_in_time(const struct postgres_connection *connection, struct error *error)
{
    return error_set(error, ERROR_TRANSIENT, "PostgreSQL at %s: no connection within %.1f s", connection->server,
                     (double)connection->config->timeout / (double)CLOCK_SECOND);
}

/* Takes what the attempt brought. */
static enum status take(struct postgres_connection *connection, struct attempt *attempt, struct context *context,
                        struct error *error)
{
    enum status ended = context_status(context), status = attempt->status;
    connection->pg = attempt->pg;
    attempt->pg = NULL;
    attempt_free(&attempt->aside);
    if (connection->pg == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    note_server(connection);
    if (status == STATUS_OK && ended == STATUS_OK) {
        (void)PQsetErrorVerbosity(connection->pg, PQERRORS_DEFAULT);
        postgres_heed_notices(connection);
        return PQsetnonblocking(connection->pg, 1) == 0 ? STATUS_OK : refused(connection, error);
    }
    if (ended != STATUS_OK)
        return ended;
    return status == STATUS_FAILED ? refused(connection, error) : no_connection_in_time(connection, error);
}

static enum status try(struct postgres_connection *connection, struct context *context, struct error *error)
{
    struct attempt *attempt = attempt_new(connection);
    if (attempt == NULL || !postgres_aside_start(&attempt->aside)) {
        if (attempt != NULL)
            attempt_free(&attempt->aside);
        return error_set(error, ERROR_TRANSIENT, "out of memory, threads or file descriptors");
    }
    enum status status = attempt_await(attempt, context);
    if (status == STATUS_OK)
        return take(connection, attempt, context, error);
    return status == STATUS_EMPTY ? no_connection_in_time(connection, error) : status;
}

enum status postgres_connect(struct postgres_connection *connection, struct context *context, struct error *error)
{
    if (connection->pg != NULL)
        return STATUS_OK;
    enum status status = take_slot(connection, context);
    if (status == STATUS_OK)
        status = try(connection, context, error);
    if (status != STATUS_OK)
        postgres_disconnect(connection);
    return status;
}
