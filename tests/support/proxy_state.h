/* The proxy's inside: proxy.c is what a test says, proxy_run.c the thread that does it, proxy_flow.c the bytes of one way. */
#ifndef WEIR_TESTS_SUPPORT_PROXY_STATE_H
#define WEIR_TESTS_SUPPORT_PROXY_STATE_H

#include <pthread.h>

#include "tests/support/proxy_flow.h"

enum { UP, DOWN, WAYS };
enum { LINKS_MAX = 512, MARK_MAX = 64 };
enum gate { GATE_OPEN, GATE_CUT, GATE_RESET, GATE_REFUSE };

/* One connection. */
struct link {
    struct link *next;
    int client, server;
    bool connecting;
    bool swallowing;
    uint8_t recent[MARK_MAX]; /* the newest bytes that passed upwards, for a mark that comes in two parts */
    size_t recent_size;
    struct proxy_flow flows[WAYS];
};

struct proxy {
    unsigned port, server_port;
    int listener, wake;
    pthread_t thread;
    pthread_mutex_t mutex;  /* the thread holds it but while it waits in poll */
    pthread_cond_t changed; /* counts, or `done` */
    bool closing;
    enum gate gate;
    bool ending; /* the gate was shut anew: what is open ends */
    bool refusing;
    struct proxy_rules rules[WAYS];
    uint8_t mark[MARK_MAX];
    size_t mark_size;
    bool marked, swallow_all;
    uint64_t asked, done; /* of what the thread was told, what it has done */
    uint64_t counts[PROXY_COUNTS];
    struct link *links;
    unsigned link_count;
};

void *proxy_run(void *proxy);

#endif
