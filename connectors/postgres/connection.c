/* See connection.h. */
#include "connectors/postgres/connection.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "connectors/postgres/slots.h"
#include "connectors/postgres/sqlstate.h"
#include "processor/clock.h"

/* The server ends a statement by its own clock first, which leaves the connection good; ours is for a server that hangs. */
#define GRACE CLOCK_SECOND

enum status postgres_connection_init(struct postgres_connection *connection, const struct postgres_config *config,
                                     const char *service, bool counted, struct error *error)
{
    *connection = (struct postgres_connection){.config = config, .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    snprintf(connection->application, sizeof connection->application, "weir/%.60s", service);
    snprintf(connection->server, sizeof connection->server, "the server");
    if (connection->wake_fd < 0)
        return error_set(error, ERROR_TRANSIENT, "postgres: no more file descriptors");
    if (counted && config->limit > 0) {
        connection->slots = postgres_slots_ref(config->dsn, config->limit);
        if (connection->slots == NULL)
            return error_set(error, ERROR_TRANSIENT, "out of memory");
    }
    return STATUS_OK;
}

void postgres_connection_fini(struct postgres_connection *connection)
{
    postgres_disconnect(connection);
    /* Not before: to whoever has batches in hand, a place lost to another worker might never come back. */
    if (connection->slot)
        postgres_slots_release(connection->slots);
    connection->slot = false;
    postgres_slots_unref(connection->slots);
    if (connection->wake_fd >= 0)
        (void)close(connection->wake_fd);
    connection->slots = NULL;
    connection->wake_fd = -1;
}

void postgres_disconnect(struct postgres_connection *connection)
{
    if (connection->pg != NULL) {
        if (connection->running)
            postgres_cancel(connection->pg);
        PQfinish(connection->pg);
    }
    connection->pg = NULL;
    connection->running = false;
}

/* -- errors -- */

/* Messages have lines and blanks at will; ours are one line. */
static void one_line(char *text)
{
    size_t used = 0;
    for (const char *at = text; *at != '\0'; at++) {
        bool blank = *at == '\n' || *at == '\t' || *at == ' ';
        if (!blank)
            text[used++] = *at;
        else if (used > 0 && text[used - 1] != ' ')
            text[used++] = ' ';
    }
    while (used > 0 && (text[used - 1] == ' ' || text[used - 1] == '.'))
        used--;
    text[used] = '\0';
}

/* Remarks and warnings are not for us: that a table is there already. An error between two statements is the server's good-bye. */
static void take_notice(void *arg, const PGresult *result)
{
    struct postgres_connection *connection = arg;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (severity == NULL || message == NULL || state == NULL ||
        (strcmp(severity, "FATAL") != 0 && strcmp(severity, "PANIC") != 0))
        return;
    snprintf(connection->farewell, sizeof connection->farewell, "%s", message);
    snprintf(connection->farewell_state, sizeof connection->farewell_state, "%s", state);
}

/* What the server said last may still be unread behind the results of what ran. Of a broken connection nothing is waited for. */
static void read_farewell(struct postgres_connection *connection)
{
    PGresult *result;
    if (connection->pg == NULL || PQstatus(connection->pg) != CONNECTION_BAD)
        return;
    for (int i = 0; i < 100 && (result = PQgetResult(connection->pg)) != NULL; i++) {
        take_notice(connection, result);
        PQclear(result);
    }
}

enum status postgres_lost(struct postgres_connection *connection, const char *what, struct error *error)
{
    char words[300];
    read_farewell(connection);
    bool told = connection->farewell_state[0] != '\0';
    /* The first line is what happened; the others are where, and what may have led to it. */
    snprintf(words, sizeof words, "%s", connection->pg != NULL ? PQerrorMessage(connection->pg) : "");
    words[strcspn(words, "\n")] = '\0';
    if (told)
        snprintf(words, sizeof words, "%s [%s]", connection->farewell, connection->farewell_state);
    one_line(words);
    connection->running = false;
    postgres_disconnect(connection);
    return error_set(error, ERROR_TRANSIENT, "PostgreSQL at %s: %s: %s", connection->server, what,
                     words[0] != '\0' ? words : "the connection is gone");
}

void postgres_heed_notices(struct postgres_connection *connection)
{
    connection->farewell[0] = connection->farewell_state[0] = '\0';
    (void)PQsetNoticeReceiver(connection->pg, take_notice, connection);
}

enum status postgres_failed(const struct postgres_connection *connection, const PGresult *result, const char *what,
                            struct error *error)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    char words[400];
    snprintf(words, sizeof words, "%s%s%s%s", message != NULL ? message : PQresultErrorMessage(result),
             detail != NULL ? " (" : "", detail != NULL ? detail : "", detail != NULL ? ")" : "");
    one_line(words);
    return error_set(error, postgres_error_class(state), "PostgreSQL at %s: %s: %s [%s]", connection->server, what,
                     words, state != NULL ? state : "no code");
}

