/*
 * The process's log: one line each on stderr, `2026-01-02T03:04:05.678Z LEVEL part: text` or JSON. Library code returns errors; only main, the supervisor, the
 * intake and connectors' own callbacks log.
 *
 * Rate limit: one line a second for each call place (the format's pointer and the part). What comes sooner is kept back, the newest of it is said when the second is
 * over (by the next line of whatever place, log_tick or log_flush), with how many more there were. Debug lines are all said: who asks for them wants each.
 * Threads: all functions from any thread; not from a signal handler.
 */
#ifndef WEIR_PROCESSOR_LOG_H
#define WEIR_PROCESSOR_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/status.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set(enum log_level level, bool json);
void log_write(enum log_level level, const char *part, const char *format, ...) PRINTF_LIKE(3, 4);
/* Says what was kept back and is due (log_tick: every second or so) or all of it (log_flush: before the process ends). */
void log_tick(void);
void log_flush(void);
/* Called before and after each line is written: a progress line on the terminal gets out of the way. Under the log's own lock, so they must not log. */
void log_on_line(void (*before)(void), void (*after)(void));

/* The latest warnings and errors, for who looks at the running process: lines of one place are one entry, of the newest. Newest first; returns how many. */
enum { LOG_RECENT = 16 };
struct log_entry {
    enum log_level level;
    int64_t wall_ms; /* of the newest */
    unsigned count;
    char part[64], text[256];
};
unsigned log_recent(struct log_entry entries[LOG_RECENT]);
/* Remembered as a warning there, and not written: what may come for each of very many records. Never waits for stderr. */
void log_remember(const char *part, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_error(part, ...) log_write(LOG_ERROR, part, __VA_ARGS__)
#define log_warn(part, ...) log_write(LOG_WARN, part, __VA_ARGS__)
#define log_info(part, ...) log_write(LOG_INFO, part, __VA_ARGS__)
#define log_debug(part, ...) log_write(LOG_DEBUG, part, __VA_ARGS__)

#endif
