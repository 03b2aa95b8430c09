#include "config/column.h"

#include <string.h>

#include "processor/template.h"

enum { NAMES_MAX = 1000 };

bool config_column_parse(struct config_loader *loader, const struct config_node *node, const char *expected,
                         struct config_column *ret)
{
    struct config_report *report = config_loader_report(loader);
    struct arena *arena = config_loader_arena(loader);
    struct config_column column = {0};
    char why[128] = "";
    const char *path_why = "";
    unsigned at = 0;

    if (node->kind != NODE_SCALAR || node->text[0] == '\0') {
        config_error(report, node, "expected a path (.order_id), a template (\"{{offset}}\") or %s", expected);
        return false;
    }
    if (strstr(node->text, "{{") != NULL) {
        if (template_compile(node->text, arena, &column.template, &at, why, sizeof why) != STATUS_OK) {
            config_error_at(report, node, at, "in a template: %s", why);
            return false;
        }
    } else if (path_compile(node->text, arena, &column.path, &at, &path_why) != STATUS_OK) {
        config_error_at(report, node, at, "in a path: %s", path_why);
        return false;
    }
    *ret = column;
    return true;
}

bool config_column_is_key(const struct config_list *key, const char *name)
{
    const char *const *names = key->items;
    for (uint32_t i = 0; i < key->count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static bool has_column(const struct config_map *columns, const char *name)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        if (strcmp(columns->keys[i], name) == 0)
            return true;
    }
    return false;
}

static const char *hint_at_column(const struct config_map *columns, const char *name, char hint[CONFIG_HINT_SIZE])
{
    const char *names[NAMES_MAX + 1];
    uint32_t count = 0;
    for (; count < columns->count && count < NAMES_MAX; count++)
        names[count] = columns->keys[count];
    names[count] = NULL;
    return config_hint(name, names, hint);
}

static void check_names(const struct config_node *node, const struct config_list *key, const struct config_map *columns,
                        struct config_report *report)
{
    const char *const *names = key->items;
    for (uint32_t i = 0; i < key->count; i++) {
        const struct config_node *at = node != NULL && node->kind == NODE_LIST && i < node->count ? &node->children[i]
                                                                                                  : node;
        if (has_column(columns, names[i])) {
            for (uint32_t j = 0; j < i; j++) {
                if (strcmp(names[i], names[j]) == 0)
                    config_error(report, at, "the column \"%s\" is there twice", names[i]);
            }
            continue;
        }
        char hint[CONFIG_HINT_SIZE];
        config_error(report, at, "expected one of the names in `columns`, found \"%s\"%s", names[i],
                     hint_at_column(columns, names[i], hint));
    }
}

void config_column_check_key(const struct config_node *store, bool upsert, const struct config_list *key,
                             const struct config_map *columns, struct config_report *report)
{
    const struct config_node *node = config_tree_get(store, "key");
    if (!upsert && key->count > 0) {
        config_error(report, node,
                     "`key` is only for `mode: upsert`, found with `mode: append`; set the mode or take `key` out");
        return;
    }
    if (upsert && key->count == 0)
        config_error(report, store, "`mode: upsert` needs `key`: the columns by which a row is found again");
    check_names(node, key, columns, report);
}
