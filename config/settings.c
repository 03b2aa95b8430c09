/* What stands beside every stage and store: name, workers, queue, flush. */
#include "config/settings.h"

#include <stdio.h>
#include <string.h>

#include "config/cpus.h"
#include "config/found.h"
#include "config/schema.h"
#include "config/units.h"
#include "processor/clock.h"

enum { NAME_SIZE_MAX = 64 };

struct workers_map {
    struct config_head head;
    int64_t min, max;
};

static const struct config_field WORKERS_FIELDS[] = {
    {.name = "min",
     .help = "Workers that are always there.",
     .kind = CONFIG_INT,
     .offset = offsetof(struct workers_map, min),
     .fallback = "1",
     .min = 1,
     .max = STAGES_WORKERS_MAX},
    {.name = "max",
     .help = "Workers at most; default: the CPUs that this process may use.",
     .kind = CONFIG_INT,
     .offset = offsetof(struct workers_map, max),
     .min = 1,
     .max = STAGES_WORKERS_MAX},
    {0},
};

static const struct config_table WORKERS_TABLE = {.name = "workers",
                                                  .help = "Grows and shrinks with the queue before the stage.",
                                                  .size = sizeof(struct workers_map),
                                                  .fields = WORKERS_FIELDS};

static const struct config_field WORKERS_MAP = {.name = "workers",
                                                .help = "Grows and shrinks with the queue before the stage.",
                                                .kind = CONFIG_OBJECT,
                                                .table = &WORKERS_TABLE};

static const struct config_field WORKERS_FIXED = {
    .name = "workers", .kind = CONFIG_INT, .min = 1, .max = STAGES_WORKERS_MAX};

int64_t stage_workers_max(int64_t min)
{
    int64_t cpus = cpus_allowed();
    return min > cpus ? min : cpus;
}

static bool parse_workers(struct config_loader *loader, const struct config_node *node, void *ret)
{
    struct stage_workers *workers = ret;
    struct workers_map map;
    if (node->kind == NODE_SCALAR) {
        int64_t fixed;
        if (!config_parse(loader, &WORKERS_FIXED, node, &fixed))
            return false;
        *workers = (struct stage_workers){.min = fixed, .max = fixed};
        return true;
    }
    if (!config_parse(loader, &WORKERS_MAP, node, &map))
        return false;
    if (map.max == 0)
        map.max = stage_workers_max(map.min);
    if (map.min > map.max) {
        config_error(loader->report, config_tree_get(node, "max"), "expected at least `min` (%d), found %d",
                     (int)map.min, (int)map.max);
        return false;
    }
    *workers = (struct stage_workers){.min = map.min, .max = map.max};
    return true;
}

static void workers_schema(FILE *out)
{
    fprintf(out, "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 1, \"maximum\": %d}, " SCHEMA_VARIABLE ", ",
            STAGES_WORKERS_MAX);
    config_schema_field(&WORKERS_MAP, out, 6);
    fputs("]}", out);
}

static const struct config_custom WORKERS = {.name = "a number of workers or {min, max}",
                                             .size = sizeof(struct stage_workers),
                                             .parse = parse_workers,
                                             .schema = workers_schema};

static const struct config_field QUEUE_FIELDS[] = {
    {.name = "records",
     .help = "Records that the queue takes.",
     .kind = CONFIG_INT,
     .offset = offsetof(struct stage_queue, records),
     .fallback = "16384",
     .min = 1,
     .max = 100000000},
    {.name = "bytes",
     .help = "Bytes that the queue takes; default: a share of `memory`.",
     .kind = CONFIG_SIZE,
     .offset = offsetof(struct stage_queue, bytes),
     .min = 4096},
    {0},
};

static const struct config_table QUEUE_TABLE = {
    .name = "queue", .help = "The queue before it.", .size = sizeof(struct stage_queue), .fields = QUEUE_FIELDS};

static const struct config_field FLUSH_FIELDS[] = {
    {.name = "records",
     .help = "After so many records; default: the store's own.",
     .kind = CONFIG_INT,
     .offset = offsetof(struct store_flush, records),
     .min = 1,
     .max = 100000000},
    {.name = "bytes",
     .help = "After so many bytes; default: a share of `memory`.",
     .kind = CONFIG_SIZE,
     .offset = offsetof(struct store_flush, bytes),
     .min = 1},
    {.name = "every",
     .help = "After so long; default: the store's own.",
     .kind = CONFIG_DURATION,
     .offset = offsetof(struct store_flush, every),
     .min = CLOCK_MS,
     .max = 3600 * CLOCK_SECOND},
    {0},
};

static const struct config_table FLUSH_TABLE = {
    .name = "flush",
    .help = "When what was written is made durable, and its offsets may be committed: whatever comes first.",
    .size = sizeof(struct store_flush),
    .fields = FLUSH_FIELDS};

/* The rows that both have. */
#define NAME_ROW(type)                                                                                                 \
    {                                                                                                                  \
        .name = "name", .help = "Its name in metrics and logs; default: its kind.", .kind = CONFIG_STRING,             \
        .offset = offsetof(type, name)                                                                                 \
    }
#define QUEUE_ROW(type)                                                                                                \
    {                                                                                                                  \
        .name = "queue", .help = "The queue before it.", .kind = CONFIG_OBJECT, .offset = offsetof(type, queue),       \
        .table = &QUEUE_TABLE                                                                                          \
    }

