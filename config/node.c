/* Looking things up in a finished tree. */
#include <stdio.h>
#include <string.h>

#include "config/tree.h"

const struct config_node *config_tree_get(const struct config_node *map, const char *key)
{
    if (map == NULL || map->kind != NODE_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->count; i++) {
        if (strcmp(map->children[i].key, key) == 0)
            return &map->children[i];
    }
    return NULL;
}

bool config_tree_is_null(const struct config_node *node)
{
    static const char *const NULLS[] = {"", "~", "null", "Null", "NULL"};
    if (node->kind != NODE_SCALAR || !node->plain || node->substituted)
        return false;
    for (size_t i = 0; i < sizeof NULLS / sizeof NULLS[0]; i++) {
        if (strcmp(node->text, NULLS[i]) == 0)
            return true;
    }
    return false;
}

void config_tree_path(const struct config_node *node, char *path, size_t size)
{
    if (node->parent == NULL) {
        path[0] = '\0';
        if (node->key != NULL)
            snprintf(path, size, "%.128s", node->key);
        return;
    }
    config_tree_path(node->parent, path, size);
    size_t at = strlen(path);
    if (node->key != NULL)
        snprintf(path + at, size - at, "%s%.128s", at > 0 ? "." : "", node->key);
    else
        snprintf(path + at, size - at, "[%u]", (unsigned)node->index);
}
