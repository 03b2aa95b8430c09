#include "config/table.h"

#include <string.h>

#include "config/found.h"
#include "config/loader.h"
#include "config/scalar.h"
#include "config/unknown.h"
#include "processor/check.h"

size_t config_kind_size(const struct config_field *field)
{
    switch (field->kind) {
    case CONFIG_STRING:
    case CONFIG_SECRET:
        return sizeof(const char *);
    case CONFIG_BOOL:
        return sizeof(bool);
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return sizeof(int64_t);
    case CONFIG_NUMBER:
        return sizeof(double);
    case CONFIG_RANGE:
        return 2 * sizeof(int64_t);
    case CONFIG_ENUM:
        return sizeof(int);
    case CONFIG_OBJECT:
        return field->table->size;
    case CONFIG_LIST:
        return sizeof(struct config_list);
    case CONFIG_MAP:
        return sizeof(struct config_map);
    case CONFIG_CUSTOM:
        return field->custom->size;
    case CONFIG_NODE:
        return sizeof(const struct config_node *);
    }
    CHECK(!"a kind of field");
    return 0;
}

static bool is_text(const struct config_field *field)
{
    return field->kind == CONFIG_STRING || field->kind == CONFIG_SECRET;
}

/* An entry of a list or map. One that is wrong stays, so that entries keep their numbers; a text is never NULL there. */
static bool parse_entry(struct config_loader *loader, const struct config_field *item, const struct config_node *node,
                        void *ret)
{
    if (is_text(item))
        *(const char **)ret = "";
    return config_parse(loader, item, node, ret);
}

static bool check_count(struct config_loader *loader, const struct config_field *field, const struct config_node *node,
                        uint32_t count)
{
    const char *what = field->kind == CONFIG_LIST ? "item" : "key";
    if (count < field->min) {
        config_error(loader->report, node, "expected at least %d %s%s, found %u", (int)field->min, what,
                     field->min == 1 ? "" : "s", count);
        return false;
    }
    if (field->max != 0 && count > field->max) {
        config_error(loader->report, node, "expected at most %d %ss, found %u", (int)field->max, what, count);
        return false;
    }
    return true;
}

static bool parse_list(struct config_loader *loader, const struct config_field *field, const struct config_node *node,
                       struct config_list *ret)
{
    const struct config_node *items = node->kind == NODE_LIST ? node->children : node;
    uint32_t count = node->kind == NODE_LIST ? node->count : 1;
    size_t size = config_kind_size(field->item);
    if (config_tree_is_null(node)) {
        config_error(loader->report, node, "expected a list, or a single item of it, found nothing");
        return false;
    }
    if (!check_count(loader, field, node, count))
        return false;
    char *places = config_loader_alloc(loader, count, size);
    if (places == NULL)
        return false;
    bool good = true;
    for (uint32_t i = 0; i < count; i++)
        good &= parse_entry(loader, field->item, &items[i], places + i * size);
    *ret = (struct config_list){.count = count, .items = places};
    return good;
}

static bool parse_map(struct config_loader *loader, const struct config_field *field, const struct config_node *node,
                      struct config_map *ret)
{
    size_t size = config_kind_size(field->item);
    if (node->kind != NODE_MAP && !config_tree_is_null(node)) {
        char found[FOUND_MAX];
        config_error(loader->report, node, "expected a map, found %s", found_words(node, found));
        return false;
    }
    if (!check_count(loader, field, node, node->count))
        return false;
    char *places = config_loader_alloc(loader, node->count, size);
    ret->keys = config_loader_alloc(loader, node->count, sizeof *ret->keys);
    ret->nodes = config_loader_alloc(loader, node->count, sizeof(const struct config_node *));
    if (places == NULL || ret->keys == NULL || ret->nodes == NULL)
        return false;
    ret->values = places;
    ret->count = node->count;
    bool good = true;
    for (uint32_t i = 0; i < node->count; i++) {
        ret->keys[i] = node->children[i].key;
        ret->nodes[i] = &node->children[i];
        good &= parse_entry(loader, field->item, &node->children[i], places + i * size);
    }
    return good;
}