static const struct config_field STAGE_FIELDS[] = {
    NAME_ROW(struct stage_settings),
    {.name = "workers",
     .help = "Threads that work on it: a number, or {min, max} between which they grow and shrink with the queue.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct stage_settings, workers),
     .custom = &WORKERS},
    QUEUE_ROW(struct stage_settings),
    {0},
};

static const struct config_table STAGE_TABLE = {
    .name = "stage", .help = "What every stage has.", .size = sizeof(struct stage_settings), .fields = STAGE_FIELDS};

static const struct config_field STORE_FIELDS[] = {
    NAME_ROW(struct store_settings),
    {.name = "workers",
     .help = "Threads that write to it, each with a connection of its own; more than one only with `order: none`.",
     .kind = CONFIG_INT,
     .offset = offsetof(struct store_settings, workers),
     .fallback = "1",
     .min = 1,
     .max = STAGES_WORKERS_MAX},
    QUEUE_ROW(struct store_settings),
    {.name = "flush",
     .help = "When what was written is made durable, and its offsets may be committed: whatever comes first.",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct store_settings, flush),
     .table = &FLUSH_TABLE},
    {0},
};

static const struct config_table STORE_TABLE = {
    .name = "store", .help = "What every store has.", .size = sizeof(struct store_settings), .fields = STORE_FIELDS};

const struct config_field stage_settings_field = {.name = "stage", .kind = CONFIG_OBJECT, .table = &STAGE_TABLE};
const struct config_field store_settings_field = {.name = "store", .kind = CONFIG_OBJECT, .table = &STORE_TABLE};

bool queue_check(struct config_loader *loader, const struct config *config, const struct stage_queue *queue)
{
    char found[UNITS_TEXT_MAX], memory[UNITS_TEXT_MAX];
    if (queue->bytes <= config->memory)
        return true;
    config_error(loader->report, config_tree_get(queue->head.node, "bytes"),
                 "expected at most the whole `memory` (%s), found %s", units_size_text(config->memory, memory),
                 units_size_text(queue->bytes, found));
    return false;
}

bool stage_name_check(struct config_loader *loader, const struct config_node *settings, const char *name)
{
    static const char GOOD[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (name == NULL || (name[0] != '\0' && strlen(name) <= NAME_SIZE_MAX && name[strspn(name, GOOD)] == '\0'))
        return true;
    config_error(loader->report, config_tree_get(settings, "name"),
                 "expected a name of 1 to %d letters, digits, dots, dashes and underscores", NAME_SIZE_MAX);
    return false;
}

/* Is the name used by a stage or store? Up to `until`, counted over both. */
static bool is_used(const struct config *config, const char *name, uint32_t until)
{
    for (uint32_t i = 0; i < until; i++) {
        const char *other = i < config->stage_count ? config->stages[i].name
                                                    : config->stores[i - config->stage_count].name;
        if (other != NULL && strcmp(other, name) == 0)
            return true;
    }
    return false;
}

static const char *make_name(struct config_loader *loader, const struct config *config, const char *kind)
{
    char name[NAME_SIZE_MAX * 2];
    snprintf(name, sizeof name, "%.*s", NAME_SIZE_MAX, kind);
    for (unsigned i = 2; is_used(config, name, config->stage_count + config->store_count); i++)
        snprintf(name, sizeof name, "%.*s-%u", NAME_SIZE_MAX, kind, i);
    char *copy = arena_string(&loader->arena, name, strlen(name));
    if (copy == NULL)
        config_error(loader->report, NULL, "no memory");
    return copy;
}

static bool check_unique(struct config_loader *loader, const struct config_node *node, const char *name,
                         const struct config *config, uint32_t until)
{
    if (name == NULL || !is_used(config, name, until))
        return true;
    const struct config_node *place = config_tree_get(node, "name");
    config_error(loader->report, place != NULL ? place : node,
                 "expected a name that no other stage or store has, found \"%s\" again", name);
    return false;
}

static bool is_decoder(const struct config_registry *registry, const struct stage_type *type)
{
    uint32_t i = 0;
    while (registry->decoders[i] != NULL && registry->decoders[i] != type)
        i++;
    return registry->decoders[i] == type;
}

bool stages_name(struct config_loader *loader, const struct config_registry *registry, struct config *config)
{
    bool good = true;
    for (uint32_t i = 0; i < config->stage_count; i++)
        good &= check_unique(loader, config->stages[i].head.node, config->stages[i].name, config, i);
    for (uint32_t i = 0; i < config->store_count; i++)
        good &= check_unique(loader, config->stores[i].head.node, config->stores[i].name, config,
                             config->stage_count + i);
    for (uint32_t i = 0; i < config->stage_count && good; i++) {
        struct config_stage *stage = &config->stages[i];
        const struct stage_type *type = stage->steps[0].type;
        if (stage->name == NULL)
            stage->name = make_name(loader, config, is_decoder(registry, type) ? type->name : "enrich");
        good = stage->name != NULL;
    }
    for (uint32_t i = 0; i < config->store_count && good; i++) {
        if (config->stores[i].name == NULL)
            config->stores[i].name = make_name(loader, config, config->stores[i].type->name);
        good = config->stores[i].name != NULL;
    }
    return good;
}
