#include "processor/batch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/budget.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/ledger.h"

struct batch_pool {
    struct budget *budget;
    pthread_mutex_t mutex;
    struct batch *idle;  /* mutex */
    unsigned idle_count; /* mutex */
    unsigned keep;
    unsigned out; /* atomic */
};

enum { FIRST_ROOM = 64, MESSAGE_MAX = 500 };

struct batch_pool *batch_pool_new(struct budget *budget, unsigned keep)
{
    struct batch_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->budget = budget;
    pool->keep = keep;
    CHECK_CALL(pthread_mutex_init(&pool->mutex, NULL));
    return pool;
}

static void charge_records(struct batch *batch, uint32_t before, uint32_t after)
{
    struct budget *budget = batch->pool->budget;
    if (budget == NULL)
        return;
    if (after > before)
        budget_take(budget, (after - before) * sizeof *batch->records);
    else
        budget_give(budget, (before - after) * sizeof *batch->records);
}

static void destroy(struct batch *batch)
{
    charge_records(batch, batch->room, 0);
    arena_fini(&batch->arena);
    free(batch->records);
    free(batch);
}

void batch_pool_free(struct batch_pool *pool)
{
    if (pool == NULL)
        return;
    CHECK(batch_pool_out(pool) == 0);
    while (pool->idle != NULL) {
        struct batch *batch = pool->idle;
        pool->idle = batch->next;
        destroy(batch);
    }
    CHECK_CALL(pthread_mutex_destroy(&pool->mutex));
    free(pool);
}

unsigned batch_pool_out(const struct batch_pool *pool)
{
    return __atomic_load_n(&pool->out, __ATOMIC_ACQUIRE);
}

static struct batch *reuse(struct batch_pool *pool)
{
    CHECK_CALL(pthread_mutex_lock(&pool->mutex));
    struct batch *batch = pool->idle;
    if (batch != NULL) {
        pool->idle = batch->next;
        pool->idle_count--;
    }
    CHECK_CALL(pthread_mutex_unlock(&pool->mutex));
    return batch;
}

struct batch *batch_new(struct batch_pool *pool, const char *topic, int32_t partition)
{
    struct batch *batch = reuse(pool);
    if (batch == NULL) {
        batch = calloc(1, sizeof *batch);
        if (batch == NULL)
            return NULL;
        batch->pool = pool;
        arena_init(&batch->arena, pool->budget);
    }
    batch->count = batch->cut = 0;
    batch->topic = topic;
    batch->partition = partition;
    batch->ticket = NULL;
    batch->origins = NULL;
    batch->parent = NULL;
    batch->next = NULL;
    batch->entered = 0;
    batch->refs = 1;
    __atomic_add_fetch(&pool->out, 1, __ATOMIC_RELAXED);
    return batch;
}

/* An idle batch keeps its record array and one arena chunk, and they stay charged: it is memory in use. */
static void recycle(struct batch *batch)
{
    struct batch_pool *pool = batch->pool;
    arena_reset(&batch->arena);
    CHECK_CALL(pthread_mutex_lock(&pool->mutex));
    bool kept = pool->idle_count < pool->keep;
    if (kept) {
        batch->next = pool->idle;
        pool->idle = batch;
        pool->idle_count++;
    }
    CHECK_CALL(pthread_mutex_unlock(&pool->mutex));
    if (!kept)
        destroy(batch);
    __atomic_sub_fetch(&pool->out, 1, __ATOMIC_RELEASE);
}

