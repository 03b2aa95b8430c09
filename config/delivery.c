/*
 * Exactly once is a property of the whole pipeline: one store that moves the offsets in the transactions that store the records, of partitions whose records reach
 * it in their order. (That it has one worker is judged with its other settings, in stores.c.)
 */
#include "config/delivery.h"

#include "config/found.h"

enum { STORES_MAX = 64 };

/* "postgres, sqlite or kafka": computed, so that a new store is named by itself. */
static const char *able_stores(const struct config_registry *registry, char *text, size_t size)
{
    const char *names[STORES_MAX + 1] = {NULL};
    unsigned count = 0;
    for (unsigned i = 0; registry->stores[i] != NULL && count < STORES_MAX; i++) {
        if (registry->stores[i]->offsets != NULL)
            names[count++] = registry->stores[i]->name;
    }
    return count > 0 ? found_choices(names, text, size) : "none that is built in";
}

static void check_order(struct config_loader *loader, const struct config_node *root, const struct config *config)
{
    if (config->order != ORDER_PARTITION)
        config_error(loader->report, config_tree_get(root, "order"),
                     "expected `order: partition` with `delivery: exactly_once`, found \"none\": one offset a "
                     "partition can't say which of its records are stored when they overtake each other");
}

static void check_number(struct config_loader *loader, const struct config *config)
{
    if (config->store_count > 1)
        config_error(loader->report, config->stores[1].head.node,
                     "expected one store with `delivery: exactly_once`, found %u: no transaction spans two of them; a "
                     "second service (with a `group` of its own) can feed the other store",
                     config->store_count);
}

static void check_store(struct config_loader *loader, const struct config_registry *registry,
                        const struct config_store *store, bool parsed)
{
    char able[256];
    const struct config_node *content = config_tree_get(store->head.node, store->type->name), *node = NULL;
    const char *why = NULL;
    if (store->type->offsets == NULL) {
        config_error_key(loader->report, content,
                         "expected a store that can keep offsets with `delivery: exactly_once` (%s), found `%s`",
                         able_stores(registry, able, sizeof able), store->type->name);
        return;
    }
    if (!parsed || store->type->can_keep_offsets == NULL || store->type->can_keep_offsets(store->config, &node, &why))
        return;
    config_error(loader->report, node != NULL ? node : content,
                 "expected what allows to keep offsets with `delivery: exactly_once`: %s",
                 why != NULL ? why : "this store can't");
}

void delivery_check(struct config_loader *loader, const struct config_registry *registry,
                    const struct config_node *root, const struct config *config, bool parsed)
{
    if (config->delivery != DELIVERY_EXACTLY_ONCE)
        return;
    check_order(loader, root, config);
    check_number(loader, config);
    for (uint32_t i = 0; i < config->store_count; i++)
        check_store(loader, registry, &config->stores[i], parsed);
}
