/*
 * YAML text as a tree with positions. Anchors, aliases and merge keys are resolved within a budget; limits: 1 MiB, depth 64, 10,000 nodes out of aliases.
 * Duplicate keys are errors. Scalars keep their text and style (so that "1" and 1 can be told apart). Const once made.
 */
#ifndef WEIR_CONFIG_TREE_H
#define WEIR_CONFIG_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/arena.h"

struct config_report;

enum config_node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct config_node {
    enum config_node_kind kind;
    uint32_t line, column;        /* from 1, of the value */
    uint32_t key_line, key_column; /* of its key in the parent map; 0 when it has none */
    const char *key;              /* in the parent map, or NULL */
    const char *path;             /* "stages[1].enrich[0].lookup.table" */
    const char *text;             /* scalar: after ${...} substitution, zero-terminated */
    bool plain;                   /* scalar without quotes (bool, number and null only then) */
    bool secret;                  /* came out of ${file:...} or a variable: never printed */
    struct config_node *children; /* list items or map values, in order; as an array */
    uint32_t count;
};

/* Everything is allocated from arena. Mistakes go to the report; NULL when there is nothing to go on with. */
struct config_node *config_tree_parse(const char *file, const char *text, size_t size, struct arena *arena, struct config_report *report);
const struct config_node *config_tree_get(const struct config_node *map, const char *key); /* NULL: not there */

#endif
