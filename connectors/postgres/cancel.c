/*
 * CancelRequest (the protocol's "Canceling Requests in Progress"): a connection of its own that says four numbers and is closed by the server when it has passed the
 * request on. PQcancel does the same and blocks, for minutes when the server hangs; this waits half a second at most. Like PQcancel of libpq 15 it is
 * not encrypted: the key is good for nothing but this, and for this connection only.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "connectors/postgres/connection.h"
#include "processor/clock.h"

#define PATIENCE (500 * CLOCK_MS)
enum { REQUEST = 80877102 }; /* 1234 << 16 | 5678 */

union address {
    struct sockaddr any;
    struct sockaddr_un local;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Where the connection is to; 0: not known. */
static socklen_t find_address(const PGconn *pg, union address *ret)
{
    const char *host = PQhost(pg), *ip = PQhostaddr(pg), *port = PQport(pg);
    uint16_t number = htobe16((uint16_t)strtoul(port != NULL ? port : "", NULL, 10));
    memset(ret, 0, sizeof *ret);
    if (ip != NULL && inet_pton(AF_INET, ip, &ret->v4.sin_addr) == 1) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = number;
        return sizeof ret->v4;
    }
    if (ip != NULL && inet_pton(AF_INET6, ip, &ret->v6.sin6_addr) == 1) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = number;
        return sizeof ret->v6;
    }
    if (host == NULL || (host[0] != '/' && host[0] != '@'))
        return 0;
    char *path = ret->local.sun_path;
    int size = snprintf(path, sizeof ret->local.sun_path, "%s/.s.PGSQL.%s", host, port);
    if (size < 0 || (size_t)size >= sizeof ret->local.sun_path)
        return 0;
    ret->local.sun_family = AF_UNIX;
    if (path[0] != '@')
        return sizeof ret->local;
    path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)size);
}

static bool wait_for(int fd, short events, int64_t until)
{
    struct pollfd poller = {.fd = fd, .events = events};
    int64_t left = until - clock_now();
    return left > 0 && poll(&poller, 1, (int)(left / CLOCK_MS + 1)) > 0;
}

void postgres_cancel(const PGconn *pg, const struct postgres_backend *backend)
{
    union address address;
    uint8_t request[16], answer;
    int64_t until = clock_now() + PATIENCE;
    socklen_t size = find_address(pg, &address);
    if (size == 0 || !backend->known)
        return;
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    postgres_put32(request, sizeof request);
    postgres_put32(request + 4, REQUEST);
    postgres_put32(request + 8, (uint32_t)backend->pid);
    postgres_put32(request + 12, (uint32_t)backend->secret);
    /* Closed by the server: the request is on its way to the backend, and nothing that we send next can be hit by it. */
    if ((connect(fd, &address.any, size) == 0 || wait_for(fd, POLLOUT, until)) &&
        send(fd, request, sizeof request, MSG_NOSIGNAL) == (ssize_t)sizeof request && wait_for(fd, POLLIN, until))
        (void)!recv(fd, &answer, 1, 0);
    (void)close(fd);
}
