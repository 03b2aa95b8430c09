/* The children of a map or list while it is read: an array that grows on the heap. */
#ifndef WEIR_CONFIG_NODES_H
#define WEIR_CONFIG_NODES_H

#include "config/tree.h"
#include "processor/status.h"

struct nodes {
    struct config_node *items;
    uint32_t count, room;
};

/* A copy at the end. STATUS_NO_MEMORY or STATUS_OK, as below. */
enum status nodes_add(struct nodes *nodes, const struct config_node *node) WARN_UNUSED;
/* Takes duplicate keys out, so that the first one holds, and keeps the order. The map's own keys are items[0..own): duplicates among them are reported; those behind
 * were merged into it and give way silently. */
enum status nodes_unique(struct nodes *nodes, uint32_t own, struct config_report *report) WARN_UNUSED;
/* Makes them the children of node, out of arena. */
enum status nodes_finish(const struct nodes *nodes, struct config_node *node, struct arena *arena) WARN_UNUSED;
void nodes_fini(struct nodes *nodes);

#endif
