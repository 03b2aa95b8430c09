#include "config/fields.h"

#include <string.h>

#include "config/condition.h"
#include "config/constant.h"
#include "config/found.h"
#include "config/loader.h"
#include "processor/condition.h"
#include "processor/path.h"
#include "processor/template.h"

static bool no_memory(struct config_loader *loader, const struct config_node *node)
{
    config_error(loader->report, node, "no memory");
    return false;
}

static bool parse_template(struct config_loader *loader, const struct config_node *node, void *ret)
{
    struct template **template = ret;
    if (node->kind == NODE_SCALAR && strstr(node->text, "{{") != NULL) {
        unsigned at = 0;
        char why[160] = "";
        enum status status = template_compile(node->text, &loader->arena, template, &at, why, sizeof why);
        if (status == STATUS_FAILED)
            config_error_at(loader->report, node, at, "in a template: %s", why);
        else if (status != STATUS_OK)
            return no_memory(loader, node);
        return status == STATUS_OK;
    }
    struct value value;
    if (!constant_parse(loader, node, &value))
        return false;
    struct template *constant = template_constant(value.text, &loader->arena);
    if (constant == NULL)
        return no_memory(loader, node);
    *template = constant;
    return true;
}

static void template_schema(FILE *out)
{
    fputs("{\"type\": [\"string\", \"number\", \"boolean\", \"null\"]}", out);
}

const struct config_custom config_template = {
    .name = "a template",
    .size = sizeof(struct template *),
    .parse = parse_template,
    .schema = template_schema,
};

static bool parse_path(struct config_loader *loader, const struct config_node *node, void *ret)
{
    if (node->kind != NODE_SCALAR || config_tree_is_null(node)) {
        char found[FOUND_MAX];
        config_error(loader->report, node, "expected a path (.customer.name), found %s", found_words(node, found));
        return false;
    }
    struct path path;
    unsigned at = 0;
    const char *why = "";
    enum status status = path_compile(node->text, &loader->arena, &path, &at, &why);
    if (status == STATUS_FAILED)
        config_error_at(loader->report, node, at, "in a path: %s", why);
    else if (status != STATUS_OK)
        return no_memory(loader, node);
    else
        *(struct path *)ret = path;
    return status == STATUS_OK;
}

static void path_schema(FILE *out)
{
    fputs("{\"type\": \"string\", \"minLength\": 1}", out);
}

const struct config_custom config_path = {
    .name = "a path",
    .size = sizeof(struct path),
    .parse = parse_path,
    .schema = path_schema,
};

static void condition_schema(FILE *out)
{
    fputs("{\"$ref\": \"#/definitions/condition\"}", out);
}

const struct config_custom config_condition = {
    .name = "a condition",
    .size = sizeof(struct condition),
    .parse = condition_parse,
    .schema = condition_schema,
};
