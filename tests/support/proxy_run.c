#include "tests/support/proxy_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "processor/check.h"
#include "processor/clock.h"

/* -- connections -- */

static void lose(int fd, bool reset)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
    close(fd);
}

static void link_end(struct proxy *proxy, struct link **at, bool reset)
{
    struct link *link = *at;
    *at = link->next;
    lose(link->client, reset);
    lose(link->server, reset);
    free(link);
    proxy->link_count--;
    proxy->counts[PROXY_CLOSED]++;
}

static struct sockaddr_in address_of(unsigned port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

static void send_at_once(int fd)
{
    const int one = 1;
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
}

static void link_new(struct proxy *proxy, int client)
{
    struct sockaddr_in address = address_of(proxy->server_port);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(server >= 0);
    int code = connect(server, (struct sockaddr *)&address, sizeof address);
    if (code != 0 && errno != EINPROGRESS) {
        lose(client, true);
        close(server);
        proxy->counts[PROXY_CLOSED]++;
        return;
    }
    struct link *link = calloc(1, sizeof *link);
    CHECK(link != NULL);
    send_at_once(client);
    send_at_once(server);
    link->client = client;
    link->server = server;
    link->connecting = code != 0;
    flow_init(&link->flows[UP], client, server);
    flow_init(&link->flows[DOWN], server, client);
    link->next = proxy->links;
    proxy->links = link;
    proxy->link_count++;
}

static void take_new(struct proxy *proxy)
{
    int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0)
        return;
    proxy->counts[PROXY_ACCEPTED]++;
    if (proxy->gate == GATE_OPEN) {
        link_new(proxy, client);
        return;
    }
    lose(client, proxy->gate == GATE_RESET);
    proxy->counts[PROXY_CLOSED]++;
}

/* -- bytes -- */

static void look_for_mark(struct proxy *proxy, struct link *link, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size && proxy->marked && !link->swallowing; i++) {
        if (link->recent_size == proxy->mark_size)
            memmove(link->recent, link->recent + 1, --link->recent_size);
        link->recent[link->recent_size++] = bytes[i];
        link->swallowing = link->recent_size == proxy->mark_size &&
                           memcmp(link->recent, proxy->mark, proxy->mark_size) == 0;
    }
}

static struct proxy_rules rules_of(const struct proxy *proxy, const struct link *link, int way)
{
    struct proxy_rules rules = proxy->rules[way];
    if (way == DOWN && (link->swallowing || proxy->swallow_all))
        rules.dropped = true;
    return rules;
}

static bool move_way(struct proxy *proxy, struct link *link, int way, bool readable, bool writable, int64_t now)
{
    struct proxy_rules rules = rules_of(proxy, link, way);
    struct proxy_flow *flow = &link->flows[way];
    const uint8_t *bytes = NULL;
    if (readable && flow_wants_read(flow, &rules)) {
        ssize_t size = flow_read(flow, &rules, now);
        if (size < 0)
            return false;
        proxy->counts[way == UP ? PROXY_READ_UP : PROXY_READ_DOWN] += (uint64_t)size;
        if (way == DOWN && (link->swallowing || proxy->swallow_all))
            proxy->counts[PROXY_SWALLOWED] += (uint64_t)size;
    }
    int64_t never = CLOCK_NEVER;
    if (writable && flow_wants_write(flow, &rules, now, &never)) {
        ssize_t size = flow_write(flow, &rules, now, &bytes);
        if (size < 0)
            return false;
        proxy->counts[way == UP ? PROXY_PASSED_UP : PROXY_PASSED_DOWN] += (uint64_t)size;
        if (way == UP)
            look_for_mark(proxy, link, bytes, (size_t)size);
    }
    return true;
}

static bool is_connected(struct link *link)
{
    int code = 0;
    socklen_t size = sizeof code;
    CHECK(getsockopt(link->server, SOL_SOCKET, SO_ERROR, &code, &size) == 0);
    link->connecting = false;
    return code == 0;
}

/* False: it is broken. */
static bool link_move(struct proxy *proxy, struct link *link, const struct pollfd *client, const struct pollfd *server,
                      int64_t now)
{
    const short in = POLLIN | POLLHUP | POLLERR, out = POLLOUT | POLLHUP | POLLERR;
    if (link->connecting)
        return (server->revents & out) == 0 || is_connected(link);
    return move_way(proxy, link, UP, client->revents & in, server->revents & out, now) &&
           move_way(proxy, link, DOWN, server->revents & in, client->revents & out, now);
}

