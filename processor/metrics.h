/*
 * Counters, gauges and histograms of the process. Each is made once (get or create by name and labels, so that a rebuilt group goes on counting) and
 * updated without locks. Names follow Prometheus: weir_<what>_<unit>[_total], base units.
 * Threads: all functions from any thread. What is returned lives as long as the registry.
 */
#ifndef WEIR_PROCESSOR_METRICS_H
#define WEIR_PROCESSOR_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>

#include "processor/status.h"

struct metrics;
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum { METRIC_BUCKETS = 24 }; /* upper bounds 1us, 2.5us, 5us, 10us ... 25 s by METRIC_BOUND; the last is +Inf */

struct metric {
    const char *name, *help;
    char *labels; /* `stage="decode",x="y"`, escaped, without braces; "" for none */
    enum metric_type type;
    _Atomic int64_t value;     /* counter, gauge */
    _Atomic double sum;        /* histogram: in nanoseconds (an int64_t of them would overflow within hours) */
    _Atomic uint64_t *buckets; /* histogram: not cumulative, METRIC_BUCKETS of them */
    double scale;              /* value * scale is what is shown: 1, or 1e-9 for nanoseconds */
    _Atomic bool hidden;       /* not shown: a partition that went away */
    struct metric *next;
};

struct metrics *metrics_new(void) WARN_UNUSED;
void metrics_free(struct metrics *metrics);
/* name and help are constants. labels: NULL or printf-formatted by the caller into escaped text (metrics_label). Never NULL: aborts when out of memory at
 * start-up. All of one name have one type. */
struct metric *metrics_get(struct metrics *metrics, enum metric_type type, const char *name, const char *help,
                           const char *labels);
/* Appends `name="value"` with value escaped, and a comma before it when text is not empty. A value that does not fit is cut. */
void metrics_label(char *text, size_t size, const char *name, const char *value);

static inline void metric_add(struct metric *metric, int64_t n)
{
    atomic_fetch_add_explicit(&metric->value, n, memory_order_relaxed);
}
static inline void metric_set(struct metric *metric, int64_t n)
{
    atomic_store_explicit(&metric->value, n, memory_order_relaxed);
    if (atomic_load_explicit(&metric->hidden, memory_order_relaxed))
        atomic_store_explicit(&metric->hidden, false, memory_order_relaxed);
}
static inline int64_t metric_get(const struct metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}
/* The value of that label as it stands there, escapes and all, cut at size. False: it has no such label. */
bool metric_label(const struct metric *metric, const char *name, char *text, size_t size);
void metric_hide(struct metric *metric);
/* count observations of ns each. */
void metric_observe(struct metric *metric, int64_t ns, uint64_t count);
int64_t metric_bound(unsigned bucket); /* upper bound in ns, INT64_MAX for the last */
/* The value below which `quantile` (0..1) of the observations are, in ns, by linear interpolation within the bucket; 0 when there are none. */
int64_t metric_quantile_of(const uint64_t counts[METRIC_BUCKETS], double quantile);
int64_t metric_quantile(const struct metric *metric, double quantile);
/* Visits all (hidden ones too), grouped by name: those of one name share the pointers `name` and `help`. */
void metrics_each(struct metrics *metrics, void (*visit)(const struct metric *metric, void *arg), void *arg);

#endif
