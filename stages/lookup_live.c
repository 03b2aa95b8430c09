#include "stages/lookup_live.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/group.h"
#include "processor/log.h"
#include "processor/metrics.h"

#define SETTLE (250 * CLOCK_MS)

struct lookup_live {
    char *stage, *path;
    const struct lookup_shape *shape;
    int64_t every;
    struct group *group; /* NULL: nobody looks at the file */
    pthread_mutex_t mutex;
    struct lookup_table *table; /* mutex */
    /* The thread's own from here on. */
    struct stat loaded;             /* what was loaded last, or was found broken */
    struct stat seen;               /* at the last look */
    char complaint[ERROR_TEXT_MAX]; /* what was logged last; "" when all is well */
    struct metric *rows, *reloads, *failures;
};

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void say_loaded(const struct lookup_live *live, const struct lookup_table *table)
{
    const struct lookup_counts *counts = lookup_table_counts(table);
    log_info(live->stage, "lookup: %s: %u rows, %zu bytes in memory", live->path, counts->rows, counts->bytes);
    if (counts->duplicates > 0)
        log_warn(live->stage, "lookup: %s:%u: a key that an earlier row has (%u such rows); the last row counts",
                 live->path, counts->duplicate_line, counts->duplicates);
    if (counts->keyless > 0)
        log_warn(live->stage, "lookup: %s:%u: a row without a key (%u such rows); left out", live->path,
                 counts->keyless_line, counts->keyless);
    if (counts->absent != NULL)
        log_warn(live->stage, "lookup: %s: no row has the field '%s'", live->path, counts->absent);
}

/* The table in use from now on: takes it. */
static void put(struct lookup_live *live, struct lookup_table *table)
{
    say_loaded(live, table);
    metric_set(live->rows, lookup_table_counts(table)->rows);
    CHECK_CALL(pthread_mutex_lock(&live->mutex));
    struct lookup_table *old = live->table;
    live->table = table;
    CHECK_CALL(pthread_mutex_unlock(&live->mutex));
    lookup_table_unref(old);
}

struct lookup_table *lookup_live_get(struct lookup_live *live)
{
    CHECK_CALL(pthread_mutex_lock(&live->mutex));
    struct lookup_table *table = lookup_table_ref(live->table);
    CHECK_CALL(pthread_mutex_unlock(&live->mutex));
    return table;
}

/* Counted at every attempt, so that an alert on the rate lasts as long as the trouble; logged when it is news. */
static void complain(struct lookup_live *live, const struct error *error)
{
    metric_add(live->failures, 1);
    if (strcmp(live->complaint, error->text) == 0)
        return;
    memcpy(live->complaint, error->text, sizeof live->complaint);
    log_error(live->stage, "lookup: %s; the table loaded before stays in use", error->text);
}

static void reload(struct lookup_live *live)
{
    struct lookup_table *table;
    struct stat stat;
    struct error error = {0};
    if (lookup_table_load(live->path, live->shape, &table, &stat, &error) == STATUS_OK) {
        live->complaint[0] = '\0';
        live->loaded = stat;
        put(live, table);
        metric_add(live->reloads, 1); /* who sees it has the new table */
        return;
    }
    complain(live, &error);
    /* What is wrong in the file stays so until it is changed; what the system refused is tried again. */
    if (error.class != ERROR_TRANSIENT && stat.st_ino != 0)
        live->loaded = stat;
}

/* Returns when to look again. */
static int64_t look(struct lookup_live *live)
{
    struct stat now;
    if (stat(live->path, &now) != 0) {
        struct error error;
        if (error_set(&error, ERROR_TRANSIENT, "%s: can't be opened: %s", live->path, strerror(errno)) != STATUS_OK)
            complain(live, &error);
        return live->every;
    }
    if (is_same(&now, &live->loaded)) {
        live->complaint[0] = '\0';
        return live->every;
    }
    if (!is_same(&now, &live->seen)) {
        live->seen = now;
        return live->every < SETTLE ? live->every : SETTLE;
    }
    reload(live);
    return live->every;
}

static enum status follow(void *arg, struct context *context, struct error *error)
{
    (void)error;
    struct lookup_live *live = arg;
    int64_t wait = live->every;
    while (context_sleep(context, wait) == STATUS_OK)
        wait = look(live);
    return STATUS_OK;
}

static enum status start(struct lookup_live *live, struct error *error)
{
    struct lookup_table *table;
    enum status status = lookup_table_load(live->path, live->shape, &table, &live->loaded, error);
    if (status != STATUS_OK)
        return status;
    put(live, table);
    if (live->every == 0)
        return STATUS_OK;
    live->group = group_new(NULL);
    if (live->group == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    return group_go(live->group, "lookup", follow, live, error);
}

enum status lookup_live_new(const struct lookup_live_config *config, struct lookup_live **ret, struct error *error)
{
    struct lookup_live *live = calloc(1, sizeof *live);
    if (live == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    CHECK_CALL(pthread_mutex_init(&live->mutex, NULL));
    live->stage = strdup(config->stage);
    live->path = strdup(config->path);
    live->shape = config->shape;
    live->every = config->every;
    struct metrics *metrics = config->metrics;
    live->rows = metrics_get(metrics, METRIC_GAUGE, "weir_lookup_rows", "Rows of the lookup table.", config->labels);
    live->reloads = metrics_get(metrics, METRIC_COUNTER, "weir_lookup_reloads_total",
                                "Times a changed table was loaded.", config->labels);
    live->failures = metrics_get(metrics, METRIC_COUNTER, "weir_lookup_reload_failures_total",
                                 "Times a changed table could not be loaded; the old one stays in use.",
                                 config->labels);
    enum status status = live->stage != NULL && live->path != NULL ? start(live, error)
                                                                   : error_set(error, ERROR_TRANSIENT, "out of memory");
    if (status == STATUS_OK)
        *ret = live;
    else
        lookup_live_free(live);
    return status;
}

void lookup_live_free(struct lookup_live *live)
{
    if (live == NULL)
        return;
    if (live->group != NULL) {
        context_cancel(group_context(live->group));
        if (group_wait(live->group, NULL) != STATUS_OK)
            log_error(live->stage, "lookup: the thread that follows %s failed", live->path);
        group_free(live->group);
    }
    lookup_table_unref(live->table);
    CHECK_CALL(pthread_mutex_destroy(&live->mutex));
    free(live->stage);
    free(live->path);
    free(live);
}
