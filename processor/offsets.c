#include "processor/offsets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"

struct entry {
    char *topic;
    int32_t partition;
    int64_t offset;
    struct entry *next;
};

struct offsets {
    pthread_mutex_t mutex;
    struct entry *entries; /* mutex; in order */
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
    if (entry->topic == NULL) {
        free(entry);
        return NULL;
    }
    return entry;
}

void offsets_set(struct offsets *offsets, const char *topic, int32_t partition, int64_t offset)
{
    CHECK_CALL(pthread_mutex_lock(&offsets->mutex));
    struct entry **at = &offsets->entries;
    while (*at != NULL && compare(*at, topic, partition) < 0)
        at = &(*at)->next;
    if (*at == NULL || compare(*at, topic, partition) != 0) {
        struct entry *entry = entry_new(topic, partition);
        if (entry != NULL) {
            entry->next = *at;
            *at = entry;
        }
    }
    if (*at != NULL && compare(*at, topic, partition) == 0)
        (*at)->offset = offset;
    CHECK_CALL(pthread_mutex_unlock(&offsets->mutex));
}

void offsets_each(struct offsets *offsets,
                  void (*visit)(const char *topic, int32_t partition, int64_t offset, void *arg), void *arg)
{
    CHECK_CALL(pthread_mutex_lock(&offsets->mutex));
    for (const struct entry *entry = offsets->entries; entry != NULL; entry = entry->next)
        visit(entry->topic, entry->partition, entry->offset, arg);
    CHECK_CALL(pthread_mutex_unlock(&offsets->mutex));
}
