#include "cli/progress.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/progress_view.h"
#include "cli/terminal.h"
#include "processor/check.h"
#include "processor/log.h"

/* The rate is over the last RATE_TICKS: long enough to be read, short enough to be of now. */
enum { RATE_TICKS = 8 };

struct progress {
    struct metrics *metrics;
    int64_t started, plain_at;
    bool terminal, json;
    struct view view;
    struct columns_style style;
    struct {
        int64_t when, consumed, done;
    } ring[RATE_TICKS];
    unsigned ticks;
    char lines[VIEW_LINES][VIEW_LINE_MAX]; /* screen */
    unsigned count;                        /* screen: of lines; 0: not drawn yet */
};

const char *const progress_modes[] = {
    [PROGRESS_AUTO] = "auto", [PROGRESS_ALWAYS] = "always", [PROGRESS_NEVER] = "never", NULL};

/* Guards what is on the screen, and `active`: log lines come from any thread. */
static pthread_mutex_t screen = PTHREAD_MUTEX_INITIALIZER;
static struct progress *active; /* screen */

enum progress_mode progress_mode_of(const char *name)
{
    for (int i = 0; name != NULL && progress_modes[i] != NULL; i++) {
        if (strcmp(progress_modes[i], name) == 0)
            return (enum progress_mode)i;
    }
    return PROGRESS_AUTO;
}

/* -- the terminal -- */

bool progress_colour(void)
{
    return terminal_wants_colour(STDERR_FILENO);
}

/* What is drawn goes out in one piece, so that no other writer gets in between. */
static void erase_locked(const struct progress *progress)
{
    if (progress->count > 0)
        fprintf(stderr, "\033[%uA\r\033[J", progress->count);
    fflush(stderr);
}

static void draw_locked(const struct progress *progress)
{
    char text[VIEW_LINES * VIEW_LINE_MAX + 64];
    size_t used = 0;
    for (unsigned i = 0; i < progress->count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\033[K\n", progress->lines[i]);
    fwrite(text, 1, used, stderr);
    fflush(stderr);
}

static void redraw(struct progress *progress)
{
    CHECK_CALL(pthread_mutex_lock(&screen));
    if (progress->count > 0)
        fprintf(stderr, "\033[%uA\r", progress->count);
    progress->style.width = terminal_width(STDERR_FILENO);
    progress->count = view_lines(&progress->view, &progress->style, progress->lines);
    draw_locked(progress);
    CHECK_CALL(pthread_mutex_unlock(&screen));
}

/* Around each log line; the screen is locked in between. */
static void before_line(void)
{
    CHECK_CALL(pthread_mutex_lock(&screen));
    if (active != NULL && active->terminal)
        erase_locked(active);
}

static void after_line(void)
{
    if (active != NULL && active->terminal)
        draw_locked(active);
    CHECK_CALL(pthread_mutex_unlock(&screen));
}

/* -- the progress -- */

struct progress *progress_start(const struct progress_config *config)
{
    bool json = config->mode == PROGRESS_JSON, terminal = !json && terminal_is(STDERR_FILENO);
    if (config->mode == PROGRESS_NEVER || (config->mode == PROGRESS_AUTO && !terminal))
        return NULL;
    struct progress *progress = calloc(1, sizeof *progress);
    if (progress == NULL)
        return NULL;
    progress->metrics = config->metrics;
    progress->started = clock_now();
    progress->plain_at = progress->started + (json ? PROGRESS_JSON_EVERY : PROGRESS_PLAIN);
    progress->terminal = terminal;
    progress->json = json;
    progress->view = (struct view){.service = config->service, .total = config->total, .offsets = config->offsets};
    progress->style = (struct columns_style){.colour = progress_colour(), .unicode = terminal_is_utf8()};
    CHECK_CALL(pthread_mutex_lock(&screen));
    active = progress;
    CHECK_CALL(pthread_mutex_unlock(&screen));
    /* Never taken back: a line may be under way, and without an active progress the two do nothing. */
    log_on_line(before_line, after_line);
    return progress;
}

static int64_t per_second(int64_t count, int64_t time)
{
    return (int64_t)((double)count * (double)CLOCK_SECOND / (double)time);
}

static void measure(struct progress *progress, int64_t now)
{
    struct view *view = &progress->view;
    view->elapsed = now - progress->started;
    view_read(view, progress->metrics);
    unsigned at = progress->ticks % RATE_TICKS;
    unsigned oldest = progress->ticks < RATE_TICKS ? 0 : at;
    int64_t time = now - progress->ring[oldest].when;
    if (progress->ticks > 0 && time > 0) {
        view->rate = per_second(view->consumed - progress->ring[oldest].consumed, time);
        view->offset_rate = per_second(view->offsets_done - progress->ring[oldest].done, time);
    }
    progress->ring[at].when = now;
    progress->ring[at].consumed = view->consumed;
    progress->ring[at].done = view->offsets_done;
    progress->ticks++;
}

static void tell(const struct progress *progress)
{
    char text[VIEW_LINE_MAX];
    if (progress->json)
        view_json(&progress->view, text, sizeof text);
    else
        view_plain(&progress->view, text, sizeof text);
    fprintf(stderr, "%s\n", text);
}

void progress_tick(struct progress *progress)
{
    if (progress == NULL)
        return;
    int64_t now = clock_now();
    measure(progress, now);
    if (progress->terminal) {
        redraw(progress);
    } else if (now >= progress->plain_at) {
        tell(progress);
        progress->plain_at = now + (progress->json ? PROGRESS_JSON_EVERY : PROGRESS_PLAIN);
    }
}

void progress_stop(struct progress *progress, bool ended)
{
    if (progress == NULL)
        return;
    if (progress->json) {
        measure(progress, clock_now());
        if (ended)
            view_end(&progress->view);
        tell(progress);
    }
    CHECK_CALL(pthread_mutex_lock(&screen));
    if (progress->terminal)
        erase_locked(progress);
    active = NULL;
    CHECK_CALL(pthread_mutex_unlock(&screen));
    free(progress);
}
