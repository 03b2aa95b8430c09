/*
 * libyaml's events -> nodes. Nodes are built depth first: a map or list is an array on the heap while it grows and is copied into the arena at its
 * end, so that parents are known by their place on the stack at first and pointed to the final places in one pass at the end.
 */
#include "config/tree.h"

#include <string.h>
#include <yaml.h>

#include "config/anchors.h"
#include "config/nodes.h"
#include "config/report.h"
#include "config/secret.h"
#include "config/substitute.h"
#include "config/syntax.h"

struct builder {
    yaml_parser_t parser;
    const char *text;
    size_t size;
    struct arena *arena;
    struct config_report *report;
    struct anchors anchors;
    struct substitution substitution;
    unsigned depth;
    uint32_t nodes;
    bool over; /* there is nothing to go on with; reported */
};

static bool build_node(struct builder *builder, const yaml_event_t *event, struct config_node *node);

static bool no_memory(struct builder *builder)
{
    config_error(builder->report, NULL, "no memory");
    builder->over = true;
    return false;
}

static bool over_limit(struct builder *builder, const struct config_node *node, const char *what, unsigned limit)
{
    config_error(builder->report, node, "expected at most %u %s, found more", limit, what);
    builder->over = true;
    return false;
}

static bool next_event(struct builder *builder, yaml_event_t *event)
{
    if (builder->over)
        return false;
    if (yaml_parser_parse(&builder->parser, event))
        return true;
    syntax_report(&builder->parser, builder->text, builder->size, builder->report);
    builder->over = true;
    return false;
}

/* Reads on until `open` maps and lists have ended. */
static bool skip(struct builder *builder, unsigned open)
{
    while (open > 0) {
        yaml_event_t event;
        if (!next_event(builder, &event))
            return false;
        if (event.type == YAML_MAPPING_START_EVENT || event.type == YAML_SEQUENCE_START_EVENT)
            open++;
        else if (event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT)
            open--;
        yaml_event_delete(&event);
        if (builder->depth + open > TREE_MAX_DEPTH)
            return over_limit(builder, NULL, "levels of nesting", TREE_MAX_DEPTH);
    }
    return true;
}

static bool opens(const yaml_event_t *event)
{
    return event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;
}

static bool skip_node(struct builder *builder)
{
    yaml_event_t event;
    if (!next_event(builder, &event))
        return false;
    bool open = opens(&event);
    yaml_event_delete(&event);
    return !open || skip(builder, 1);
}

/* What stands for a value that was reported as wrong: further errors about a scalar in this place are dropped. */
static void make_placeholder(struct config_node *node)
{
    node->kind = NODE_SCALAR;
    node->text = "";
    node->plain = false;
    node->children = NULL;
    node->count = 0;
}

/* Tags choose types in other programs; here only !!str has a meaning, the other standard ones are harmless. */
static void check_tag(struct builder *builder, const yaml_char_t *yaml_tag, struct config_node *node)
{
    static const char STANDARD[] = "tag:yaml.org,2002:";
    static const char *const known[] = {"str", "int", "float", "bool", "null", "map", "seq", NULL};
    const char *tag = (const char *)yaml_tag;
    if (tag == NULL)
        return;
    if (strcmp(tag, "!") == 0) {
        node->plain = false;
        return;
    }
    if (strncmp(tag, STANDARD, sizeof STANDARD - 1) == 0) {
        const char *name = tag + sizeof STANDARD - 1;
        node->plain = node->plain && strcmp(name, "str") != 0;
        for (size_t i = 0; known[i] != NULL; i++) {
            if (strcmp(known[i], name) == 0)
                return;
        }
    }
    config_error(builder->report, node,
                 "expected a value without a tag, found the tag %.60s (a text that begins with ! needs quotes)", tag);
    make_placeholder(node);
}

static bool build_scalar(struct builder *builder, const yaml_event_t *event, struct config_node *node)
{
    const char *value = (const char *)event->data.scalar.value;
    node->kind = NODE_SCALAR;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = arena_string(builder->arena, value, event->data.scalar.length);
    if (node->text == NULL)
        return no_memory(builder);
    if (strlen(node->text) != event->data.scalar.length) {
        config_error(builder->report, node, "expected text, found a NUL character in it");
        make_placeholder(node);
        return true;
    }
    check_tag(builder, event->data.scalar.tag, node);
    /* Before the substitution: what the file has itself must not be shown. */
    if (secret_by_key(node))
        config_report_hide(builder->report, node);
    return substitute(&builder->substitution, node) == STATUS_OK || no_memory(builder);
}

static bool add_child(struct builder *builder, struct nodes *children, const struct config_node *child)
{
    return nodes_add(children, child) == STATUS_OK || no_memory(builder);
}

static bool build_items(struct builder *builder, struct config_node *node, struct nodes *children)
{
    for (;;) {
        yaml_event_t event;
        if (!next_event(builder, &event))
            return false;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return nodes_finish(children, node, builder->arena) == STATUS_OK || no_memory(builder);
        }
        struct config_node child = {.parent = node, .index = children->count};
        bool good = build_node(builder, &event, &child);
        yaml_event_delete(&event);
        if (!good || !add_child(builder, children, &child))
            return false;
    }
}

