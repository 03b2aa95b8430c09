#include "scenario/trial.h"

#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/health.h"
#include "processor/metrics.h"
#include "processor/offsets.h"
#include "processor/template.h"

/* Failures are declared: nobody has to wait for them to pass. */
#define BACKOFF CLOCK_MS

struct trial_failures {
    const struct spec_answer *answer;
    uint32_t record;
    int64_t times;
    struct trial_failures *next;
};

void trial_lock(struct trial *trial)
{
    CHECK_CALL(pthread_mutex_lock(&trial->mutex));
}

void trial_unlock(struct trial *trial)
{
    CHECK_CALL(pthread_mutex_unlock(&trial->mutex));
}

struct bytes trial_copy_locked(struct trial *trial, struct bytes bytes)
{
    struct bytes copy = arena_copy(&trial->arena, bytes);
    CHECK(copy.data != NULL || bytes.data == NULL);
    return copy;
}

void *trial_grow(void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return items;
    *room = *room > 0 ? *room * 2 : 64;
    items = realloc(items, *room * size);
    CHECK(items != NULL);
    return items;
}

static void *make(size_t count, size_t size)
{
    void *place = calloc(count + 1, size);
    CHECK(place != NULL);
    return place;
}

/* -- records by their places -- */

static int compare_places(const struct spec_record *a, const char *topic, int64_t partition, int64_t offset)
{
    int order = strcmp(a->topic, topic);
    if (order != 0)
        return order;
    if (a->partition != partition)
        return a->partition < partition ? -1 : 1;
    return a->offset < offset ? -1 : a->offset > offset;
}

static int by_place(const void *a, const void *b, void *arg)
{
    const struct trial *trial = arg;
    const struct spec_record *other = trial->records[*(const uint32_t *)b].given;
    return compare_places(trial->records[*(const uint32_t *)a].given, other->topic, other->partition, other->offset);
}

static void index_records(struct trial *trial)
{
    const struct spec_record *given = trial->scenario->spec->input.items;
    trial->record_count = trial->scenario->spec->input.count;
    trial->records = make(trial->record_count, sizeof *trial->records);
    trial->by_place = make(trial->record_count, sizeof *trial->by_place);
    for (uint32_t i = 0; i < trial->record_count; i++) {
        trial->records[i].given = &given[i];
        trial->by_place[i] = i;
    }
    qsort_r(trial->by_place, trial->record_count, sizeof *trial->by_place, by_place, trial);
}

