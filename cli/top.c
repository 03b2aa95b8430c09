/* `weir top`: looks at a running service again and again, and draws what it is at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/admin_url.h"
#include "cli/http.h"
#include "cli/parsed_json.h"
#include "cli/snapshot_parse.h"
#include "cli/terminal.h"
#include "cli/top_screen.h"
#include "cli/top_view.h"
#include "cli/verbs.h"

#define EVERY CLOCK_SECOND
#define EVERY_LEAST (100 * CLOCK_MS)
/* A service that does not answer within it is as good as gone; the next look asks again. */
#define ANSWER (2 * CLOCK_SECOND)
enum { BODY_MAX = 1024 * 1024 };

struct top {
    bool json, once;
    int64_t every;
    char url[ADMIN_URL_MAX + 16];
    const char *base;
    struct top_screen *screen;
    struct parsed_json *parsed;
    struct snapshot snapshots[2];
    struct snapshot *now, *before; /* of these; NULL: none yet */
    int64_t answered_at;
    char trouble[ERROR_TEXT_MAX]; /* "": none */
    char body[BODY_MAX];
    size_t size;
    char lines[TOP_LINES][COLUMNS_LINE_MAX];
};

/* -- looking -- */

static bool take(void *arg, long code, const char *data, size_t size)
{
    struct top *top = arg;
    (void)code;
    if (size > sizeof top->body - top->size)
        return false;
    memcpy(top->body + top->size, data, size);
    top->size += size;
    return true;
}

/* What was counted by another process is nothing to compare with. */
static bool is_same_process(const struct snapshot *now, const struct snapshot *before)
{
    return now->at - before->at >= 0 && now->uptime >= before->uptime && now->consumed >= before->consumed;
}

static void keep(struct top *top)
{
    struct value object;
    struct snapshot *fresh = &top->snapshots[top->now == &top->snapshots[0]];
    if (!parsed_json_read(top->parsed, top->body, top->size, &object) || !snapshot_parse(&object, fresh)) {
        snprintf(top->trouble, sizeof top->trouble, "%s: what answers is no service of this version", top->url);
        return;
    }
    top->before = top->now != NULL && is_same_process(fresh, top->now) ? top->now : NULL;
    top->now = fresh;
    top->answered_at = clock_now();
    top->trouble[0] = '\0';
}

/* STATUS_CANCELLED: a key or a signal came first. */
static enum status look(struct top *top)
{
    int stop[2];
    long code = 0;
    struct error error = {0};
    struct http_request request = {.url = top->url, .timeout = ANSWER, .stop = stop, .take = take, .arg = top};
    request.stops = top_screen_fds(top->screen, stop);
    top->size = 0;
    enum status status = http_get(&request, &code, &error);
    if (status == STATUS_FAILED)
        snprintf(top->trouble, sizeof top->trouble, "%s", error.text);
    else if (status == STATUS_OK && code != 200)
        snprintf(top->trouble, sizeof top->trouble, "%s: HTTP status %ld", top->url, code);
    else if (status == STATUS_OK)
        keep(top);
    return status;
}

/* -- showing -- */

static void show(struct top *top)
{
    const struct top_view view = {
        .now = top->now,
        .before = top->before,
        .url = top->base,
        .trouble = top->trouble[0] != '\0' ? top->trouble : NULL,
        .silence = clock_now() - top->answered_at,
    };
    if (top->json) {
        if (view.trouble == NULL)
            fwrite(top->body, 1, top->size, stdout);
        else
            fprintf(stderr, "weir top: %s\n", view.trouble);
        fflush(stdout);
        return;
    }
    struct columns_style style = top_screen_style(top->screen);
    unsigned count = top_view_lines(&view, &style, top_screen_height(top->screen), top->lines);
    top_screen_draw(top->screen, top->lines, count);
}

/* Waits for the next look, and draws again what is there when the screen wants it. False: the end. */
static bool wait(struct top *top, int64_t until)
{
    for (;;) {
        enum top_event event = top_screen_wait(top->screen, until);
        if (event != TOP_REDRAW)
            return event == TOP_TIME;
        if (!top->json && !top->once)
            show(top);
    }
}

/* -- the two ways -- */

/* Two looks, as rates need them; JSON has counters, and one does. */
static enum exit_code run_once(struct top *top)
{
    enum status status = look(top);
    if (status == STATUS_OK && top->now != NULL && !top->json && wait(top, clock_now() + top->every))
        status = look(top);
    if (status == STATUS_CANCELLED)
        return EXIT_FAILED;
    if (top->trouble[0] != '\0') {
        fprintf(stderr, "weir top: %s\n", top->trouble);
        return EXIT_UNAVAILABLE;
    }
    show(top);
    return EXIT_OK;
}

static void run(struct top *top)
{
    bool plain = !top->json && !terminal_is(STDOUT_FILENO), first = true;
    for (bool goes_on = true; goes_on;) {
        int64_t began = clock_now();
        bool stopped = look(top) == STATUS_CANCELLED;
        if (!stopped && plain && !first) {
            putchar('\n');
            fflush(stdout);
        }
        if (!stopped) {
            show(top);
            first = false;
        }
        goes_on = wait(top, stopped ? clock_now() : began + top->every);
    }
}

static enum exit_code open_and_run(struct top *top)
{
    struct error error;
    bool live = !top->json && !top->once && terminal_is(STDOUT_FILENO);
    if (top_screen_open(live, &top->screen, &error) != STATUS_OK) {
        fprintf(stderr, "weir top: %s\n", error.text);
        return EXIT_INTERNAL;
    }
    enum exit_code code = EXIT_OK;
    if (top->once)
        code = run_once(top);
    else
        run(top);
    top_screen_close(top->screen);
    return code;
}

enum exit_code verb_top(const struct command *command)
{
    char base[ADMIN_URL_MAX];
    enum exit_code code = admin_url(command, base);
    if (code != EXIT_OK)
        return code;
    struct top *top = calloc(1, sizeof *top);
    struct parsed_json *parsed = parsed_json_new();
    code = EXIT_INTERNAL;
    if (top != NULL && parsed != NULL) {
        top->json = command_has(command, OPTION_JSON);
        top->once = command_has(command, OPTION_ONCE);
        top->every = command_duration(command, OPTION_EVERY, EVERY);
        if (top->every < EVERY_LEAST)
            top->every = EVERY_LEAST;
        top->base = base;
        top->parsed = parsed;
        top->answered_at = clock_now();
        snprintf(top->url, sizeof top->url, "%s/status", base);
        code = open_and_run(top);
    }
    parsed_json_free(parsed);
    free(top);
    return code;
}
