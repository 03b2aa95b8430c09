/*
 * YAML text as a tree with positions. Anchors, aliases and merge keys are resolved within a budget; limits: 1 MiB, depth 64, 100,000 nodes, 10,000 of them
 * out of aliases. Duplicate keys are errors. Scalars keep their text and style (so that "1" and 1 can be told apart). Const once made.
 */
#ifndef WEIR_CONFIG_TREE_H
#define WEIR_CONFIG_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/arena.h"

struct config_report;

enum { TREE_MAX_BYTES = 1024 * 1024, TREE_MAX_DEPTH = 64, TREE_MAX_NODES = 100000, TREE_MAX_COPIES = 10000 };

enum config_node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct config_node {
    enum config_node_kind kind;
    uint32_t line, column;            /* from 1, in characters, of the value; for an alias of the alias */
    uint32_t end_line, end_column;    /* just behind a scalar's text */
    uint32_t key_line, key_column;    /* of its key in the parent map; 0 when it has none */
    uint32_t index;                   /* in the parent */
    const char *key;                  /* in the parent map, or NULL */
    const char *text;                 /* scalar: after ${...} substitution, zero-terminated */
    bool plain;                       /* scalar without quotes (bool, number and null only then) */
    bool substituted;                 /* had ${...} in it: a number or bool may come out of it, quotes or not */
    bool secret;                      /* came out of ${file:...} or a variable: never printed */
    const struct config_node *parent; /* NULL: the root */
    const struct config_node *anchor; /* an alias: what it stands for, as it was at its anchor; else NULL */
    struct config_node *children;     /* list items or map values, in order; as an array */
    uint32_t count;
};

/* Everything is allocated from arena. Mistakes go to the report; NULL when there is nothing to go on with. */
struct config_node *config_tree_parse(const char *file, const char *text, size_t size, struct arena *arena,
                                      struct config_report *report);
/* NULL: not there, or map is no map (or NULL). */
const struct config_node *config_tree_get(const struct config_node *map, const char *key);
/* "stages[1].enrich[0].lookup.table", cut to fit; "" for the root. Built when asked for: a path in each node would make deep trees quadratic. */
void config_tree_path(const struct config_node *node, char *path, size_t size);
/* `key:`, `key: ~` and `key: null`. */
bool config_tree_is_null(const struct config_node *node);

#endif
