/*
 * Lag and the watchdog: a partition that has lag and has made no progress for a while is an incident with a reason, never silence. Progress is what could be
 * committed: one record whose verdict does not come, a dead letter say, holds all behind it up, however many of these are stored.
 */
#include <stdio.h>

#include "processor/check.h"
#include "processor/health.h"
#include "processor/intake_state.h"
#include "processor/log.h"
#include "processor/metrics.h"

/* All before it is done with. While nothing is in flight that is the position, which also passes what is no record: a transaction's markers, what compaction
 * left out, lost ranges. -1: not known yet. */
static int64_t done_to(const struct intake_partition *partition)
{
    int64_t settled = ledger_committable(partition->ledger);
    int64_t position = atomic_load_explicit(&partition->position, memory_order_relaxed);
    if (position > settled && ledger_partition_in_flight(partition->ledger) == 0)
        return position;
    return settled >= 0 ? settled : atomic_load_explicit(&partition->start, memory_order_relaxed);
}

static int64_t lag_of(const struct intake_partition *partition)
{
    int64_t end = atomic_load_explicit(&partition->end, memory_order_relaxed), done = done_to(partition);
    return end >= 0 && done >= 0 && end > done ? end - done : 0;
}

static void say_stalled(struct intake_partition *partition, int64_t lag, int64_t seconds, const char *blocking)
{
    struct intake *intake = partition->intake;
    const char *closed = atomic_load_explicit(&intake->closed_reason, memory_order_relaxed);
    char why[300];
    if (blocking != NULL)
        snprintf(why, sizeof why, "held up by %s%s%s", blocking, closed != NULL ? "; " : "",
                 closed != NULL ? closed : "");
    else
        snprintf(why, sizeof why, "%s",
                 closed != NULL                                      ? closed
                 : ledger_partition_in_flight(partition->ledger) > 0 ? "what is in flight has no verdict yet"
                 : intake->connected                                 ? "the broker sends nothing"
                                                                     : intake->state_reason);
    if (!partition->stalled)
        log_error("watchdog", "%s/%d: %lld records behind and no progress for %lld s: %s", partition->topic,
                  partition->partition, (long long)lag, (long long)seconds, why);
    health_problem(intake->config.health, "watchdog", "%s/%d: %lld records behind and no progress for %lld s: %s",
                   partition->topic, partition->partition, (long long)lag, (long long)seconds, why);
}

/* True: stalled. */
static bool watch_partition(struct intake_partition *partition, int64_t now, const char *blocking)
{
    int64_t lag = lag_of(partition);
    int64_t position = atomic_load_explicit(&partition->position, memory_order_relaxed);
    int64_t progress = done_to(partition);
    metric_set(partition->lag_metric, lag);
    metric_set(partition->position_metric, position);
    bool waits = atomic_load_explicit(&partition->waits, memory_order_relaxed) &&
                 ledger_partition_in_flight(partition->ledger) == 0;
    if (progress != partition->seen_progress || lag == 0 || waits) {
        partition->seen_progress = progress;
        partition->progress_at = now;
    }
    bool stalled = now - partition->progress_at > partition->intake->config.watchdog;
    if (stalled)
        say_stalled(partition, lag, (now - partition->progress_at) / CLOCK_SECOND, blocking);
    else if (partition->stalled)
        log_info("watchdog", "%s/%d makes progress again", partition->topic, partition->partition);
    partition->stalled = stalled;
    metric_set(partition->stalled_metric, stalled);
    return stalled;
}

void intake_tick(struct intake *intake, const char *blocking)
{
    int64_t now = clock_now(), lag = 0;
    unsigned stalled = 0;
    CHECK_CALL(pthread_mutex_lock(&intake->mutex));
    for (struct intake_partition *partition = intake->partitions; partition != NULL; partition = partition->next) {
        stalled += watch_partition(partition, now, blocking);
        lag += lag_of(partition);
    }
    CHECK_CALL(pthread_mutex_unlock(&intake->mutex));
    if (stalled == 0)
        health_ok(intake->config.health, "watchdog");
    metric_set(intake->lag_sum, lag);
    metric_set(intake->stalled_sum, stalled);
}
