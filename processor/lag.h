/*
 * How far a group is behind, and whether it gets on: what a few looks at committed and end offsets tell. The states are those of LinkedIn's Burrow (its wiki, "Consumer Lag
 * Evaluation Rules"), which judge by how a consumer moved over a window instead of by a threshold of records. Burrow reads each commit; we look at the offsets
 * now and then, and see no commit that repeats an offset. So whether a consumer that stands still is alive (STALL) or not (STOP) is told by whether a member of the
 * group has the partition.
 *
 * Nothing here asks anybody anything. Threads: one.
 */
#ifndef WEIR_PROCESSOR_LAG_H
#define WEIR_PROCESSOR_LAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/status.h"

/* The worst is the highest. */
enum lag_state {
    LAG_OK,
    LAG_UNKNOWN, /* it is behind, and one look does not tell whether it moves */
    LAG_WARN,    /* it moves and does not catch up; or its offset is one that the log does not have, or went back */
    LAG_STALL,   /* a member has it (or nobody can tell), and it does not move */
    LAG_STOP,    /* no member has it */
};

/* A static member (KIP-345) does not leave its group when it stops: it has its partitions until its session times out. Who asks the group can't tell. */
enum lag_owner { LAG_OWNER_UNKNOWN, LAG_OWNER_NONE, LAG_OWNER_MEMBER, LAG_OWNER_STATIC };

/* One look at one partition. */
struct lag_sample {
    int64_t at;        /* clock_now() */
    int64_t committed; /* -1: nothing is */
    int64_t position; /* where a consumer would begin now: `committed`, or where the config and the log's ends let it */
    int64_t low, end; /* the offsets of the first record and behind the last one */
    enum lag_owner owner;
};

/* All looks at one partition, of which the first, the latest and what happened in between are kept. */
struct lag_partition {
    char *topic;
    int32_t partition;
    unsigned samples;
    struct lag_sample first, latest;
    int64_t moved_at;   /* the look that saw it move last; first.at: none */
    int64_t went_back;  /* how far the committed offset went back, at most */
    bool caught_up;     /* some look saw no lag */
    bool shrank;        /* the lag did, from one look to the next */
    bool nothing_there; /* no record is between position and end: marks of transactions, or what compaction removed */
    int64_t oldest;     /* timestamp of the record at `position`, Unix time in ms; -1: not known */
};

/* What could not be told, and of which topic (NULL: all). */
struct lag_problem {
    char *topic;
    char text[256];
};

struct lag_report {
    struct lag_partition *partitions; /* by topic and number */
    unsigned count, room;
    struct lag_problem *problems; /* of the latest look */
    unsigned problem_count, problem_room;
};

enum { LAG_REASON_MAX = 256 };

/* Adds a look. The partition is new when it was not there; the age that was known of it is void. */
enum status lag_add(struct lag_report *report, const char *topic, int32_t partition,
                    const struct lag_sample *sample) WARN_UNUSED;
enum status lag_add_problem(struct lag_report *report, const char *topic, const char *format, ...)
    PRINTF_LIKE(3, 4) WARN_UNUSED;
/* Before another look: the problems of the last one are over. */
void lag_clear_problems(struct lag_report *report);
void lag_fini(struct lag_report *report);

int64_t lag_records(const struct lag_partition *partition);
/* The age of the first record that is not consumed, in ms; -1: there is none, or it is not known. */
int64_t lag_age(const struct lag_partition *partition, int64_t now_wall_ms);
/* reason: why, in words. */
enum lag_state lag_judge(const struct lag_partition *partition, char reason[LAG_REASON_MAX]);
const char *lag_state_name(enum lag_state state); /* "OK" ... */

#endif
