/*
 * One thread that drives libmicrohttpd itself (its external polling mode), so that connections can be cut by our own clock: the library's
 * timeout counts inactivity, and a client that drips a byte a second would stay for ever. Each answer closes its connection: a connection that
 * is old is a slow one.
 *
 * At KEEP connections the oldest makes room for a new one, so that slow clients, however many, keep nobody out.
 */
#include "admin/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/state.h"
#include "processor/check.h"

enum { KEEP = 48, LIMIT = 64, BACKLOG = 64, MEMORY_PER_CONNECTION = 16 * 1024 };
/* How long an end waits until those that tap have heard of it. */
#define FAREWELL (200 * CLOCK_MS)

/* -- the age of connections -- */

/* Both ways, so that whatever the library waits for ends; it closes the socket itself. */
void connection_cut(struct admin *admin, struct connection *connection)
{
    if (connection->cut)
        return;
    connection->cut = true;
    admin->live--;
    shutdown(connection->fd, SHUT_RDWR);
}

/* One that taps has limits of its own (tapping.c). */
static bool ages(const struct connection *connection)
{
    return !connection->cut && connection->tapping == NULL;
}

static void cut_oldest(struct admin *admin)
{
    for (struct connection *at = admin->oldest; at != NULL; at = at->newer) {
        if (ages(at)) {
            connection_cut(admin, at);
            return;
        }
    }
}

static void cut_aged(struct admin *admin)
{
    int64_t now = clock_now();
    for (struct connection *at = admin->oldest; at != NULL && now - at->accepted >= admin->config.max_age;
         at = at->newer) {
        if (ages(at))
            connection_cut(admin, at);
    }
}

static void *accepted(struct admin *admin, struct MHD_Connection *handle)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL || info == NULL) {
        /* What can't be watched may not stay. */
        if (info != NULL)
            shutdown(info->connect_fd, SHUT_RDWR);
        free(connection);
        return NULL;
    }
    if (admin->live >= KEEP)
        cut_oldest(admin);
    *connection = (struct connection){.fd = info->connect_fd, .accepted = clock_now(), .older = admin->newest};
    *(admin->newest != NULL ? &admin->newest->newer : &admin->oldest) = connection;
    admin->newest = connection;
    admin->live++;
    return connection;
}

static void closed(struct admin *admin, struct connection *connection)
{
    if (connection == NULL)
        return;
    *(connection->older != NULL ? &connection->older->newer : &admin->oldest) = connection->newer;
    *(connection->newer != NULL ? &connection->newer->older : &admin->newest) = connection->older;
    if (!connection->cut)
        admin->live--;
    if (connection->tapping != NULL)
        tapping_closed(connection->tapping);
    free(connection);
}

static void notify(void *arg, struct MHD_Connection *connection, void **socket_context,
                   enum MHD_ConnectionNotificationCode code)
{
    struct admin *admin = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = accepted(admin, connection);
        return;
    }
    closed(admin, *socket_context);
    *socket_context = NULL;
}

/* -- the thread -- */

/* Until the oldest that ages is to be cut, who taps may have something to be sent, or the library has something to do. */
static int wait_ms(const struct admin *admin)
{
    MHD_UNSIGNED_LONG_LONG library = 0;
    const struct connection *oldest = admin->oldest;
    int64_t wait = -1;
    while (oldest != NULL && !ages(oldest))
        oldest = oldest->newer;
    if (oldest != NULL) {
        int64_t left = oldest->accepted + admin->config.max_age - clock_now();
        wait = left > 0 ? left / CLOCK_MS + 1 : 0;
    }
    int64_t tapping = tapping_wait(admin);
    if (tapping != CLOCK_NEVER && (wait < 0 || tapping / CLOCK_MS < wait))
        wait = tapping / CLOCK_MS;
    if (MHD_get_timeout(admin->daemon, &library) == MHD_YES && (wait < 0 || library < (uint64_t)wait))
        wait = library < INT_MAX ? (int64_t)library : INT_MAX;
    return (int)wait;
}

/* The library must not be stopped while a connection is suspended, and who taps is told why it ends. */
static void say_farewell(struct admin *admin)
{
    const struct timespec pause = clock_timespec(CLOCK_MS);
    for (int64_t until = clock_now() + FAREWELL; admin->tappings != NULL && clock_now() < until;) {
        tapping_end_all(admin);
        MHD_run(admin->daemon);
        nanosleep(&pause, NULL);
    }
    tapping_end_all(admin);
}

