/*
 * Metrics are made, never taken away, and found by name and labels in a hash table. Those of one name are a family: they share its name and help (the
 * very pointers), and follow each other in metrics_each. One mutex guards table and lists; a metric's constant fields and its atomics need none.
 */
#include "processor/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"

enum { SLOTS = 4096 };

struct entry {
    struct metric metric;
    uint64_t hash;
    struct entry *chain; /* mutex */
};

struct family {
    const char *name, *help;
    enum metric_type type;
    struct metric *first, **last; /* mutex */
    struct family *next;          /* mutex */
};

struct metrics {
    pthread_mutex_t mutex;
    struct entry *slots[SLOTS];      /* mutex */
    struct family *families, **last; /* mutex; in the order of their making */
};

struct metrics *metrics_new(void)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL)
        return NULL;
    metrics->last = &metrics->families;
    CHECK_CALL(pthread_mutex_init(&metrics->mutex, NULL));
    return metrics;
}

static void free_family(struct family *family)
{
    while (family->first != NULL) {
        struct metric *metric = family->first;
        family->first = metric->next;
        free(metric->labels);
        free((void *)metric->buckets);
        free(metric); /* the entry: its metric is its first member */
    }
    free(family);
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    while (metrics->families != NULL) {
        struct family *family = metrics->families;
        metrics->families = family->next;
        free_family(family);
    }
    CHECK_CALL(pthread_mutex_destroy(&metrics->mutex));
    free(metrics);
}

/* FNV-1a, 64 bit. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
    return hash;
}

static uint64_t hash_identity(const char *name, const char *labels)
{
    uint64_t hash = hash_text(UINT64_C(14695981039346656037), name);
    return hash_text(hash_text(hash, "{"), labels);
}

static struct entry *find_locked(struct metrics *metrics, uint64_t hash, const char *name, const char *labels)
{
    for (struct entry *entry = metrics->slots[hash % SLOTS]; entry != NULL; entry = entry->chain) {
        if (entry->hash == hash && strcmp(entry->metric.name, name) == 0 && strcmp(entry->metric.labels, labels) == 0)
            return entry;
    }
    return NULL;
}

static struct family *family_locked(struct metrics *metrics, enum metric_type type, const char *name, const char *help)
{
    for (struct family *family = metrics->families; family != NULL; family = family->next) {
        if (strcmp(family->name, name) == 0)
            return family;
    }
    struct family *family = calloc(1, sizeof *family);
    CHECK(family != NULL);
    *family = (struct family){.name = name, .help = help, .type = type, .last = &family->first};
    *metrics->last = family;
    metrics->last = &family->next;
    return family;
}

static struct entry *add_locked(struct metrics *metrics, struct family *family, uint64_t hash, const char *labels)
{
    struct entry *entry = calloc(1, sizeof *entry);
    char *copy = strdup(labels);
    CHECK(entry != NULL && copy != NULL);
    entry->hash = hash;
    entry->metric.name = family->name;
    entry->metric.help = family->help;
    entry->metric.labels = copy;
    entry->metric.type = family->type;
    entry->metric.scale = 1;
    if (family->type == METRIC_HISTOGRAM) {
        entry->metric.scale = 1 / (double)CLOCK_SECOND;
        entry->metric.buckets = calloc(METRIC_BUCKETS, sizeof *entry->metric.buckets);
        CHECK(entry->metric.buckets != NULL);
    }
    *family->last = &entry->metric;
    family->last = &entry->metric.next;
    entry->chain = metrics->slots[hash % SLOTS];
    metrics->slots[hash % SLOTS] = entry;
    return entry;
}

struct metric *metrics_get(struct metrics *metrics, enum metric_type type, const char *name, const char *help,
                           const char *labels)
{
    if (labels == NULL)
        labels = "";
    uint64_t hash = hash_identity(name, labels);
    CHECK_CALL(pthread_mutex_lock(&metrics->mutex));
    struct entry *entry = find_locked(metrics, hash, name, labels);
    if (entry == NULL)
        entry = add_locked(metrics, family_locked(metrics, type, name, help), hash, labels);
    CHECK(entry->metric.type == type);
    CHECK_CALL(pthread_mutex_unlock(&metrics->mutex));
    return &entry->metric;
}

/* How many bytes at `text` make one character of UTF-8, so that a cut leaves whole ones. */
static size_t character_size(const char *text)
{
    size_t size = 1;
    while (size < 4 && ((uint8_t)text[size] & 0xc0) == 0x80)
        size++;
    return size;
}

