#include <stdlib.h>

#include "processor/check.h"
#include "tests/support/memory.h"

unsigned memory_store_times(struct memory_store *store, int32_t partition, int64_t offset)
{
    unsigned times = 0;
    size_t count = memory_store_count(store);
    for (size_t i = 0; i < count; i++) {
        struct memory_row row = memory_store_row(store, i);
        times += row.partition == partition && row.offset == offset;
    }
    return times;
}

struct seen {
    int32_t partition;
    int64_t offset;
    size_t at;
};

static int compare_seen(const void *left, const void *right)
{
    const struct seen *a = left, *b = right;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

struct memory_tally memory_store_tally(struct memory_store *store)
{
    size_t count = memory_store_count(store);
    struct memory_tally tally = {.rows = count, .in_order = true};
    struct seen *seen = calloc(count + 1, sizeof *seen);
    CHECK(seen != NULL);
    for (size_t i = 0; i < count; i++) {
        struct memory_row row = memory_store_row(store, i);
        seen[i] = (struct seen){row.partition, row.offset, i};
    }
    qsort(seen, count, sizeof *seen, compare_seen);
    const struct seen *before = NULL; /* the first appearance of the record before */
    for (size_t i = 0; i < count; i++) {
        if (before != NULL && before->partition == seen[i].partition) {
            if (before->offset == seen[i].offset)
                continue;
            if (before->at > seen[i].at)
                tally.in_order = false;
        }
        before = &seen[i];
        tally.distinct++;
    }
    free(seen);
    return tally;
}
