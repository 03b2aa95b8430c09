#include "config/constant.h"

#include <string.h>

#include "config/found.h"
#include "config/loader.h"

static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* RFC 8259's number; *ret_integer: without fraction and exponent. */
static bool is_json_number(const char *text, bool *ret_integer)
{
    text += *text == '-';
    size_t whole = digits(text);
    if (whole == 0 || (whole > 1 && text[0] == '0'))
        return false;
    text += whole;
    *ret_integer = *text == '\0';
    if (*text == '.') {
        size_t fraction = digits(++text);
        if (fraction == 0)
            return false;
        text += fraction;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '+' || *text == '-';
        size_t exponent = digits(text);
        if (exponent == 0)
            return false;
        text += exponent;
    }
    return *text == '\0';
}

/* What YAML programs take for a number though JSON has no such: 007, +1, .5, 1., 0x1f, 0o17, .inf. */
static bool is_other_number(const char *text)
{
    static const char *const WORDS[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"};
    text += *text == '-' || *text == '+';
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (strcmp(text, WORDS[i]) == 0)
            return true;
    }
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'o'))
        return text[2] != '\0' &&
               text[2 + strspn(text + 2, text[1] == 'x' ? "0123456789abcdefABCDEF" : "01234567")] == '\0';
    size_t whole = digits(text);
    const char *rest = text + whole;
    size_t fraction = *rest == '.' ? digits(rest + 1) : 0;
    rest += *rest == '.' ? 1 + fraction : 0;
    if (whole + fraction == 0)
        return false;
    if (*rest == 'e' || *rest == 'E') {
        rest++;
        rest += *rest == '+' || *rest == '-';
        if (digits(rest) == 0)
            return false;
        rest += digits(rest);
    }
    return *rest == '\0';
}

static bool parse_text(struct config_loader *loader, const struct config_node *node, struct value *ret)
{
    struct bytes text = bytes_of_string(node->text);
    if (!utf8_valid(text)) {
        config_error(loader->report, node, "expected UTF-8 text, found other bytes");
        return false;
    }
    uint8_t *quoted = config_loader_alloc(loader, 1, JSON_QUOTED_MAX(text.size));
    if (quoted == NULL)
        return false;
    *ret = (struct value){.type = VALUE_STRING, .text = bytes_of(quoted, (uint32_t)json_quote(quoted, text))};
    return true;
}

bool constant_parse(struct config_loader *loader, const struct config_node *node, struct value *ret)
{
    static const char *const TRUES[] = {"true", "True", "TRUE"}, *const FALSES[] = {"false", "False", "FALSE"};
    char found[FOUND_MAX];
    bool integer = false;
    if (node->kind != NODE_SCALAR) {
        config_error(loader->report, node, "expected a single value (a text, a number, true, false or null), found %s",
                     found_words(node, found));
        return false;
    }
    if (!node->plain)
        return parse_text(loader, node, ret);
    if (config_tree_is_null(node)) {
        *ret = (struct value){.type = VALUE_NULL, .text = bytes_of_string("null")};
        return true;
    }
    for (size_t i = 0; i < 3; i++) {
        bool yes = strcmp(node->text, TRUES[i]) == 0;
        if (yes || strcmp(node->text, FALSES[i]) == 0) {
            *ret = (struct value){.type = VALUE_BOOL, .text = bytes_of_string(yes ? "true" : "false")};
            return true;
        }
    }
    if (is_json_number(node->text, &integer)) {
        *ret = (struct value){.type = integer ? VALUE_INTEGER : VALUE_NUMBER, .text = bytes_of_string(node->text)};
        return true;
    }
    if (is_other_number(node->text)) {
        config_error(loader->report, node, "expected a number as JSON has them, or a text in quotes, found %s",
                     found_words(node, found));
        return false;
    }
    return parse_text(loader, node, ret);
}
