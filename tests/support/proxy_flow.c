#include "tests/support/proxy_flow.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "processor/clock.h"

/* Without it the kernel puts the slices together again. */
#define SLICE_PAUSE (CLOCK_MS / 10)

void flow_init(struct proxy_flow *flow, int from, int to)
{
    memset(flow, 0, offsetof(struct proxy_flow, bytes));
    flow->from = from;
    flow->to = to;
}

bool flow_wants_read(const struct proxy_flow *flow, const struct proxy_rules *rules)
{
    if (flow->ended)
        return false;
    return rules->dropped || (flow->end - flow->start < FLOW_ROOM && flow->piece_count < FLOW_PIECES);
}

static bool has_to_tell(const struct proxy_flow *flow)
{
    return flow->ended && !flow->told && flow->piece_count == 0;
}

bool flow_wants_write(const struct proxy_flow *flow, const struct proxy_rules *rules, int64_t now, int64_t *wake)
{
    if (rules->held || rules->dropped)
        return false;
    if (flow->piece_count == 0)
        return has_to_tell(flow);
    int64_t due = flow->pieces[0].due;
    if ((rules->rate > 0 || rules->slice > 0) && flow->next > due)
        due = flow->next;
    if (due <= now)
        return true;
    if (due < *wake)
        *wake = due;
    return false;
}

static int64_t random_below(struct proxy_flow *flow, uint64_t seed, int64_t limit)
{
    /* xorshift64 (Marsaglia): its state must not be 0. */
    uint64_t noise = flow->noise != 0 ? flow->noise : seed * 2 + 1;
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    flow->noise = noise;
    return (int64_t)(noise % (uint64_t)limit);
}

static void add_piece(struct proxy_flow *flow, const struct proxy_rules *rules, size_t size, int64_t now)
{
    int64_t due = now + rules->delay;
    if (rules->jitter > 0)
        due += random_below(flow, rules->seed, rules->jitter);
    if (due < flow->latest)
        due = flow->latest;
    flow->latest = due;
    flow->pieces[flow->piece_count++] = (struct piece){size, due};
    flow->end += size;
}

ssize_t flow_read(struct proxy_flow *flow, const struct proxy_rules *rules, int64_t now)
{
    uint8_t away[4096];
    if (flow->start > 0 && !rules->dropped) {
        memmove(flow->bytes, flow->bytes + flow->start, flow->end - flow->start);
        flow->end -= flow->start;
        flow->start = 0;
    }
    void *to = rules->dropped ? away : flow->bytes + flow->end;
    ssize_t size = recv(flow->from, to, rules->dropped ? sizeof away : FLOW_ROOM - flow->end, MSG_DONTWAIT);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (size == 0)
        flow->ended = true;
    else if (!rules->dropped)
        add_piece(flow, rules, (size_t)size, now);
    return size;
}

static size_t allowed(const struct proxy_flow *flow, const struct proxy_rules *rules)
{
    size_t size = flow->pieces[0].size;
    /* A hundredth of a second at a time. */
    if (rules->rate > 0 && size > rules->rate / 100 + 1)
        size = rules->rate / 100 + 1;
    if (rules->slice > 0 && size > rules->slice)
        size = rules->slice;
    return size;
}

static void take_off(struct proxy_flow *flow, size_t size)
{
    flow->start += size;
    flow->pieces[0].size -= size;
    if (flow->pieces[0].size == 0)
        memmove(&flow->pieces[0], &flow->pieces[1], --flow->piece_count * sizeof flow->pieces[0]);
}

ssize_t flow_write(struct proxy_flow *flow, const struct proxy_rules *rules, int64_t now, const uint8_t **ret_bytes)
{
    if (has_to_tell(flow)) {
        flow->told = true;
        return shutdown(flow->to, SHUT_WR);
    }
    *ret_bytes = flow->bytes + flow->start;
    ssize_t size = send(flow->to, *ret_bytes, allowed(flow, rules), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    take_off(flow, (size_t)size);
    if (rules->rate > 0)
        flow->next = (flow->next > now ? flow->next : now) + size * CLOCK_SECOND / (int64_t)rules->rate;
    else if (rules->slice > 0)
        flow->next = now + SLICE_PAUSE;
    return size;
}

bool flow_is_over(const struct proxy_flow *flow)
{
    return flow->told;
}
