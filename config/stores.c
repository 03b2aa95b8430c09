/* `store:`, a single one or a list, and what stands beside it. */
#include <string.h>

#include "config/choose.h"
#include "config/found.h"
#include "config/settings.h"
#include "config/stages.h"
#include "processor/ledger.h"

/* A map of the settings of both: what the store has itself wins over what holds for all. */
static struct config_node *join_settings(struct config_loader *loader, const struct config_node *own,
                                         const struct config_node *around)
{
    struct config_node *joined = config_loader_alloc(loader, 1, sizeof *joined);
    if (joined == NULL)
        return NULL;
    *joined = *own;
    joined->children = config_loader_alloc(loader, own->count + around->count, sizeof *joined->children);
    if (joined->children == NULL)
        return NULL;
    if (own->count > 0)
        memcpy(joined->children, own->children, own->count * sizeof *joined->children);
    for (uint32_t i = 0; i < around->count; i++) {
        if (config_tree_get(own, around->children[i].key) == NULL)
            joined->children[joined->count++] = around->children[i];
    }
    return joined;
}

static bool apply_settings(struct config_loader *loader, const struct config_node *node, const struct config *config,
                           struct config_store *store)
{
    struct store_settings settings;
    bool good = config_parse(loader, &store_settings_field, node, &settings);
    good = good && stage_name_check(loader, node, settings.name) && queue_check(loader, config, &settings.queue);
    if (good && settings.workers > 1 && config->delivery == DELIVERY_EXACTLY_ONCE) {
        config_error(loader->report, config_tree_get(node, "workers"),
                     "expected 1 worker with `delivery: exactly_once`, found %d", (int)settings.workers);
        good = false;
    } else if (good && settings.workers > 1 && config->order == ORDER_PARTITION) {
        config_error(loader->report, config_tree_get(node, "workers"),
                     "expected 1 worker with `order: partition`, found %d: several would store a partition's records "
                     "out of order; `order: none` allows it",
                     (int)settings.workers);
        good = false;
    }
    store->name = settings.name;
    store->workers = settings.workers;
    store->queue_records = settings.queue.records;
    store->queue_bytes = settings.queue.bytes;
    store->flush_records = settings.flush.records;
    store->flush_bytes = settings.flush.bytes;
    store->flush_interval = settings.flush.every;
    return good;
}

static bool parse_store(struct config_loader *loader, const struct config_registry *registry,
                        const struct config_node *node, const struct config_node *around, struct config *config)
{
    const char *names[STAGES_MAX + 1] = {NULL};
    struct choice choice;
    for (uint32_t i = 0; i < STAGES_MAX && registry->stores[i] != NULL; i++)
        names[i] = registry->stores[i]->name;
    bool good = choose(loader, node, names, store_settings_field.table->fields, "a store", &choice);
    if (choice.kind < 0)
        return false;
    struct config_store *store = &config->stores[config->store_count++];
    store->head.node = node;
    store->type = registry->stores[choice.kind];
    struct config_node *settings = join_settings(loader, choice.settings, around);
    void *content = config_loader_alloc(loader, 1, config_kind_size(store->type->config));
    if (settings == NULL || content == NULL)
        return false;
    store->config = content;
    good &= apply_settings(loader, settings, config, store);
    return config_parse(loader, store->type->config, choice.node, content) && good;
}

/* Stores of one type that can't both be: the later one is told. */
static bool check_beside(struct config_loader *loader, const struct config *config)
{
    bool good = true;
    for (uint32_t i = 1; i < config->store_count; i++) {
        const struct config_store *store = &config->stores[i];
        for (uint32_t j = 0; j < i; j++) {
            const struct config_node *node = store->head.node;
            const char *why = NULL;
            if (store->type != config->stores[j].type || store->type->can_stand_beside == NULL ||
                store->type->can_stand_beside(store->config, config->stores[j].config, &node, &why))
                continue;
            config_error(loader->report, node, "%s", why);
            good = false;
        }
    }
    return good;
}

bool stores_parse(struct config_loader *loader, const struct config_registry *registry, const struct config_node *store,
                  const struct config_node *around, struct config *config)
{
    bool list = store->kind == NODE_LIST, good = true;
    const struct config_node *items = list ? store->children : store, *name = config_tree_get(around, "name");
    uint32_t count = list ? store->count : 1;
    if (count == 0 || count > LEDGER_MAX_BRANCHES) {
        config_error(loader->report, store, "expected 1 to %d stores, found %s", LEDGER_MAX_BRANCHES,
                     count == 0 ? "none" : "more");
        return false;
    }
    if (count > 1 && name != NULL) {
        config_error_key(loader->report, name,
                         "expected no `name` for several stores at once; it belongs into each of them");
        good = false;
    }
    /* Over what a second `store`, which was reported, brought. */
    config->store_count = 0;
    config->stores = config_loader_alloc(loader, count, sizeof *config->stores);
    if (config->stores == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++)
        good &= parse_store(loader, registry, &items[i], around, config);
    /* Not when one of them is wrong: it may not even have a path. */
    return good && check_beside(loader, config);
}
