#include "scenario/diff.h"

#include <stdio.h>
#include <string.h>

#include "config/tree.h"
#include "processor/check.h"
#include "stages/json_fault.h"

enum { PATH_SIZE_MAX = 512, SHOWN_BYTES = 160, BEFORE = 24 };

struct differ {
    const char *what;
    bool part;
    struct findings *findings;
    char path[PATH_SIZE_MAX];
};

/* -- in words -- */

/* The first byte of `count` bytes of text that begins a character. */
static uint32_t character_start(struct bytes text, uint32_t at)
{
    while (at > 0 && at < text.size && (text.data[at] & 0xc0) == 0x80)
        at--;
    return at;
}

/* A piece of a text from `from` on, cut at both ends. */
static const char *show_from(struct bytes text, uint32_t from, char *ret)
{
    from = character_start(text, from);
    uint32_t end = text.size - from > SHOWN_BYTES ? character_start(text, from + SHOWN_BYTES) : text.size;
    size_t at = 0;
    const char *dots = from > 0 ? "..." : "";
    at += (size_t)snprintf(ret, DIFF_SHOWN_MAX, "%s", dots);
    for (uint32_t i = from; i < end; i++)
        ret[at++] = text.data[i] == '\n' || text.data[i] == '\r' ? ' ' : (char)text.data[i];
    snprintf(ret + at, DIFF_SHOWN_MAX - at, "%s", end < text.size ? "..." : "");
    return ret;
}

static const char *show_hex(struct bytes bytes, char *ret)
{
    static const char DIGITS[] = "0123456789abcdef";
    uint32_t count = bytes.size < SHOWN_BYTES / 2 ? bytes.size : SHOWN_BYTES / 2;
    size_t at = (size_t)snprintf(ret, DIFF_SHOWN_MAX, "the bytes ");
    for (uint32_t i = 0; i < count; i++) {
        ret[at++] = DIGITS[bytes.data[i] >> 4];
        ret[at++] = DIGITS[bytes.data[i] & 15];
    }
    snprintf(ret + at, DIFF_SHOWN_MAX - at, "%s", count < bytes.size ? "..." : "");
    return ret;
}

const char *diff_show(struct bytes bytes, char text[DIFF_SHOWN_MAX])
{
    struct value value;
    if (bytes.data == NULL) {
        snprintf(text, DIFF_SHOWN_MAX, "null");
        return text;
    }
    if (!utf8_valid(bytes))
        return show_hex(bytes, text);
    if (diff_parse(bytes, &value))
        return show_from(value.text, 0, text);
    uint8_t quoted[JSON_QUOTED_MAX(SHOWN_BYTES)];
    struct bytes head = bytes_of(bytes.data, bytes.size < SHOWN_BYTES ? bytes.size : SHOWN_BYTES);
    head.size = head.size < bytes.size ? character_start(bytes, head.size) : head.size;
    struct bytes shown = bytes_of(quoted, (uint32_t)json_quote(quoted, head));
    size_t size = strlen(show_from(shown, 0, text));
    if (head.size < bytes.size)
        snprintf(text + size, DIFF_SHOWN_MAX - size, "...");
    return text;
}

/* Where two texts begin to differ, and some bytes before, so that both can be shown from there. */
static uint32_t first_difference(struct bytes a, struct bytes b)
{
    uint32_t at = 0, size = a.size < b.size ? a.size : b.size;
    while (at < size && a.data[at] == b.data[at])
        at++;
    return at > SHOWN_BYTES / 2 ? at - BEFORE : 0;
}

static const char *kind_of(const struct value *value)
{
    switch (value->type) {
    case VALUE_INTEGER:
    case VALUE_NUMBER:
        return "number";
    case VALUE_STRING:
        return "text";
    case VALUE_ARRAY:
        return "list";
    case VALUE_OBJECT:
        return "map";
    default:
        return value_type_name(value->type);
    }
}

static bool tell(const struct differ *differ, const struct config_node *node, const char *expected, const char *found)
{
    const char *between = differ->what[0] != '\0' && differ->path[0] != '\0' ? " " : "";
    const char *colon = differ->what[0] != '\0' || differ->path[0] != '\0' ? ": " : "";
    if (differ->findings != NULL)
        findings_add(differ->findings, node, "%s%s%s%sexpected %s, found %s", differ->what, between, differ->path,
                     colon, expected, found);
    return false;
}

