#include "config/nodes.h"

#include <stdlib.h>
#include <string.h>

#include "config/report.h"

enum status nodes_add(struct nodes *nodes, const struct config_node *node)
{
    if (nodes->count == nodes->room) {
        uint32_t room = nodes->room > 0 ? nodes->room * 2 : 8;
        struct config_node *items = realloc(nodes->items, room * sizeof *items);
        if (items == NULL)
            return STATUS_NO_MEMORY;
        nodes->items = items;
        nodes->room = room;
    }
    nodes->items[nodes->count++] = *node;
    return STATUS_OK;
}

enum status nodes_finish(const struct nodes *nodes, struct config_node *node, struct arena *arena)
{
    node->children = arena_alloc(arena, nodes->count * sizeof *node->children);
    if (node->children == NULL)
        return STATUS_NO_MEMORY;
    if (nodes->count > 0)
        memcpy(node->children, nodes->items, nodes->count * sizeof *node->children);
    node->count = nodes->count;
    return STATUS_OK;
}

void nodes_fini(struct nodes *nodes)
{
    free(nodes->items);
}

static int by_key(const void *a, const void *b)
{
    const struct config_node *left = *(const struct config_node *const *)a;
    const struct config_node *right = *(const struct config_node *const *)b;
    int order = strcmp(left->key, right->key);
    if (order == 0)
        order = left < right ? -1 : left > right;
    return order;
}

/* Sorted, as comparing each with each would make a large map quadratic. */
enum status nodes_unique(struct nodes *nodes, uint32_t own, struct config_report *report)
{
    struct config_node *items = nodes->items;
    uint32_t count = nodes->count, kept = 0;
    if (count < 2)
        return STATUS_OK;
    struct config_node **sorted = malloc(count * sizeof(struct config_node *));
    bool *twice = calloc(count, sizeof *twice);
    if (sorted == NULL || twice == NULL) {
        free(sorted);
        free(twice);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &items[i];
    qsort(sorted, count, sizeof(struct config_node *), by_key);
    for (uint32_t i = 1, first = 0; i < count; i++) {
        if (strcmp(sorted[i]->key, sorted[first]->key) != 0) {
            first = i;
            continue;
        }
        twice[sorted[i] - items] = true;
        if (sorted[i] - items < own)
            config_error_key(report, sorted[i], "expected each key once, found `%.60s` again (first in line %u)",
                             sorted[i]->key, (unsigned)sorted[first]->key_line);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!twice[i])
            items[kept++] = items[i];
    }
    nodes->count = kept;
    free(sorted);
    free(twice);
    return STATUS_OK;
}
