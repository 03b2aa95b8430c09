/* mask: leaves of a text member only its end: card numbers, account numbers. */
#include "config/table.h"
#include "processor/json.h"
#include "processor/stage.h"
#include "stages/member.h"

struct mask_config {
    struct config_head head;
    struct config_list paths; /* struct path */
    int64_t keep;
};

/* Stars for all bytes but the last `keep`, in whole characters: bytes 10xxxxxx go on with one (UTF-8). */
static bool mask_text(struct bytes text, int64_t keep, struct arena *arena, struct bytes *ret_json)
{
    uint8_t *masked = arena_text(arena, text.size);
    uint8_t *json = arena_text(arena, JSON_QUOTED_MAX(text.size));
    if (masked == NULL || json == NULL)
        return false;
    uint32_t shown = text.size > keep ? text.size - (uint32_t)keep : 0;
    while (shown < text.size && (text.data[shown] & 0xc0) == 0x80)
        shown++;
    memset(masked, '*', shown);
    memcpy(masked + shown, text.data + shown, text.size - shown);
    *ret_json = bytes_of(json, (uint32_t)json_quote(json, bytes_of(masked, text.size)));
    return true;
}

/* false: the record is answered. */
static bool mask_member(const struct mask_config *config, const struct path *path, struct batch *batch,
                        struct record *record)
{
    struct value value = document_get(&record->document, path, &batch->arena);
    struct bytes text, json;
    if (value.type == VALUE_MISSING || value.type == VALUE_NULL)
        return true;
    if (value.type != VALUE_STRING) {
        batch_reject(batch, record, "type", "can't mask %s: expected a string, found %s", path->text,
                     value_type_name(value.type));
        return false;
    }
    if (!json_string(&value, &batch->arena, &text) || !mask_text(text, config->keep, &batch->arena, &json)) {
        batch_retry(batch, record, "memory", "no memory to mask %s", path->text);
        return false;
    }
    return member_set(batch, record, path, json);
}

static void mask_process(void *stage, void *worker, struct batch *batch)
{
    (void)worker;
    const struct mask_config *config = stage;
    const struct path *paths = config->paths.items;
    BATCH_EACH(batch, record)
    {
        if (!member_wanted(batch, record))
            continue;
        for (uint32_t i = 0; i < config->paths.count && mask_member(config, &paths[i], batch, record); i++)
            ;
    }
}

static enum status mask_init(const void *config, const struct stage_env *env, void **ret_stage, struct error *error)
{
    (void)env, (void)error;
    *ret_stage = (void *)config; /* const from here on, shared by all workers */
    return STATUS_OK;
}

static const struct config_field MASK_PATH = {.kind = CONFIG_CUSTOM, .custom = &member_path};

static const struct config_field MASK_FIELDS[] = {
    {.name = "paths",
     .help = "The members to mask.",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct mask_config, paths),
     .required = true,
     .min = 1,
     .item = &MASK_PATH},
    {.name = "keep",
     .help = "How many bytes at the end stay readable.",
     .kind = CONFIG_INT,
     .offset = offsetof(struct mask_config, keep),
     .fallback = "4",
     .max = 1024},
    {0},
};

static const struct config_table MASK_TABLE = {
    .name = "mask",
    .help = "Leaves of text members only their end.",
    .size = sizeof(struct mask_config),
    .fields = MASK_FIELDS,
};

static const struct config_field MASK_CONFIG = {
    .name = "mask", .help = "Leaves of text members only their end.", .kind = CONFIG_OBJECT, .table = &MASK_TABLE};

const struct stage_type mask_stage = {
    .name = "mask",
    .help = "masks text members",
    .config = &MASK_CONFIG,
    .init = mask_init,
    .process = mask_process,
};
