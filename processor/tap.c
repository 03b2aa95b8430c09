/*
 * A tap is one of TAPS_MAX places in a table that is never freed while pipelines run, so a worker may look at any of them at any time. It says so in `users` before
 * it looks what the tap is at, and the closer first says that the tap is at nothing and then waits for `users` to become 0: either the worker sees that, or
 * the closer sees the worker. Both are sequentially consistent, as each writes one and reads the other.
 */
#include "processor/tap.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/metrics.h"
#include "processor/tap_line.h"
#include "processor/tap_ring.h"
#include "processor/where.h"

/* What may come at once of what may come in a second. */
#define BURST (100 * CLOCK_MS)

/* So many a second: the time up to which what was let through has been paid for. */
struct gate {
    int64_t interval;
    _Atomic int64_t paid;
};

struct tap {
    struct taps *taps;
    bool open;                         /* taps->mutex */
    _Atomic(struct tap_point *) point; /* NULL: closed */
    _Atomic unsigned users;            /* workers that are inside */
    struct tap_options options;
    struct gate looks, lines;
    struct tap_ring *ring;
    _Atomic uint64_t passed, unlooked, matched, over_rate, dropped, taken;
};

struct taps {
    pthread_mutex_t mutex;
    unsigned count;                      /* mutex: of points */
    struct tap_point points[TAP_POINTS]; /* mutex: name and place; const once they are made */
    struct tap taps[TAPS_MAX];
    struct metric *open;
};

/* -- points -- */

struct taps *taps_new(struct metrics *metrics)
{
    struct taps *taps = calloc(1, sizeof *taps);
    if (taps == NULL)
        return NULL;
    CHECK_CALL(pthread_mutex_init(&taps->mutex, NULL));
    for (unsigned i = 0; i < TAPS_MAX; i++)
        taps->taps[i].taps = taps;
    taps->open = metrics_get(metrics, METRIC_GAUGE, "weir_taps_open", "People who look at samples of records.", NULL);
    metric_set(taps->open, 0);
    (void)taps_point(taps, "intake", TAP_INTAKE);
    return taps;
}

void taps_free(struct taps *taps)
{
    if (taps == NULL)
        return;
    for (unsigned i = 0; i < TAPS_MAX; i++)
        CHECK(!taps->taps[i].open);
    CHECK_CALL(pthread_mutex_destroy(&taps->mutex));
    free(taps);
}

static struct tap_point *find_locked(struct taps *taps, const char *name)
{
    for (unsigned i = 0; i < taps->count; i++) {
        if (strncmp(taps->points[i].name, name, sizeof taps->points[i].name - 1) == 0)
            return &taps->points[i];
    }
    return NULL;
}

struct tap_point *taps_point(struct taps *taps, const char *name, enum tap_place place)
{
    if (taps == NULL)
        return NULL;
    CHECK_CALL(pthread_mutex_lock(&taps->mutex));
    struct tap_point *point = find_locked(taps, name);
    if (point == NULL && taps->count < TAP_POINTS) {
        point = &taps->points[taps->count++];
        point->taps = taps;
        point->place = place;
        snprintf(point->name, sizeof point->name, "%s", name);
    }
    CHECK_CALL(pthread_mutex_unlock(&taps->mutex));
    return point;
}

bool taps_have_documents(struct taps *taps, const char *name)
{
    CHECK_CALL(pthread_mutex_lock(&taps->mutex));
    const struct tap_point *point = find_locked(taps, name);
    bool have = point == NULL || point->place != TAP_INTAKE;
    CHECK_CALL(pthread_mutex_unlock(&taps->mutex));
    return have;
}

/* -- rates -- */

static void gate_init(struct gate *gate, uint32_t rate)
{
    gate->interval = CLOCK_SECOND / rate;
    atomic_store_explicit(&gate->paid, 0, memory_order_relaxed);
}

/* How many of `wanted` may come now. */
static uint32_t gate_take(struct gate *gate, int64_t now, uint32_t wanted)
{
    int64_t burst = gate->interval > BURST ? gate->interval : BURST;
    int64_t paid = atomic_load_explicit(&gate->paid, memory_order_relaxed), from, count;
    do {
        from = paid > now ? paid : now;
        count = (now + burst - from) / gate->interval;
        count = count < 0 ? 0 : count > wanted ? wanted : count;
    } while (count > 0 && !atomic_compare_exchange_weak_explicit(&gate->paid, &paid, from + count * gate->interval,
                                                                 memory_order_relaxed, memory_order_relaxed));
    return (uint32_t)count;
}

/* -- looking -- */

