/* See source.h: where a run begins and ends, and how far it has come. feed.c is about the records. */
#include "connectors/archive/source.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/archive/feed.h"
#include "connectors/archive/find.h"
#include "connectors/archive/progress.h"
#include "processor/check.h"
#include "processor/log.h"

#define LOOK (50 * CLOCK_MS)
#define SAVE_EVERY CLOCK_SECOND

/* -- opening -- */

static void source_close(void *arg)
{
    struct archive_feed *source = arg;
    if (source == NULL)
        return;
    for (unsigned i = 0; source->parts != NULL && i < source->stretch->count; i++) {
        struct archive_reading *reading = &source->parts[i].reading;
        archive_reading_fini(reading);
        if (source->inflater == NULL)
            archive_inflater_free(reading->inflater);
    }
    archive_inflater_free(source->inflater);
    archive_catalog_fini(&source->catalog);
    free(source->parts);
    free(source->headers);
    if (source->lock >= 0)
        close(source->lock);
    CHECK_CALL(pthread_cond_destroy(&source->changed));
    CHECK_CALL(pthread_mutex_destroy(&source->mutex));
    free(source);
}

static void init_condition(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    CHECK_CALL(pthread_condattr_init(&attr));
    CHECK_CALL(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    CHECK_CALL(pthread_cond_init(cond, &attr));
    CHECK_CALL(pthread_condattr_destroy(&attr));
}

/* Where this run begins: an earlier one of this process may have come further than the plan says, with a name or without. */
static enum status find_positions(struct archive_feed *source)
{
    const struct stretch *stretch = source->stretch;
    struct stretch *kept = NULL;
    enum status status = STATUS_OK;
    if (stretch->progress != NULL)
        status = archive_progress_read(source->config->dir, source->service, &kept, source->error);
    for (unsigned i = 0; i < stretch->count && status == STATUS_OK; i++) {
        const struct stretch_part *part = &stretch->parts[i];
        const struct stretch_part *was = kept != NULL ? stretch_part(kept, part->topic, part->partition) : NULL;
        bool same = was != NULL && was->first == part->first && was->end == part->end;
        int64_t known = offsets_get(source->offsets, part->topic, part->partition);
        int64_t next = same && was->next > part->next ? was->next : part->next;
        if (known > next)
            next = known < part->end ? known : part->end;
        source->parts[i].fresh = stretch->progress != NULL && was == NULL;
        source->parts[i].position = next;
        source->parts[i].pushed = source->parts[i].committed = -1;
    }
    stretch_free(kept);
    return status;
}

static enum status source_open(const void *config, const struct connector_env *env, struct context *context,
                               void **ret_source, struct error *error)
{
    (void)context;
    if (env->stretch == NULL)
        return error_set(error, ERROR_FATAL, "an archive is read as a stretch only");
    struct archive_feed *source = calloc(1, sizeof *source);
    if (source == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    source->config = config;
    source->stretch = env->stretch;
    source->offsets = env->offsets;
    source->service = env->service;
    source->taken = source->taken_before = offsets_get_taken(env->offsets);
    source->error = error;
    source->lock = -1;
    CHECK_CALL(pthread_mutex_init(&source->mutex, NULL));
    init_condition(&source->changed);
    enum status status = STATUS_OK;
    if (env->stretch->progress != NULL)
        status = archive_progress_lock(source->config->dir, source->service, &source->lock, error);
    if (status == STATUS_OK)
        status = archive_catalog_read(source->config->dir, NULL, -1, &source->catalog, error);
    if (status == STATUS_OK && (source->parts = calloc(env->stretch->count + 1, sizeof *source->parts)) == NULL)
        status = archive_feed_no_memory(source);
    if (status == STATUS_OK && env->stretch->speed <= 0 && (source->inflater = archive_inflater_new()) == NULL)
        status = archive_feed_no_memory(source);
    if (status == STATUS_OK)
        status = find_positions(source);
    if (status != STATUS_OK) {
        source_close(source);
        return status;
    }
    *ret_source = source;
    return STATUS_OK;
}

/* -- progress -- */

/* Behind what has its verdict, and what was not wanted behind that. */
static int64_t worked_through(const struct archive_part *part)
{
    if (part->intake == NULL)
        return part->position;
    int64_t committable = intake_committable(part->intake);
    if (part->pushed < 0 || committable == part->pushed)
        return part->position;
    return committable;
}

static enum status save(struct archive_feed *source)
{
    const struct stretch *stretch = source->stretch;
    int64_t *nexts = malloc((stretch->count + 1) * sizeof *nexts);
    if (nexts == NULL)
        return archive_feed_no_memory(source);
    for (unsigned i = 0; i < stretch->count; i++) {
        nexts[i] = worked_through(&source->parts[i]);
        /* Nothing was settled yet: as it was. */
        if (nexts[i] < 0)
            nexts[i] = source->parts[i].committed >= 0 ? source->parts[i].committed : stretch->parts[i].next;
    }
    enum status status = stretch->progress != NULL ? archive_progress_write(source->config->dir, source->service,
                                                                            stretch, nexts, source->error)
                                                   : STATUS_OK;
    for (unsigned i = 0; i < stretch->count && status == STATUS_OK; i++) {
        struct archive_part *part = &source->parts[i];
        if (part->intake != NULL && nexts[i] != part->committed)
            intake_committed(part->intake, nexts[i]);
        part->committed = nexts[i];
    }
    free(nexts);
    source->saved_at = clock_now();
    return status;
}

/* The disk may have room again later, and what counts is the last one. */
static void save_now_and_then(struct archive_feed *source)
{
    if (clock_now() - source->saved_at < SAVE_EVERY)
        return;
    if (save(source) != STATUS_OK) {
        log_warn("archive", "progress not saved: %s", source->error->text);
        *source->error = (struct error){0};
        source->saved_at = clock_now();
    }
}

/* -- assignment -- */

/* Exactly once. As for a stretch of Kafka: offsets in the store without any progress are of a run of long ago, and maybe of another stretch. */
static enum status check_start(struct archive_feed *source, unsigned at, int64_t stored)
{
    const struct stretch_part *part = &source->stretch->parts[at];
    if (!source->parts[at].fresh || stored < 0)
        return STATUS_OK;
    return error_set(source->error, ERROR_FATAL,
                     "%s/%d: the store keeps offset %lld of an earlier run under the name \"%s\", whose progress is "
                     "gone: choose another name, or remove the offsets of service \"%s\" there",
                     part->topic, (int)part->partition, (long long)stored, source->stretch->progress, source->service);
}

static enum status assign(struct archive_feed *source, unsigned at)
{
    const struct stretch_part *wanted = &source->stretch->parts[at];
    struct archive_part *part = &source->parts[at];
    struct offset_start stored = {.topic = wanted->topic, .partition = wanted->partition};
    enum status status = intake_find_starts(source->intake, &stored, 1, source->context, CLOCK_NEVER, source->error);
    if (status != STATUS_OK)
        return status;
    status = check_start(source, at, stored.offset);
    if (status != STATUS_OK)
        return status;
    if (stored.offset > part->position)
        part->position = stored.offset < wanted->end ? stored.offset : wanted->end;
    else if (stored.offset >= wanted->first)
        part->position = stored.offset;
    struct archive_inflater *inflater = source->inflater != NULL ? source->inflater : archive_inflater_new();
    archive_reading_init(&part->reading, &source->catalog, wanted, part->position, inflater);
    if (inflater == NULL)
        return archive_feed_no_memory(source);
    part->intake = intake_assign(source->intake, wanted->topic, wanted->partition, part->position);
    if (part->intake == NULL)
        return archive_feed_no_memory(source);
    intake_set_stored(part->intake, stored.offset);
    intake_position(part->intake, part->position, wanted->end);
    return STATUS_OK;
}

/* Those without a verdict come again when the pipeline is built anew, and count then. */
static void remember_taken(struct archive_feed *source)
{
    int64_t taken = source->taken - source->taken_before;
    for (unsigned i = 0; i < source->stretch->count; i++) {
        const struct archive_part *part = &source->parts[i];
        taken -= part->batch != NULL ? (int64_t)part->batch->count : 0;
        taken -= part->intake != NULL ? (int64_t)intake_in_flight(part->intake) : 0;
    }
    offsets_add_taken(source->offsets, taken > 0 ? taken : 0);
}

static void revoke_all(struct archive_feed *source)
{
    for (unsigned i = 0; i < source->stretch->count; i++) {
        struct archive_part *part = &source->parts[i];
        batch_free(part->batch);
        part->batch = NULL;
        if (part->intake != NULL)
            intake_revoke(part->intake);
        part->intake = NULL;
    }
}

/* -- running -- */

static void wake(void *arg)
{
    struct archive_feed *source = arg;
    CHECK_CALL(pthread_mutex_lock(&source->mutex));
    source->woken = true;
    CHECK_CALL(pthread_cond_broadcast(&source->changed));
    CHECK_CALL(pthread_mutex_unlock(&source->mutex));
}

static void rest(struct archive_feed *source)
{
    int64_t until = clock_now() + LOOK;
    CHECK_CALL(pthread_mutex_lock(&source->mutex));
    if (!source->woken)
        (void)context_wait(source->context, &source->changed, &source->mutex,
                           source->when < until ? source->when : until);
    source->woken = false;
    CHECK_CALL(pthread_mutex_unlock(&source->mutex));
}

static enum status consume(struct archive_feed *source)
{
    enum status status = context_status(source->context);
    while (status == STATUS_OK && !intake_draining(source->intake)) {
        bool moved;
        save_now_and_then(source);
        status = archive_feed_turn(source, &moved);
        if (status == STATUS_OK && archive_feed_is_at_end(source))
            intake_finish(source->intake);
        else if (!moved && status == STATUS_OK)
            rest(source);
        if (status == STATUS_OK)
            status = context_status(source->context);
    }
    return status;
}

static enum status begin(struct archive_feed *source)
{
    const struct stretch *stretch = source->stretch;
    enum status status = STATUS_OK;
    if (intake_commits_elsewhere(source->intake))
        return error_set(source->error, ERROR_FATAL,
                         "exactly-once delivery into Kafka needs a source in Kafka: its transactions move the source's "
                         "own offsets");
    for (unsigned i = 0; i < stretch->count && status == STATUS_OK; i++)
        status = assign(source, i);
    if (status != STATUS_OK)
        return status;
    intake_state(source->intake, true, (int)stretch->count, NULL);
    pace_init(&source->pace, stretch->rate, stretch->speed, -1);
    /* Before the first record: whatever happens, the next run has the bounds of this one. */
    return save(source);
}

static enum status source_run(void *arg, struct intake *intake, struct context *context, struct error *error)
{
    struct archive_feed *source = arg;
    struct error ignored = {0};
    source->intake = intake;
    source->context = context;
    source->error = error != NULL ? error : &ignored;
    intake_on_wake(intake, wake, source);
    enum status status = begin(source);
    bool begun = status == STATUS_OK;
    if (begun)
        status = consume(source);
    if (status == STATUS_OK)
        status = intake_settle(intake, NULL, context, intake_drain_deadline(intake));
    if (status == STATUS_OK || status == STATUS_DEADLINE) {
        enum status saved = save(source);
        status = saved == STATUS_OK ? status : saved;
    } else if (begun) {
        /* What has its verdict need not come again. */
        struct error why = {0};
        source->error = &why;
        (void)!save(source);
    }
    intake_on_wake(intake, NULL, NULL);
    remember_taken(source);
    revoke_all(source);
    /* A drain while we asked the store. */
    return status == STATUS_CLOSED ? STATUS_OK : status;
}

static const struct source_stretch stretch = {.find = archive_find};

const struct source_type archive_source = {
    .name = "archive",
    .help = "Records of an archive, bit for bit.",
    .open = source_open,
    .run = source_run,
    .close = source_close,
    .stretch = &stretch,
};
