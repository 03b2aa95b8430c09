/*
 * The terminal of `weir top`: the alternate screen, keys without Enter, signals, and all of it put back whatever ends it. Where there is no terminal, pictures are
 * written one below the other.
 * Threads: one; there is one screen a process.
 */
#ifndef WEIR_CLI_TOP_SCREEN_H
#define WEIR_CLI_TOP_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/columns.h"
#include "cli/top_view.h"
#include "processor/error.h"

struct top_screen;

enum top_event { TOP_TIME, TOP_REDRAW, TOP_QUIT };

/* live: draw over the last picture; else stdout is written to line by line. STATUS_FAILED: see error. */
enum status top_screen_open(bool live, struct top_screen **ret, struct error *error) WARN_UNUSED;
void top_screen_close(struct top_screen *screen); /* NULL is fine */
/* What ends a wait elsewhere: file descriptors that are readable when top_screen_wait has something to tell. Returns how many, 2 at most. */
unsigned top_screen_fds(const struct top_screen *screen, int fds[2]);
struct columns_style top_screen_style(const struct top_screen *screen);
unsigned top_screen_height(const struct top_screen *screen);
void top_screen_draw(struct top_screen *screen, char lines[TOP_LINES][COLUMNS_LINE_MAX], unsigned count);
/* Until `until` (clock_now): TOP_TIME; q, Ctrl-C or another signal to end: TOP_QUIT; the window's size changed, or it is seen again: TOP_REDRAW; a blank:
 * TOP_TIME at once. */
enum top_event top_screen_wait(struct top_screen *screen, int64_t until);

#endif
