#include "config/stages.h"

#include <string.h>

#include "config/choose.h"
#include "config/found.h"
#include "config/settings.h"
#include "config/unknown.h"
#include "processor/transform.h"

/* A step's config, by its type's field. */
static const void *parse_content(struct config_loader *loader, const struct config_field *field,
                                 const struct config_node *node)
{
    void *content = config_loader_alloc(loader, 1, config_kind_size(field));
    return content != NULL && config_parse(loader, field, node, content) ? content : NULL;
}

bool source_parse(struct config_loader *loader, const struct config_registry *registry, const struct config_node *node,
                  struct config *config)
{
    const char *names[STAGES_MAX + 1] = {NULL};
    struct choice choice;
    for (uint32_t i = 0; i < STAGES_MAX && registry->sources[i] != NULL; i++)
        names[i] = registry->sources[i]->name;
    bool good = choose(loader, node, names, NULL, "the source", &choice);
    if (choice.kind < 0)
        return false;
    config->source_type = registry->sources[choice.kind];
    config->source_node = choice.node;
    /* Kept when it is wrong: errors.dead_letter is judged beside it. */
    void *content = config_loader_alloc(loader, 1, config_kind_size(config->source_type->config));
    config->source_config = content;
    return content != NULL && config_parse(loader, config->source_type->config, choice.node, content) && good;
}

static bool add_step(struct config_loader *loader, const struct stage_type *type, const struct config_node *node,
                     struct config_stage *stage)
{
    struct config_step *step = &stage->steps[stage->step_count++];
    *step = (struct config_step){.type = type, .node = node, .config = parse_content(loader, type->config, node)};
    return step->config != NULL;
}

static bool parse_decode(struct config_loader *loader, const struct stage_type *type, const struct config_node *node,
                         struct config_stage *stage)
{
    stage->steps = config_loader_alloc(loader, 1, sizeof *stage->steps);
    return stage->steps != NULL && add_step(loader, type, node, stage);
}

static const struct stage_type *find_type(const struct stage_type *const *types, const char *name)
{
    for (; *types != NULL; types++) {
        if (strcmp((*types)->name, name) == 0)
            return *types;
    }
    return NULL;
}

/* {set: {...}} in a list. */
static bool parse_item(struct config_loader *loader, const struct stage_type *const *types, const char *const *names,
                       const struct config_node *node, struct config_stage *stage)
{
    struct choice choice;
    bool good = choose(loader, node, names, NULL, "an item of `enrich`", &choice);
    return choice.kind >= 0 && add_step(loader, types[choice.kind], choice.node, stage) && good;
}

/* {set: {...}, lookup: {...}}, in the order of the file. */
static bool parse_map(struct config_loader *loader, const struct stage_type *const *types, const char *const *names,
                      const struct config_node *node, struct config_stage *stage)
{
    bool good = true;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct config_node *child = &node->children[i];
        const struct stage_type *type = find_type(types, child->key);
        if (type == NULL)
            unknown_key(loader, child, names);
        good &= type != NULL && add_step(loader, type, child, stage);
    }
    return good;
}

static bool parse_enrich(struct config_loader *loader, const struct stage_type *const *types,
                         const struct config_node *node, struct config_stage *stage)
{
    const char *names[STAGES_MAX + 1] = {NULL};
    char found[FOUND_MAX];
    bool good = true;
    if (node->kind == NODE_SCALAR || node->count == 0) {
        config_error(loader->report, node, "expected a list of enrichers (- set: {...}), found %s",
                     found_words(node, found));
        return false;
    }
    if (node->count > TRANSFORM_MAX_STEPS) {
        config_error(loader->report, node,
                     "expected at most %d enrichers, found %u; a second `enrich` takes the others", TRANSFORM_MAX_STEPS,
                     node->count);
        return false;
    }
    for (uint32_t i = 0; i < STAGES_MAX && types[i] != NULL; i++)
        names[i] = types[i]->name;
    stage->steps = config_loader_alloc(loader, node->count, sizeof *stage->steps);
    if (stage->steps == NULL)
        return false;
    if (node->kind == NODE_MAP)
        return parse_map(loader, types, names, node, stage);
    for (uint32_t i = 0; i < node->count; i++)
        good &= parse_item(loader, types, names, &node->children[i], stage);
    return good;
}

