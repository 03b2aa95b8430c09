#include "cli/top_screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "cli/terminal.h"
#include "processor/clock.h"

/* Alternate screen and cursor, xterm's codes, which all of today's terminals know. */
#define ENTER "\033[?1049h\033[?25l\033[2J"
#define LEAVE "\033[?25h\033[?1049l"

struct top_screen {
    bool live, keys; /* keys: stdin is a terminal */
    int signal_fd;
    struct termios saved;
};

static struct top_screen *active; /* for who calls exit() in between */

static void write_all(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(STDOUT_FILENO, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        text += n;
        size -= (size_t)n;
    }
}

/* -- into it and out of it -- */

static void enter(struct top_screen *screen)
{
    struct termios raw = screen->saved;
    if (!screen->live)
        return;
    /* Ctrl-C and Ctrl-Z stay signals. */
    raw.c_lflag &= (tcflag_t) ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (screen->keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    write_all(ENTER, sizeof ENTER - 1);
}

static void leave(struct top_screen *screen)
{
    if (!screen->live)
        return;
    write_all(LEAVE, sizeof LEAVE - 1);
    if (screen->keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->saved);
}

static void leave_at_exit(void)
{
    if (active != NULL)
        leave(active);
    active = NULL;
}

static sigset_t signals(void)
{
    static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH, SIGCONT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++)
        sigaddset(&set, SIGNALS[i]);
    return set;
}

enum status top_screen_open(bool live, struct top_screen **ret, struct error *error)
{
    sigset_t set = signals();
    struct top_screen *screen = calloc(1, sizeof *screen);
    if (screen == NULL)
        return error_set(error, ERROR_FATAL, "out of memory");
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    screen->live = live;
    screen->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (screen->signal_fd < 0) {
        free(screen);
        return error_set(error, ERROR_FATAL, "no file descriptor for signals: %s", strerror(errno));
    }
    screen->keys = live && isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &screen->saved) == 0;
    active = screen;
    (void)atexit(leave_at_exit);
    enter(screen);
    *ret = screen;
    return STATUS_OK;
}

void top_screen_close(struct top_screen *screen)
{
    if (screen == NULL)
        return;
    leave_at_exit();
    close(screen->signal_fd);
    free(screen);
}

/* -- drawing -- */

unsigned top_screen_fds(const struct top_screen *screen, int fds[2])
{
    fds[0] = screen->signal_fd;
    fds[1] = STDIN_FILENO;
    return screen->keys ? 2 : 1;
}

struct columns_style top_screen_style(const struct top_screen *screen)
{
    enum { PLAIN_WIDTH = 160 };
    return (struct columns_style){
        .width = screen->live || terminal_is(STDOUT_FILENO) ? terminal_width(STDOUT_FILENO) : PLAIN_WIDTH,
        .colour = terminal_wants_colour(STDOUT_FILENO),
        .unicode = terminal_is_utf8(),
    };
}

unsigned top_screen_height(const struct top_screen *screen)
{
    return screen->live ? terminal_height(STDOUT_FILENO) : TOP_LINES;
}

/* In one piece, so that nothing is seen half drawn; the last line has no break, which would scroll. */
void top_screen_draw(struct top_screen *screen, char lines[TOP_LINES][COLUMNS_LINE_MAX], unsigned count)
{
    static char text[TOP_LINES * (COLUMNS_LINE_MAX + 8) + 16];
    size_t used = 0;
    if (screen->live)
        used += (size_t)sprintf(text, "\033[H");
    for (unsigned i = 0; i < count; i++)
        used += (size_t)sprintf(text + used, "%s%s%s", lines[i], screen->live ? "\033[K" : "",
                                screen->live && i + 1 == count ? "" : "\n");
    if (screen->live)
        used += (size_t)sprintf(text + used, "\033[J");
    write_all(text, used);
}

/* -- events -- */

/* Ctrl-Z: the shell gets its screen back; we have ours again when we go on. */
static void suspend(struct top_screen *screen)
{
    leave(screen);
    (void)raise(SIGSTOP);
    enter(screen);
}

/* True: there is something to tell. */
static bool take_signal(struct top_screen *screen, enum top_event *ret)
{
    struct signalfd_siginfo info;
    if (read(screen->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return false;
    *ret = TOP_REDRAW;
    if (info.ssi_signo == SIGTSTP)
        suspend(screen);
    else if (info.ssi_signo != SIGWINCH && info.ssi_signo != SIGCONT)
        *ret = TOP_QUIT;
    return true;
}

static bool take_key(struct top_screen *screen, enum top_event *ret)
{
    char keys[32];
    ssize_t n = read(STDIN_FILENO, keys, sizeof keys);
    /* The terminal is gone. */
    if (n == 0)
        screen->keys = false;
    for (ssize_t i = 0; i < n; i++) {
        if (keys[i] == 'q' || keys[i] == 'Q') {
            *ret = TOP_QUIT;
            return true;
        }
        if (keys[i] == ' ') {
            *ret = TOP_TIME;
            return true;
        }
    }
    return false;
}

enum top_event top_screen_wait(struct top_screen *screen, int64_t until)
{
    for (;;) {
        enum top_event event = TOP_TIME;
        struct pollfd fds[] = {{.fd = screen->signal_fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
        int64_t left = (until - clock_now()) / CLOCK_MS + 1;
        int ready = poll(fds, screen->keys ? 2 : 1, until <= clock_now() ? 0 : (int)left);
        if (ready < 0 && errno != EINTR)
            return TOP_QUIT;
        if (fds[0].revents != 0 && take_signal(screen, &event))
            return event;
        if (screen->keys && fds[1].revents != 0 && take_key(screen, &event))
            return event;
        if (ready == 0 && clock_now() >= until)
            return TOP_TIME;
    }
}
