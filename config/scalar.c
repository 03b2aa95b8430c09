#include "config/scalar.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/found.h"
#include "config/loader.h"
#include "config/units.h"

enum { EXPECTED_MAX = 256 };

static bool wrong(struct config_loader *loader, const struct config_node *node, const char *expected, const char *hint)
{
    char found[FOUND_MAX];
    config_error(loader->report, node, "expected %s, found %s%s", expected, found_words(node, found), hint);
    return false;
}

/* Quotes make a text of a number or bool; a variable in them does not, as many put quotes around every variable. */
static bool is_typed(const struct config_node *node)
{
    return node->kind == NODE_SCALAR && (node->plain || node->substituted) && !config_tree_is_null(node);
}

static bool parse_string(struct config_loader *loader, const struct config_field *field, const struct config_node *node,
                         const char **ret)
{
    if (node->kind != NODE_SCALAR || config_tree_is_null(node))
        return wrong(loader, node, "a text", "");
    if (field->required && node->text[0] == '\0')
        return wrong(loader, node, "a text that is not empty", "");
    *ret = node->text;
    return true;
}

static bool parse_secret(struct config_loader *loader, const struct config_field *field, const struct config_node *node,
                         const char **ret)
{
    config_report_hide(loader->report, node);
    if (!parse_string(loader, field, node, ret))
        return false;
    config_warn_secret(loader->report, node);
    return true;
}

static bool parse_bool(struct config_loader *loader, const struct config_node *node, bool *ret)
{
    static const char *const WORDS[2][3] = {{"false", "False", "FALSE"}, {"true", "True", "TRUE"}};
    for (int value = 0; is_typed(node) && value < 2; value++) {
        for (int i = 0; i < 3; i++) {
            if (strcmp(node->text, WORDS[value][i]) == 0) {
                *ret = value == 1;
                return true;
            }
        }
    }
    return wrong(loader, node, "true or false", "");
}

/* "what from MIN to MAX" in the units that people write. */
static const char *bounds_words(const struct config_field *field, const char *what,
                                const char *(*write)(int64_t value, char *text), char *words)
{
    char least[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];
    write(field->min, least);
    write(field->max, most);
    if (field->max != 0)
        snprintf(words, EXPECTED_MAX, "%s from %s to %s", what, least, most);
    else
        snprintf(words, EXPECTED_MAX, "%s of at least %s", what, least);
    return words;
}

static bool in_bounds(struct config_loader *loader, const struct config_field *field, const struct config_node *node,
                      int64_t value, const char *what, const char *(*write)(int64_t value, char *text))
{
    char words[EXPECTED_MAX];
    if (value >= field->min && (field->max == 0 || value <= field->max))
        return true;
    return wrong(loader, node, bounds_words(field, what, write, words), "");
}

static const char *integer_text(int64_t value, char *text)
{
    snprintf(text, UNITS_TEXT_MAX, "%" PRId64, value);
    return text;
}

static bool parse_integer(struct config_loader *loader, const struct config_field *field,
                          const struct config_node *node, int64_t *ret)
{
    char words[EXPECTED_MAX], *end = NULL;
    const char *digits = is_typed(node) ? node->text + (node->text[0] == '-' || node->text[0] == '+') : "";
    errno = 0;
    int64_t value = digits[0] >= '0' && digits[0] <= '9' ? strtoll(node->text, &end, 10) : 0;
    if (end == NULL || *end != '\0' || errno != 0)
        return wrong(loader, node, bounds_words(field, "an integer", integer_text, words), "");
    if (!in_bounds(loader, field, node, value, "an integer", integer_text))
        return false;
    *ret = value;
    return true;
}

static bool parse_number(struct config_loader *loader, const struct config_node *node, double *ret)
{
    char *end = NULL;
    bool digits = is_typed(node) && node->text[0] != '\0' &&
                  strspn(node->text, "0123456789+-.eE") == strlen(node->text);
    double value = digits ? strtod(node->text, &end) : 0;
    if (end == NULL || *end != '\0' || !isfinite(value))
        return wrong(loader, node, "a number", "");
    *ret = value;
    return true;
}

static bool parse_duration(struct config_loader *loader, const struct config_field *field,
                           const struct config_node *node, int64_t *ret)
{
    int64_t value;
    if (node->kind != NODE_SCALAR || !units_duration(node->text, strlen(node->text), &value))
        return wrong(loader, node, "a duration with its unit (250us, 100ms, 10s, 5m, 1h or 7d)", "");
    if (!in_bounds(loader, field, node, value, "a duration", units_duration_text))
        return false;
    *ret = value;
    return true;
}

static bool parse_range(struct config_loader *loader, const struct config_field *field, const struct config_node *node,
                        int64_t *ret)
{
    int64_t least, most;
    const char *text = node->kind == NODE_SCALAR ? node->text : "", *dots = strstr(text, "..");
    size_t first = dots != NULL ? (size_t)(dots - text) : strlen(text);
    const char *second = dots != NULL ? dots + 2 : text;
    if (!units_duration(text, first, &least) || !units_duration(second, strlen(second), &most))
        return wrong(loader, node, "two durations (100ms..30s) or one", "");
    if (least > most)
        return wrong(loader, node, "two durations (100ms..30s), the smaller one first", "");
    if (!in_bounds(loader, field, node, least, "durations", units_duration_text) ||
        !in_bounds(loader, field, node, most, "durations", units_duration_text))
        return false;
    ret[0] = least;
    ret[1] = most;
    return true;
}

static bool parse_size(struct config_loader *loader, const struct config_field *field, const struct config_node *node,
                       int64_t *ret)
{
    int64_t value;
    if (node->kind != NODE_SCALAR || !units_size(node->text, strlen(node->text), &value))
        return wrong(loader, node, "a size in bytes (65536, 64KiB, 16MiB, 1GiB; KB, MB and GB are powers of 1000)", "");
    if (!in_bounds(loader, field, node, value, "a size", units_size_text))
        return false;
    *ret = value;
    return true;
}

static bool parse_enum(struct config_loader *loader, const struct config_field *field, const struct config_node *node,
                       int *ret)
{
    char words[EXPECTED_MAX], hint[96] = "";
    found_choices(field->choices, words, sizeof words);
    if (node->kind != NODE_SCALAR || config_tree_is_null(node))
        return wrong(loader, node, words, "");
    for (int i = 0; field->choices[i] != NULL; i++) {
        if (strcmp(field->choices[i], node->text) == 0) {
            *ret = i;
            return true;
        }
    }
    const char *nearest = config_nearest(node->text, field->choices);
    if (nearest != NULL)
        snprintf(hint, sizeof hint, "; did you mean %s?", nearest);
    return wrong(loader, node, words, hint);
}

bool scalar_parse(struct config_loader *loader, const struct config_field *field, const struct config_node *node,
                  void *ret)
{
    switch (field->kind) {
    case CONFIG_STRING:
        return parse_string(loader, field, node, ret);
    case CONFIG_SECRET:
        return parse_secret(loader, field, node, ret);
    case CONFIG_BOOL:
        return parse_bool(loader, node, ret);
    case CONFIG_INT:
        return parse_integer(loader, field, node, ret);
    case CONFIG_NUMBER:
        return parse_number(loader, node, ret);
    case CONFIG_DURATION:
        return parse_duration(loader, field, node, ret);
    case CONFIG_RANGE:
        return parse_range(loader, field, node, ret);
    case CONFIG_SIZE:
        return parse_size(loader, field, node, ret);
    default:
        return parse_enum(loader, field, node, ret);
    }
}