/* -- the thread -- */

/* -1 where nothing is awaited: poll would answer a hang-up over and over. */
static struct pollfd awaited(int fd, bool in, bool out)
{
    return (struct pollfd){.fd = in || out ? fd : -1, .events = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0))};
}

static nfds_t fill(struct proxy *proxy, struct pollfd *fds, int64_t now, int64_t *wake)
{
    nfds_t count = 0;
    fds[count++] = awaited(proxy->wake, true, false);
    fds[count++] = awaited(proxy->listener, !proxy->refusing && proxy->link_count < LINKS_MAX, false);
    for (struct link *link = proxy->links; link != NULL; link = link->next) {
        struct proxy_rules up = rules_of(proxy, link, UP), down = rules_of(proxy, link, DOWN);
        struct proxy_flow *flows = link->flows;
        if (link->connecting) {
            fds[count++] = awaited(link->client, false, false);
            fds[count++] = awaited(link->server, false, true);
            continue;
        }
        fds[count++] = awaited(link->client, flow_wants_read(&flows[UP], &up),
                               flow_wants_write(&flows[DOWN], &down, now, wake));
        fds[count++] = awaited(link->server, flow_wants_read(&flows[DOWN], &down),
                               flow_wants_write(&flows[UP], &up, now, wake));
    }
    return count;
}

static void wait_locked(struct proxy *proxy, struct pollfd *fds, nfds_t count, int64_t wake, int64_t now)
{
    struct timespec pause = clock_timespec(wake > now ? wake - now : 0);
    CHECK_CALL(pthread_mutex_unlock(&proxy->mutex));
    int ready = ppoll(fds, count, wake == CLOCK_NEVER ? NULL : &pause, NULL);
    CHECK(ready >= 0 || errno == EINTR);
    if (ready <= 0)
        for (nfds_t i = 0; i < count; i++)
            fds[i].revents = 0;
    CHECK_CALL(pthread_mutex_lock(&proxy->mutex));
}

static void obey(struct proxy *proxy)
{
    if (proxy->ending || proxy->closing)
        while (proxy->links != NULL)
            link_end(proxy, &proxy->links, proxy->gate != GATE_CUT);
    proxy->ending = false;
    bool refuse = proxy->gate == GATE_REFUSE;
    /* A listener that is shut down keeps its port, and whoever connects is refused, until it listens again. */
    if (refuse && !proxy->refusing)
        CHECK(shutdown(proxy->listener, SHUT_RD) == 0);
    if (!refuse && proxy->refusing)
        CHECK(listen(proxy->listener, SOMAXCONN) == 0);
    proxy->refusing = refuse;
    proxy->done = proxy->asked;
}

void *proxy_run(void *arg)
{
    struct proxy *proxy = arg;
    struct pollfd fds[2 + 2 * LINKS_MAX];
    uint64_t woken;
    CHECK_CALL(pthread_mutex_lock(&proxy->mutex));
    while (!proxy->closing) {
        int64_t now = clock_now(), wake = CLOCK_NEVER;
        nfds_t count = fill(proxy, fds, now, &wake);
        wait_locked(proxy, fds, count, wake, now);
        if (fds[0].revents != 0)
            CHECK(read(proxy->wake, &woken, sizeof woken) == sizeof woken);
        now = clock_now();
        const struct pollfd *fd = fds + 2;
        /* What was told meanwhile comes first: nothing passes any more by the old rules. */
        if (proxy->asked != proxy->done) {
            obey(proxy);
        } else {
            for (struct link **at = &proxy->links; *at != NULL; fd += 2) {
                bool fine = link_move(proxy, *at, &fd[0], &fd[1], now);
                if (!fine || (flow_is_over(&(*at)->flows[UP]) && flow_is_over(&(*at)->flows[DOWN])))
                    link_end(proxy, at, !fine);
                else
                    at = &(*at)->next;
            }
            if (fds[1].revents != 0)
                take_new(proxy);
        }
        CHECK_CALL(pthread_cond_broadcast(&proxy->changed));
    }
    obey(proxy);
    CHECK_CALL(pthread_mutex_unlock(&proxy->mutex));
    return NULL;
}
