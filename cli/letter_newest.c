#include "cli/letter_newest.h"

#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "processor/letter_headers.h"

enum { ROOM_AT_FIRST = 1024 }; /* a power of two */

/* Of one record: where it came from, and where its newest letter lies. */
struct entry {
    int64_t source_offset;
    int64_t offset;
    int32_t source_partition;
    int32_t partition;
    uint32_t topic; /* 1: the first of `topics`; 0: nothing is here */
    uint32_t attempts;
};

struct letter_newest {
    struct entry *
        entries; /* open addressing: a record's is the first with its place, or the free one before which it would be */
    uint32_t room, count, most;
    char **topics; /* few: each record names one by its number */
    uint32_t topic_count;
};

struct letter_newest *letter_newest_new(unsigned most)
{
    struct letter_newest *newest = calloc(1, sizeof *newest);
    CHECK(newest != NULL);
    newest->most = most;
    newest->room = ROOM_AT_FIRST;
    newest->entries = calloc(newest->room, sizeof *newest->entries);
    CHECK(newest->entries != NULL);
    return newest;
}

void letter_newest_free(struct letter_newest *newest)
{
    if (newest == NULL)
        return;
    for (uint32_t i = 0; i < newest->topic_count; i++)
        free(newest->topics[i]);
    free(newest->topics);
    free(newest->entries);
    free(newest);
}

/* 0: not there. */
static uint32_t find_topic(const struct letter_newest *newest, struct bytes topic)
{
    for (uint32_t i = 0; i < newest->topic_count; i++) {
        if (bytes_equal(bytes_of_string(newest->topics[i]), topic))
            return i + 1;
    }
    return 0;
}

static uint32_t add_topic(struct letter_newest *newest, struct bytes topic)
{
    char **topics = realloc(newest->topics, (newest->topic_count + 1) * sizeof *topics);
    char *name = strndup((const char *)topic.data, topic.size);
    CHECK(topics != NULL && name != NULL);
    newest->topics = topics;
    topics[newest->topic_count++] = name;
    return newest->topic_count;
}

static uint32_t slot_of(uint32_t room, uint32_t topic, int64_t partition, int64_t offset)
{
    /* Offsets are neighbours mostly: the product spreads them over the upper half. */
    uint64_t hash = ((uint64_t)offset ^ (uint64_t)partition << 40 ^ (uint64_t)topic << 52) * 0x9e3779b97f4a7c15;
    return (uint32_t)(hash >> 32) & (room - 1);
}

/* The record's, or the free one where it would be. */
static struct entry *find(const struct letter_newest *newest, uint32_t topic, int64_t partition, int64_t offset)
{
    uint32_t slot = slot_of(newest->room, topic, partition, offset);
    for (;; slot = (slot + 1) & (newest->room - 1)) {
        struct entry *entry = &newest->entries[slot];
        if (entry->topic == 0 ||
            (entry->topic == topic && entry->source_partition == partition && entry->source_offset == offset))
            return entry;
    }
}

static void grow(struct letter_newest *newest)
{
    struct entry *old = newest->entries;
    uint32_t room = newest->room;
    newest->room = room * 2;
    newest->entries = calloc(newest->room, sizeof *newest->entries);
    CHECK(newest->entries != NULL);
    for (uint32_t i = 0; i < room; i++) {
        if (old[i].topic != 0)
            *find(newest, old[i].topic, old[i].source_partition, old[i].source_offset) = old[i];
    }
    free(old);
}

/* Partitions have no order among them, but one has to win wherever it is asked. */
static bool is_older(const struct entry *entry, uint32_t attempts, int32_t partition, int64_t offset)
{
    if (entry->attempts != attempts)
        return entry->attempts < attempts;
    return entry->partition != partition ? entry->partition < partition : entry->offset < offset;
}

bool letter_newest_add(struct letter_newest *newest, const struct letter_headers *letter, int32_t partition,
                       int64_t offset)
{
    uint32_t topic = find_topic(newest, letter->topic);
    if (topic == 0)
        topic = add_topic(newest, letter->topic);
    struct entry *entry = find(newest, topic, letter->partition, letter->offset);
    if (entry->topic != 0 && !is_older(entry, letter->attempts, partition, offset))
        return true;
    if (entry->topic == 0 && newest->count == newest->most)
        return false;
    newest->count += entry->topic == 0;
    *entry = (struct entry){.source_offset = letter->offset,
                            .offset = offset,
                            .source_partition = (int32_t)letter->partition,
                            .partition = partition,
                            .topic = topic,
                            .attempts = letter->attempts};
    if (newest->count > newest->room / 4 * 3)
        grow(newest);
    return true;
}

bool letter_newest_is(const struct letter_newest *newest, const struct letter_headers *letter, int32_t partition,
                      int64_t offset)
{
    uint32_t topic = find_topic(newest, letter->topic);
    const struct entry *entry = topic != 0 ? find(newest, topic, letter->partition, letter->offset) : NULL;
    return entry == NULL || entry->topic == 0 ||
           !is_older(&(struct entry){.partition = partition, .offset = offset, .attempts = letter->attempts},
                     entry->attempts, entry->partition, entry->offset);
}
