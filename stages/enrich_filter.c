/* filter: drops records by a condition that the config states: those for which it holds (drop_when), or does not (keep_when). A tombstone that decode let through
 * passes: it has nothing that a condition could look at, and means a deletion further on. */
#include <stdlib.h>

#include "config/fields.h"
#include "config/table.h"
#include "processor/condition.h"
#include "processor/stage.h"

struct filter_config {
    struct config_head head;
    struct condition drop_when, keep_when;
};

struct filter {
    const struct condition *condition;
    bool drop; /* when it holds; else when it does not */
};

static enum status filter_init(const void *arg, const struct stage_env *env, void **ret_stage, struct error *error)
{
    (void)env;
    const struct filter_config *config = arg;
    struct filter *filter = malloc(sizeof *filter);
    if (filter == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    filter->drop = config_tree_get(config->head.node, "drop_when") != NULL;
    filter->condition = filter->drop ? &config->drop_when : &config->keep_when;
    *ret_stage = filter;
    return STATUS_OK;
}

static void filter_process(void *stage, void *worker, struct batch *batch)
{
    (void)worker;
    const struct filter *filter = stage;
    BATCH_EACH(batch, record)
    {
        if (record->document.kind == DOCUMENT_NULL)
            continue;
        if (condition_holds(filter->condition, &record->document, &batch->arena) == filter->drop)
            batch_drop(record);
    }
}

static void filter_close(void *stage)
{
    free(stage);
}

/* A condition that stands in the filter itself: which of its keys, or NULL. */
static const char *bare_condition(const struct config_node *node)
{
    static const char *const KEYS[] = {"path", "all", "any", "not", "equals", "not_equals", "in", "matches", "exists"};
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        if (config_tree_get(node, KEYS[i]) != NULL)
            return KEYS[i];
    }
    return NULL;
}

static void filter_check(const void *arg, struct config_report *report)
{
    const struct filter_config *config = arg;
    const struct config_node *drop = config_tree_get(config->head.node, "drop_when");
    const struct config_node *keep = config_tree_get(config->head.node, "keep_when");
    const char *bare = bare_condition(config->head.node);
    if (drop == NULL && keep == NULL && bare != NULL)
        config_error(report, config->head.node,
                     "expected drop_when or keep_when, found a condition by itself; did you mean drop_when: {%s: ...}?",
                     bare);
    else if (drop == NULL && keep == NULL)
        config_error(report, config->head.node, "expected drop_when or keep_when, found neither");
    else if (drop != NULL && keep != NULL)
        config_error_key(report, keep, "expected drop_when or keep_when, found both; join conditions by all, any, not");
}

static const struct config_field FILTER_FIELDS[] = {
    {.name = "drop_when",
     .help = "Records for which this condition holds are dropped (and counted).",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct filter_config, drop_when),
     .custom = &config_condition},
    {.name = "keep_when",
     .help = "Records for which this condition does not hold are dropped (and counted).",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct filter_config, keep_when),
     .custom = &config_condition},
    {0},
};

static const struct config_table FILTER_TABLE = {
    .name = "filter",
    .help = "Drops records by a condition: drop_when or keep_when.",
    .size = sizeof(struct filter_config),
    .fields = FILTER_FIELDS,
    .check = filter_check,
};

static const struct config_field FILTER_CONFIG = {
    .name = "filter",
    .help = "Drops records by a condition: drop_when or keep_when.",
    .kind = CONFIG_OBJECT,
    .table = &FILTER_TABLE,
};

const struct stage_type filter_stage = {
    .name = "filter",
    .help = "drops records by a condition",
    .config = &FILTER_CONFIG,
    .init = filter_init,
    .process = filter_process,
    .close = filter_close,
};
