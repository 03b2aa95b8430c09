/*
 * A line is built in full and written by one call, so that lines of several threads (and of a child that shares stderr) never mix.
 *
 * Rate limit: a small table remembers call places by format pointer and part. A place that said something less than a second ago keeps its newest line back
 * instead, with the number of those before it; the line is said when the second is over, by whoever logs next or calls log_tick. So the last thing that a
 * place had to say is never lost. The table is 32 sets of 4 places; one that makes room for another says what it kept back.
 */
#include "processor/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "processor/check.h"
#include "processor/clock.h"

enum { TEXT_MAX = 1024, PART_MAX = 64, SETS = 32, WAYS = 4 };
enum { LINE_MAX_SIZE = (TEXT_MAX + PART_MAX) * 6 + 160 }; /* every byte escaped as \u00xx */

#define QUIET CLOCK_SECOND

struct place {
    const char *format; /* NULL: unused */
    char part[PART_MAX];
    int64_t said_at;
    unsigned kept; /* lines kept back since */
    enum log_level level;
    int64_t wall_ms; /* of the newest of these */
    char text[TEXT_MAX];
};

static struct {
    pthread_mutex_t mutex;
    enum log_level level;            /* mutex */
    bool json;                       /* mutex */
    void (*before)(void);            /* mutex */
    void (*after)(void);             /* mutex */
    struct place places[SETS][WAYS]; /* mutex */
    unsigned keeping;                /* mutex: places that keep something back */
    char line[LINE_MAX_SIZE];        /* mutex */
} state = {.mutex = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO};

/* -- what is remembered -- */

static struct {
    pthread_mutex_t mutex;
    unsigned count;                       /* mutex */
    const char *formats[LOG_RECENT];      /* mutex: of the entries */
    struct log_entry entries[LOG_RECENT]; /* mutex: newest first */
} recent = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Where the place's entry is; else that of a new one, in the stead of the oldest when there are as many as there can be. */
static unsigned find_entry_locked(const char *format, const char *part)
{
    for (unsigned i = 0; i < recent.count; i++) {
        if (recent.formats[i] == format &&
            strncmp(recent.entries[i].part, part, sizeof recent.entries[i].part - 1) == 0)
            return i;
    }
    if (recent.count < LOG_RECENT)
        recent.count++;
    recent.entries[recent.count - 1].count = 0;
    return recent.count - 1;
}

static void remember(enum log_level level, const char *part, const char *format, const char *text)
{
    CHECK_CALL(pthread_mutex_lock(&recent.mutex));
    unsigned at = find_entry_locked(format, part), count = recent.entries[at].count + 1;
    memmove(recent.entries + 1, recent.entries, at * sizeof recent.entries[0]);
    memmove(recent.formats + 1, recent.formats, at * sizeof recent.formats[0]);
    struct log_entry *entry = &recent.entries[0];
    recent.formats[0] = format;
    *entry = (struct log_entry){.level = level, .wall_ms = clock_wall_ms(), .count = count};
    snprintf(entry->part, sizeof entry->part, "%s", part);
    snprintf(entry->text, sizeof entry->text, "%s", text);
    CHECK_CALL(pthread_mutex_unlock(&recent.mutex));
}

unsigned log_recent(struct log_entry entries[LOG_RECENT])
{
    CHECK_CALL(pthread_mutex_lock(&recent.mutex));
    unsigned count = recent.count;
    memcpy(entries, recent.entries, count * sizeof *entries);
    CHECK_CALL(pthread_mutex_unlock(&recent.mutex));
    return count;
}

void log_remember(const char *part, const char *format, ...)
{
    char text[sizeof recent.entries[0].text];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        snprintf(text, sizeof text, "(%s)", format);
    va_end(args);
    remember(LOG_WARN, part, format, text);
}

/* -- one line -- */

static char *put(char *out, const char *text)
{
    return stpcpy(out, text);
}

static char *put_time(char *out, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    out += strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    return out + snprintf(out, 8, ".%03dZ", (int)(wall_ms % 1000));
}

/* The size of the UTF-8 character at `at` (RFC 3629: no surrogates, nothing overlong), 0 when it is none. Reads no further than the terminating zero. */
static unsigned utf8_size(const uint8_t *at)
{
    static const struct {
        uint8_t first, last, low, high;
        unsigned size;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last)
            continue;
        if (forms[i].size > 1 && (at[1] < forms[i].low || at[1] > forms[i].high))
            return 0;
        for (unsigned k = 2; k < forms[i].size; k++) {
            if ((at[k] & 0xc0) != 0x80)
                return 0;
        }
        return forms[i].size;
    }
    return 0;
}

/* Control characters never reach the terminal or break the line; what is no UTF-8 is shown as U+FFFD. */
static char *put_escaped(char *out, const char *text, bool json)
{
    for (const uint8_t *at = (const uint8_t *)text; *at != '\0';) {
        unsigned size = utf8_size(at);
        bool control = *at < 0x20 || *at == 0x7f;
        if (size == 0)
            out = put(out, "\xef\xbf\xbd");
        else if (json && (*at == '"' || *at == '\\'))
            out += sprintf(out, "\\%c", *at);
        else if (*at == '\n')
            out = put(out, "\\n");
        else if (control)
            out += sprintf(out, json ? "\\u%04x" : "\\x%02x", *at);
        else
            out = mempcpy(out, at, size);
        at += size == 0 ? 1 : size;
    }
    return out;
}