/* Backslash, quote and line feed are escaped (Prometheus text format 0.0.4). A value that does not fit is cut, the quote never. */
void metrics_label(char *text, size_t size, const char *name, const char *value)
{
    size_t used = strlen(text), name_size = strlen(name);
    if (size - used < name_size + sizeof ",=\"\"")
        return;
    char *out = text + used, *end = text + size - sizeof "\"";
    if (used > 0)
        *out++ = ',';
    memcpy(out, name, name_size);
    out += name_size;
    *out++ = '=';
    *out++ = '"';
    while (*value != '\0') {
        bool escaped = *value == '\\' || *value == '"' || *value == '\n';
        size_t n = character_size(value);
        if ((size_t)(end - out) < n + escaped)
            break;
        if (escaped)
            *out++ = '\\';
        memcpy(out, *value == '\n' ? "n" : value, n);
        out += n;
        value += n;
    }
    *out++ = '"';
    *out = '\0';
}

bool metric_label(const struct metric *metric, const char *name, char *text, size_t size)
{
    size_t length = strlen(name);
    const char *at = metric->labels;
    while ((at = strstr(at, name)) != NULL && strncmp(at + length, "=\"", 2) != 0)
        at += length;
    if (at == NULL)
        return false;
    at += length + 2;
    snprintf(text, size, "%.*s", (int)strcspn(at, "\""), at);
    return true;
}

void metric_hide(struct metric *metric)
{
    atomic_store_explicit(&metric->hidden, true, memory_order_relaxed);
}

int64_t metric_bound(unsigned bucket)
{
    static const int64_t steps[] = {1000, 2500, 5000};
    if (bucket >= METRIC_BUCKETS - 1)
        return INT64_MAX;
    int64_t bound = steps[bucket % 3];
    for (unsigned i = 0; i < bucket / 3; i++)
        bound *= 10;
    return bound;
}

static unsigned bucket_of(int64_t ns)
{
    unsigned bucket = 0;
    int64_t decade = 1000;
    while (bucket + 3 < METRIC_BUCKETS && ns > decade * 5) {
        bucket += 3;
        decade *= 10;
    }
    while (bucket < METRIC_BUCKETS - 1 && ns > metric_bound(bucket))
        bucket++;
    return bucket;
}

void metric_observe(struct metric *metric, int64_t ns, uint64_t count)
{
    CHECK(metric->type == METRIC_HISTOGRAM);
    if (ns < 0)
        ns = 0;
    atomic_fetch_add_explicit(&metric->buckets[bucket_of(ns)], count, memory_order_relaxed);
    double more = (double)ns * (double)count;
    double sum = atomic_load_explicit(&metric->sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&metric->sum, &sum, sum + more, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

int64_t metric_quantile_of(const uint64_t counts[METRIC_BUCKETS], double quantile)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < METRIC_BUCKETS; i++)
        total += counts[i];
    double rank = quantile * (double)total, before = 0;
    for (unsigned i = 0; i < METRIC_BUCKETS - 1; i++) {
        if (counts[i] > 0 && before + (double)counts[i] >= rank) {
            int64_t low = i > 0 ? metric_bound(i - 1) : 0;
            return low + (int64_t)((double)(metric_bound(i) - low) * (rank - before) / (double)counts[i]);
        }
        before += (double)counts[i];
    }
    /* Beyond the last bound nothing is known but that. */
    return total > 0 ? metric_bound(METRIC_BUCKETS - 2) : 0;
}

int64_t metric_quantile(const struct metric *metric, double quantile)
{
    uint64_t counts[METRIC_BUCKETS];
    for (unsigned i = 0; i < METRIC_BUCKETS; i++)
        counts[i] = atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
    return metric_quantile_of(counts, quantile);
}

/* What a list holds never changes but at its end, so the mutex is needed for the step only, and visit may take its time (and make metrics). */
static struct metric *step(struct metrics *metrics, struct family **family, struct metric *metric)
{
    CHECK_CALL(pthread_mutex_lock(&metrics->mutex));
    struct metric *next = metric != NULL ? metric->next : NULL;
    if (next == NULL) {
        *family = *family == NULL ? metrics->families : (*family)->next;
        next = *family != NULL ? (*family)->first : NULL;
    }
    CHECK_CALL(pthread_mutex_unlock(&metrics->mutex));
    return next;
}

void metrics_each(struct metrics *metrics, void (*visit)(const struct metric *metric, void *arg), void *arg)
{
    struct family *family = NULL;
    struct metric *metric = NULL;
    while ((metric = step(metrics, &family, metric)) != NULL)
        visit(metric, arg);
}
