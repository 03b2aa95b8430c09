/*
 * The source of memory.h. Its run keeps the intake's rules as the Kafka source does: asks for room before each pop, pauses when there is none for
 * INTAKE_PAUSE_AFTER, drains and commits at a revoke and at the end, and never calls the intake under the broker's mutex (its wake takes that).
 */
#include <stdio.h>
#include <stdlib.h>

#include "processor/check.h"
#include "processor/intake.h"
#include "tests/support/memory_broker.h"

#define LOOK (50 * CLOCK_MS)

struct assigned {
    struct intake_partition *intake; /* NULL: not assigned */
    int64_t position;
    int64_t pushed; /* behind the last record pushed; -1 none */
    int64_t until;  /* exit_at_end */
    bool paused;
    struct batch *fetched; /* the queue had no room for it */
    int64_t fetched_to;
};

struct memory_source {
    struct memory_broker *broker;
    struct intake *intake;
    struct context *context;
    bool exit_at_end;
    int64_t no_room_since; /* 0: there is room */
    bool away;             /* as the intake was told */
    struct assigned assigned[];
};

static enum status source_open(const void *config, const struct connector_env *env, struct context *context,
                               void **ret_source, struct error *error)
{
    struct memory_broker *broker = (struct memory_broker *)config;
    (void)context;
    memory_lock(&broker->mutex);
    bool fails = broker->open_failures > 0;
    if (fails)
        broker->open_failures--;
    enum error_class class = broker->open_failure;
    memory_unlock(&broker->mutex);
    if (fails)
        return error_set(error, class, "open fails as it was told");
    struct memory_source *source = calloc(1, sizeof *source + broker->partition_count * sizeof source->assigned[0]);
    CHECK(source != NULL);
    source->broker = broker;
    source->exit_at_end = env->exit_at_end;
    *ret_source = source;
    return STATUS_OK;
}

static void source_close(void *source)
{
    free(source);
}

static void wake(void *arg)
{
    struct memory_broker *broker = arg;
    memory_lock(&broker->mutex);
    broker->woken = true;
    CHECK_CALL(pthread_cond_broadcast(&broker->changed));
    memory_unlock(&broker->mutex);
}

/* A copy: what the tests change is read under the mutex, once a turn. */
static struct memory_partition read_partition(struct memory_source *source, unsigned number)
{
    memory_lock(&source->broker->mutex);
    struct memory_partition partition = source->broker->partitions[number];
    memory_unlock(&source->broker->mutex);
    return partition;
}

/* -- assignment and commits -- */

static void assign(struct memory_source *source, unsigned number)
{
    struct assigned *assigned = &source->assigned[number];
    struct memory_partition partition = read_partition(source, number);
    int64_t start = partition.committed >= 0 ? partition.committed : 0;
    struct offset_start stored = {.topic = source->broker->topic, .partition = (int32_t)number};
    struct error error;
    enum status status = intake_find_starts(source->intake, &stored, 1, source->context, CLOCK_NEVER, &error);
    if (status != STATUS_OK)
        return; /* the context ended, or a drain began: nothing else ends the asking */
    if (stored.offset >= 0)
        start = stored.offset;
    *assigned = (struct assigned){.position = start, .pushed = -1, .until = partition.end};
    assigned->intake = intake_assign(source->intake, source->broker->topic, (int32_t)number, start);
    CHECK(assigned->intake != NULL);
    intake_set_stored(assigned->intake, stored.offset);
    intake_position(assigned->intake, start, partition.end);
}

static void commit(struct memory_source *source, unsigned number)
{
    struct assigned *assigned = &source->assigned[number];
    int64_t offset = intake_committable(assigned->intake);
    if (offset < 0)
        return;
    if (offset == assigned->pushed)
        offset = assigned->position; /* past gaps */
    struct memory_broker *broker = source->broker;
    memory_lock(&broker->mutex);
    struct memory_partition *partition = &broker->partitions[number];
    bool moved = offset != partition->committed;
    /* What a store keeps may be behind what was committed, after it was restored. */
    CHECK(offset >= partition->committed || intake_get_stored(assigned->intake) >= 0);
    CHECK(offset <= partition->end);
    partition->committed = offset;
    if (moved)
        CHECK_CALL(pthread_cond_broadcast(&broker->changed));
    memory_unlock(&broker->mutex);
    if (moved)
        intake_committed(assigned->intake, offset);
}

static void commit_all(struct memory_source *source)
{
    for (unsigned i = 0; i < source->broker->partition_count; i++) {
        if (source->assigned[i].intake != NULL)
            commit(source, i);
    }
}

static unsigned count_assigned(const struct memory_source *source)
{
    unsigned count = 0;
    for (unsigned i = 0; i < source->broker->partition_count; i++)
        count += source->assigned[i].intake != NULL;
    return count;
}