static const struct config_field *find_field(const struct config_table *table, const char *name)
{
    for (const struct config_field *field = table->fields; field->name != NULL; field++) {
        if (strcmp(field->name, name) == 0)
            return field;
    }
    return NULL;
}

enum { FIELDS_MAX = 64 };

/* Keys that no field has. Those fields that a slip of the pen was probably meant for are marked, so that they are not called missing as well. */
static bool check_keys(struct config_loader *loader, const struct config_table *table, const struct config_node *node,
                       bool *ret_meant)
{
    bool good = true;
    for (uint32_t i = 0; i < node->count; i++) {
        if (find_field(table, node->children[i].key) != NULL)
            continue;
        const char *meant = unknown_field(loader, &node->children[i], table->fields);
        if (meant != NULL)
            ret_meant[find_field(table, meant) - table->fields] = true;
        good = false;
    }
    return good;
}

static bool parse_fields(struct config_loader *loader, const struct config_table *table, const struct config_node *node,
                         void *ret)
{
    bool meant[FIELDS_MAX] = {false};
    bool good = node == NULL || check_keys(loader, table, node, meant);
    for (const struct config_field *field = table->fields; field->name != NULL; field++) {
        const struct config_node *child = config_tree_get(node, field->name);
        CHECK(field - table->fields < FIELDS_MAX);
        if (child == NULL && field->required && node != NULL && !meant[field - table->fields]) {
            config_error_key(loader->report, node, "expected the key `%s`, found none", field->name);
            good = false;
        }
        good &= config_parse(loader, field, child, (char *)ret + field->offset);
    }
    return good;
}

static bool parse_object(struct config_loader *loader, const struct config_table *table, const struct config_node *node,
                         void *ret)
{
    memset(ret, 0, table->size);
    *(struct config_head *)ret = (struct config_head){.node = node};
    bool fits = node == NULL || node->kind == NODE_MAP || config_tree_is_null(node);
    if (!fits) {
        char found[FOUND_MAX];
        config_error(loader->report, node, "expected a map of settings, found %s", found_words(node, found));
    }
    bool good = parse_fields(loader, table, fits ? node : NULL, ret) && fits;
    if (node != NULL && fits && table->check != NULL) {
        unsigned before = config_report_errors(loader->report);
        table->check(ret, loader->report);
        good = good && config_report_errors(loader->report) == before;
    }
    return good;
}

/* The fallback as if it stood in the file; a wrong one is a bug. */
static bool parse_fallback(struct config_loader *loader, const struct config_field *field, void *ret)
{
    if (field->kind == CONFIG_OBJECT)
        return parse_object(loader, field->table, NULL, ret);
    memset(ret, 0, config_kind_size(field));
    if (field->fallback != NULL) {
        struct config_node *node = config_loader_alloc(loader, 1, sizeof *node);
        if (node == NULL)
            return false;
        *node = (struct config_node){.kind = NODE_SCALAR, .key = field->name, .text = field->fallback, .plain = true};
        CHECK(config_parse(loader, field, node, ret));
    }
    return true;
}

bool config_parse(struct config_loader *loader, const struct config_field *field, const struct config_node *node,
                  void *ret)
{
    if (node == NULL)
        return parse_fallback(loader, field, ret);
    switch (field->kind) {
    case CONFIG_OBJECT:
        return parse_object(loader, field->table, node, ret);
    case CONFIG_LIST:
        return parse_list(loader, field, node, ret);
    case CONFIG_MAP:
        return parse_map(loader, field, node, ret);
    case CONFIG_CUSTOM:
        return field->custom->parse(loader, node, ret);
    case CONFIG_NODE:
        *(const struct config_node **)ret = node;
        return true;
    default:
        return scalar_parse(loader, field, node, ret);
    }
}
