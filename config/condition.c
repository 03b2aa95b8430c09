#include "config/condition.h"

#include <stdlib.h>
#include <string.h>

#include "config/constant.h"
#include "config/fields.h"
#include "config/found.h"
#include "config/loader.h"
#include "config/schema.h"
#include "config/unknown.h"
#include "processor/condition.h"

/* In the order of enum condition_kind; "path" is behind them. */
static const char *const KEYS[] = {"equals", "not_equals", "in",  "matches", "exists", "above",
                                   "below",  "all",        "any", "not",     "path",   NULL};
enum { KEY_PATH = CONDITION_NOT + 1 };

static const char FORM[] =
    "{path: .status, equals: PAID} (or not_equals, in, matches, exists, above, below), or all, any, not of such";

static const struct config_field NUMBER = {.kind = CONFIG_NUMBER};
static const struct config_field BOOL = {.kind = CONFIG_BOOL};

static bool parse_values(struct config_loader *loader, const struct config_node *node, struct condition *ret)
{
    bool list = ret->kind == CONDITION_IN && node->kind == NODE_LIST, good = true;
    const struct config_node *items = list ? node->children : node;
    uint32_t count = list ? node->count : 1;
    if (count == 0) {
        config_error(loader->report, node, "expected a list of values, found an empty list");
        return false;
    }
    ret->values = config_loader_alloc(loader, count, sizeof *ret->values);
    if (ret->values == NULL)
        return false;
    ret->count = count;
    for (uint32_t i = 0; i < count; i++)
        good &= constant_parse(loader, &items[i], &ret->values[i]);
    return good;
}

static void free_regex(void *regex)
{
    regfree(regex);
    free(regex);
}

static bool parse_matches(struct config_loader *loader, const struct config_node *node, struct condition *ret)
{
    char words[160] = "";
    if (node->kind != NODE_SCALAR || config_tree_is_null(node)) {
        config_error(loader->report, node, "expected a regular expression (POSIX extended), found %s",
                     found_words(node, words));
        return false;
    }
    regex_t *regex = malloc(sizeof *regex);
    if (regex == NULL) {
        config_error(loader->report, node, "no memory");
        return false;
    }
    int code = regcomp(regex, node->text, REG_EXTENDED | REG_NOSUB);
    if (code != 0) {
        regerror(code, regex, words, sizeof words);
        free(regex);
        config_error(loader->report, node, "expected a regular expression (POSIX extended), found a wrong one: %s",
                     words);
        return false;
    }
    config_loader_on_free(loader, free_regex, regex);
    ret->matches = regex;
    return true;
}

static bool parse_parts(struct config_loader *loader, const struct config_node *node, struct condition *ret)
{
    bool list = ret->kind != CONDITION_NOT && node->kind == NODE_LIST, good = true;
    const struct config_node *items = list ? node->children : node;
    uint32_t count = list ? node->count : 1;
    if (count == 0) {
        config_error(loader->report, node, "expected a list of conditions, found an empty list");
        return false;
    }
    ret->parts = config_loader_alloc(loader, count, sizeof *ret->parts);
    if (ret->parts == NULL)
        return false;
    ret->count = count;
    for (uint32_t i = 0; i < count; i++)
        good &= condition_parse(loader, &items[i], &ret->parts[i]);
    return good;
}

static bool parse_operand(struct config_loader *loader, const struct config_node *node, struct condition *ret)
{
    switch (ret->kind) {
    case CONDITION_EQUALS:
    case CONDITION_NOT_EQUALS:
    case CONDITION_IN:
        return parse_values(loader, node, ret);
    case CONDITION_MATCHES:
        return parse_matches(loader, node, ret);
    case CONDITION_EXISTS:
        return config_parse(loader, &BOOL, node, &ret->exists);
    case CONDITION_ABOVE:
    case CONDITION_BELOW:
        return config_parse(loader, &NUMBER, node, &ret->bound);
    default:
        return parse_parts(loader, node, ret);
    }
}

static int key_number(const char *key)
{
    for (int i = 0; KEYS[i] != NULL; i++) {
        if (strcmp(KEYS[i], key) == 0)
            return i;
    }
    return -1;
}