/* -- statements -- */

/* The context ended, or the deadline passed: there is no way back into step with the server but a new connection. */
static enum status gave_up(struct postgres_connection *connection, enum status status, struct error *error)
{
    postgres_disconnect(connection);
    if (status != STATUS_EMPTY)
        return status;
    return error_set(error, ERROR_TRANSIENT, "PostgreSQL at %s: no answer within %.1f s", connection->server,
                     (double)connection->config->timeout / (double)CLOCK_SECOND);
}

/* One step of waiting: whatever the socket has is taken, whatever it takes is sent. *ret_more: there is more to send. */
static enum status step(struct postgres_connection *connection, bool read, int64_t until, struct context *context,
                        bool *ret_more, struct error *error)
{
    int left = PQflush(connection->pg);
    if (left < 0)
        return postgres_lost(connection, "cannot send", error);
    *ret_more = left > 0;
    if (left == 0 && !read)
        return STATUS_OK;
    short events = (short)(left > 0 ? POLLIN | POLLOUT : POLLIN);
    enum status status = postgres_await(PQsocket(connection->pg), events, connection->wake_fd, context, until);
    if (status != STATUS_OK)
        return gave_up(connection, status, error);
    /* Reads what there is, and nothing when there is none. */
    if (PQconsumeInput(connection->pg) == 0)
        return postgres_lost(connection, "the connection broke", error);
    return STATUS_OK;
}

enum status postgres_drain(struct postgres_connection *connection, struct context *context, struct error *error)
{
    bool more = true;
    while (more) {
        enum status status = step(connection, false, connection->until, context, &more, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status postgres_send(struct postgres_connection *connection, const char *sql, const struct postgres_params *params,
                          struct context *context, struct error *error)
{
    int sent;
    connection->until = clock_now() + connection->config->timeout + GRACE;
    if (params == NULL)
        sent = PQsendQuery(connection->pg, sql);
    else
        sent = PQsendQueryParams(connection->pg, sql, params->count, params->types, params->values, params->lengths,
                                 params->formats, 0);
    if (sent == 0)
        return postgres_lost(connection, "cannot send a statement", error);
    connection->running = true;
    return postgres_drain(connection, context, error);
}

enum status postgres_next(struct postgres_connection *connection, struct context *context, PGresult **ret,
                          struct error *error)
{
    bool more;
    int64_t until = connection->until;
    /* What was sent long ago may have been answered long ago. */
    if (PQconsumeInput(connection->pg) == 0)
        return postgres_lost(connection, "the connection broke", error);
    while (PQisBusy(connection->pg)) {
        enum status status = step(connection, true, until, context, &more, error);
        if (status != STATUS_OK)
            return status;
    }
    *ret = PQgetResult(connection->pg);
    connection->running = *ret != NULL;
    return STATUS_OK;
}

static bool is_failure(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR || status == PGRES_FATAL_ERROR;
}

enum status postgres_finish(struct postgres_connection *connection, const char *what, struct context *context,
                            PGresult **ret, struct error *error)
{
    PGresult *last = NULL, *result = NULL;
    for (;;) {
        enum status status = postgres_next(connection, context, &result, error);
        if (status != STATUS_OK) {
            PQclear(last);
            return status;
        }
        if (result == NULL)
            break;
        if (last != NULL && is_failure(last)) {
            PQclear(result);
            continue;
        }
        PQclear(last);
        last = result;
    }
    enum status status = STATUS_OK;
    if (PQstatus(connection->pg) == CONNECTION_BAD) {
        status = postgres_lost(connection, what, error);
    } else if (last == NULL || is_failure(last)) {
        status = postgres_failed(connection, last, what, error);
    }
    if (ret != NULL)
        *ret = last;
    else
        PQclear(last);
    return status;
}

enum status postgres_run(struct postgres_connection *connection, const char *sql, const struct postgres_params *params,
                         const char *what, struct context *context, PGresult **ret, struct error *error)
{
    enum status status = postgres_send(connection, sql, params, context, error);
    return status == STATUS_OK ? postgres_finish(connection, what, context, ret, error) : status;
}
