#include "cli/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "processor/stretch.h"

struct plan {
    struct pipeline_config pipeline;
    struct pipeline_stage *stages;
    struct transform_step *steps; /* of all stages of the config */
    struct pipeline_store *stores;
};

static uint32_t count_steps(const struct config *config)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->stage_count; i++)
        count += config->stages[i].step_count;
    return count;
}

static void fill_stages(struct plan *plan, const struct config *config, const struct plan_changes *changes)
{
    struct transform_step *step = plan->steps;
    struct pipeline_stage *out = plan->stages;
    if (changes->first_step_count > 0)
        *out++ = (struct pipeline_stage){.name = changes->first_name,
                                         .steps = changes->first_steps,
                                         .step_count = changes->first_step_count,
                                         .workers_min = 1,
                                         .workers_max = 1};
    for (uint32_t i = 0; i < config->stage_count && !changes->no_stages; i++) {
        const struct config_stage *stage = &config->stages[i];
        *out++ = (struct pipeline_stage){
            .name = stage->name,
            .steps = step,
            .step_count = stage->step_count,
            .workers_min = (unsigned)stage->workers_min,
            .workers_max = (unsigned)stage->workers_max,
            .queue_records = (uint64_t)stage->queue_records,
            .queue_bytes = (uint64_t)stage->queue_bytes,
        };
        for (uint32_t j = 0; j < stage->step_count; j++, step++)
            *step = (struct transform_step){.type = stage->steps[j].type, .config = stage->steps[j].config};
    }
    plan->pipeline.stages = plan->stages;
    plan->pipeline.stage_count = (unsigned)(out - plan->stages);
}

struct pipeline_store plan_store(const struct config *config, unsigned at)
{
    const struct config_store *store = &config->stores[at];
    return (struct pipeline_store){
        .name = store->name,
        .type = store->type,
        .config = store->config,
        .workers = (unsigned)store->workers,
        .queue_records = (uint64_t)store->queue_records,
        .queue_bytes = (uint64_t)store->queue_bytes,
        .flush_records = (uint64_t)store->flush_records,
        .flush_bytes = (uint64_t)store->flush_bytes,
        .flush_interval = store->flush_interval,
    };
}

static void fill_stores(struct plan *plan, const struct config *config, const struct plan_changes *changes)
{
    for (uint32_t i = 0; i < config->store_count && changes->stores == NULL; i++)
        plan->stores[i] = plan_store(config, i);
    plan->pipeline.stores = changes->stores != NULL ? changes->stores : plan->stores;
    plan->pipeline.store_count = changes->stores != NULL ? changes->store_count : config->store_count;
}

bool plan_is_exactly_once(const struct config *config, const struct plan_changes *changes)
{
    bool once = config->delivery == DELIVERY_EXACTLY_ONCE;
    unsigned count = changes->stores != NULL ? changes->store_count : config->store_count;
    for (unsigned i = 0; i < count; i++) {
        const struct store_type *type = changes->stores != NULL ? changes->stores[i].type : config->stores[i].type;
        once = once && type->offsets != NULL && (type->offsets->read != NULL || changes->source_type == NULL);
    }
    return once;
}

static void fill_source(struct pipeline_config *pipeline, const struct config *config,
                        const struct plan_changes *changes)
{
    bool other = changes->source_type != NULL;
    pipeline->source_type = other ? changes->source_type : config->source_type;
    pipeline->source_config = other ? changes->source_config : config->source_config;
    pipeline->home_type = changes->home_type != NULL ? changes->home_type : config->source_type;
    pipeline->home_config = config->source_config;
    pipeline->stretch = changes->stretch;
    /* Slow on purpose is no incident. */
    if (changes->stretch != NULL && (changes->stretch->rate > 0 || changes->stretch->speed > 0))
        pipeline->watchdog = INT64_MAX;
}

struct plan *plan_new(const struct config *config, const struct plan_changes *changes)
{
    struct plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL)
        return NULL;
    /* + 1: there may be no step at all, and calloc(0) may be NULL; and a stage before those of the config. */
    plan->stages = calloc(config->stage_count + 1, sizeof *plan->stages);
    plan->steps = calloc(count_steps(config) + 1, sizeof *plan->steps);
    plan->stores = calloc(config->store_count + 1, sizeof *plan->stores);
    if (plan->stages == NULL || plan->steps == NULL || plan->stores == NULL) {
        plan_free(plan);
        return NULL;
    }
    plan->pipeline = (struct pipeline_config){
        .service = changes->service != NULL ? changes->service : config->service,
        .config_dir = config->dir,
        .memory = (size_t)config->memory,
        .ordered = config->order == ORDER_PARTITION,
        .exit_at_end = changes->exit_at_end,
        .exactly_once = plan_is_exactly_once(config, changes),
        .retry_max = (unsigned)config->errors.retry_max,
        .backoff_least = config->errors.backoff[0],
        .backoff_most = config->errors.backoff[1],
        .dead_letter = {.topic = config->errors.dead_letter.topic,
                        .properties = &config->errors.dead_letter.properties},
        .shutdown = config->shutdown,
        .watchdog = config->watchdog,
    };
    fill_source(&plan->pipeline, config, changes);
    fill_stages(plan, config, changes);
    fill_stores(plan, config, changes);
    return plan;
}

void plan_free(struct plan *plan)
{
    if (plan == NULL)
        return;
    free(plan->stages);
    free(plan->steps);
    free(plan->stores);
    free(plan);
}

const struct pipeline_config *plan_pipeline(const struct plan *plan)
{
    return &plan->pipeline;
}

/* -- in words -- */

struct line {
    char *text;
    size_t size, used;
};

static void PRINTF_LIKE(2, 3) add(struct line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = line->used < line->size ? vsnprintf(line->text + line->used, line->size - line->used, format, args) : 0;
    va_end(args);
    line->used += n > 0 ? (size_t)n : 0;
}

const char *plan_describe(const struct plan *plan, char *text, size_t size)
{
    const struct pipeline_config *pipeline = &plan->pipeline;
    struct line line = {.text = text, .size = size};
    add(&line, "%s", pipeline->source_type->name);
    for (unsigned i = 0; i < pipeline->stage_count; i++) {
        const struct pipeline_stage *stage = &pipeline->stages[i];
        add(&line, " -> %s", stage->name);
        for (unsigned j = 0; stage->step_count > 1 && j < stage->step_count; j++)
            add(&line, "%s%s", j == 0 ? " (" : ", ", stage->steps[j].type->name);
        add(&line, "%s", stage->step_count > 1 ? ")" : "");
    }
    for (unsigned i = 0; i < pipeline->store_count; i++)
        add(&line, "%s%s", i == 0 ? " -> " : " + ", pipeline->stores[i].name);
    return text;
}
