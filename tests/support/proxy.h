/*
 * Faults of the network, made on purpose: a TCP proxy on loopback in front of a server, in a thread of its own. It passes everything at first, and is told at run time what to do
 * to the bytes of each way and to the connections. What it was told is in force when the call returns, for connections that are open and for those to come.
 *
 *     struct proxy *proxy = proxy_new(0, broker_port);
 *     ... connect to 127.0.0.1:proxy_port(proxy) ...
 *     uint64_t seen = proxy_count(proxy, PROXY_READ_UP);
 *     proxy_rule(proxy, PROXY_BOTH, (struct proxy_rules){.held = true});
 *     assert_true(proxy_wait(proxy, PROXY_READ_UP, seen + 1)); -- the client has asked for something that nobody will answer
 *     proxy_pass(proxy);
 *
 * Threads: all functions but proxy_free from any thread. What goes wrong in the proxy itself ends the program (CHECK).
 */
#ifndef WEIR_TESTS_SUPPORT_PROXY_H
#define WEIR_TESTS_SUPPORT_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proxy;

enum proxy_ways {
    PROXY_UP = 1,   /* from the client to the server */
    PROXY_DOWN = 2, /* the answers */
    PROXY_BOTH = PROXY_UP | PROXY_DOWN,
};

/* What happens to the bytes of one way; all zero: they pass. */
struct proxy_rules {
    bool
        held; /* a black hole: nothing comes out, the sockets stay open. What it took meanwhile (64 KiB) goes on later */
    bool dropped;          /* the same, but what it takes is gone for good */
    int64_t delay, jitter; /* ns: each piece comes out so much later, and up to `jitter` more; the order stays */
    uint64_t seed;         /* of the jitter */
    uint64_t rate;         /* bytes a second; 0: as fast as they come */
    size_t slice;          /* bytes a segment at most, 0.1 ms apart; 0: as they come */
};

/* Only ever grow. Bytes that were read were taken from the one side, those that were passed were handed to the other. */
enum proxy_count {
    PROXY_ACCEPTED, /* connections */
    PROXY_CLOSED,   /* of these */
    PROXY_READ_UP,
    PROXY_READ_DOWN,
    PROXY_PASSED_UP,
    PROXY_PASSED_DOWN,
    PROXY_SWALLOWED, /* bytes of answers, by proxy_swallow */
    PROXY_COUNTS
};

/* Listens on 127.0.0.1, on that port (0: one that is free), for a server on 127.0.0.1. The server need not be there yet. */
struct proxy *proxy_new(unsigned port, unsigned server_port);
void proxy_free(struct proxy *proxy); /* resets what is open; NULL is fine */
unsigned proxy_port(const struct proxy *proxy);

/* Takes all rules back and lets connections come. */
void proxy_pass(struct proxy *proxy);
void proxy_rule(struct proxy *proxy, enum proxy_ways ways, struct proxy_rules rules);
/* Ends all connections and, until proxy_pass, each new one: in order (FIN), by a reset (RST), or so that none comes about (ECONNREFUSED). */
void proxy_cut(struct proxy *proxy);
void proxy_reset(struct proxy *proxy);
void proxy_refuse(struct proxy *proxy);
/*
 * The acknowledgement gets lost: from now on, or from when `mark` has passed on its way up, the answers of that connection are thrown away. Wait for PROXY_SWALLOWED, which
 * tells that the server has answered, then cut. mark: size bytes, copied, 64 at most; NULL: from now on, all connections.
 */
void proxy_swallow(struct proxy *proxy, const void *mark, size_t size);

uint64_t proxy_count(struct proxy *proxy, enum proxy_count which);
/* Until the count is so high; false: it did not come within a minute. */
bool proxy_wait(struct proxy *proxy, enum proxy_count which, uint64_t least);
/* Until every connection that came has ended. */
bool proxy_wait_closed(struct proxy *proxy);

#endif
