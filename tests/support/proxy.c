#include "tests/support/proxy_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "processor/check.h"
#include "processor/clock.h"

enum { PATIENCE_S = 60 };

static struct sockaddr_in address_of(unsigned port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

/* With an explicit port, which a socket keeps when it stops listening. */
static bool listens(struct proxy *proxy, unsigned port)
{
    const int one = 1;
    struct sockaddr_in address = address_of(port);
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(proxy->listener >= 0);
    CHECK(setsockopt(proxy->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
    proxy->port = port;
    if (bind(proxy->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
        listen(proxy->listener, SOMAXCONN) == 0)
        return true;
    close(proxy->listener);
    return false;
}

static unsigned free_port(void)
{
    struct sockaddr_in address = address_of(0);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

struct proxy *proxy_new(unsigned port, unsigned server_port)
{
    struct proxy *proxy = calloc(1, sizeof *proxy);
    pthread_condattr_t attributes;
    CHECK(proxy != NULL);
    proxy->server_port = server_port;
    bool listening = listens(proxy, port != 0 ? port : free_port());
    for (int i = 0; i < 10 && !listening; i++)
        listening = listens(proxy, port != 0 ? port : free_port());
    CHECK(listening);
    proxy->wake = eventfd(0, EFD_CLOEXEC);
    CHECK(proxy->wake >= 0);
    CHECK_CALL(pthread_mutex_init(&proxy->mutex, NULL));
    CHECK_CALL(pthread_condattr_init(&attributes));
    CHECK_CALL(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
    CHECK_CALL(pthread_cond_init(&proxy->changed, &attributes));
    CHECK_CALL(pthread_condattr_destroy(&attributes));
    CHECK_CALL(pthread_create(&proxy->thread, NULL, proxy_run, proxy));
    return proxy;
}

static void wake_locked(struct proxy *proxy)
{
    const uint64_t one = 1;
    proxy->asked++;
    CHECK(write(proxy->wake, &one, sizeof one) == sizeof one);
}

void proxy_free(struct proxy *proxy)
{
    if (proxy == NULL)
        return;
    CHECK_CALL(pthread_mutex_lock(&proxy->mutex));
    proxy->closing = true;
    wake_locked(proxy);
    CHECK_CALL(pthread_mutex_unlock(&proxy->mutex));
    CHECK_CALL(pthread_join(proxy->thread, NULL));
    close(proxy->listener);
    close(proxy->wake);
    CHECK_CALL(pthread_cond_destroy(&proxy->changed));
    CHECK_CALL(pthread_mutex_destroy(&proxy->mutex));
    free(proxy);
}

unsigned proxy_port(const struct proxy *proxy)
{
    return proxy->port;
}

static void begin(struct proxy *proxy)
{
    CHECK_CALL(pthread_mutex_lock(&proxy->mutex));
}

static void tell(struct proxy *proxy)
{
    wake_locked(proxy);
    uint64_t asked = proxy->asked;
    while (proxy->done < asked)
        CHECK_CALL(pthread_cond_wait(&proxy->changed, &proxy->mutex));
    CHECK_CALL(pthread_mutex_unlock(&proxy->mutex));
}

void proxy_pass(struct proxy *proxy)
{
    begin(proxy);
    memset(proxy->rules, 0, sizeof proxy->rules);
    proxy->gate = GATE_OPEN;
    proxy->marked = proxy->swallow_all = false;
    for (struct link *link = proxy->links; link != NULL; link = link->next)
        link->swallowing = false;
    tell(proxy);
}

void proxy_rule(struct proxy *proxy, enum proxy_ways ways, struct proxy_rules rules)
{
    begin(proxy);
    for (int way = UP; way < WAYS; way++)
        if (ways & (1 << way))
            proxy->rules[way] = rules;
    tell(proxy);
}

static void shut(struct proxy *proxy, enum gate gate)
{
    begin(proxy);
    proxy->gate = gate;
    proxy->ending = true;
    tell(proxy);
}

void proxy_cut(struct proxy *proxy)
{
    shut(proxy, GATE_CUT);
}

void proxy_reset(struct proxy *proxy)
{
    shut(proxy, GATE_RESET);
}

void proxy_refuse(struct proxy *proxy)
{
    shut(proxy, GATE_REFUSE);
}

void proxy_swallow(struct proxy *proxy, const void *mark, size_t size)
{
    CHECK(size <= MARK_MAX && (mark == NULL) == (size == 0));
    begin(proxy);
    if (size > 0)
        memcpy(proxy->mark, mark, size);
    proxy->mark_size = size;
    proxy->marked = mark != NULL;
    proxy->swallow_all = mark == NULL;
    for (struct link *link = proxy->links; link != NULL; link = link->next)
        link->recent_size = 0;
    tell(proxy);
}

uint64_t proxy_count(struct proxy *proxy, enum proxy_count which)
{
    begin(proxy);
    uint64_t count = proxy->counts[which];
    CHECK_CALL(pthread_mutex_unlock(&proxy->mutex));
    return count;
}

static bool wait_changed_locked(struct proxy *proxy, const struct timespec *until)
{
    int code = pthread_cond_timedwait(&proxy->changed, &proxy->mutex, until);
    CHECK(code == 0 || code == ETIMEDOUT);
    return code == 0;
}

bool proxy_wait(struct proxy *proxy, enum proxy_count which, uint64_t least)
{
    struct timespec until = clock_timespec(clock_now() + PATIENCE_S * CLOCK_SECOND);
    begin(proxy);
    while (proxy->counts[which] < least && wait_changed_locked(proxy, &until))
        continue;
    bool reached = proxy->counts[which] >= least;
    CHECK_CALL(pthread_mutex_unlock(&proxy->mutex));
    return reached;
}

bool proxy_wait_closed(struct proxy *proxy)
{
    struct timespec until = clock_timespec(clock_now() + PATIENCE_S * CLOCK_SECOND);
    begin(proxy);
    while (proxy->link_count > 0 && wait_changed_locked(proxy, &until))
        continue;
    bool closed = proxy->link_count == 0;
    CHECK_CALL(pthread_mutex_unlock(&proxy->mutex));
    return closed;
}
