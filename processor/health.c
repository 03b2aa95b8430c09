#include "processor/health.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"

struct part {
    char name[64];
    char problem[256]; /* "": none */
};

struct health {
    pthread_mutex_t mutex;
    unsigned count;                  /* mutex */
    struct part parts[HEALTH_PARTS]; /* mutex */
    _Atomic int64_t beat;            /* monotonic */
};

struct health *health_new(void)
{
    struct health *health = calloc(1, sizeof *health);
    if (health == NULL)
        return NULL;
    CHECK_CALL(pthread_mutex_init(&health->mutex, NULL));
    health_beat(health);
    return health;
}

void health_free(struct health *health)
{
    if (health == NULL)
        return;
    CHECK_CALL(pthread_mutex_destroy(&health->mutex));
    free(health);
}

static struct part *find_locked(struct health *health, const char *name, bool make)
{
    for (unsigned i = 0; i < health->count; i++) {
        if (strncmp(health->parts[i].name, name, sizeof health->parts[i].name - 1) == 0)
            return &health->parts[i];
    }
    if (!make || health->count == HEALTH_PARTS)
        return NULL;
    struct part *part = &health->parts[health->count++];
    snprintf(part->name, sizeof part->name, "%s", name);
    return part;
}

void health_problem(struct health *health, const char *part_name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CHECK_CALL(pthread_mutex_lock(&health->mutex));
    struct part *part = find_locked(health, part_name, true);
    if (part != NULL)
        vsnprintf(part->problem, sizeof part->problem, format, args);
    if (part != NULL && part->problem[0] == '\0')
        snprintf(part->problem, sizeof part->problem, "no reason given");
    CHECK_CALL(pthread_mutex_unlock(&health->mutex));
    va_end(args);
}

void health_ok(struct health *health, const char *part_name)
{
    CHECK_CALL(pthread_mutex_lock(&health->mutex));
    struct part *part = find_locked(health, part_name, false);
    if (part != NULL)
        part->problem[0] = '\0';
    CHECK_CALL(pthread_mutex_unlock(&health->mutex));
}

bool health_ready(struct health *health, char *why, size_t size)
{
    bool ready = true;
    size_t used = 0;
    if (why != NULL && size > 0)
        why[0] = '\0';
    CHECK_CALL(pthread_mutex_lock(&health->mutex));
    for (unsigned i = 0; i < health->count; i++) {
        const struct part *part = &health->parts[i];
        if (part->problem[0] == '\0')
            continue;
        ready = false;
        if (why == NULL || used >= size)
            continue;
        int n = snprintf(why + used, size - used, "%s: %s\n", part->name, part->problem);
        used += n > 0 ? (size_t)n : 0;
    }
    CHECK_CALL(pthread_mutex_unlock(&health->mutex));
    return ready;
}

void health_beat(struct health *health)
{
    atomic_store_explicit(&health->beat, clock_now(), memory_order_relaxed);
}

int64_t health_silence(const struct health *health)
{
    return clock_now() - atomic_load_explicit(&health->beat, memory_order_relaxed);
}