static void count(_Atomic uint64_t *counter, uint64_t more)
{
    if (more > 0)
        atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static enum tap_answer answer_of(const struct tap_point *point, const struct record *record)
{
    if (record->answer == STAGE_FORWARD)
        return point->place == TAP_STORE ? TAP_STORED : TAP_FORWARDED;
    return record->answer == STAGE_DROP ? TAP_DROPPED : TAP_REJECTED;
}

static bool passes(const struct record *record, enum tap_part part)
{
    return record->answer != STAGE_SETTLED &&
           (part == TAP_ALL || (record->answer == STAGE_FORWARD) == (part == TAP_FORWARD));
}

/* One worker's look at one batch. */
struct look {
    struct tap *tap;
    const struct tap_point *point;
    const struct batch *batch;
    int64_t now;
    uint32_t chosen_count;
    uint32_t chosen[BATCH_RECORDS]; /* that match, by their index */
};

/* What comparing it may take: a path, or a header, is looked for from the front. */
static uint32_t weight_of(const struct record *record)
{
    enum { MOST = TAP_LOOKS / 20 }; /* less than comes at once: the biggest is looked at as well, now and then */
    uint64_t weight = 1 + ((uint64_t)record->document.text.size + record->headers.size) / TAP_LOOK_BYTES;
    return weight < MOST ? (uint32_t)weight : MOST;
}

/* Taken off what may be compared now, for all that pass. */
static uint32_t allow_looks(struct look *look, enum tap_part part)
{
    uint64_t wanted = 0;
    for (uint32_t i = 0; i < look->batch->count; i++) {
        const struct record *record = &look->batch->records[i];
        wanted += passes(record, part) ? weight_of(record) : 0;
    }
    return gate_take(&look->tap->looks, look->now, wanted < UINT32_MAX ? (uint32_t)wanted : UINT32_MAX);
}

static void choose(struct look *look, enum tap_part part)
{
    struct tap *tap = look->tap;
    const struct where *where = tap->options.where;
    uint32_t passed = 0, looked = 0, allowed = where != NULL ? allow_looks(look, part) : 0;
    struct arena arena;
    arena_init(&arena, NULL);
    for (uint32_t i = 0; i < look->batch->count; i++) {
        const struct record *record = &look->batch->records[i];
        if (!passes(record, part))
            continue;
        passed++;
        uint32_t weight = where != NULL ? weight_of(record) : 0;
        if (weight > allowed || look->chosen_count == BATCH_RECORDS)
            continue;
        allowed -= weight;
        looked++;
        if ((answer_of(look->point, record) & tap->options.answers) != 0 &&
            (where == NULL || where_matches(where, record, &arena)))
            look->chosen[look->chosen_count++] = i;
    }
    arena_fini(&arena);
    count(&tap->passed, passed);
    count(&tap->unlooked, passed - looked);
}

static void take(struct look *look, const struct record *record)
{
    struct tap *tap = look->tap;
    uint64_t at;
    struct tap_slot *slot = tap_ring_reserve(tap->ring, &at);
    if (slot == NULL) {
        count(&tap->dropped, 1);
        return;
    }
    slot->size = tap_line(look->point->name, answer_of(look->point, record), look->batch, record, slot->text);
    count(&tap->taken, 1);
    tap_ring_give(slot, at);
}

static void look_at(struct look *look, enum tap_part part)
{
    struct tap *tap = look->tap;
    choose(look, part);
    uint64_t first = atomic_fetch_add_explicit(&tap->matched, look->chosen_count, memory_order_relaxed);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < look->chosen_count; i++) {
        if ((first + i) % tap->options.every == 0)
            look->chosen[kept++] = look->chosen[i];
    }
    uint32_t allowed = kept > 0 ? gate_take(&tap->lines, look->now, kept) : 0;
    count(&tap->over_rate, kept - allowed);
    for (uint32_t i = 0; i < allowed; i++)
        take(look, &look->batch->records[look->chosen[i]]);
}

void tap_look_watched(struct tap_point *point, const struct batch *batch, enum tap_part part)
{
    for (struct tap *tap = point->taps->taps; tap < point->taps->taps + TAPS_MAX; tap++) {
        if (atomic_load_explicit(&tap->point, memory_order_relaxed) != point)
            continue;
        atomic_fetch_add(&tap->users, 1);
        if (atomic_load(&tap->point) == point) {
            struct look look = {.tap = tap, .point = point, .batch = batch, .now = clock_now()};
            look_at(&look, part);
        }
        atomic_fetch_sub(&tap->users, 1);
    }
}

/* -- the reader -- */

const char *tap_answer_name(enum tap_answer answer)
{
    switch (answer) {
    case TAP_FORWARDED:
        return "forwarded";
    case TAP_STORED:
        return "stored";
    case TAP_DROPPED:
        return "dropped";
    default:
        return "rejected";
    }
}

