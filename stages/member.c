#include "stages/member.h"

#include "config/fields.h"

/* Why the path can't be written to; NULL: it can. */
static const char *why_not(const struct path *path)
{
    if (path->count == 0)
        return "expected the name of a member, found the whole document";
    for (uint32_t i = 0; i < path->count; i++) {
        if (path->steps[i].name.data == NULL)
            return "expected names only: an array's element can't be written";
    }
    return NULL;
}

static bool parse_member_path(struct config_loader *loader, const struct config_node *node, void *ret)
{
    struct path path;
    if (!config_path.parse(loader, node, &path))
        return false;
    const char *why = why_not(&path);
    if (why != NULL) {
        config_error(config_loader_report(loader), node, "%s", why);
        return false;
    }
    *(struct path *)ret = path;
    return true;
}

static void member_path_schema(FILE *out)
{
    config_path.schema(out);
}

const struct config_custom member_path = {
    .name = "a path to a member",
    .size = sizeof(struct path),
    .parse = parse_member_path,
    .schema = member_path_schema,
};

bool member_path_of_key(struct config_loader *loader, const struct config_node *node, struct path *ret)
{
    struct path path;
    unsigned at = 0;
    const char *why = NULL;
    enum status status = path_compile(node->key, config_loader_arena(loader), &path, &at, &why);
    if (status == STATUS_OK)
        why = why_not(&path);
    else if (status != STATUS_FAILED)
        why = "no memory";
    if (why != NULL) {
        config_error_key(config_loader_report(loader), node, "'%s' as a path: %s", node->key, why);
        return false;
    }
    *ret = path;
    return true;
}

bool member_map_begin(struct config_loader *loader, const struct config_node *node, const char *expected)
{
    if (node->kind == NODE_MAP && node->count > 0)
        return true;
    config_error(config_loader_report(loader), node, "expected %s, found %s", expected,
                 node->kind == NODE_MAP    ? "an empty map"
                 : node->kind == NODE_LIST ? "a list"
                                           : "a single value");
    return false;
}

bool member_set(struct batch *batch, struct record *record, const struct path *path, struct bytes json)
{
    enum status status = document_set(&record->document, path, json, &batch->arena);
    if (__builtin_expect(status == STATUS_OK, 1))
        return true;
    if (status == STATUS_FAILED)
        batch_reject(batch, record, "type", "can't set %s: what it stands in is not an object", path->text);
    else
        batch_reject(batch, record, "memory", "no memory to set %s", path->text);
    return false;
}
