/* What stands beside every stage and store: name, workers, queue, flush. */
#ifndef WEIR_CONFIG_SETTINGS_H
#define WEIR_CONFIG_SETTINGS_H

#include "config/config.h"
#include "config/loader.h"

enum { STAGES_WORKERS_MAX = 1024 };

/* What a stage has beside `decode:` or `enrich:`. */
struct stage_workers {
    int64_t min, max;
};

struct stage_queue {
    struct config_head head;
    int64_t records, bytes;
};

struct stage_settings {
    struct config_head head;
    const char *name;
    struct stage_workers workers;
    struct stage_queue queue;
};

/* What a store has beside its own key; these may also stand beside `store:`, for all of its stores. */
struct store_flush {
    struct config_head head;
    int64_t records, bytes, every;
};

struct store_settings {
    struct config_head head;
    const char *name;
    int64_t workers;
    struct stage_queue queue;
    struct store_flush flush;
};

extern const struct config_field stage_settings_field, store_settings_field; /* CONFIG_OBJECT */

/* The default: the CPUs that this process may use, or min. */
int64_t stage_workers_max(int64_t min);
/* Names for metrics and logs: a given one must be good and unique, others get one. */
bool stage_name_check(struct config_loader *loader, const struct config_node *settings, const char *name);
bool stages_name(struct config_loader *loader, const struct config_registry *registry, struct config *config);
bool queue_check(struct config_loader *loader, const struct config *config, const struct stage_queue *queue);

#endif
