/*
 * A connection to the server that never blocks in libpq: every wait is a poll of its socket and of an event that the context's end raises. A statement
 * has a deadline, which is the config's `timeout` or the context's when that comes first. What is not answered by then is cancelled at the server and
 * the connection closed: the next use makes a new one. Not thread-safe.
 */
#ifndef WEIR_CONNECTORS_POSTGRES_CONNECTION_H
#define WEIR_CONNECTORS_POSTGRES_CONNECTION_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "connectors/postgres/config.h"
#include "processor/context.h"
#include "processor/error.h"

struct postgres_slots;

struct postgres_connection {
    const struct postgres_config *config;
    char application[80];
    PGconn *pg; /* NULL: not connected */
    int wake_fd;
    struct postgres_slots *slots; /* NULL: no limit */
    bool slot;                    /* taken */
    char server[160];             /* for messages: "localhost:5432" */
    int64_t until;                /* of the statement under way */
    bool running;                 /* its results are not all read */
    /* With what words the server ended the connection, which libpq takes for a remark; \"\": it did not say. */
    char farewell[200], farewell_state[6];
};

struct postgres_params {
    int count;
    const Oid *types; /* may be NULL */
    const char *const *values;
    const int *lengths, *formats; /* may be NULL: texts */
};

/* counted: against the config's `limit`. Does not connect. */
enum status postgres_connection_init(struct postgres_connection *connection, const struct postgres_config *config,
                                     const char *service, bool counted, struct error *error);
void postgres_connection_fini(struct postgres_connection *connection);
/* connect.c: connects when it is not connected. ERROR_FATAL: only another config helps. */
enum status postgres_connect(struct postgres_connection *connection, struct context *context, struct error *error);
/* Cancels what runs, within half a second, and closes. */
void postgres_disconnect(struct postgres_connection *connection);

/* Sends a statement (params NULL: several are fine, and no parameters) and does not wait for anything but that it is on its way. Nothing may run. */
enum status postgres_send(struct postgres_connection *connection, const char *sql, const struct postgres_params *params,
                          struct context *context, struct error *error);
/* Waits until all that was given to libpq is on its way. */
enum status postgres_drain(struct postgres_connection *connection, struct context *context, struct error *error);
/* The next result of what runs, NULL when there are no more; the caller clears it. */
enum status postgres_next(struct postgres_connection *connection, struct context *context, PGresult **ret,
                          struct error *error);
/* Reads all results; *ret is the last one, or the first that failed (ret NULL: not wanted). A failed one is STATUS_FAILED with the class of its SQLSTATE, and
 * is still in *ret. what: "cannot commit". */
enum status postgres_finish(struct postgres_connection *connection, const char *what, struct context *context,
                            PGresult **ret, struct error *error);
/* postgres_send and postgres_finish. */
enum status postgres_run(struct postgres_connection *connection, const char *sql, const struct postgres_params *params,
                         const char *what, struct context *context, PGresult **ret, struct error *error);
/* Sets class and text by a result that failed. Always STATUS_FAILED. */
enum status postgres_failed(const struct postgres_connection *connection, const PGresult *result, const char *what,
                            struct error *error);
/* The connection is gone: sets the error and disconnects. */
enum status postgres_lost(struct postgres_connection *connection, const char *what, struct error *error);

/* Of a new connection. */
void postgres_heed_notices(struct postgres_connection *connection);

/* await.c: waits until the socket is ready for `events` (poll's), until `until` (STATUS_EMPTY), or for the context's end. fd may be -1. */
enum status postgres_await(int fd, short events, int wake_fd, struct context *context, int64_t until);
/* cancel.c: asks the server to cancel what runs; gives up after half a second. */
void postgres_cancel(PGconn *pg);

#endif
