/*
 * A stretch: of some partitions, the records from one offset up to another. What `weir replay`, `weir archive` and `weir dlq redrive` read.
 *
 * A request says what is wanted, in times or offsets; the source's `stretch.find` (connector.h) makes a stretch of it: what is really there. The stretch
 * is fixed from then on: what is produced meanwhile is not in it, and a run that goes on after an interruption has the bounds of the first one, whatever
 * "-2h" means by then.
 *
 * Threads: const once it is found.
 */
#ifndef WEIR_PROCESSOR_STRETCH_H
#define WEIR_PROCESSOR_STRETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/bytes.h"
#include "processor/error.h"

struct record;
struct where; /* where.h */

enum stretch_bound_kind {
    STRETCH_BEGINNING, /* what the source still has first */
    STRETCH_NOW,       /* one behind what it has last when it is asked */
    STRETCH_TIME,      /* the first record with this timestamp or a later one */
    STRETCH_OFFSETS,   /* an offset for each partition that is named; the others are not in the stretch */
};

struct stretch_offset {
    const char *topic; /* NULL: the only topic that there is; find answers ERROR_FATAL where there are several */
    int32_t partition;
    int64_t offset;
};

struct stretch_bound {
    enum stretch_bound_kind kind;
    int64_t time;  /* ms since 1970 */
    bool relative; /* the time was counted back from now: said again later it is another one, and means the same */
    int64_t ago;   /* relative: so far (ms) */
    const struct stretch_offset *offsets;
    unsigned offset_count;
};

struct stretch_partition {
    const char *topic; /* NULL: of each topic */
    int32_t partition;
};

struct stretch_request {
    struct stretch_bound from; /* the first in it */
    struct stretch_bound to;   /* the first behind it */
    const struct stretch_partition *partitions;
    unsigned partition_count; /* 0: all */
    /* Records need not lie in the order of their timestamps: those of a time window are looked for up to the first one that is so much (ms) later than its
     * end. */
    int64_t late;
    /* Under this name the source remembers how far the stretch has been worked through, apart from everything that the live service commits; NULL: it does
     * not. A name stands for the stretch that was asked for first: the same words again, be they "-2h", mean that one, with the bounds that were found then; other
     * words, or other partitions, are refused. */
    const char *progress;
    /* When the stretch under that name is finished, the next one under it: from where it ended up to what `to` says. Else a finished one stays so. */
    bool onward;
    /* Times are not those that the source keeps, but those of the filter's `time`: nothing tells where they lie, so the parts have all that is there. */
    bool anywhere;
    /* The parts' ids are wanted: a source that has them, and can't tell them, fails. */
    bool ids;
};

/* A topic's own (KIP-516): one that was deleted and made anew has another. Both 0: not known. */
struct topic_id {
    uint64_t high, low;
};

/* Of one partition. Counts and sizes are estimates from above: compaction and transactions leave gaps, and the filter has not looked. */
struct stretch_part {
    const char *topic;
    int32_t partition;
    struct topic_id id;
    int64_t first, end; /* offsets: first <= end; the same: nothing */
    int64_t next;       /* where the run begins: `first`, or where the last one under this name got to; `end`: done */
    int64_t bytes;      /* from next to end: of keys, values and headers; -1: not known */
    int64_t first_time,
        last_time;  /* timestamps (ms) of the first record from next on, and of the last; -1: not known, or none */
    char seal[160]; /* the source's own: what it keeps with the progress */
    char note[160]; /* what is to be known: "retention removed what was before offset 1200"; "": nothing */
};

/* Which records of the parts are in it. */
struct stretch_filter {
    /* ms, [from, to); INT64_MIN and INT64_MAX: all. A record without a timestamp is in no window. Filled in by find, out of bounds that are times: of a run
     * that goes on, those of the first one ("-2h" was another time then), which it remembers with the progress. */
    int64_t from_time, to_time;
    /* Filled in by the caller. */
    int64_t (*time)(const struct record *record); /* what lies in the window (ms; -1: none); NULL: the timestamp */
    struct bytes key;                             /* data NULL: any */
    const struct where *where;                    /* NULL: any */
    bool (*also)(const struct record *record, int32_t partition,
                 void *arg); /* one condition more, asked last, by who reads; NULL: none */
    void *also_arg;
};

struct stretch {
    struct stretch_part *parts; /* by topic, then partition */
    unsigned count;
    bool resumed;         /* an earlier run under this name had begun */
    bool follows;         /* an earlier one is finished, and this is what came since: see `onward` of the request */
    const char *progress; /* of the request; lives as long as that */
    char kept[160];       /* where progress is kept, in words: "the group orders-store.fix"; "": nowhere */
    struct stretch_filter filter;
    /* Filled in by the caller; 0: no such limit. */
    int64_t max_records; /* so many that the filter lets through, then the source is at its end */
    double rate;         /* records a second */
    double speed;        /* by the records' timestamps: 10 is ten times as fast as they came */
};

struct stretch *stretch_new(unsigned room) WARN_UNUSED;
/* Copies the topic's name. NULL: no memory, or no room. */
struct stretch_part *stretch_add(struct stretch *stretch, const char *topic, int32_t partition) WARN_UNUSED;
void stretch_free(struct stretch *stretch); /* NULL is fine */
const struct stretch_part *stretch_part(const struct stretch *stretch, const char *topic,
                                        int32_t partition); /* NULL: not in it */
int64_t stretch_left(const struct stretch *stretch);        /* offsets from next to end, of all parts */
bool stretch_finished(const struct stretch *stretch);       /* nothing is left */

/* Does the filter let it through? Key, timestamp and headers are looked at. */
bool stretch_takes(const struct stretch *stretch, const struct record *record, int32_t partition);
/* The same as far as key and timestamp tell. */
bool stretch_may_take(const struct stretch *stretch, const struct record *record);

/* -- in words; what does not fit ends in "..." (size: 8 at least) -- */

/* "-1h30m". */
void stretch_ago_words(int64_t ms, char *ret, size_t size);
/* "--from -2h --to now --partitions 0,orders/3". */
void stretch_request_words(const struct stretch_request *request, char *ret, size_t size);

#endif