/*
 * `{{now}}` without quotes is to YAML a map whose key is a map. node: the outer one, whose first key has just begun. Takes its rest.
 */
static bool build_unquoted_template(struct builder *builder, struct config_node *node)
{
    yaml_event_t event;
    char name[48] = "...";
    if (!next_event(builder, &event))
        return false;
    if (event.type == YAML_SCALAR_EVENT)
        snprintf(name, sizeof name, "%.40s", (const char *)event.data.scalar.value);
    unsigned open = event.type == YAML_MAPPING_END_EVENT ? 1 : opens(&event) ? 3 : 2;
    yaml_event_delete(&event);
    config_error(builder->report, node, "a template needs quotes in YAML: expected \"{{%s}}\", found {{%s}}", name,
                 name);
    make_placeholder(node);
    return skip(builder, open);
}

/* A key that is no scalar. False: over. */
static bool skip_odd_key(struct builder *builder, const yaml_event_t *event)
{
    config_error_place(builder->report, (unsigned)event->start_mark.line + 1, (unsigned)event->start_mark.column + 1,
                       "expected a name as key, found %s",
                       event->type == YAML_MAPPING_START_EVENT    ? "a map"
                       : event->type == YAML_SEQUENCE_START_EVENT ? "a list"
                                                                  : "an alias");
    return (!opens(event) || skip(builder, 1)) && skip_node(builder);
}

static bool build_key(struct builder *builder, const yaml_event_t *event, struct config_node *child)
{
    const char *key = (const char *)event->data.scalar.value;
    child->key_line = (uint32_t)event->start_mark.line + 1;
    child->key_column = (uint32_t)event->start_mark.column + 1;
    child->key = arena_string(builder->arena, key, event->data.scalar.length);
    if (child->key == NULL)
        return no_memory(builder);
    if (strstr(key, "${") != NULL)
        config_error_key(builder->report, child, "expected a key without ${...}: only values are substituted");
    return true;
}

static bool is_merge(const yaml_event_t *event)
{
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           strcmp((const char *)event->data.scalar.value, "<<") == 0;
}

/* One value; key: its key's event. The children that `<<` brings are collected in merged. */
static bool build_member(struct builder *builder, const yaml_event_t *key, struct config_node *node,
                         struct nodes *children, struct nodes *merged)
{
    struct config_node child = {.parent = node, .index = children->count};
    yaml_event_t event;
    if (!build_key(builder, key, &child) || !next_event(builder, &event))
        return false;
    bool good = build_node(builder, &event, &child);
    yaml_event_delete(&event);
    if (!good)
        return false;
    if (!is_merge(key))
        return add_child(builder, children, &child);
    const struct config_node *maps = child.kind == NODE_LIST ? child.children : &child;
    uint32_t count = child.kind == NODE_LIST ? child.count : 1;
    for (uint32_t i = 0; i < count; i++) {
        if (maps[i].kind != NODE_MAP)
            config_error(builder->report, &maps[i], "expected a map (or an alias of one) to merge, found %s",
                         maps[i].kind == NODE_LIST ? "a list" : "a single value");
        for (uint32_t j = 0; maps[i].kind == NODE_MAP && j < maps[i].count; j++) {
            if (!add_child(builder, merged, &maps[i].children[j]))
                return false;
        }
    }
    return true;
}

static bool finish_map(struct builder *builder, struct config_node *node, struct nodes *children,
                       const struct nodes *merged)
{
    uint32_t own = children->count;
    for (uint32_t i = 0; i < merged->count; i++) {
        if (!add_child(builder, children, &merged->items[i]))
            return false;
    }
    if (nodes_unique(children, own, builder->report) != STATUS_OK)
        return no_memory(builder);
    return nodes_finish(children, node, builder->arena) == STATUS_OK || no_memory(builder);
}

static bool build_members(struct builder *builder, const yaml_event_t *start, struct config_node *node,
                          struct nodes *children, struct nodes *merged)
{
    bool flow = start->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    for (bool first = true;; first = false) {
        yaml_event_t event;
        bool good;
        if (!next_event(builder, &event))
            return false;
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return finish_map(builder, node, children, merged);
        }
        bool braces = first && flow && event.type == YAML_MAPPING_START_EVENT &&
                      event.start_mark.line == start->start_mark.line &&
                      event.start_mark.column == start->start_mark.column + 1;
        if (braces)
            good = build_unquoted_template(builder, node);
        else if (event.type == YAML_SCALAR_EVENT)
            good = build_member(builder, &event, node, children, merged);
        else
            good = skip_odd_key(builder, &event);
        yaml_event_delete(&event);
        if (!good || braces)
            return good;
    }
}