uint32_t trial_find(const struct trial *trial, const char *topic, int32_t partition, int64_t offset)
{
    uint32_t low = 0, high = trial->record_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_places(trial->records[trial->by_place[middle]].given, topic, partition, offset);
        if (order == 0)
            return trial->by_place[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return UINT32_MAX;
}

/* -- answers -- */

/* A null key is no other key, not even an empty one. */
static bool keys_equal(struct bytes a, struct bytes b)
{
    return a.data == NULL || b.data == NULL ? a.data == b.data : bytes_equal(a, b);
}

static bool is_for(const struct spec_answer *answer, const struct batch *batch, const struct record *record,
                   struct arena *arena)
{
    const struct spec_which *which = &answer->which;
    if (which->partition != -1 && which->partition != batch->partition)
        return false;
    if (which->offset != -1 && which->offset != record->offset)
        return false;
    if (which->key.node != NULL && !keys_equal(which->key.bytes, record->key))
        return false;
    return config_tree_get(answer->head.node, "when") == NULL ||
           condition_holds(&which->when, &record->document, arena);
}

const struct spec_answer *trial_answer(const struct config_list *answers, const struct batch *batch,
                                       const struct record *record, struct arena *arena)
{
    const struct spec_answer *all = answers != NULL ? answers->items : NULL;
    for (uint32_t i = 0; answers != NULL && i < answers->count; i++) {
        if (is_for(&all[i], batch, record, arena))
            return &all[i];
    }
    return NULL;
}

bool trial_fails(struct trial *trial, const struct spec_answer *answer, uint32_t record)
{
    if (answer->fail.head.node == NULL)
        return false;
    trial_lock(trial);
    struct trial_failures *failures = trial->failures;
    while (failures != NULL && (failures->answer != answer || failures->record != record))
        failures = failures->next;
    if (failures == NULL) {
        failures = make(1, sizeof *failures);
        *failures = (struct trial_failures){.answer = answer, .record = record, .next = trial->failures};
        trial->failures = failures;
    }
    bool fails = failures->times < answer->fail.times;
    failures->times += fails;
    trial_unlock(trial);
    return fails;
}

/* -- the pipeline, with our parts in it -- */

static unsigned count_steps(const struct pipeline_config *pipeline)
{
    unsigned count = 0;
    for (unsigned i = 0; i < pipeline->stage_count; i++)
        count += pipeline->stages[i].step_count;
    return count;
}

static void watch_stages(struct trial *trial, const struct pipeline_config *pipeline)
{
    unsigned at = 0, count = count_steps(pipeline);
    trial->stages = make(pipeline->stage_count, sizeof *trial->stages);
    trial->steps = make(count, sizeof *trial->steps);
    trial->transform_steps = make(count, sizeof *trial->transform_steps);
    for (unsigned i = 0; i < pipeline->stage_count; i++) {
        trial->stages[i] = pipeline->stages[i];
        trial->stages[i].steps = &trial->transform_steps[at];
        for (unsigned k = 0; k < pipeline->stages[i].step_count; k++, at++) {
            trial->steps[at] = (struct trial_step){
                .trial = trial,
                .stage = pipeline->stages[i].name,
                .real = pipeline->stages[i].steps[k],
                .scenario = &trial->scenario->steps[at],
            };
            trial->steps[at].type = trial_stage_type;
            trial->steps[at].type.name = pipeline->stages[i].steps[k].type->name;
            trial->transform_steps[at] = (struct transform_step){&trial->steps[at].type, &trial->steps[at]};
        }
    }
    trial->pipeline.stages = trial->stages;
}

static void replace_stores(struct trial *trial, const struct pipeline_config *pipeline)
{
    trial->pipeline_stores = make(pipeline->store_count, sizeof *trial->pipeline_stores);
    trial->stores = make(pipeline->store_count, sizeof *trial->stores);
    for (unsigned i = 0; i < pipeline->store_count; i++) {
        trial->stores[i] = (struct trial_store){
            .trial = trial,
            .number = i,
            .real = &pipeline->stores[i],
            .scenario = &trial->scenario->stores[i],
        };
        trial->pipeline_stores[i] = pipeline->stores[i];
        trial->pipeline_stores[i].type = &trial_store_type;
        trial->pipeline_stores[i].config = &trial->stores[i];
    }
    trial->pipeline.stores = trial->pipeline_stores;
}

struct trial *trial_new(const struct scenario *scenario, const struct pipeline_config *pipeline)
{
    struct trial *trial = make(1, sizeof *trial);
    trial->scenario = scenario;
    trial->pipeline = *pipeline;
    CHECK_CALL(pthread_mutex_init(&trial->mutex, NULL));
    arena_init(&trial->arena, NULL);
    index_records(trial);
    watch_stages(trial, pipeline);
    replace_stores(trial, pipeline);
    trial->pipeline.source_type = &trial_source;
    trial->pipeline.source_config = trial;
    trial->pipeline.home_type = NULL; /* dead letters are ours too */
    trial->pipeline.home_config = NULL;
    trial->pipeline.exit_at_end = true;
    trial->pipeline.exactly_once = false; /* there is no store that could keep offsets */
    trial->pipeline.backoff_least = trial->pipeline.backoff_most = BACKOFF;
    return trial;
}

void trial_free(struct trial *trial)
{
    if (trial == NULL)
        return;
    for (unsigned i = 0; i < trial->pipeline.store_count; i++)
        free(trial->stores[i].outputs);
    while (trial->failures != NULL) {
        struct trial_failures *failures = trial->failures;
        trial->failures = failures->next;
        free(failures);
    }
    free(trial->letters);
    free(trial->by_place);
    free(trial->records);
    free(trial->stores);
    free(trial->pipeline_stores);
    free(trial->transform_steps);
    free(trial->steps);
    free(trial->stages);
    arena_fini(&trial->arena);
    CHECK_CALL(pthread_mutex_destroy(&trial->mutex));
    free(trial);
}

void trial_run(struct trial *trial)
{
    int64_t begin = clock_now();
    struct context *hard = context_new(NULL, begin + trial->scenario->timeout);
    const struct pipeline_shared shared = {
        .metrics = metrics_new(),
        .health = health_new(),
        .offsets = offsets_new(),
        .soft = context_new(NULL, CLOCK_NEVER),
    };
    CHECK(hard != NULL && shared.metrics != NULL && shared.health != NULL && shared.offsets != NULL &&
          shared.soft != NULL);
    template_fix_now(trial->scenario->now);
    trial->status = pipeline_run(&trial->pipeline, &shared, hard, &trial->counts, &trial->error);
    template_fix_now(-1);
    trial->ns = clock_now() - begin;
    context_free(shared.soft);
    context_free(hard);
    offsets_free(shared.offsets);
    health_free(shared.health);
    metrics_free(shared.metrics);
}
