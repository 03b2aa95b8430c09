/*
 * A running service at one moment, for who looks at it (`weir top`): made out of the metrics, health, and the log's latest warnings and errors.
 * snapshot_read fills it here, GET /status is snapshot_write's JSON, and cli/snapshot_parse.h has it back from that.
 */
#ifndef WEIR_ADMIN_SNAPSHOT_H
#define WEIR_ADMIN_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "processor/log.h"
#include "processor/metrics.h"

struct health;

enum { SNAPSHOT_STAGES = 32, SNAPSHOT_PARTITIONS = 64, SNAPSHOT_PROBLEMS_MAX = 1024 };

/* Of a histogram (metric_bound says of what each bucket is the number); since the process began. */
struct snapshot_times {
    uint64_t buckets[METRIC_BUCKETS];
};

/* A stage or a store, with the queue before it. */
struct snapshot_stage {
    char name[64];
    bool store, blocking;
    int64_t workers;
    int64_t stuck;                                          /* s that nothing has come back of what it has in hand */
    int64_t records, bytes, record_capacity, byte_capacity; /* the queue */
    int64_t in, out, dropped, rejected, retries;            /* so far */
    struct snapshot_times batch, flush, end_to_end;         /* the last two: a store's */
};

struct snapshot_partition {
    char topic[256];
    int64_t partition, lag, position, committed;
    bool paused, stalled;
};

struct snapshot {
    char service[128], version[64];
    int64_t at;     /* Unix time, ms */
    int64_t uptime; /* s */
    bool ready, held_back;
    char problems[SNAPSHOT_PROBLEMS_MAX]; /* lines, `part: problem` */
    int64_t consumed, bytes, stored, dropped, dead_lettered, abandoned, in_flight, lag, restarts;
    int64_t budget_used, budget_size, resident, threads;
    unsigned stage_count;
    struct snapshot_stage stages[SNAPSHOT_STAGES]; /* from front to back */
    int64_t partitions, paused, stalled;           /* how many of all */
    unsigned shown; /* of them: those that are stalled or paused first, then those with most lag */
    struct snapshot_partition worst[SNAPSHOT_PARTITIONS];
    bool errors_hidden;
    unsigned error_count;
    struct log_entry errors[LOG_RECENT]; /* newest first */
};

struct snapshot_sources {
    const char *service;
    struct metrics *metrics;
    struct health *health;
    bool with_errors; /* they may have parts of records in them */
};

void snapshot_read(const struct snapshot_sources *sources, struct snapshot *ret);
/* One object in one line. */
void snapshot_write(const struct snapshot *snapshot, FILE *out);
/* Both: zero-terminated, malloc'ed. NULL: no memory. */
char *snapshot_render(const struct snapshot_sources *sources, size_t *ret_size) WARN_UNUSED;

#endif