static bool build_container(struct builder *builder, const yaml_event_t *event, struct config_node *node)
{
    bool map = event->type == YAML_MAPPING_START_EVENT;
    struct nodes children = {0}, merged = {0};
    if (++builder->depth > TREE_MAX_DEPTH)
        return over_limit(builder, node, "levels of nesting", TREE_MAX_DEPTH);
    node->kind = map ? NODE_MAP : NODE_LIST;
    bool good = map ? build_members(builder, event, node, &children, &merged) : build_items(builder, node, &children);
    nodes_fini(&children);
    nodes_fini(&merged);
    builder->depth--;
    if (good)
        check_tag(builder, map ? event->data.mapping_start.tag : event->data.sequence_start.tag, node);
    return good;
}

static bool build_alias(struct builder *builder, const yaml_event_t *event, struct config_node *node)
{
    const char *name = (const char *)event->data.alias.anchor;
    switch (anchors_copy(&builder->anchors, name, builder->depth, node)) {
    case ANCHORS_OK:
        return true;
    case ANCHORS_UNKNOWN:
        config_error(builder->report, node,
                     "expected an alias of an anchor above, found *%.60s (a text that begins with * needs quotes)",
                     name);
        break;
    case ANCHORS_INSIDE:
        config_error(builder->report, node, "expected an alias outside of its own anchor, found *%.60s in &%.60s", name,
                     name);
        break;
    case ANCHORS_DEEP:
        return over_limit(builder, node, "levels of nesting, aliases included", TREE_MAX_DEPTH);
    case ANCHORS_MANY:
        return over_limit(builder, node, "values out of aliases", TREE_MAX_COPIES);
    case ANCHORS_NO_MEMORY:
        return no_memory(builder);
    }
    make_placeholder(node);
    return true;
}

static const char *anchor_of(const yaml_event_t *event)
{
    const yaml_char_t *name = event->type == YAML_SCALAR_EVENT          ? event->data.scalar.anchor
                              : event->type == YAML_MAPPING_START_EVENT ? event->data.mapping_start.anchor
                                                                        : event->data.sequence_start.anchor;
    return (const char *)name;
}

/* node: its key, index and parent are set. False: over. */
static bool build_node(struct builder *builder, const yaml_event_t *event, struct config_node *node)
{
    node->line = (uint32_t)event->start_mark.line + 1;
    node->column = (uint32_t)event->start_mark.column + 1;
    node->end_line = (uint32_t)event->end_mark.line + 1;
    node->end_column = (uint32_t)event->end_mark.column + 1;
    if (++builder->nodes > TREE_MAX_NODES)
        return over_limit(builder, node, "values", TREE_MAX_NODES);
    if (event->type == YAML_ALIAS_EVENT)
        return build_alias(builder, event, node);
    const char *name = anchor_of(event);
    struct anchor *anchor = name != NULL ? anchors_begin(&builder->anchors, name) : NULL;
    if (name != NULL && anchor == NULL)
        return no_memory(builder);
    bool good = event->type == YAML_SCALAR_EVENT ? build_scalar(builder, event, node)
                                                 : build_container(builder, event, node);
    if (good && anchor != NULL)
        anchors_end(anchor, node);
    return good;
}

static void set_parents(struct config_node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        node->children[i].parent = node;
        node->children[i].index = i;
        set_parents(&node->children[i]);
    }
}

static struct config_node *build_document(struct builder *builder)
{
    struct config_node *root = arena_alloc(builder->arena, sizeof *root);
    bool found = false;
    if (root == NULL) {
        no_memory(builder);
        return NULL;
    }
    *root = (struct config_node){0};
    for (yaml_event_type_t type = YAML_NO_EVENT; type != YAML_STREAM_END_EVENT;) {
        yaml_event_t event;
        if (!next_event(builder, &event))
            return NULL;
        type = event.type;
        bool good = true, node = type == YAML_SCALAR_EVENT || type == YAML_ALIAS_EVENT || opens(&event);
        if (node && found) {
            config_error_place(builder->report, (unsigned)event.start_mark.line + 1,
                               (unsigned)event.start_mark.column + 1, "expected one YAML document, found another one");
            good = false;
        } else if (node) {
            good = found = build_node(builder, &event, root);
        }
        yaml_event_delete(&event);
        if (!good)
            return NULL;
    }
    if (!found) {
        config_error(builder->report, NULL, "expected a YAML map, found an empty file");
        return NULL;
    }
    set_parents(root);
    return root;
}

struct config_node *config_tree_parse(const char *file, const char *text, size_t size, struct arena *arena,
                                      struct config_report *report)
{
    static const char BOM[] = "\xef\xbb\xbf";
    struct builder builder = {.text = text, .size = size, .arena = arena, .report = report, .anchors.arena = arena};
    if (size > TREE_MAX_BYTES) {
        config_error(report, NULL, "expected a file of at most 1 MiB, found a larger one");
        return NULL;
    }
    if (!yaml_parser_initialize(&builder.parser)) {
        config_error(report, NULL, "no memory");
        return NULL;
    }
    bool marked = size >= 3 && memcmp(text, BOM, 3) == 0;
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text + (marked ? 3 : 0),
                                 size - (marked ? 3 : 0));
    substitution_init(&builder.substitution, file, arena, report);
    struct config_node *root = build_document(&builder);
    yaml_parser_delete(&builder.parser);
    return root;
}
