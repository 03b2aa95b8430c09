#include "config/choose.h"

#include <stdio.h>
#include <string.h>

#include "config/found.h"
#include "config/unknown.h"

enum { KEYS_MAX = 64 };

static int find(const char *const *names, const char *name)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

/* kinds, and behind them the names of the fields. */
static void list_keys(const char *const *kinds, const struct config_field *beside, const char **ret)
{
    size_t count = 0;
    for (; *kinds != NULL && count < KEYS_MAX; kinds++)
        ret[count++] = *kinds;
    for (; beside != NULL && beside->name != NULL && count < KEYS_MAX; beside++)
        ret[count++] = beside->name;
    ret[count] = NULL;
}

/* A map that stands where node does. */
static struct config_node *empty_copy(struct config_loader *loader, const struct config_node *node)
{
    struct config_node *copy = config_loader_alloc(loader, 1, sizeof *copy);
    if (copy == NULL)
        return NULL;
    *copy = *node;
    copy->count = 0;
    copy->children = config_loader_alloc(loader, node->count, sizeof *copy->children);
    return copy->children != NULL ? copy : NULL;
}

static bool sort_keys(struct config_loader *loader, const struct config_node *node, const char *const *kinds,
                      const struct config_field *beside, const char *what, struct choice *ret)
{
    const char *keys[KEYS_MAX + 1];
    char choices[256];
    bool good = true;
    list_keys(kinds, beside, keys);
    found_choices(kinds, choices, sizeof choices);
    for (uint32_t i = 0; i < node->count; i++) {
        const struct config_node *child = &node->children[i];
        int kind = find(kinds, child->key);
        if (kind >= 0 && ret->node != NULL) {
            config_error_key(loader->report, child,
                             "expected one of %s for %s, found `%s` beside `%s` (is a `- ` missing?)", choices, what,
                             child->key, ret->node->key);
            good = false;
        } else if (kind >= 0) {
            ret->node = child;
            ret->kind = kind;
        } else if (find(keys, child->key) >= 0) {
            ret->settings->children[ret->settings->count++] = *child;
        } else {
            unknown_key(loader, child, keys);
            good = false;
        }
    }
    return good;
}

bool choose(struct config_loader *loader, const struct config_node *node, const char *const *kinds,
            const struct config_field *beside, const char *what, struct choice *ret)
{
    char choices[256], found[FOUND_MAX];
    *ret = (struct choice){.kind = -1};
    found_choices(kinds, choices, sizeof choices);
    if (node->kind != NODE_MAP) {
        bool name = node->kind == NODE_SCALAR && find(kinds, node->text) >= 0;
        config_error(loader->report, node, "expected a map for %s: %s and what belongs to it, found %s%s%s%s", what,
                     choices, found_words(node, found), name ? "; write {" : "", name ? node->text : "",
                     name ? ": {}}" : "");
        return false;
    }
    ret->settings = empty_copy(loader, node);
    if (ret->settings == NULL)
        return false;
    bool good = sort_keys(loader, node, kinds, beside, what, ret);
    if (good && ret->node == NULL) {
        config_error(loader->report, node, "expected %s: %s, found none", what, choices);
        good = false;
    }
    return good && ret->node != NULL;
}
