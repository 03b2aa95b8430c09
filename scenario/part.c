#include "scenario/part.h"

#include <string.h>

#include "processor/check.h"

/* Two stages, for the front and the back of the list; the keys before them are for the top level. */
static const char REST[] = "service: scenario\n"
                           "source: {kafka: {brokers: 'localhost:9092', group: scenario, topics: [input]}}\n"
                           "errors: {dead_letter: {topic: dead-letters}}\n"
                           "stages: [{decode: {format: json}}, {store: {stdout: {}}}]\n";

/* What we wrote has no place in the file. */
static void clear_places(struct config_node *node)
{
    node->line = node->column = node->end_line = node->end_column = node->key_line = node->key_column = 0;
    for (uint32_t i = 0; i < node->count; i++)
        clear_places(&node->children[i]);
}

static bool has_stage(const struct config_node *stages, const char *kind)
{
    for (uint32_t i = 0; i < stages->count; i++) {
        if (config_tree_get(&stages->children[i], kind) != NULL)
            return true;
    }
    return false;
}

/* A copy with room for `more` children. */
static struct config_node *copy_with_room(struct config_loader *loader, const struct config_node *node, uint32_t more)
{
    struct config_node *copy = config_loader_alloc(loader, 1, sizeof *copy);
    if (copy == NULL)
        return NULL;
    *copy = *node;
    copy->children = config_loader_alloc(loader, node->count + more, sizeof *copy->children);
    if (copy->children == NULL)
        return NULL;
    if (node->count > 0)
        memcpy(copy->children, node->children, node->count * sizeof *copy->children);
    return copy;
}

/* stages: of the config; rest: ours. */
static bool complete_stages(struct config_loader *loader, struct config_node *stages, const struct config_node *rest)
{
    if (stages->kind != NODE_LIST)
        return true; /* reported when it is parsed */
    bool decode = has_stage(stages, "decode"), store = has_stage(stages, "store");
    struct config_node *whole = copy_with_room(loader, stages, 2);
    if (whole == NULL)
        return false;
    if (!decode) {
        if (whole->count > 0)
            memmove(whole->children + 1, whole->children, whole->count * sizeof *whole->children);
        whole->children[0] = rest->children[0];
        whole->count++;
    }
    if (!store)
        whole->children[whole->count++] = rest->children[1];
    *stages = *whole;
    return true;
}

const struct config_node *part_complete(struct config_loader *loader, const struct config_node *config)
{
    struct config_report *none = config_report_new("", REST, sizeof REST - 1);
    CHECK(none != NULL);
    struct config_node *rest = config_tree_parse("", REST, sizeof REST - 1, &loader->arena, none);
    config_report_free(none);
    CHECK(rest != NULL);
    clear_places(rest);
    struct config_node *whole = copy_with_room(loader, config, rest->count);
    if (whole == NULL)
        return NULL;
    for (uint32_t i = 0; i < rest->count; i++) {
        const struct config_node *child = &rest->children[i];
        bool stages = strcmp(child->key, "stages") == 0;
        if (config_tree_get(config, child->key) == NULL && !stages)
            whole->children[whole->count++] = *child;
    }
    const struct config_node *ours = config_tree_get(rest, "stages");
    for (uint32_t i = 0; i < config->count; i++) {
        if (strcmp(whole->children[i].key, "stages") == 0 && !complete_stages(loader, &whole->children[i], ours))
            return NULL;
    }
    return whole;
}
