/* See stretch.h: bounds as people write them. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "processor/stretch.h"
#include "processor/timestamp.h"

/* -- a text that says when it was cut -- */

struct words {
    char *text;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void add(struct words *words, const char *format, ...)
{
    va_list args;
    if (words->used >= words->size)
        return;
    va_start(args, format);
    int length = vsnprintf(words->text + words->used, words->size - words->used, format, args);
    va_end(args);
    words->used += length > 0 ? (size_t)length : 0;
    if (words->used >= words->size)
        snprintf(words->text + words->size - sizeof "...", sizeof "...", "...");
}

/* -- bounds -- */

static void add_ago(struct words *words, int64_t ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } UNITS[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    add(words, ms > 0 ? "-" : "-0s");
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        if (ms >= UNITS[i].ms)
            add(words, "%" PRId64 "%s", ms / UNITS[i].ms, UNITS[i].name);
        ms %= UNITS[i].ms;
    }
}

static void add_time(struct words *words, int64_t time)
{
    uint8_t text[TIMESTAMP_MAX];
    add(words, "%.*s", (int)timestamp_write(text, time), (const char *)text);
}

static void add_offsets(struct words *words, const struct stretch_bound *bound)
{
    for (unsigned i = 0; i < bound->offset_count; i++) {
        const struct stretch_offset *offset = &bound->offsets[i];
        add(words, "%s%s%s%" PRId32 "@%" PRId64, i > 0 ? "," : "", offset->topic != NULL ? offset->topic : "",
            offset->topic != NULL ? "/" : "", offset->partition, offset->offset);
    }
}

static void add_bound(struct words *words, const struct stretch_bound *bound)
{
    switch (bound->kind) {
    case STRETCH_BEGINNING:
        add(words, "beginning");
        break;
    case STRETCH_NOW:
        add(words, "now");
        break;
    case STRETCH_TIME:
        if (bound->relative)
            add_ago(words, bound->ago);
        else
            add_time(words, bound->time);
        break;
    default:
        add_offsets(words, bound);
    }
}

void stretch_ago_words(int64_t ms, char *ret, size_t size)
{
    struct words words = {.text = ret, .size = size};
    add_ago(&words, ms);
}

void stretch_request_words(const struct stretch_request *request, char *ret, size_t size)
{
    struct words words = {.text = ret, .size = size};
    add(&words, "--from ");
    add_bound(&words, &request->from);
    add(&words, " --to ");
    add_bound(&words, &request->to);
    for (unsigned i = 0; i < request->partition_count; i++) {
        const struct stretch_partition *partition = &request->partitions[i];
        add(&words, "%s%s%s%" PRId32, i > 0 ? "," : " --partitions ", partition->topic != NULL ? partition->topic : "",
            partition->topic != NULL ? "/" : "", partition->partition);
    }
}
