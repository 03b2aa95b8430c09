#include "config/anchors.h"

#include <string.h>

struct anchor {
    struct anchor *older;
    const char *name;
    bool complete;
    struct config_node node;
};

struct anchor *anchors_begin(struct anchors *anchors, const char *name)
{
    struct anchor *anchor = arena_alloc(anchors->arena, sizeof *anchor);
    if (anchor == NULL)
        return NULL;
    *anchor = (struct anchor){.older = anchors->latest, .name = arena_string(anchors->arena, name, strlen(name))};
    if (anchor->name == NULL)
        return NULL;
    anchors->latest = anchor;
    return anchor;
}

void anchors_end(struct anchor *anchor, const struct config_node *node)
{
    anchor->node = *node;
    anchor->complete = true;
}

static enum anchors_answer copy_children(struct anchors *anchors, const struct config_node *from, unsigned depth,
                                         struct config_node *to)
{
    if (from->kind != NODE_SCALAR && depth >= TREE_MAX_DEPTH)
        return ANCHORS_DEEP;
    if (from->count == 0)
        return ANCHORS_OK;
    if (from->count > TREE_MAX_COPIES - anchors->copies)
        return ANCHORS_MANY;
    anchors->copies += from->count;
    to->children = arena_alloc(anchors->arena, from->count * sizeof *to->children);
    if (to->children == NULL)
        return ANCHORS_NO_MEMORY;
    memcpy(to->children, from->children, from->count * sizeof *to->children);
    for (uint32_t i = 0; i < from->count; i++) {
        to->children[i].parent = to;
        enum anchors_answer answer = copy_children(anchors, &from->children[i], depth + 1, &to->children[i]);
        if (answer != ANCHORS_OK)
            return answer;
    }
    return ANCHORS_OK;
}

enum anchors_answer anchors_copy(struct anchors *anchors, const char *name, unsigned depth, struct config_node *node)
{
    const struct anchor *anchor = anchors->latest;
    while (anchor != NULL && strcmp(anchor->name, name) != 0)
        anchor = anchor->older;
    if (anchor == NULL)
        return ANCHORS_UNKNOWN;
    if (!anchor->complete)
        return ANCHORS_INSIDE;
    if (anchors->copies >= TREE_MAX_COPIES)
        return ANCHORS_MANY;
    anchors->copies++;
    const struct config_node *from = &anchor->node;
    node->kind = from->kind;
    node->text = from->text;
    node->plain = from->plain;
    node->substituted = from->substituted;
    node->secret = from->secret;
    node->count = from->count;
    node->anchor = from;
    return copy_children(anchors, from, depth, node);
}
