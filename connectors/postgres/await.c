#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "connectors/postgres/connection.h"
#include "processor/check.h"
#include "processor/clock.h"

static void wake(void *arg)
{
    uint64_t one = 1;
    CHECK(write(*(const int *)arg, &one, sizeof one) == (ssize_t)sizeof one || errno == EAGAIN);
}

static int milliseconds(int64_t left)
{
    if (left <= 0)
        return 0;
    /* Rounded up: half a millisecond left is not time to look again. */
    int64_t ms = left / CLOCK_MS + 1;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

enum status postgres_await(int fd, short events, int wake_fd, struct context *context, int64_t until)
{
    struct pollfd fds[2] = {{.fd = fd, .events = events}, {.fd = wake_fd, .events = POLLIN}};
    /* Most waits are for what has come already. */
    if (fd >= 0 && poll(fds, 1, 0) > 0)
        return context_status(context);
    struct context_watch watch = {.wake = wake, .arg = &wake_fd};
    int64_t limit = until < context_deadline(context) ? until : context_deadline(context);
    context_watch(context, &watch);
    int ready = poll(fds, 2, limit == CLOCK_NEVER ? -1 : milliseconds(limit - clock_now()));
    context_unwatch(context, &watch);
    uint64_t count;
    if (read(wake_fd, &count, sizeof count) < 0)
        CHECK(errno == EAGAIN);
    enum status status = context_status(context);
    if (status != STATUS_OK)
        return status;
    return ready == 0 && clock_now() >= until ? STATUS_EMPTY : STATUS_OK;
}