static bool tell_values(const struct differ *differ, const struct config_node *node, const struct value *expected,
                        const struct value *actual)
{
    char left[DIFF_SHOWN_MAX], right[DIFF_SHOWN_MAX], found[DIFF_SHOWN_MAX + 32];
    if (differ->findings == NULL)
        return false;
    if (actual->type == VALUE_MISSING)
        return tell(differ, node, show_from(expected->text, 0, left), "nothing");
    if (expected->type == VALUE_MISSING)
        return tell(differ, node, "nothing", show_from(actual->text, 0, right));
    uint32_t from = first_difference(expected->text, actual->text);
    const char *kind = kind_of(actual);
    bool same = strcmp(kind, kind_of(expected)) == 0 || actual->type == VALUE_NULL || actual->type == VALUE_BOOL;
    snprintf(found, sizeof found, "%s%s%s%s", same ? "" : "the ", same ? "" : kind, same ? "" : " ",
             show_from(actual->text, from, right));
    return tell(differ, node, show_from(expected->text, from, left), found);
}

/* -- numbers -- */

/* A number as sign, digits without zeros at either end, and the power of ten of the digit before the first one (0.ddd * 10^power). */
struct decimal {
    bool minus;
    struct bytes text;    /* of the mantissa, with the point */
    uint32_t first, last; /* significant digits in it: [first, last] */
    int64_t power;
    bool zero;
};

static int64_t read_exponent(struct bytes text, uint32_t at)
{
    int64_t exponent = 0;
    bool minus = at < text.size && text.data[at] == '-';
    for (at += at < text.size && (minus || text.data[at] == '+'); at < text.size && exponent < INT32_MAX; at++)
        exponent = exponent * 10 + (text.data[at] - '0');
    return minus ? -exponent : exponent;
}

static struct decimal read_decimal(struct bytes text)
{
    struct decimal decimal = {.minus = text.data[0] == '-', .zero = true};
    uint32_t end = 0, point = UINT32_MAX;
    while (end < text.size && text.data[end] != 'e' && text.data[end] != 'E')
        end++;
    for (uint32_t i = decimal.minus; i < end; i++) {
        if (text.data[i] == '.') {
            point = i;
        } else if (text.data[i] != '0') {
            decimal.first = decimal.zero ? i : decimal.first;
            decimal.last = i;
            decimal.zero = false;
        }
    }
    point = point == UINT32_MAX ? end : point;
    decimal.text = bytes_of(text.data, end);
    decimal.power = decimal.first < point ? (int64_t)point - decimal.first : (int64_t)point + 1 - decimal.first;
    if (end < text.size)
        decimal.power += read_exponent(text, end + 1);
    return decimal;
}

static bool numbers_equal(struct bytes a_text, struct bytes b_text)
{
    struct decimal a = read_decimal(a_text), b = read_decimal(b_text);
    if (a.zero || b.zero)
        return a.zero && b.zero;
    if (a.minus != b.minus || a.power != b.power)
        return false;
    uint32_t i = a.first, k = b.first;
    while (i <= a.last && k <= b.last) {
        i += a.text.data[i] == '.';
        k += b.text.data[k] == '.';
        if (a.text.data[i++] != b.text.data[k++])
            return false;
    }
    return i > a.last && k > b.last;
}

/* -- values -- */

static bool is_number(const struct value *value)
{
    return value->type == VALUE_INTEGER || value->type == VALUE_NUMBER;
}

static bool scalars_equal(const struct value *a, const struct value *b)
{
    if (is_number(a) && is_number(b))
        return numbers_equal(a->text, b->text);
    if (a->type != b->type)
        return false;
    return a->type == VALUE_STRING ? json_strings_equal(a, b) : bytes_equal(a->text, b->text);
}

/* The string whose text between the quotes is key. */
static struct value key_value(struct bytes key)
{
    return (struct value){VALUE_STRING, bytes_of(key.data - 1, key.size + 2)};
}

/* As json_member, of a key that may have escapes. */
static struct value member(struct bytes object, struct bytes key)
{
    struct value wanted = key_value(key), value, found = {.type = VALUE_MISSING};
    const uint8_t *cursor = NULL;
    struct bytes each;
    while (json_next_member(object, &cursor, &each, &value)) {
        struct value name = key_value(each);
        if (json_strings_equal(&name, &wanted))
            found = value;
    }
    return found;
}

static bool is_plain(struct bytes key)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    for (uint32_t i = 0; i < key.size; i++) {
        if (key.data[i] == '\0' || strchr(PLAIN, key.data[i]) == NULL)
            return false;
    }
    return key.size > 0;
}

static size_t push_key(struct differ *differ, struct bytes key)
{
    size_t size = strlen(differ->path);
    const char *quote = is_plain(key) ? "" : "\"";
    snprintf(differ->path + size, sizeof differ->path - size, ".%s%.*s%s", quote, (int)key.size, (const char *)key.data,
             quote);
    return size;
}

static size_t push_index(struct differ *differ, uint32_t index)
{
    size_t size = strlen(differ->path);
    snprintf(differ->path + size, sizeof differ->path - size, "[%u]", index);
    return size;
}

