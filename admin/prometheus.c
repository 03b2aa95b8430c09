#include "admin/prometheus.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/usage.h"
#include "processor/clock.h"
#include "processor/metrics.h"

struct rendering {
    FILE *out;
    const char *name; /* of the last metric written */
};

static const char *const TYPE_NAMES[] = {
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_HISTOGRAM] = "histogram",
};

/* HELP text escapes backslash and line feed, and nothing else. */
static void write_help(FILE *out, const char *help)
{
    for (; *help != '\0'; help++) {
        if (*help == '\n')
            fputs("\\n", out);
        else if (*help == '\\')
            fputs("\\\\", out);
        else
            putc(*help, out);
    }
}

static void write_head(FILE *out, const char *name, const char *help, const char *type)
{
    fprintf(out, "# HELP %s ", name);
    write_help(out, help);
    fprintf(out, "\n# TYPE %s %s\n", name, type);
}

static void write_value(FILE *out, int64_t value, double scale)
{
    if (scale == 1)
        fprintf(out, " %" PRId64 "\n", value);
    else
        fprintf(out, " %.15g\n", (double)value * scale);
}

static void write_simple(FILE *out, const struct metric *metric)
{
    fputs(metric->name, out);
    if (metric->labels[0] != '\0')
        fprintf(out, "{%s}", metric->labels);
    write_value(out, metric_get(metric), metric->scale);
}

static void write_part(FILE *out, const struct metric *metric, const char *suffix)
{
    fprintf(out, "%s%s", metric->name, suffix);
    if (metric->labels[0] != '\0')
        fprintf(out, "{%s}", metric->labels);
}

/* _count is the sum of the buckets as they were read, so that the two always agree whatever is observed meanwhile. */
static void write_histogram(FILE *out, const struct metric *metric)
{
    const char *comma = metric->labels[0] != '\0' ? "," : "";
    uint64_t count = 0;
    double sum = atomic_load_explicit(&metric->sum, memory_order_relaxed);
    for (unsigned i = 0; i < METRIC_BUCKETS; i++) {
        int64_t bound = metric_bound(i);
        count += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        fprintf(out, "%s_bucket{%s%sle=\"", metric->name, metric->labels, comma);
        if (bound == INT64_MAX)
            fputs("+Inf", out);
        else
            fprintf(out, "%.15g", (double)bound / (double)CLOCK_SECOND);
        fprintf(out, "\"} %" PRIu64 "\n", count);
    }
    write_part(out, metric, "_sum");
    fprintf(out, " %.15g\n", sum * metric->scale);
    write_part(out, metric, "_count");
    fprintf(out, " %" PRIu64 "\n", count);
}

/* metrics_each goes by name, so a name that differs from the last one is a new one. */
static void write_metric(const struct metric *metric, void *arg)
{
    struct rendering *rendering = arg;
    if (atomic_load_explicit(&metric->hidden, memory_order_relaxed))
        return;
    if (metric->name != rendering->name)
        write_head(rendering->out, metric->name, metric->help, TYPE_NAMES[metric->type]);
    rendering->name = metric->name;
    if (metric->type == METRIC_HISTOGRAM)
        write_histogram(rendering->out, metric);
    else
        write_simple(rendering->out, metric);
}

static void write_one(FILE *out, const char *name, const char *help, enum metric_type type, int64_t value, double scale)
{
    write_head(out, name, help, TYPE_NAMES[type]);
    fputs(name, out);
    write_value(out, value, scale);
}

/* The names without weir_ are those that all of Prometheus's own client libraries use. */
static void write_process(FILE *out)
{
    struct usage usage = usage_read();
    write_one(out, "weir_threads", "Threads of the process.", METRIC_GAUGE, usage.threads, 1);
    write_one(out, "process_resident_memory_bytes", "Resident memory size in bytes.", METRIC_GAUGE,
              usage.resident_bytes, 1);
    write_one(out, "process_virtual_memory_bytes", "Virtual memory size in bytes.", METRIC_GAUGE, usage.virtual_bytes,
              1);
    write_one(out, "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", METRIC_COUNTER,
              usage.cpu, 1 / (double)CLOCK_SECOND);
    write_one(out, "process_open_fds", "Number of open file descriptors.", METRIC_GAUGE, usage.open_fds, 1);
    write_one(out, "process_max_fds", "Maximum number of open file descriptors.", METRIC_GAUGE, usage.max_fds, 1);
    write_one(out, "process_start_time_seconds", "Start time of the process since unix epoch in seconds.", METRIC_GAUGE,
              (int64_t)(usage.started * 1000), 0.001);
}

char *prometheus_render(struct metrics *metrics, size_t *ret_size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_size);
    if (out == NULL)
        return NULL;
    struct rendering rendering = {.out = out};
    metrics_each(metrics, write_metric, &rendering);
    write_process(out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