static bool apply_settings(struct config_loader *loader, const struct config_node *node, const struct config *config,
                           struct config_stage *stage)
{
    struct stage_settings settings;
    bool good = config_parse(loader, &stage_settings_field, node, &settings);
    good = good && stage_name_check(loader, node, settings.name) && queue_check(loader, config, &settings.queue);
    if (settings.workers.max == 0)
        settings.workers = (struct stage_workers){.min = 1, .max = stage_workers_max(1)};
    stage->name = settings.name;
    stage->workers_min = settings.workers.min;
    stage->workers_max = settings.workers.max;
    stage->queue_records = settings.queue.records;
    stage->queue_bytes = settings.queue.bytes;
    return good;
}

/* What has been seen of the list so far. */
struct progress {
    bool decoded, stored;
};

/* The sequence is closed: decode, enrich ..., store. */
static bool check_sequence(struct config_loader *loader, const struct config_node *node, bool decode, bool store,
                           struct progress *progress)
{
    const char *why = NULL;
    if (progress->stored)
        why = store
                  ? "expected one `store`, found another one; several stores are a list below the first: `store: [...]`"
                  : "expected nothing behind `store`, which is the last stage";
    else if (decode && progress->decoded)
        why = "expected one `decode`, found another one";
    else if (!decode && !store && !progress->decoded)
        why = "expected a `decode` before `enrich`, found none";
    progress->decoded = progress->decoded || decode;
    progress->stored = progress->stored || store;
    if (why != NULL)
        config_error_key(loader->report, node, "%s", why);
    return why == NULL;
}

static bool parse_stage(struct config_loader *loader, const struct config_registry *registry,
                        const struct config_node *node, struct progress *progress, struct config *config)
{
    const char *kinds[STAGES_MAX + 3];
    uint32_t decoders = 0;
    for (; decoders < STAGES_MAX && registry->decoders[decoders] != NULL; decoders++)
        kinds[decoders] = registry->decoders[decoders]->name;
    kinds[decoders] = "enrich";
    kinds[decoders + 1] = "store";
    kinds[decoders + 2] = NULL;
    struct choice choice;
    /* flush is only for stores; of the stages' keys it says so itself below. */
    bool good = choose(loader, node, kinds, store_settings_field.table->fields, "a stage", &choice);
    if (choice.kind < 0)
        return false;
    bool decode = choice.kind < (int)decoders, store = choice.kind == (int)decoders + 1;
    good &= check_sequence(loader, choice.node, decode, store, progress);
    if (store)
        return stores_parse(loader, registry, choice.node, choice.settings, config) && good;
    struct config_stage *stage = &config->stages[config->stage_count++];
    stage->head.node = node;
    good &= apply_settings(loader, choice.settings, config, stage);
    good &= decode ? parse_decode(loader, registry->decoders[choice.kind], choice.node, stage)
                   : parse_enrich(loader, registry->enrichers, choice.node, stage);
    return good;
}

bool stages_parse(struct config_loader *loader, const struct config_registry *registry, const struct config_node *node,
                  struct config *config)
{
    struct progress progress = {0};
    char found[FOUND_MAX];
    bool good = true;
    if (node->kind != NODE_LIST || node->count == 0 || node->count > STAGES_MAX) {
        config_error(loader->report, node,
                     "expected a list of 1 to %d stages (- decode: {...}, - enrich: [...], - store: {...}), found %s",
                     STAGES_MAX, node->count > STAGES_MAX ? "more" : found_words(node, found));
        return false;
    }
    config->stages = config_loader_alloc(loader, node->count, sizeof *config->stages);
    if (config->stages == NULL)
        return false;
    for (uint32_t i = 0; i < node->count; i++)
        good &= parse_stage(loader, registry, &node->children[i], &progress, config);
    if (!progress.stored && good) {
        config_error_key(loader->report, node, "expected a `store` as the last stage, found none");
        good = false;
    }
    return good && stages_name(loader, registry, config);
}
