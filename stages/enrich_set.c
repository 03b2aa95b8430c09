/* set: gives members new values, out of constants and {{...}} templates; members that are not there are made. */
#include <string.h>

#include "config/fields.h"
#include "config/table.h"
#include "processor/stage.h"
#include "processor/template.h"
#include "stages/member.h"

struct set_member {
    struct path path;
    struct template *value;
};

struct set_config {
    uint32_t count;
    struct set_member *members;
};

/* Where columns and conditions want a path, it is written like that; here it is a text, and most likely not what was meant. */
static void warn_of_path(struct config_loader *loader, const struct config_node *node)
{
    struct path path;
    unsigned at;
    const char *why;
    if (node->kind == NODE_SCALAR && node->text[0] == '.' && strstr(node->text, "{{") == NULL &&
        path_compile(node->text, config_loader_arena(loader), &path, &at, &why) == STATUS_OK && path.count > 0)
        config_warn(config_loader_report(loader), node, "this sets the text %s; the value of that member is \"{{%s}}\"",
                    node->text, node->text);
}

static bool set_parse(struct config_loader *loader, const struct config_node *node, void *ret)
{
    if (!member_map_begin(loader, node, "a map of members and their values: {member: value or \"{{...}}\"}"))
        return false;
    struct set_config *config = ret;
    config->count = node->count;
    config->members = arena_alloc(config_loader_arena(loader), node->count * sizeof *config->members);
    if (config->members == NULL) {
        config_error(config_loader_report(loader), node, "no memory");
        return false;
    }
    bool good = true;
    for (uint32_t i = 0; i < node->count; i++) {
        good &= member_path_of_key(loader, &node->children[i], &config->members[i].path);
        good &= config_template.parse(loader, &node->children[i], &config->members[i].value);
        warn_of_path(loader, &node->children[i]);
    }
    return good;
}

static void set_schema(FILE *out)
{
    fputs("{\"type\": \"object\", \"minProperties\": 1, \"additionalProperties\": ", out);
    config_template.schema(out);
    fputs("}", out);
}

static enum status set_init(const void *config, const struct stage_env *env, void **ret_stage, struct error *error)
{
    (void)env, (void)error;
    *ret_stage = (void *)config;
    return STATUS_OK;
}

static bool set_one(const struct set_member *member, struct batch *batch, struct record *record)
{
    struct value value;
    enum status status = template_value(member->value, batch, record, &batch->arena, &value);
    if (__builtin_expect(status != STATUS_OK, 0)) {
        if (status == STATUS_FAILED)
            batch_reject(batch, record, "utf8", "can't set %s: the key or header is not valid UTF-8",
                         member->path.text);
        else
            batch_reject(batch, record, "memory", "no memory to set %s", member->path.text); /* see member_set */
        return false;
    }
    return value.type == VALUE_MISSING || member_set(batch, record, &member->path, value.text);
}

static void set_process(void *stage, void *worker, struct batch *batch)
{
    (void)worker;
    const struct set_config *config = stage;
    BATCH_EACH(batch, record)
    {
        if (!member_wanted(batch, record))
            continue;
        for (uint32_t i = 0; i < config->count && set_one(&config->members[i], batch, record); i++)
            ;
    }
}

static const struct config_custom SET_MEMBERS = {
    .name = "a map of members and their values",
    .size = sizeof(struct set_config),
    .parse = set_parse,
    .schema = set_schema,
};

static const struct config_field SET_CONFIG = {
    .name = "set",
    .help = "Sets members (paths of names) to constants or {{...}} templates; a template whose one expression finds "
            "nothing sets nothing.",
    .kind = CONFIG_CUSTOM,
    .custom = &SET_MEMBERS,
};

const struct stage_type set_stage = {
    .name = "set",
    .help = "sets members of the document",
    .config = &SET_CONFIG,
    .init = set_init,
    .process = set_process,
};
