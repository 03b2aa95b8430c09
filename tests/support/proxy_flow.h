/* One way of one connection through the proxy: bytes that were read and wait to be passed, as the rules say. Owned by the proxy's thread. */
#ifndef WEIR_TESTS_SUPPORT_PROXY_FLOW_H
#define WEIR_TESTS_SUPPORT_PROXY_FLOW_H

#include <sys/types.h>

#include "tests/support/proxy.h"

enum { FLOW_ROOM = 64 * 1024, FLOW_PIECES = 64 };

struct proxy_flow {
    int from, to;
    bool ended;     /* `from` sends no more */
    bool told;      /* and `to` knows */
    int64_t next;   /* by the rate, nothing comes out before */
    int64_t latest; /* when the newest piece is due: the order stays whatever the jitter says */
    uint64_t noise; /* of the jitter */
    size_t start, end;
    struct piece {
        size_t size;
        int64_t due;
    } pieces[FLOW_PIECES]; /* oldest first */
    unsigned piece_count;
    uint8_t bytes[FLOW_ROOM];
};

void flow_init(struct proxy_flow *flow, int from, int to);
bool flow_wants_read(const struct proxy_flow *flow, const struct proxy_rules *rules);
/* Is there something that may come out now? If not, *wake becomes the time when there will be, if that is earlier. */
bool flow_wants_write(const struct proxy_flow *flow, const struct proxy_rules *rules, int64_t now, int64_t *wake);
/* Bytes read; 0 also at the end. -1: the connection is broken. */
ssize_t flow_read(struct proxy_flow *flow, const struct proxy_rules *rules, int64_t now);
/* Bytes passed, which *ret_bytes points to until the next call; -1: the connection is broken. Passes the end on behind the last byte. */
ssize_t flow_write(struct proxy_flow *flow, const struct proxy_rules *rules, int64_t now, const uint8_t **ret_bytes);
/* Both sides have said all, or what is left will never be heard. */
bool flow_is_over(const struct proxy_flow *flow);

#endif