static void tell_state(struct memory_source *source)
{
    intake_state(source->intake, !source->away, (int)count_assigned(source),
                 source->away ? "the broker is away" : NULL);
}

static void set_paused(struct memory_source *source, unsigned number, bool paused)
{
    struct assigned *assigned = &source->assigned[number];
    if (assigned->intake == NULL || assigned->paused == paused)
        return;
    assigned->paused = paused;
    intake_paused(assigned->intake, paused);
    memory_lock(&source->broker->mutex);
    source->broker->partitions[number].paused = paused;
    CHECK_CALL(pthread_cond_broadcast(&source->broker->changed));
    memory_unlock(&source->broker->mutex);
}

static void revoke(struct memory_source *source, unsigned number)
{
    struct assigned *assigned = &source->assigned[number];
    if (assigned->intake == NULL)
        return;
    set_paused(source, number, false);
    batch_free(assigned->fetched);
    assigned->fetched = NULL;
    intake_revoke(assigned->intake);
    assigned->intake = NULL;
}

static void serve_request(struct memory_source *source)
{
    struct memory_broker *broker = source->broker;
    memory_lock(&broker->mutex);
    enum memory_request what = broker->request.what;
    unsigned number = (unsigned)broker->request.partition;
    bool lost = broker->request.lost;
    int64_t patience = broker->request.patience;
    memory_unlock(&broker->mutex);
    if (what == MEMORY_NOTHING)
        return;

    struct assigned *assigned = &source->assigned[number];
    if (what == MEMORY_REVOKE && assigned->intake != NULL) {
        if (!lost) {
            /* Not in time: what has no verdict comes again after the partition's next assignment. */
            (void)intake_settle(source->intake, assigned->intake, source->context, clock_now() + patience);
            commit(source, number);
        }
        revoke(source, number);
    } else if (what == MEMORY_ASSIGN && assigned->intake == NULL) {
        assign(source, number);
        set_paused(source, number,
                   source->no_room_since != 0 && clock_now() - source->no_room_since > INTAKE_PAUSE_AFTER);
    }
    intake_rebalanced(source->intake);
    tell_state(source);
    memory_lock(&broker->mutex);
    broker->partitions[number].taken = what == MEMORY_REVOKE;
    broker->request.what = MEMORY_NOTHING;
    CHECK_CALL(pthread_cond_broadcast(&broker->changed));
    memory_unlock(&broker->mutex);
}

/* -- records -- */

static bool has_room(struct memory_source *source)
{
    struct memory_broker *broker = source->broker;
    bool room = intake_has_room(source->intake, NULL);
    memory_lock(&broker->mutex);
    if (broker->held == room)
        CHECK_CALL(pthread_cond_broadcast(&broker->changed));
    broker->held = !room;
    memory_unlock(&broker->mutex);
    if (room)
        source->no_room_since = 0;
    else if (source->no_room_since == 0)
        source->no_room_since = clock_now();
    bool pause = !room && clock_now() - source->no_room_since > INTAKE_PAUSE_AFTER;
    for (unsigned i = 0; i < broker->partition_count && (room || pause); i++)
        set_paused(source, i, pause);
    return room;
}

static void add(struct memory_source *source, struct batch *batch, int64_t offset)
{
    struct memory_broker *broker = source->broker;
    struct record *record = batch_add(batch);
    char key[48];
    snprintf(key, sizeof key, "%d-%lld", batch->partition, (long long)offset);
    memory_lock(&broker->mutex);
    size_t room = broker->value_room;
    int (*make)(void *, int32_t, int64_t, char *, size_t) = broker->make;
    void *make_arg = broker->make_arg;
    memory_unlock(&broker->mutex);
    CHECK(record != NULL);
    record->offset = offset;
    record->timestamp = INT64_C(1700000000000) + offset;
    record->key = arena_copy(&batch->arena, bytes_of_string(key));
    uint8_t *value = arena_text(&batch->arena, room);
    CHECK(record->key.data != NULL && value != NULL);
    int size = make(make_arg, batch->partition, offset, (char *)value, room);
    CHECK(size <= (int)room);
    arena_trim(&batch->arena, value, room, size < 0 ? 0 : (size_t)size);
    if (size >= 0)
        record->value = bytes_of(value, (uint32_t)size);
}

/* The next batch of the partition; *ret_position: behind it. NULL: there is nothing now. */
static struct batch *fetch(struct memory_source *source, unsigned number, int64_t *ret_position)
{
    struct assigned *assigned = &source->assigned[number];
    struct memory_partition partition = read_partition(source, number);
    int64_t position = assigned->position;
    intake_position(assigned->intake, position, partition.end);
    if (position >= partition.end)
        return NULL;
    struct batch *batch = intake_begin(assigned->intake);
    CHECK(batch != NULL);
    memory_lock(&source->broker->mutex);
    uint32_t most = source->broker->batch_records;
    memory_unlock(&source->broker->mutex);
    for (; position < partition.end && batch->count < most; position++) {
        if (position < partition.gap_from || position >= partition.gap_to)
            add(source, batch, position);
    }
    *ret_position = position;
    return batch;
}

