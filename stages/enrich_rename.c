/*
 * rename: moves members to other names or places. All are read before any is moved, so that two can change places. A member that is not there is
 * no error; one that is at the new name is replaced.
 */
#include "config/fields.h"
#include "config/table.h"
#include "processor/stage.h"
#include "stages/member.h"

struct rename {
    struct path from, to;
};

struct rename_config {
    uint32_t count;
    struct rename *renames;
};

static bool rename_parse(struct config_loader *loader, const struct config_node *node, void *ret)
{
    if (!member_map_begin(loader, node, "a map of old and new names: {old: new}"))
        return false;
    struct rename_config *config = ret;
    config->count = node->count;
    config->renames = arena_alloc(config_loader_arena(loader), node->count * sizeof *config->renames);
    if (config->renames == NULL) {
        config_error(config_loader_report(loader), node, "no memory");
        return false;
    }
    bool good = true;
    for (uint32_t i = 0; i < node->count; i++) {
        good &= member_path_of_key(loader, &node->children[i], &config->renames[i].from);
        good &= member_path.parse(loader, &node->children[i], &config->renames[i].to);
    }
    return good;
}

static void rename_schema(FILE *out)
{
    fputs("{\"type\": \"object\", \"minProperties\": 1, \"additionalProperties\": ", out);
    member_path.schema(out);
    fputs("}", out);
}

static enum status rename_init(const void *config, const struct stage_env *env, void **ret_stage, struct error *error)
{
    (void)env, (void)error;
    *ret_stage = (void *)config;
    return STATUS_OK;
}

static void rename_members(const struct rename_config *config, struct batch *batch, struct record *record)
{
    struct value *values = arena_alloc(&batch->arena, config->count * sizeof *values);
    if (values == NULL) {
        batch_retry(batch, record, "memory", "no memory to rename");
        return;
    }
    for (uint32_t i = 0; i < config->count; i++)
        values[i] = document_get(&record->document, &config->renames[i].from, &batch->arena);
    for (uint32_t i = 0; i < config->count; i++) {
        if (values[i].type != VALUE_MISSING &&
            document_remove(&record->document, &config->renames[i].from, &batch->arena) == STATUS_NO_MEMORY) {
            /* Not asked again: what was moved before would be lost. */
            batch_reject(batch, record, "memory", "no memory to rename %s", config->renames[i].from.text);
            return;
        }
    }
    for (uint32_t i = 0; i < config->count; i++) {
        if (values[i].type != VALUE_MISSING && !member_set(batch, record, &config->renames[i].to, values[i].text))
            return;
    }
}

static void rename_process(void *stage, void *worker, struct batch *batch)
{
    (void)worker;
    BATCH_EACH(batch, record)
    {
        if (member_wanted(batch, record))
            rename_members(stage, batch, record);
    }
}

static const struct config_custom RENAMES = {
    .name = "a map of old and new names",
    .size = sizeof(struct rename_config),
    .parse = rename_parse,
    .schema = rename_schema,
};

static const struct config_field RENAME_CONFIG = {
    .name = "rename",
    .help = "Moves members: {old: new}, both paths of names; what stands at the new name is replaced.",
    .kind = CONFIG_CUSTOM,
    .custom = &RENAMES,
};

const struct stage_type rename_stage = {
    .name = "rename",
    .help = "renames or moves members of the document",
    .config = &RENAME_CONFIG,
    .init = rename_init,
    .process = rename_process,
};
