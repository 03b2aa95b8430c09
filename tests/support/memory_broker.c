#include "tests/support/memory_broker.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"

void memory_lock(pthread_mutex_t *mutex)
{
    CHECK_CALL(pthread_mutex_lock(mutex));
}

void memory_unlock(pthread_mutex_t *mutex)
{
    CHECK_CALL(pthread_mutex_unlock(mutex));
}

bool memory_wait(pthread_cond_t *changed, pthread_mutex_t *mutex, int64_t *until)
{
    if (*until == 0)
        *until = clock_now() + MEMORY_PATIENCE;
    struct timespec at = clock_timespec(*until);
    return pthread_cond_clockwait(changed, mutex, CLOCK_MONOTONIC, &at) != ETIMEDOUT;
}

bool eventually(bool (*holds)(void *arg), void *arg)
{
    int64_t until = clock_now() + MEMORY_PATIENCE;
    while (!holds(arg)) {
        if (clock_now() >= until)
            return false;
        struct timespec moment = clock_timespec(CLOCK_MS);
        nanosleep(&moment, NULL);
    }
    return true;
}

static int make_id(void *arg, int32_t partition, int64_t offset, char *out, size_t room)
{
    (void)arg;
    return snprintf(out, room, "{\"id\":\"%d-%lld\"}", partition, (long long)offset);
}

struct memory_broker *memory_broker_new(const char *topic, unsigned partitions)
{
    struct memory_broker *broker = calloc(1, sizeof *broker);
    CHECK(broker != NULL);
    CHECK_CALL(pthread_mutex_init(&broker->mutex, NULL));
    CHECK_CALL(pthread_cond_init(&broker->changed, NULL));
    broker->topic = strdup(topic);
    broker->partitions = calloc(partitions, sizeof *broker->partitions);
    CHECK(broker->topic != NULL && broker->partitions != NULL);
    broker->partition_count = partitions;
    for (unsigned i = 0; i < partitions; i++)
        broker->partitions[i].committed = -1;
    broker->value_room = 64;
    broker->make = make_id;
    broker->batch_records = 64;
    broker->letters.at_once = true;
    broker->letters.most = UINT_MAX;
    broker->letters.last = &broker->letters.first;
    return broker;
}

void memory_broker_free(struct memory_broker *broker)
{
    if (broker == NULL)
        return;
    CHECK(broker->letters.first == NULL);
    free(broker->letters.done);
    free(broker->partitions);
    free(broker->topic);
    CHECK_CALL(pthread_cond_destroy(&broker->changed));
    CHECK_CALL(pthread_mutex_destroy(&broker->mutex));
    free(broker);
}

static struct memory_partition *partition_locked(struct memory_broker *broker, int32_t partition)
{
    CHECK(partition >= 0 && (unsigned)partition < broker->partition_count);
    return &broker->partitions[partition];
}

/* Something is different: the source looks again, and so does whoever waits. */
static void changed_locked(struct memory_broker *broker)
{
    broker->woken = true;
    CHECK_CALL(pthread_cond_broadcast(&broker->changed));
}

void memory_broker_produce(struct memory_broker *broker, int32_t partition, int64_t count)
{
    memory_lock(&broker->mutex);
    partition_locked(broker, partition)->end += count;
    changed_locked(broker);
    memory_unlock(&broker->mutex);
}

void memory_broker_make(struct memory_broker *broker, size_t room,
                        int (*make)(void *arg, int32_t partition, int64_t offset, char *out, size_t room), void *arg)
{
    memory_lock(&broker->mutex);
    broker->value_room = room;
    broker->make = make;
    broker->make_arg = arg;
    memory_unlock(&broker->mutex);
}

void memory_broker_batch(struct memory_broker *broker, uint32_t records)
{
    CHECK(records > 0 && records <= BATCH_RECORDS);
    memory_lock(&broker->mutex);
    broker->batch_records = records;
    memory_unlock(&broker->mutex);
}

void memory_broker_compact(struct memory_broker *broker, int32_t partition, int64_t from, int64_t to)
{
    memory_lock(&broker->mutex);
    partition_locked(broker, partition)->gap_from = from;
    partition_locked(broker, partition)->gap_to = to;
    memory_unlock(&broker->mutex);
}