static size_t build_text(char *line, enum log_level level, int64_t wall_ms, const char *part, const char *text,
                         unsigned more)
{
    static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
    char *out = put_time(line, wall_ms);
    out += sprintf(out, " %s ", names[level]);
    out = put_escaped(out, part, false);
    out = put(out, ": ");
    out = put_escaped(out, text, false);
    if (more > 0)
        out += sprintf(out, " (and %u more like this)", more);
    *out++ = '\n';
    return (size_t)(out - line);
}

static size_t build_json(char *line, enum log_level level, int64_t wall_ms, const char *part, const char *text,
                         unsigned more)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char *out = put(line, "{\"time\":\"");
    out = put_time(out, wall_ms);
    out += sprintf(out, "\",\"level\":\"%s\",\"part\":\"", names[level]);
    out = put_escaped(out, part, true);
    out = put(out, "\",\"text\":\"");
    out = put_escaped(out, text, true);
    out = put(out, "\"");
    if (more > 0)
        out += sprintf(out, ",\"more\":%u", more);
    out = put(out, "}\n");
    return (size_t)(out - line);
}

/* Nobody is told when stderr does not take it: there is no better place to say so. */
static void write_out(const char *line, size_t size)
{
    while (size > 0) {
        ssize_t n = write(STDERR_FILENO, line, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        line += n;
        size -= (size_t)n;
    }
}

static void say_locked(enum log_level level, int64_t wall_ms, const char *part, const char *text, unsigned more)
{
    size_t size = state.json ? build_json(state.line, level, wall_ms, part, text, more)
                             : build_text(state.line, level, wall_ms, part, text, more);
    CHECK(size <= sizeof state.line);
    if (state.before != NULL)
        state.before();
    write_out(state.line, size);
    if (state.after != NULL)
        state.after();
}

/* -- the rate limit -- */

static void say_kept_locked(struct place *place, int64_t now)
{
    if (place->kept == 0)
        return;
    say_locked(place->level, place->wall_ms, place->part, place->text, place->kept - 1);
    place->kept = 0;
    place->said_at = now;
    state.keeping--;
}

static void say_due_locked(int64_t now, bool all)
{
    for (unsigned i = 0; i < SETS * WAYS && state.keeping > 0; i++) {
        struct place *place = &state.places[i / WAYS][i % WAYS];
        if (all || now - place->said_at >= QUIET)
            say_kept_locked(place, now);
    }
}

static bool is_place(const struct place *place, const char *format, const char *part)
{
    return place->format == format && strncmp(place->part, part, PART_MAX - 1) == 0;
}

/* The place, or a new one in the stead of the one that was quiet for longest (said_at 0: never used). */
static struct place *find_place_locked(const char *format, const char *part, int64_t now, bool *ret_new)
{
    uintptr_t hash = (uintptr_t)format >> 1;
    for (const char *at = part; *at != '\0' && at < part + PART_MAX - 1; at++)
        hash = hash * 31 + (uint8_t)*at;
    struct place *set = state.places[(hash ^ hash >> 7) % SETS], *oldest = set;
    for (struct place *place = set; place < set + WAYS; place++) {
        if (is_place(place, format, part)) {
            *ret_new = false;
            return place;
        }
        if (place->said_at < oldest->said_at)
            oldest = place;
    }
    say_kept_locked(oldest, now);
    oldest->format = format;
    snprintf(oldest->part, sizeof oldest->part, "%s", part);
    *ret_new = true;
    return oldest;
}

static void keep_locked(struct place *place, enum log_level level, int64_t wall_ms, const char *text)
{
    if (place->kept++ == 0)
        state.keeping++;
    place->level = level;
    place->wall_ms = wall_ms;
    snprintf(place->text, sizeof place->text, "%s", text);
}

void log_write(enum log_level level, const char *part, const char *format, ...)
{
    char text[TEXT_MAX];
    int saved = errno;
    CHECK_CALL(pthread_mutex_lock(&state.mutex));
    int64_t now = clock_now();
    say_due_locked(now, false);
    if (level <= state.level) {
        va_list args;
        va_start(args, format);
        errno = saved; /* for %m */
        if (vsnprintf(text, sizeof text, format, args) < 0)
            snprintf(text, sizeof text, "(%s)", format);
        va_end(args);
        if (level <= LOG_WARN)
            remember(level, part, format, text);
        bool first;
        struct place *place = find_place_locked(format, part, now, &first);
        if (level != LOG_DEBUG && !first && now - place->said_at < QUIET) {
            keep_locked(place, level, clock_wall_ms(), text);
        } else {
            place->said_at = now;
            say_locked(level, clock_wall_ms(), place->part, text, 0);
        }
    }
    CHECK_CALL(pthread_mutex_unlock(&state.mutex));
    errno = saved;
}

void log_tick(void)
{
    CHECK_CALL(pthread_mutex_lock(&state.mutex));
    say_due_locked(clock_now(), false);
    CHECK_CALL(pthread_mutex_unlock(&state.mutex));
}

void log_flush(void)
{
    CHECK_CALL(pthread_mutex_lock(&state.mutex));
    say_due_locked(clock_now(), true);
    CHECK_CALL(pthread_mutex_unlock(&state.mutex));
}

void log_set(enum log_level level, bool json)
{
    CHECK_CALL(pthread_mutex_lock(&state.mutex));
    state.level = level;
    state.json = json;
    CHECK_CALL(pthread_mutex_unlock(&state.mutex));
}

void log_on_line(void (*before)(void), void (*after)(void))
{
    CHECK_CALL(pthread_mutex_lock(&state.mutex));
    state.before = before;
    state.after = after;
    CHECK_CALL(pthread_mutex_unlock(&state.mutex));
}
