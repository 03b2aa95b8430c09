/* remove: takes members out of the document; those that are not there are no error. */
#include "config/table.h"
#include "processor/stage.h"
#include "stages/member.h"

static enum status remove_init(const void *config, const struct stage_env *env, void **ret_stage, struct error *error)
{
    (void)env, (void)error;
    *ret_stage = (void *)config;
    return STATUS_OK;
}

static void remove_process(void *stage, void *worker, struct batch *batch)
{
    (void)worker;
    const struct config_list *list = stage;
    const struct path *paths = list->items;
    BATCH_EACH(batch, record)
    {
        if (!member_wanted(batch, record))
            continue;
        /* STATUS_FAILED: something on the way is no object, so there is nothing to remove. */
        for (uint32_t i = 0; i < list->count; i++) {
            if (document_remove(&record->document, &paths[i], &batch->arena) == STATUS_NO_MEMORY) {
                batch_retry(batch, record, "memory", "no memory to remove %s", paths[i].text);
                break;
            }
        }
    }
}

static const struct config_field REMOVE_PATH = {.kind = CONFIG_CUSTOM, .custom = &member_path};

static const struct config_field REMOVE_CONFIG = {
    .name = "remove",
    .help = "Removes these members (paths of names) from the document.",
    .kind = CONFIG_LIST,
    .min = 1,
    .item = &REMOVE_PATH,
};

const struct stage_type remove_stage = {
    .name = "remove",
    .help = "removes members of the document",
    .config = &REMOVE_CONFIG,
    .init = remove_init,
    .process = remove_process,
};
