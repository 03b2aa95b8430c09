/*
 * `&name` and `*name`. An alias becomes a deep copy, so that each node has one parent and one path; all copies together are paid from one budget, so that
 * a few lines of aliases of aliases ("billion laughs") stay a few nodes.
 */
#ifndef WEIR_CONFIG_ANCHORS_H
#define WEIR_CONFIG_ANCHORS_H

#include "config/tree.h"
#include "processor/status.h"

struct anchor;

struct anchors {
    struct arena *arena;
    struct anchor *latest;
    uint32_t copies; /* nodes made so far */
};

enum anchors_answer {
    ANCHORS_OK,
    ANCHORS_UNKNOWN,
    ANCHORS_INSIDE, /* of its own anchor */
    ANCHORS_DEEP,
    ANCHORS_MANY,
    ANCHORS_NO_MEMORY,
};

/* The node of that anchor begins. NULL: no memory. */
struct anchor *anchors_begin(struct anchors *anchors, const char *name) WARN_UNUSED;
/* It is complete. */
void anchors_end(struct anchor *anchor, const struct config_node *node);
/* Fills node, which keeps its place, key and parent, with a copy of what the latest anchor of that name stands for. depth: of node. */
enum anchors_answer anchors_copy(struct anchors *anchors, const char *name, unsigned depth,
                                 struct config_node *node) WARN_UNUSED;

#endif
