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
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/prometheus.h"
#include "processor/check.h"
#include "processor/health.h"
#include "processor/metrics.h"

enum { KEEP = 48, LIMIT = 64, BACKLOG = 64, MEMORY_PER_CONNECTION = 16 * 1024, WHY_MAX = 4096 };

struct connection {
    int fd;
    int64_t accepted;
    bool cut;
    struct connection *older, *newer;
};

struct admin {
    struct admin_config config;
    uint16_t port;
    struct MHD_Daemon *daemon;
    pthread_t thread;
    bool running;
    int wake_fd;
    _Atomic bool stopping;
    /* The thread's own: by age. */
    struct connection *oldest, *newest;
    unsigned live; /* not cut */
};

/* -- answers -- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code, const char *type, char *body,
                              size_t size, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(size, body, mode);
    if (response == NULL) {
        if (mode == MHD_RESPMEM_MUST_FREE)
            free(body);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned code, const char *text)
{
    return answer(connection, code, "text/plain; charset=utf-8", (char *)text, strlen(text), MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result get_healthz(const struct admin *admin, struct MHD_Connection *connection)
{
    int64_t silence = health_silence(admin->config.health);
    if (silence <= admin->config.max_silence)
        return answer_text(connection, MHD_HTTP_OK, "ok\n");
    char text[80];
    snprintf(text, sizeof text, "no heartbeat for %lld s\n", (long long)(silence / CLOCK_SECOND));
    return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

static enum MHD_Result get_readyz(const struct admin *admin, struct MHD_Connection *connection)
{
    char why[WHY_MAX];
    if (health_ready(admin->config.health, why, sizeof why))
        return answer_text(connection, MHD_HTTP_OK, "ready\n");
    return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, why);
}

static enum MHD_Result get_metrics(const struct admin *admin, struct MHD_Connection *connection)
{
    size_t size = 0;
    struct metric *ready = metrics_get(admin->config.metrics, METRIC_GAUGE, "weir_ready", "1 when /readyz answers 200.",
                                       NULL);
    metric_set(ready, health_ready(admin->config.health, NULL, 0));
    char *text = prometheus_render(admin->config.metrics, &size);
    if (text == NULL)
        return answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
    return answer(connection, MHD_HTTP_OK, PROMETHEUS_CONTENT_TYPE, text, size, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result get_version(const struct admin *admin, struct MHD_Connection *connection)
{
    const char *text = admin->config.version_json;
    return answer(connection, MHD_HTTP_OK, "application/json", (char *)text, strlen(text), MHD_RESPMEM_PERSISTENT);
}

static const struct page {
    const char *path;
    enum MHD_Result (*get)(const struct admin *admin, struct MHD_Connection *connection);
} PAGES[] = {
    {"/healthz", get_healthz},
    {"/readyz", get_readyz},
    {"/metrics", get_metrics},
    {"/version", get_version},
};

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **state)
{
    const struct admin *admin = arg;
    (void)version, (void)upload, (void)upload_size, (void)state;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    for (size_t i = 0; i < sizeof PAGES / sizeof PAGES[0]; i++) {
        if (strcmp(url, PAGES[i].path) == 0)
            return PAGES[i].get(admin, connection);
    }
    return answer_text(connection, MHD_HTTP_NOT_FOUND, "there is /healthz, /readyz, /metrics and /version\n");
}

/* -- the age of connections -- */

/* Both ways, so that whatever the library waits for ends; it closes the socket itself. */
static void cut(struct admin *admin, struct connection *connection)
{
    if (connection->cut)
        return;
    connection->cut = true;
    admin->live--;
    shutdown(connection->fd, SHUT_RDWR);
}

static void cut_oldest(struct admin *admin)
{
    for (struct connection *at = admin->oldest; at != NULL; at = at->newer) {
        if (!at->cut) {
            cut(admin, at);
            return;
        }
    }
}

static void cut_aged(struct admin *admin)
{
    int64_t now = clock_now();
    for (struct connection *at = admin->oldest; at != NULL && now - at->accepted >= admin->config.max_age;
         at = at->newer)
        cut(admin, at);
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

/* Until the oldest that is not cut yet is to be cut, or the library has something to do. */
static int wait_ms(const struct admin *admin)
{
    MHD_UNSIGNED_LONG_LONG library = 0;
    const struct connection *oldest = admin->oldest;
    int64_t wait = -1;
    while (oldest != NULL && oldest->cut)
        oldest = oldest->newer;
    if (oldest != NULL) {
        int64_t left = oldest->accepted + admin->config.max_age - clock_now();
        wait = left > 0 ? left / CLOCK_MS + 1 : 0;
    }
    if (MHD_get_timeout(admin->daemon, &library) == MHD_YES && (wait < 0 || library < (uint64_t)wait))
        wait = library < INT_MAX ? (int64_t)library : INT_MAX;
    return (int)wait;
}

static void *serve(void *arg)
{
    struct admin *admin = arg;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd fds[] = {{.fd = info->epoll_fd, .events = POLLIN}, {.fd = admin->wake_fd, .events = POLLIN}};
    while (!atomic_load(&admin->stopping)) {
        if (poll(fds, sizeof fds / sizeof fds[0], wait_ms(admin)) < 0 && errno != EINTR)
            break;
        MHD_run(admin->daemon);
        cut_aged(admin);
    }
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
    admin->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handle, admin, MHD_OPTION_LISTEN_SOCKET, listen_fd,
                                     MHD_OPTION_CONNECTION_LIMIT, (unsigned)LIMIT, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                     (size_t)MEMORY_PER_CONNECTION, MHD_OPTION_NOTIFY_CONNECTION, notify, admin,
                                     MHD_OPTION_END);
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
