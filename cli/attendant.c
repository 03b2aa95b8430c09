#include "cli/attendant.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/log.h"

struct attendant {
    struct attendant_config config;
    int signal_fd, end_fd;
    bool running; /* the thread was started */
    unsigned signals;
    pthread_t thread;
};

static sigset_t stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

void attendant_block_signals(void)
{
    sigset_t set = stop_signals();
    CHECK_CALL(pthread_sigmask(SIG_BLOCK, &set, NULL));
    signal(SIGPIPE, SIG_IGN);
}

static void take_signal(struct attendant *attendant)
{
    struct signalfd_siginfo info;
    if (read(attendant->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    const char *name = info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM";
    attendant->signals++;
    if (attendant->signals == 1) {
        log_info("service", "%s: draining; a second signal abandons what is in flight", name);
        context_cancel(attendant->config.soft);
        attendant->config.on_stop(attendant->config.arg);
    } else if (attendant->signals == 2) {
        log_warn("service", "second %s: what is in flight is abandoned", name);
        context_cancel(attendant->config.hard);
    }
}

static void *attend(void *arg)
{
    struct attendant *attendant = arg;
    struct pollfd fds[] = {{.fd = attendant->end_fd, .events = POLLIN}, {.fd = attendant->signal_fd, .events = POLLIN}};
    int64_t next = clock_now();
    while ((fds[0].revents & POLLIN) == 0) {
        int64_t now = clock_now();
        if (now >= next) {
            attendant->config.tick(attendant->config.arg);
            next = now + attendant->config.interval;
        }
        int64_t wait = (next - clock_now()) / CLOCK_MS + 1;
        int ready = poll(fds, sizeof fds / sizeof fds[0], wait > 0 ? (int)wait : 0);
        if (ready > 0 && (fds[1].revents & POLLIN) != 0)
            take_signal(attendant);
    }
    return NULL;
}

static enum status start(struct attendant *attendant, struct error *error)
{
    sigset_t set = stop_signals();
    attendant->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    attendant->end_fd = eventfd(0, EFD_CLOEXEC);
    if (attendant->signal_fd < 0 || attendant->end_fd < 0)
        return error_set(error, ERROR_FATAL, "no file descriptor for signals: %s", strerror(errno));
    int code = pthread_create(&attendant->thread, NULL, attend, attendant);
    if (code != 0)
        return error_set(error, ERROR_FATAL, "no thread for signals: %s", strerror(code));
    pthread_setname_np(attendant->thread, "attendant");
    attendant->running = true;
    return STATUS_OK;
}

enum status attendant_start(const struct attendant_config *config, struct attendant **ret, struct error *error)
{
    struct attendant *attendant = calloc(1, sizeof *attendant);
    if (attendant == NULL)
        return error_set(error, ERROR_FATAL, "out of memory");
    *attendant = (struct attendant){.config = *config, .signal_fd = -1, .end_fd = -1};
    enum status status = start(attendant, error);
    if (status != STATUS_OK) {
        attendant_stop(attendant);
        return status;
    }
    *ret = attendant;
    return STATUS_OK;
}

void attendant_stop(struct attendant *attendant)
{
    if (attendant == NULL)
        return;
    if (attendant->running) {
        eventfd_write(attendant->end_fd, 1);
        CHECK_CALL(pthread_join(attendant->thread, NULL));
    }
    if (attendant->signal_fd >= 0)
        close(attendant->signal_fd);
    if (attendant->end_fd >= 0)
        close(attendant->end_fd);
    free(attendant);
}