/* One batch of the partition. False: it has nothing now, or the queue has no room for what it has. */
static bool pop(struct memory_source *source, unsigned number, enum status *ret_status)
{
    struct assigned *assigned = &source->assigned[number];
    if (assigned->intake == NULL)
        return false;
    if (assigned->fetched == NULL)
        assigned->fetched = fetch(source, number, &assigned->fetched_to);
    if (assigned->fetched == NULL)
        return false;
    const struct batch *batch = assigned->fetched;
    int64_t pushed = batch->count > 0 ? batch->records[batch->count - 1].offset + 1 : assigned->pushed;
    enum status status = intake_try_push(assigned->intake, assigned->fetched, source->context);
    if (status == STATUS_FULL)
        return false;
    assigned->fetched = NULL;
    *ret_status = status;
    if (status != STATUS_OK)
        return false;
    assigned->position = assigned->fetched_to;
    assigned->pushed = pushed;
    return true;
}

static bool is_at_end(const struct memory_source *source)
{
    for (unsigned i = 0; i < source->broker->partition_count; i++) {
        if (source->assigned[i].intake != NULL && source->assigned[i].position < source->assigned[i].until)
            return false;
    }
    return source->exit_at_end;
}

/* A turn: from each partition one batch. False: there was nothing to do. */
static bool pop_all(struct memory_source *source, enum status *ret_status)
{
    bool popped = false;
    for (unsigned i = 0; i < source->broker->partition_count && *ret_status == STATUS_OK; i++) {
        if (intake_draining(source->intake) || !has_room(source))
            return popped;
        popped = pop(source, i, ret_status) || popped;
    }
    return popped;
}

static void rest(struct memory_source *source)
{
    struct memory_broker *broker = source->broker;
    memory_lock(&broker->mutex);
    if (!broker->woken)
        (void)context_wait(source->context, &broker->changed, &broker->mutex, clock_now() + LOOK);
    broker->woken = false;
    memory_unlock(&broker->mutex);
}

/* True: the run is to fail. */
static bool look_at_broker(struct memory_source *source, enum error_class *ret_class)
{
    struct memory_broker *broker = source->broker;
    memory_lock(&broker->mutex);
    bool away = broker->away;
    *ret_class = broker->run_failure;
    broker->run_failure = ERROR_NONE;
    memory_unlock(&broker->mutex);
    if (away != source->away) {
        source->away = away;
        tell_state(source);
    }
    return *ret_class != ERROR_NONE;
}

static enum status consume(struct memory_source *source, struct error *error)
{
    enum status status = context_status(source->context);
    enum error_class class;
    while (status == STATUS_OK && !intake_draining(source->intake)) {
        serve_request(source);
        commit_all(source);
        if (look_at_broker(source, &class))
            return error_set(error, class, "the run fails as it was told");
        bool popped = !source->away && pop_all(source, &status);
        if (is_at_end(source))
            intake_finish(source->intake);
        else if (!popped && status == STATUS_OK)
            rest(source);
        if (status == STATUS_OK)
            status = context_status(source->context);
    }
    return status;
}

static enum status drain(struct memory_source *source)
{
    int64_t deadline = intake_drain_deadline(source->intake);
    enum status status = intake_settle(source->intake, NULL, source->context, deadline);
    commit_all(source);
    return status;
}

static enum status source_run(void *arg, struct intake *intake, struct context *context, struct error *error)
{
    struct memory_source *source = arg;
    struct memory_broker *broker = source->broker;
    source->intake = intake;
    source->context = context;
    intake_on_wake(intake, wake, broker);
    for (unsigned i = 0; i < broker->partition_count; i++) {
        if (!read_partition(source, i).taken)
            assign(source, i);
    }
    tell_state(source);
    memory_lock(&broker->mutex);
    broker->runs++;
    broker->held = false;
    CHECK_CALL(pthread_cond_broadcast(&broker->changed));
    memory_unlock(&broker->mutex);

    enum status status = consume(source, error);
    if (status == STATUS_OK)
        status = drain(source);
    intake_on_wake(intake, NULL, NULL);
    for (unsigned i = 0; i < broker->partition_count; i++)
        revoke(source, i);
    return status;
}

const struct source_type memory_source_type = {
    .name = "memory",
    .help = "A broker in memory, for tests.",
    .open = source_open,
    .run = source_run,
    .close = source_close,
    .open_dead_letter = memory_letters_open,
};
