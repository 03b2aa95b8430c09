#include "processor/offsets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"

struct entry {
    char *topic;
    int32_t partition;
    int64_t offset, end; /* -1: none */
    struct entry *next;
};

struct offsets {
    pthread_mutex_t mutex;
    struct entry *entries; /* mutex; in order */
    int64_t taken;         /* mutex */
};

struct offsets *offsets_new(void)
{
    struct offsets *offsets = calloc(1, sizeof *offsets);
    if (offsets != NULL)
        CHECK_CALL(pthread_mutex_init(&offsets->mutex, NULL));
    return offsets;
}

void offsets_free(struct offsets *offsets)
{
    if (offsets == NULL)
        return;
    while (offsets->entries != NULL) {
        struct entry *entry = offsets->entries;
        offsets->entries = entry->next;
        free(entry->topic);
        free(entry);
    }
    CHECK_CALL(pthread_mutex_destroy(&offsets->mutex));
    free(offsets);
}

static int compare(const struct entry *entry, const char *topic, int32_t partition)
{
    int order = strcmp(entry->topic, topic);
    return order != 0 ? order : (entry->partition > partition) - (entry->partition < partition);
}

static struct entry *entry_new(const char *topic, int32_t partition)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    entry->topic = strdup(topic);
    entry->partition = partition;
    entry->offset = entry->end = -1;
    if (entry->topic == NULL) {
        free(entry);
        return NULL;
    }
    return entry;
}

/* NULL: out of memory, or (not make) not there. */
static struct entry *find_locked(struct offsets *offsets, const char *topic, int32_t partition, bool make)
{
    struct entry **at = &offsets->entries;
    while (*at != NULL && compare(*at, topic, partition) < 0)
        at = &(*at)->next;
    if (*at != NULL && compare(*at, topic, partition) == 0)
        return *at;
    struct entry *entry = make ? entry_new(topic, partition) : NULL;
    if (entry != NULL) {
        entry->next = *at;
        *at = entry;
    }
    return entry;
}

void offsets_set(struct offsets *offsets, const char *topic, int32_t partition, int64_t offset)
{
    CHECK_CALL(pthread_mutex_lock(&offsets->mutex));
    struct entry *entry = find_locked(offsets, topic, partition, true);
    if (entry != NULL)
        entry->offset = offset;
    CHECK_CALL(pthread_mutex_unlock(&offsets->mutex));
}

int64_t offsets_get(struct offsets *offsets, const char *topic, int32_t partition)
{
    CHECK_CALL(pthread_mutex_lock(&offsets->mutex));
    const struct entry *entry = find_locked(offsets, topic, partition, false);
    int64_t offset = entry != NULL ? entry->offset : -1;
    CHECK_CALL(pthread_mutex_unlock(&offsets->mutex));
    return offset;
}

void offsets_add_taken(struct offsets *offsets, int64_t records)
{
    CHECK_CALL(pthread_mutex_lock(&offsets->mutex));
    offsets->taken += records;
    CHECK_CALL(pthread_mutex_unlock(&offsets->mutex));
}

int64_t offsets_get_taken(struct offsets *offsets)
{
    CHECK_CALL(pthread_mutex_lock(&offsets->mutex));
    int64_t taken = offsets->taken;
    CHECK_CALL(pthread_mutex_unlock(&offsets->mutex));
    return taken;
}

bool offsets_set_end(struct offsets *offsets, const char *topic, int32_t partition, int64_t end)
{
    CHECK_CALL(pthread_mutex_lock(&offsets->mutex));
    struct entry *entry = find_locked(offsets, topic, partition, true);
    if (entry != NULL)
        entry->end = end;
    CHECK_CALL(pthread_mutex_unlock(&offsets->mutex));
    return entry != NULL;
}

int64_t offsets_get_end(struct offsets *offsets, const char *topic, int32_t partition)
{
    CHECK_CALL(pthread_mutex_lock(&offsets->mutex));
    const struct entry *entry = find_locked(offsets, topic, partition, false);
    int64_t end = entry != NULL ? entry->end : -1;
    CHECK_CALL(pthread_mutex_unlock(&offsets->mutex));
    return end;
}

void offsets_each(struct offsets *offsets,
                  void (*visit)(const char *topic, int32_t partition, int64_t offset, void *arg), void *arg)
{
    CHECK_CALL(pthread_mutex_lock(&offsets->mutex));
    for (const struct entry *entry = offsets->entries; entry != NULL; entry = entry->next) {
        if (entry->offset >= 0)
            visit(entry->topic, entry->partition, entry->offset, arg);
    }
    CHECK_CALL(pthread_mutex_unlock(&offsets->mutex));
}
