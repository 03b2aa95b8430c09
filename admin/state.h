/*
 * The inside of the admin port, shared by the files that make it:
 *
 *   server.c   the thread, the age of connections, start and stop
 *   pages.c    what is answered at once
 *   tapping.c  /tap: an answer that goes on
 *
 * All of it is the admin thread's own.
 */
#ifndef WEIR_ADMIN_STATE_H
#define WEIR_ADMIN_STATE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "admin/server.h"

struct tapping;

struct connection {
    int fd;
    int64_t accepted;
    bool cut;
    struct tapping *tapping; /* NULL: none; its age is no matter then */
    struct connection *older, *newer;
};

struct admin {
    struct admin_config config;
    uint16_t port;
    bool loopback; /* listens for this machine only */
    struct MHD_Daemon *daemon;
    pthread_t thread;
    bool running;
    int wake_fd;
    _Atomic bool stopping; /* any thread's */
    /* By age. */
    struct connection *oldest, *newest;
    unsigned live; /* not cut */
    struct tapping *tappings;
};

/* pages.c: MHD_AccessHandlerCallback; arg is the struct admin. */
enum MHD_Result pages_handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                             const char *version, const char *upload, size_t *upload_size, void **state);
/* Zero-terminated, copied. */
enum MHD_Result pages_text(struct MHD_Connection *connection, unsigned code, const char *text);

/* tapping.c: the page. */
enum MHD_Result tapping_get(struct admin *admin, struct MHD_Connection *connection);
/* Is it for this machine only, and asked by a name that others may have given it? Then no records are shown. */
bool tapping_may_come_from_elsewhere(const struct admin *admin, struct MHD_Connection *handle);
/* Goes on with those that have something to send, and cuts those whose client does not read. */
void tapping_tick(struct admin *admin);
/* ns until tapping_tick is wanted again; CLOCK_NEVER: no one taps. */
int64_t tapping_wait(const struct admin *admin);
/* The connection is gone. */
void tapping_closed(struct tapping *tapping);
/* All end now, as the service does, as soon as they are asked what to send. */
void tapping_end_all(struct admin *admin);

/* server.c: ends the connection, whatever it waits for. */
void connection_cut(struct admin *admin, struct connection *connection);

#endif