static bool differ_values(struct differ *differ, const struct value *expected, const struct value *actual,
                          const struct config_node *node);

/* Of one member or element, which may be missing on either side. */
static bool differ_child(struct differ *differ, const struct value *expected, const struct value *actual,
                         const struct config_node *node, size_t size)
{
    bool same = expected->type != VALUE_MISSING && actual->type != VALUE_MISSING
                    ? differ_values(differ, expected, actual, node)
                    : tell_values(differ, node, expected, actual);
    differ->path[size] = '\0';
    return same;
}

/* The nth child of a map or list in the file; the node itself where that has another form (an alias's copies have it too). */
static const struct config_node *child_node(const struct config_node *node, uint32_t index)
{
    return node != NULL && node->kind != NODE_SCALAR && index < node->count ? &node->children[index] : node;
}

static bool differ_objects(struct differ *differ, const struct value *expected, const struct value *actual,
                           const struct config_node *node)
{
    const uint8_t *cursor = NULL;
    struct bytes key;
    struct value value;
    bool same = true;
    for (uint32_t i = 0; json_next_member(expected->text, &cursor, &key, &value); i++) {
        struct value found = member(actual->text, key);
        size_t size = push_key(differ, key);
        same &= differ_child(differ, &value, &found, child_node(node, i), size);
        if (!same && differ->findings == NULL)
            return false;
    }
    cursor = NULL;
    while (!differ->part && json_next_member(actual->text, &cursor, &key, &value)) {
        struct value none = {.type = VALUE_MISSING};
        if (member(expected->text, key).type != VALUE_MISSING)
            continue;
        size_t size = push_key(differ, key);
        same &= differ_child(differ, &none, &value, node, size);
    }
    return same;
}

static bool differ_arrays(struct differ *differ, const struct value *expected, const struct value *actual,
                          const struct config_node *node)
{
    const uint8_t *left = NULL, *right = NULL;
    bool same = true;
    for (uint32_t i = 0;; i++) {
        struct value value, found;
        if (!json_next_element(expected->text, &left, &value))
            value = (struct value){.type = VALUE_MISSING};
        if (!json_next_element(actual->text, &right, &found))
            found = (struct value){.type = VALUE_MISSING};
        if (value.type == VALUE_MISSING && found.type == VALUE_MISSING)
            return same;
        size_t size = push_index(differ, i);
        same &= differ_child(differ, &value, &found, child_node(node, i), size);
    }
}

static bool differ_values(struct differ *differ, const struct value *expected, const struct value *actual,
                          const struct config_node *node)
{
    if (expected->type == VALUE_OBJECT && actual->type == VALUE_OBJECT)
        return differ_objects(differ, expected, actual, node);
    if (expected->type == VALUE_ARRAY && actual->type == VALUE_ARRAY)
        return differ_arrays(differ, expected, actual, node);
    return scalars_equal(expected, actual) || tell_values(differ, node, expected, actual);
}

bool diff_json(const struct value *expected, const struct value *actual, bool part, const char *what,
               const struct config_node *node, struct findings *findings)
{
    struct differ differ = {.what = what, .part = part, .findings = findings};
    return differ_values(&differ, expected, actual, node);
}

/* -- bytes -- */

static bool is_white(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

bool diff_parse(struct bytes text, struct value *ret)
{
    const char *words;
    if (text.data == NULL || !utf8_valid(text))
        return false;
    while (text.size > 0 && is_white(text.data[0]))
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size > 0 && is_white(text.data[text.size - 1]))
        text.size--;
    if (text.size == 0 || json_fault_find(text, &words) >= 0)
        return false;
    *ret = json_value(text);
    return true;
}

bool diff_given(const struct given *expected, struct bytes actual, bool part, const char *what,
                struct findings *findings)
{
    struct differ differ = {.what = what, .findings = findings};
    struct value left, right;
    char expected_text[DIFF_SHOWN_MAX], actual_text[DIFF_SHOWN_MAX];
    bool null = expected->bytes.data == NULL || actual.data == NULL;
    if (null && expected->bytes.data == actual.data)
        return true;
    if (!null && !expected->structure && bytes_equal(expected->bytes, actual))
        return true;
    bool json = !null && diff_parse(expected->bytes, &left) && diff_parse(actual, &right);
    if (json)
        return diff_json(&left, &right, part, what, expected->node, findings);
    if (!null && part && !expected->structure && expected->bytes.size <= actual.size &&
        memmem(actual.data, actual.size, expected->bytes.data, expected->bytes.size) != NULL)
        return true;
    return tell(&differ, expected->node, diff_show(expected->bytes, expected_text), diff_show(actual, actual_text));
}