/* The keys: which test, and the path. False: reported. */
static bool sort_keys(struct config_loader *loader, const struct config_node *node, const struct config_node **ret_test,
                      const struct config_node **ret_path)
{
    bool good = true;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct config_node *child = &node->children[i];
        int number = key_number(child->key);
        if (number < 0) {
            unknown_key(loader, child, KEYS);
            good = false;
        } else if (number == KEY_PATH) {
            *ret_path = child;
        } else if (*ret_test == NULL) {
            *ret_test = child;
        } else {
            config_error_key(
                loader->report, child,
                "expected one test in a condition, found `%s` beside `%s`; join two conditions by all or any",
                child->key, (*ret_test)->key);
            good = false;
        }
    }
    if (good && *ret_test == NULL) {
        config_error(loader->report, node, "expected a condition: %s; found %s", FORM,
                     node->count > 0 ? "only `path`" : "an empty map");
        good = false;
    }
    return good;
}

bool condition_parse(struct config_loader *loader, const struct config_node *node, void *ret)
{
    const struct config_node *test = NULL, *path = NULL;
    struct condition condition = {0};
    char found[FOUND_MAX];
    if (node->kind != NODE_MAP) {
        config_error(loader->report, node, "expected a condition: %s; found %s", FORM, found_words(node, found));
        return false;
    }
    bool good = sort_keys(loader, node, &test, &path);
    if (path != NULL)
        good &= config_path.parse(loader, path, &condition.path);
    if (test != NULL) {
        condition.kind = (enum condition_kind)key_number(test->key);
        good &= parse_operand(loader, test, &condition);
        bool joins = condition.kind >= CONDITION_ALL;
        if (joins && path != NULL)
            config_error_key(loader->report, path,
                             "expected no `path` beside `%s`: it belongs into the conditions below it", test->key);
        if (!joins && path == NULL)
            config_error_key(loader->report, test, "expected a `path` beside `%s`, found none", test->key);
        good &= joins == (path == NULL);
    }
    *(struct condition *)ret = condition;
    return good;
}

static void write_condition(FILE *out)
{
    fputs("{\"type\": \"object\", \"description\": \"A condition on the document: one test of a path, or several "
          "joined by all, any, not.\", "
          "\"properties\": {"
          "\"path\": {\"type\": \"string\", \"minLength\": 1, \"description\": \"Path in the document, as "
          ".customer.tier.\"}, "
          "\"equals\": {\"type\": [\"string\", \"number\", \"boolean\", \"null\"], \"description\": \"It has this "
          "value.\"}, "
          "\"not_equals\": {\"type\": [\"string\", \"number\", \"boolean\", \"null\"], \"description\": \"It has "
          "another value, or is missing.\"}, "
          "\"in\": {\"type\": [\"array\", \"string\", \"number\", \"boolean\", \"null\"], \"minItems\": 1, "
          "\"items\": {\"type\": [\"string\", \"number\", \"boolean\", \"null\"]}, \"description\": \"It has one of "
          "these values.\"}, "
          "\"matches\": {\"type\": [\"string\", \"number\", \"boolean\"], \"description\": \"Its text matches this "
          "POSIX extended regular expression.\"}, "
          "\"exists\": {\"anyOf\": [{\"type\": \"boolean\"}, " SCHEMA_VARIABLE "], "
          "\"description\": \"Whether it is there at all.\"}, "
          "\"above\": {\"anyOf\": [{\"type\": \"number\"}, " SCHEMA_VARIABLE "], "
          "\"description\": \"It is a number above this one.\"}, "
          "\"below\": {\"anyOf\": [{\"type\": \"number\"}, " SCHEMA_VARIABLE "], "
          "\"description\": \"It is a number below this one.\"}, "
          "\"all\": {\"$ref\": \"#/definitions/conditions\"}, \"any\": {\"$ref\": \"#/definitions/conditions\"}, "
          "\"not\": {\"$ref\": \"#/definitions/condition\"}}, \"additionalProperties\": false, "
          "\"oneOf\": [{\"required\": [\"path\"], \"minProperties\": 2, \"maxProperties\": 2}, "
          "{\"required\": [\"all\"], \"maxProperties\": 1}, {\"required\": [\"any\"], \"maxProperties\": 1}, "
          "{\"required\": [\"not\"], \"maxProperties\": 1}]}",
          out);
}

void condition_definitions(FILE *out)
{
    fputs("\"condition\": ", out);
    write_condition(out);
    fputs(",\n    \"conditions\": {\"anyOf\": [{\"type\": \"array\", \"minItems\": 1, \"items\": {\"$ref\": "
          "\"#/definitions/condition\"}}, "
          "{\"$ref\": \"#/definitions/condition\"}]}",
          out);
}