int64_t memory_broker_end(struct memory_broker *broker, int32_t partition)
{
    memory_lock(&broker->mutex);
    int64_t end = partition_locked(broker, partition)->end;
    memory_unlock(&broker->mutex);
    return end;
}

int64_t memory_broker_committed(struct memory_broker *broker, int32_t partition)
{
    memory_lock(&broker->mutex);
    int64_t committed = partition_locked(broker, partition)->committed;
    memory_unlock(&broker->mutex);
    return committed;
}

unsigned memory_broker_runs(struct memory_broker *broker)
{
    memory_lock(&broker->mutex);
    unsigned runs = broker->runs;
    memory_unlock(&broker->mutex);
    return runs;
}

/* -- waiting -- */

static bool wait_until(struct memory_broker *broker,
                       bool (*holds_locked)(const struct memory_broker *broker, unsigned n), unsigned n)
{
    int64_t until = 0;
    memory_lock(&broker->mutex);
    bool holds = holds_locked(broker, n);
    while (!holds && memory_wait(&broker->changed, &broker->mutex, &until))
        holds = holds_locked(broker, n);
    memory_unlock(&broker->mutex);
    return holds;
}

static bool has_run_locked(const struct memory_broker *broker, unsigned runs)
{
    return broker->runs >= runs;
}

bool memory_broker_wait_runs(struct memory_broker *broker, unsigned runs)
{
    return wait_until(broker, has_run_locked, runs);
}

static bool is_committed_locked(const struct memory_broker *broker, unsigned n)
{
    (void)n;
    for (unsigned i = 0; i < broker->partition_count; i++) {
        const struct memory_partition *partition = &broker->partitions[i];
        if (partition->end > 0 && partition->committed != partition->end)
            return false;
    }
    return true;
}

bool memory_broker_wait_committed(struct memory_broker *broker)
{
    return wait_until(broker, is_committed_locked, 0);
}

static bool is_held_locked(const struct memory_broker *broker, unsigned held)
{
    return broker->held == (held != 0);
}

bool memory_broker_wait_held(struct memory_broker *broker, bool held)
{
    return wait_until(broker, is_held_locked, held);
}

static bool is_paused_locked(const struct memory_broker *broker, unsigned paused)
{
    for (unsigned i = 0; i < broker->partition_count; i++) {
        if (broker->partitions[i].paused != (paused != 0))
            return false;
    }
    return true;
}

bool memory_broker_wait_paused(struct memory_broker *broker, bool paused)
{
    return wait_until(broker, is_paused_locked, paused);
}

/* -- asking the source for something -- */

static bool is_answered_locked(const struct memory_broker *broker, unsigned n)
{
    (void)n;
    return broker->request.what == MEMORY_NOTHING;
}

static bool ask(struct memory_broker *broker, enum memory_request what, int32_t partition, bool lost, int64_t patience)
{
    memory_lock(&broker->mutex);
    CHECK(broker->request.what == MEMORY_NOTHING);
    (void)partition_locked(broker, partition);
    broker->request.what = what;
    broker->request.partition = partition;
    broker->request.lost = lost;
    broker->request.patience = patience;
    changed_locked(broker);
    memory_unlock(&broker->mutex);
    return wait_until(broker, is_answered_locked, 0);
}

bool memory_broker_revoke(struct memory_broker *broker, int32_t partition, bool lost, int64_t patience)
{
    return ask(broker, MEMORY_REVOKE, partition, lost, patience);
}

bool memory_broker_assign(struct memory_broker *broker, int32_t partition)
{
    return ask(broker, MEMORY_ASSIGN, partition, false, 0);
}

void memory_broker_away(struct memory_broker *broker, bool away)
{
    memory_lock(&broker->mutex);
    broker->away = away;
    changed_locked(broker);
    memory_unlock(&broker->mutex);
}

void memory_broker_fail_open(struct memory_broker *broker, enum error_class class, unsigned times)
{
    memory_lock(&broker->mutex);
    broker->open_failure = class;
    broker->open_failures = times;
    memory_unlock(&broker->mutex);
}

void memory_broker_fail_run(struct memory_broker *broker, enum error_class class)
{
    memory_lock(&broker->mutex);
    broker->run_failure = class;
    changed_locked(broker);
    memory_unlock(&broker->mutex);
}