void batch_free(struct batch *batch)
{
    if (batch == NULL || __atomic_sub_fetch(&batch->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    ticket_unref(batch->ticket);
    batch->ticket = NULL;
    struct batch *parent = batch->parent;
    recycle(batch);
    batch_free(parent);
}

void batch_abandon(struct batch *batch)
{
    for (uint32_t i = 0; batch != NULL && batch->ticket != NULL && i < batch->count; i++) {
        if (batch->records[i].answer != STAGE_SETTLED)
            ticket_abandon(batch->ticket, batch->records[i].index, 1);
    }
    batch_free(batch);
}

uint32_t batch_forward(const struct batch *batch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        count += batch->records[i].answer == STAGE_FORWARD;
    return count;
}

static bool make_room(struct batch *batch, uint32_t room)
{
    if (room <= batch->room)
        return true;
    uint32_t next = batch->room == 0 ? FIRST_ROOM : batch->room * 2;
    if (next < room)
        next = room;
    struct record *records = realloc(batch->records, next * sizeof *records);
    if (records == NULL)
        return false;
    batch->records = records;
    charge_records(batch, batch->room, next);
    batch->room = next;
    return true;
}

struct record *batch_add(struct batch *batch)
{
    if (batch->count == batch->room && !make_room(batch, batch->count + 1))
        return NULL;
    struct record *record = &batch->records[batch->count++];
    *record = (struct record){0};
    return record;
}

size_t batch_bytes(const struct batch *batch)
{
    size_t bytes = batch->arena.held + batch->room * sizeof *batch->records;
    /* A branch keeps its parent's memory alive, and nobody changes that any more. */
    return batch->parent != NULL ? bytes + batch_bytes(batch->parent) : bytes;
}

struct batch *batch_branch(struct batch *batch)
{
    struct batch *branch = batch_new(batch->pool, batch->topic, batch->partition);
    if (branch == NULL)
        return NULL;
    if (!make_room(branch, batch->count)) {
        batch_free(branch);
        return NULL;
    }
    memcpy(branch->records, batch->records, batch->count * sizeof *batch->records);
    branch->count = batch->count;
    branch->entered = batch->entered;
    branch->ticket = batch->ticket;
    if (branch->ticket != NULL)
        ticket_ref(branch->ticket);
    branch->origins = batch->origins;
    branch->parent = batch;
    __atomic_add_fetch(&batch->refs, 1, __ATOMIC_RELAXED);
    return branch;
}

static bool copy_raw(struct batch *to, const struct record *from)
{
    struct record *record = batch_add(to);
    if (record == NULL)
        return false;
    /* A document would stay behind in the other batch's arena. */
    CHECK(from->document.kind == DOCUMENT_NONE);
    *record = *from;
    record->failure = NULL;
    record->key = arena_copy(&to->arena, from->key);
    record->value = arena_copy(&to->arena, from->value);
    record->headers = arena_copy(&to->arena, from->headers);
    return (record->key.data != NULL) == (from->key.data != NULL) &&
           (record->value.data != NULL) == (from->value.data != NULL) &&
           (record->headers.data != NULL) == (from->headers.data != NULL);
}

bool batch_make_origins(struct batch *batch)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        most = batch->records[i].index > most ? batch->records[i].index : most;
    size_t size = (most + (size_t)1) * sizeof *batch->origins;
    struct origin *origins = arena_alloc(&batch->arena, size);
    if (origins == NULL)
        return false;
    memset(origins, 0, size);
    batch->origins = origins;
    return true;
}

/* Neighbours mostly come from one topic, whose name is copied once. */
static bool copy_origins(struct batch *to, const struct batch *from)
{
    const struct origin *last = NULL;
    const char *topic = NULL;
    if (from->origins == NULL)
        return true;
    if (!batch_make_origins(to))
        return false;
    for (uint32_t i = 0; i < to->count; i++) {
        const struct origin *origin = record_origin(from, &to->records[i]);
        if (origin == NULL)
            continue;
        if (last == NULL || last->topic != origin->topic)
            topic = arena_string(&to->arena, origin->topic, strlen(origin->topic));
        if (topic == NULL)
            return false;
        to->origins[to->records[i].index] = *origin;
        to->origins[to->records[i].index].topic = topic;
        last = origin;
    }
    return true;
}

struct batch *batch_split(struct batch *batch, uint32_t from)
{
    CHECK(from <= batch->count && batch->parent == NULL);
    struct batch *rest = batch_new(batch->pool, batch->topic, batch->partition);
    if (rest == NULL)
        return NULL;
    for (uint32_t i = from; i < batch->count; i++) {
        if (!copy_raw(rest, &batch->records[i])) {
            batch_free(rest);
            return NULL;
        }
    }
    if (!copy_origins(rest, batch)) {
        batch_free(rest);
        return NULL;
    }
    rest->entered = batch->entered;
    rest->ticket = batch->ticket;
    if (rest->ticket != NULL)
        ticket_ref(rest->ticket);
    batch->count = from;
    batch->cut = 0;
    return rest;
}

/* Not in the middle of a character: what lies behind the cut may have been the rest of it. */
static size_t cut_size(const char *text, size_t size)
{
    size_t start = size;
    while (start > 0 && size - start < 4 && ((uint8_t)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0 || ((uint8_t)text[start - 1] & 0x80) == 0)
        return size;
    uint8_t lead = (uint8_t)text[start - 1];
    size_t wants = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    return size - (start - 1) < wants ? start - 1 : size;
}

static void answer(struct batch *batch, struct record *record, enum stage_answer answer, const char *class,
                   const char *format, va_list args)
{
    /* Shared, so its stage is set: the framework fills in only an empty one. */
    static const struct failure no_memory = {.stage = "batch", .class = "memory", .message = "out of memory"};
    char text[MESSAGE_MAX];
    int size = vsnprintf(text, sizeof text, format, args);
    size_t used = size < 0 ? 0 : size < MESSAGE_MAX ? (size_t)size : cut_size(text, MESSAGE_MAX - 1);
    struct failure *failure = arena_alloc(&batch->arena, sizeof *failure);
    const char *message = failure != NULL ? arena_string(&batch->arena, text, used) : NULL;
    record->answer = (uint8_t)answer;
    if (message == NULL) {
        record->failure = (struct failure *)&no_memory;
        return;
    }
    *failure = (struct failure){.stage = "", .class = class, .message = message};
    record->failure = failure;
}

#define ANSWER_WITH(kind)                                                                                              \
    va_list args;                                                                                                      \
    va_start(args, format);                                                                                            \
    answer(batch, record, kind, class, format, args);                                                                  \
    va_end(args)

void batch_reject(struct batch *batch, struct record *record, const char *class, const char *format, ...)
{
    ANSWER_WITH(STAGE_REJECT);
}

void batch_retry(struct batch *batch, struct record *record, const char *class, const char *format, ...)
{
    ANSWER_WITH(STAGE_RETRY);
}

void batch_fatal(struct batch *batch, struct record *record, const char *class, const char *format, ...)
{
    ANSWER_WITH(STAGE_FATAL);
}
