#include "scenario/given.h"

#include <stdlib.h>
#include <string.h>

#include "config/constant.h"
#include "config/loader.h"
#include "processor/check.h"

/* -- YAML as JSON -- */

static bool write_json(struct config_loader *loader, const struct config_node *node, FILE *out);

static bool write_scalar(struct config_loader *loader, const struct config_node *node, FILE *out)
{
    struct value value;
    if (!constant_parse(loader, node, &value))
        return false;
    fwrite(value.text.data, 1, value.text.size, out);
    return true;
}

static bool write_key(struct config_loader *loader, const struct config_node *node, FILE *out)
{
    struct bytes key = bytes_of_string(node->key);
    uint8_t *quoted = config_loader_alloc(loader, 1, JSON_QUOTED_MAX(key.size));
    if (quoted == NULL)
        return false;
    if (!utf8_valid(key)) {
        config_error_key(loader->report, node, "expected UTF-8 text, found other bytes");
        return false;
    }
    fwrite(quoted, 1, json_quote(quoted, key), out);
    putc(':', out);
    return true;
}

static bool write_json(struct config_loader *loader, const struct config_node *node, FILE *out)
{
    bool map = node->kind == NODE_MAP, good = true;
    if (node->kind == NODE_SCALAR)
        return write_scalar(loader, node, out);
    putc(map ? '{' : '[', out);
    for (uint32_t i = 0; i < node->count; i++) {
        if (i > 0)
            putc(',', out);
        good &= !map || write_key(loader, &node->children[i], out);
        good &= write_json(loader, &node->children[i], out);
    }
    putc(map ? '}' : ']', out);
    return good;
}

static bool keep(struct config_loader *loader, const void *data, size_t size, struct bytes *ret)
{
    uint8_t *copy = config_loader_alloc(loader, 1, size + ARENA_PADDING);
    if (copy == NULL)
        return false;
    if (size > 0)
        memcpy(copy, data, size);
    *ret = bytes_of(copy, (uint32_t)size);
    return true;
}

static bool parse_json(struct config_loader *loader, const struct config_node *node, struct bytes *ret)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    CHECK(out != NULL);
    bool good = write_json(loader, node, out);
    CHECK(fclose(out) == 0);
    good = good && keep(loader, text, size, ret);
    free(text);
    return good;
}

/* -- bytes that are no text -- */

/* -1: no such digit. */
static int digit(char letter, const char *digits)
{
    const char *at = letter != '\0' ? strchr(digits, letter) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* Offset of what is wrong, -1: nothing. out has room for half of the text. */
static long read_hex(const char *text, uint8_t *out, size_t *ret_size)
{
    static const char DIGITS[] = "0123456789abcdef";
    size_t count = 0;
    for (size_t i = 0; text[i] != '\0'; i++) {
        int value = digit((char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] + 'a' - 'A' : text[i]), DIGITS);
        if (text[i] == ' ' || text[i] == '\n')
            continue;
        if (value < 0)
            return (long)i;
        if (count % 2 == 0)
            out[count / 2] = (uint8_t)(value << 4);
        else
            out[count / 2] = (uint8_t)(out[count / 2] | value);
        count++;
    }
    *ret_size = count / 2;
    return count % 2 == 0 ? -1 : (long)strlen(text);
}

/* RFC 4648, with its padding. */
static long read_base64(const char *text, uint8_t *out, size_t *ret_size)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, count = 0, padding = 0;
    size_t size = 0;
    for (size_t i = 0; text[i] != '\0'; i++) {
        int value = digit(text[i], DIGITS);
        if (text[i] == ' ' || text[i] == '\n')
            continue;
        if (text[i] == '=' && ++padding <= 2)
            continue;
        if (value < 0 || padding > 0)
            return (long)i;
        bits = bits << 6 | (unsigned)value;
        if (++count % 4 != 1)
            out[size++] = (uint8_t)(bits >> (6 - 2 * ((count - 1) % 4)));
    }
    *ret_size = size;
    return (count + padding) % 4 == 0 && count % 4 != 1 ? -1 : (long)strlen(text);
}

/* The only key of a map that says how its bytes are written; NULL: it is a map as others. */
static const struct config_node *coded(const struct config_node *node)
{
    if (node->kind != NODE_MAP || node->count != 1 || node->children[0].kind != NODE_SCALAR)
        return NULL;
    const char *key = node->children[0].key;
    return strcmp(key, "hex") == 0 || strcmp(key, "base64") == 0 ? &node->children[0] : NULL;
}

static bool parse_coded(struct config_loader *loader, const struct config_node *node, struct bytes *ret)
{
    bool hex = strcmp(node->key, "hex") == 0;
    size_t size = 0;
    uint8_t *out = config_loader_alloc(loader, 1, strlen(node->text) + 1);
    if (out == NULL)
        return false;
    long at = hex ? read_hex(node->text, out, &size) : read_base64(node->text, out, &size);
    if (at >= 0) {
        config_error_at(loader->report, node, (unsigned)at, "expected %s, found %s",
                        hex ? "pairs of hexadecimal digits" : "base64 (RFC 4648)",
                        node->text[at] == '\0' ? "an end in the middle" : "something else");
        return false;
    }
    return keep(loader, out, size, ret);
}

static bool parse_given(struct config_loader *loader, const struct config_node *node, void *ret)
{
    struct given given = {.node = node};
    const struct config_node *code = coded(node);
    bool good;
    if (code != NULL) {
        good = parse_coded(loader, code, &given.bytes);
    } else if (node->kind != NODE_SCALAR) {
        given.structure = true;
        good = parse_json(loader, node, &given.bytes);
    } else {
        good = config_tree_is_null(node) || keep(loader, node->text, strlen(node->text), &given.bytes);
    }
    *(struct given *)ret = given;
    return good;
}

static bool parse_given_json(struct config_loader *loader, const struct config_node *node, void *ret)
{
    struct given given = {.node = node, .structure = true};
    bool good = parse_json(loader, node, &given.bytes);
    *(struct given *)ret = given;
    return good;
}

void given_schema(FILE *out)
{
    fputs("{}", out);
}

const struct config_custom given_custom = {
    .name = "a text, a map or list (as JSON), null, {base64: ...} or {hex: ...}",
    .size = sizeof(struct given),
    .parse = parse_given,
    .schema = given_schema,
};

const struct config_custom given_json_custom = {
    .name = "a JSON value", .size = sizeof(struct given), .parse = parse_given_json, .schema = given_schema};
