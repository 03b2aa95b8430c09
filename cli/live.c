#include "cli/live.h"

#include "config/config.h"
#include "config/probe.h"
#include "config/units.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/metrics.h"

/* -- stages -- */

static void check_step(const struct config_step *step, const struct stage_env *env)
{
    struct error error = {0};
    void *stage = NULL;
    enum status status = step->type->init != NULL ? step->type->init(step->config, env, &stage, &error) : STATUS_OK;
    if (status == STATUS_FAILED)
        probe_tell(env->probe, error.class, step->node, "%s", error.text);
    else if (status != STATUS_OK)
        probe_tell(env->probe, ERROR_TRANSIENT, step->node, "%s", status_name(status));
    else if (step->type->close != NULL)
        step->type->close(stage);
}

void live_check_stages(const struct config *config, struct probe *probe)
{
    struct metrics *metrics = metrics_new();
    CHECK(metrics != NULL);
    for (uint32_t i = 0; i < config->stage_count; i++) {
        const struct config_stage *stage = &config->stages[i];
        const struct stage_env env = {
            .name = stage->name, .metrics = metrics, .config_dir = config->dir, .probe = probe};
        for (uint32_t j = 0; j < stage->step_count; j++)
            check_step(&stage->steps[j], &env);
    }
    metrics_free(metrics);
}

/* -- source and stores -- */

static void check_source(const struct config *config, const struct connector_env *env, int64_t timeout)
{
    const struct dead_letter_config letters = {.topic = config->errors.dead_letter.topic,
                                               .properties = &config->errors.dead_letter.properties};
    if (config->source_type->probe == NULL)
        return;
    struct context *context = context_new(NULL, clock_now() + timeout);
    CHECK(context != NULL);
    config->source_type->probe(config->source_config, &letters, config->errors.dead_letter.head.node, env, context);
    context_free(context);
}

static void check_store(const struct config_store *store, const struct connector_env *env, int64_t timeout)
{
    const struct config_node *node = config_tree_get(store->head.node, store->type->name);
    struct error error = {0};
    char text[UNITS_TEXT_MAX];
    void *opened = NULL;
    struct context *context = context_new(NULL, clock_now() + timeout);
    CHECK(context != NULL);
    enum status status = store->type->open(store->config, env, context, &opened, &error);
    if (status == STATUS_OK)
        store->type->close(opened);
    else if (status == STATUS_FAILED)
        probe_tell(env->probe, error.class, node, "%s", error.text);
    else if (status == STATUS_DEADLINE)
        probe_tell(env->probe, ERROR_TRANSIENT, node, "expected an answer within %s, found none",
                   units_duration_text(timeout, text));
    else
        probe_tell(env->probe, ERROR_TRANSIENT, node, "%s", status_name(status));
    context_free(context);
}

void live_check_connectors(const struct config *config, int64_t timeout, struct probe *probe)
{
    struct metrics *metrics = metrics_new();
    CHECK(metrics != NULL);
    struct connector_env env = {
        .service = config->service,
        .name = config->source_type->name,
        .metrics = metrics,
        .config_dir = config->dir,
        .source_name = config->source_type->name,
        .source_config = config->source_config,
        .exactly_once = config->delivery == DELIVERY_EXACTLY_ONCE,
        .probe = probe,
    };
    check_source(config, &env, timeout);
    for (uint32_t i = 0; i < config->store_count; i++) {
        env.name = config->stores[i].name;
        check_store(&config->stores[i], &env, timeout);
    }
    metrics_free(metrics);
}