static enum status no_such_point(struct taps *taps, const char *name, struct error *error)
{
    char names[ERROR_TEXT_MAX / 2] = "";
    size_t used = 0;
    CHECK_CALL(pthread_mutex_lock(&taps->mutex));
    for (unsigned i = 0; i < taps->count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", taps->points[i].name);
    CHECK_CALL(pthread_mutex_unlock(&taps->mutex));
    return error_set(error, ERROR_FATAL, "there is no stage `%s`; there is %s", name,
                     names[0] != '\0' ? names : "none yet: the service is starting");
}

static struct tap *find_closed_locked(struct taps *taps)
{
    for (unsigned i = 0; i < TAPS_MAX; i++) {
        if (!taps->taps[i].open)
            return &taps->taps[i];
    }
    return NULL;
}

static void set_up(struct tap *tap, const struct tap_options *options, struct tap_ring *ring)
{
    tap->options = *options;
    if (tap->options.answers == 0)
        tap->options.answers = TAP_FORWARDED | TAP_STORED | TAP_DROPPED | TAP_REJECTED;
    if (tap->options.every == 0)
        tap->options.every = 1;
    uint32_t rate = options->rate;
    gate_init(&tap->looks, TAP_LOOKS);
    gate_init(&tap->lines, rate == 0 || rate > TAP_RATE ? TAP_RATE : rate);
    tap->ring = ring;
    _Atomic uint64_t *const counters[] = {&tap->passed,    &tap->unlooked, &tap->matched,
                                          &tap->over_rate, &tap->dropped,  &tap->taken};
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        atomic_store_explicit(counters[i], 0, memory_order_relaxed);
}

enum status tap_open(struct taps *taps, const char *name, const struct tap_options *options, struct tap **ret,
                     struct error *error)
{
    CHECK_CALL(pthread_mutex_lock(&taps->mutex));
    struct tap_point *point = find_locked(taps, name);
    struct tap *tap = find_closed_locked(taps);
    struct tap_ring *ring = point != NULL && tap != NULL ? tap_ring_new() : NULL;
    if (ring != NULL) {
        tap->open = true;
        set_up(tap, options, ring);
        atomic_store(&tap->point, point);
        atomic_fetch_add(&point->watched, 1);
    }
    CHECK_CALL(pthread_mutex_unlock(&taps->mutex));
    if (ring != NULL) {
        metric_add(taps->open, 1);
        *ret = tap;
        return STATUS_OK;
    }
    where_free(options->where);
    if (point == NULL)
        return no_such_point(taps, name, error);
    return tap == NULL ? STATUS_FULL : STATUS_NO_MEMORY;
}

void tap_close(struct tap *tap)
{
    struct taps *taps = tap->taps;
    const struct timespec pause = clock_timespec(CLOCK_MS / 10);
    struct tap_point *point = atomic_exchange(&tap->point, NULL);
    atomic_fetch_sub(&point->watched, 1);
    while (atomic_load(&tap->users) > 0)
        nanosleep(&pause, NULL);
    where_free(tap->options.where);
    tap_ring_free(tap->ring);
    tap->ring = NULL;
    metric_add(taps->open, -1);
    CHECK_CALL(pthread_mutex_lock(&taps->mutex));
    tap->open = false;
    CHECK_CALL(pthread_mutex_unlock(&taps->mutex));
}

size_t tap_read(struct tap *tap, char *out, size_t room, uint64_t most, uint64_t *ret_lines)
{
    size_t used = 0;
    struct tap_slot *slot;
    *ret_lines = 0;
    while (*ret_lines < most && (slot = tap_ring_first(tap->ring)) != NULL && slot->size <= room - used) {
        memcpy(out + used, slot->text, slot->size);
        used += slot->size;
        tap_ring_pop(tap->ring, slot);
        ++*ret_lines;
    }
    return used;
}

bool tap_is_empty(const struct tap *tap)
{
    return tap_ring_first(tap->ring) == NULL;
}

void tap_get_counts(const struct tap *tap, struct tap_counts *ret)
{
    *ret = (struct tap_counts){
        .passed = atomic_load_explicit(&tap->passed, memory_order_relaxed),
        .unlooked = atomic_load_explicit(&tap->unlooked, memory_order_relaxed),
        .matched = atomic_load_explicit(&tap->matched, memory_order_relaxed),
        .over_rate = atomic_load_explicit(&tap->over_rate, memory_order_relaxed),
        .dropped = atomic_load_explicit(&tap->dropped, memory_order_relaxed),
        .taken = atomic_load_explicit(&tap->taken, memory_order_relaxed),
    };
}