static void *serve(void *arg)
{
    struct admin *admin = arg;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd fds[] = {{.fd = info->epoll_fd, .events = POLLIN}, {.fd = admin->wake_fd, .events = POLLIN}};
    while (!atomic_load(&admin->stopping)) {
        if (poll(fds, sizeof fds / sizeof fds[0], wait_ms(admin)) < 0 && errno != EINTR)
            break;
        tapping_tick(admin);
        MHD_run(admin->daemon);
        cut_aged(admin);
    }
    say_farewell(admin);
    return NULL;
}

/* -- start and stop -- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool parse_address(const char *host, uint16_t port, union address *ret, socklen_t *ret_size)
{
    *ret = (union address){0};
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons(port);
        *ret_size = sizeof ret->v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &ret->v6.sin6_addr) == 1) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons(port);
        *ret_size = sizeof ret->v6;
        return true;
    }
    return false;
}

static int bind_socket(union address *address, socklen_t size)
{
    const int on = 1;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    /* A restarted service has its port back while connections of the last one still linger. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && bind(fd, &address->any, size) == 0 &&
        listen(fd, BACKLOG) == 0 && getsockname(fd, &address->any, &size) == 0)
        return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

static enum status listen_on(struct admin *admin, int *ret_fd, struct error *error)
{
    union address address;
    socklen_t size = 0;
    const char *host = admin->config.host;
    if (!parse_address(host, admin->config.port, &address, &size))
        return error_set(error, ERROR_FATAL, "admin: %s is no numeric address", host);
    admin->loopback = address.any.sa_family == AF_INET ? ntohl(address.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
                                                       : IN6_IS_ADDR_LOOPBACK(&address.v6.sin6_addr);
    int fd = bind_socket(&address, size);
    if (fd < 0)
        return error_set(error, ERROR_FATAL, "admin: cannot listen on %s port %u: %s", host, admin->config.port,
                         strerror(errno));
    admin->port = ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
    *ret_fd = fd;
    return STATUS_OK;
}

static enum status start(struct admin *admin, struct error *error)
{
    int listen_fd = -1;
    admin->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (admin->wake_fd < 0)
        return error_set(error, ERROR_FATAL, "admin: %s", strerror(errno));
    enum status status = listen_on(admin, &listen_fd, error);
    if (status != STATUS_OK)
        return status;
    admin->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, pages_handle, admin,
                                     MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)LIMIT,
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION,
                                     MHD_OPTION_NOTIFY_CONNECTION, notify, admin, MHD_OPTION_END);
    if (admin->daemon == NULL) {
        close(listen_fd);
        return error_set(error, ERROR_FATAL, "admin: the HTTP server does not start");
    }
    int code = pthread_create(&admin->thread, NULL, serve, admin);
    if (code != 0)
        return error_set(error, ERROR_FATAL, "admin: no thread: %s", strerror(code));
    pthread_setname_np(admin->thread, "admin");
    admin->running = true;
    return STATUS_OK;
}

enum status admin_start(const struct admin_config *config, struct admin **ret, struct error *error)
{
    struct admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL)
        return error_set(error, ERROR_FATAL, "out of memory");
    admin->config = *config;
    if (admin->config.max_age == 0)
        admin->config.max_age = ADMIN_MAX_AGE;
    if (admin->config.max_silence == 0)
        admin->config.max_silence = ADMIN_MAX_SILENCE;
    admin->wake_fd = -1;
    enum status status = start(admin, error);
    if (status != STATUS_OK) {
        admin_stop(admin);
        return status;
    }
    *ret = admin;
    return STATUS_OK;
}

void admin_stop(struct admin *admin)
{
    if (admin == NULL)
        return;
    atomic_store(&admin->stopping, true);
    if (admin->running) {
        eventfd_write(admin->wake_fd, 1);
        CHECK_CALL(pthread_join(admin->thread, NULL));
    }
    if (admin->daemon != NULL)
        MHD_stop_daemon(admin->daemon);
    if (admin->wake_fd >= 0)
        close(admin->wake_fd);
    free(admin);
}

uint16_t admin_port(const struct admin *admin)
{
    return admin->port;
}
