/*
 * Two steps do most of the reading: to a string's end, by memchr for the quote and a look back at the backslashes before it; and over a container, by
 * counting brackets outside of strings. Neither recurses, so nesting costs no stack.
 */
#include "processor/json.h"

const char *value_type_name(enum value_type type)
{
    static const char *const names[] = {
        [VALUE_MISSING] = "missing", [VALUE_NULL] = "null",     [VALUE_BOOL] = "bool",   [VALUE_INTEGER] = "integer",
        [VALUE_NUMBER] = "number",   [VALUE_STRING] = "string", [VALUE_ARRAY] = "array", [VALUE_OBJECT] = "object",
    };
    return names[type];
}

static enum value_type number_type(struct bytes text)
{
    for (uint32_t i = 0; i < text.size; i++) {
        if (text.data[i] == '.' || (text.data[i] | 0x20) == 'e')
            return VALUE_NUMBER;
    }
    return VALUE_INTEGER;
}

/* By the first byte; what is not here begins a number. */
static const uint8_t TYPES[256] = {
    ['"'] = VALUE_STRING, ['{'] = VALUE_OBJECT, ['['] = VALUE_ARRAY,
    ['t'] = VALUE_BOOL,   ['f'] = VALUE_BOOL,   ['n'] = VALUE_NULL,
};

static inline enum value_type type_of(struct bytes text)
{
    enum value_type type = TYPES[text.data[0]];
    return type != VALUE_MISSING ? type : number_type(text);
}

struct value json_value(struct bytes text)
{
    return (struct value){.type = type_of(text), .text = text};
}

/* -- walking -- */

/* at: behind the opening quote. A quote is escaped when an odd number of backslashes stands before it; before those is at the least the opening quote. */
static const uint8_t *closing_quote(const uint8_t *at, const uint8_t *end)
{
    /* Most strings are too short to be worth a call. */
    for (int i = 0; i < 16 && *at != '"'; i++)
        at++;
    for (;; at++) {
        if (*at != '"')
            at = memchr(at, '"', (size_t)(end - at));
        const uint8_t *run = at;
        while (run[-1] == '\\')
            run--;
        if (((at - run) & 1) == 0)
            return at;
    }
}

enum { STEP_QUOTE = 2 };
static const int16_t STEP[256] = {['{'] = 1, ['['] = 1, ['}'] = -1, [']'] = -1, ['"'] = STEP_QUOTE};

static const uint8_t *skip_container(const uint8_t *at, const uint8_t *end)
{
    int64_t depth = 0;
    for (;; at++) {
        int step = STEP[*at];
        if (step == STEP_QUOTE) {
            at = closing_quote(at + 1, end);
            continue;
        }
        depth += step;
        if (depth == 0)
            return at + 1;
        while (STEP[at[1]] == 0)
            at++;
    }
}

const uint8_t *json_skip(const uint8_t *at, const uint8_t *end)
{
    if (*at == '"')
        return closing_quote(at + 1, end) + 1;
    if (*at == '{' || *at == '[')
        return skip_container(at, end);
    while (at<end && * at> ' ' && *at != ',' && *at != '}' && *at != ']')
        at++;
    return at;
}

/* Between tokens nothing else is that small; and an object or array ends with a bracket. */
static const uint8_t *skip_white(const uint8_t *at)
{
    while (*at <= ' ')
        at++;
    return at;
}

/* The first byte of the next member or element; NULL: there is none. */
static const uint8_t *next_item(struct bytes container, const uint8_t *cursor)
{
    const uint8_t *at = skip_white(cursor != NULL ? cursor : container.data + 1);
    if (*at == '}' || *at == ']')
        return NULL;
    return cursor != NULL ? skip_white(at + 1) : at;
}

/* Member by member: a struct that is copied just after it was written stalls the CPU. */
static const uint8_t *take_value(const uint8_t *at, const uint8_t *end, struct value *ret)
{
    const uint8_t *behind = json_skip(at, end);
    ret->text.data = at;
    ret->text.size = (uint32_t)(behind - at);
    ret->type = type_of(ret->text);
    return behind;
}

bool json_next_member(struct bytes object, const uint8_t **cursor, struct bytes *ret_key, struct value *ret_value)
{
    const uint8_t *key = next_item(object, *cursor), *end = object.data + object.size;
    if (key == NULL)
        return false;
    const uint8_t *quote = closing_quote(++key, end);
    *ret_key = bytes_of(key, (uint32_t)(quote - key));
    const uint8_t *colon = skip_white(quote + 1);
    *cursor = take_value(skip_white(colon + 1), end, ret_value);
    return true;
}

bool json_next_element(struct bytes array, const uint8_t **cursor, struct value *ret_value)
{
    const uint8_t *at = next_item(array, *cursor);
    if (at == NULL)
        return false;
    *cursor = take_value(at, array.data + array.size, ret_value);
    return true;
}

struct value json_member(struct bytes object, struct bytes name)
{
    const uint8_t *cursor = NULL;
    struct bytes key;
    struct value value, found = {.type = VALUE_MISSING};
    while (json_next_member(object, &cursor, &key, &value)) {
        if (json_key_equals(key, name))
            found = value;
    }
    return found;
}

struct value json_element(struct bytes array, uint32_t index)
{
    const uint8_t *cursor = NULL;
    struct value value;
    while (json_next_element(array, &cursor, &value)) {
        if (index-- == 0)
            return value;
    }
    return (struct value){.type = VALUE_MISSING};
}

/* -- strings -- */

static uint32_t hex4(const uint8_t *at)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++)
        code = code << 4 | ((at[i] & 0xfu) + (at[i] >> 6) * 9u);
    return code;
}

static unsigned put_utf8(uint32_t code, uint8_t *out)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    unsigned size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (unsigned i = size - 1; i > 0; i--, code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
    out[0] = (uint8_t)(0xf00 >> size | code);
    return size;
}

/* *at: at the u of \uXXXX -> behind it, or behind the second half of a surrogate pair. */
static uint32_t code_point(const uint8_t **at, const uint8_t *end)
{
    enum { REPLACEMENT = 0xfffd };
    uint32_t code = hex4(*at + 1);
    *at += 5;
    if (code < 0xd800 || code > 0xdfff)
        return code;
    const uint8_t *low = *at;
    if (code > 0xdbff || end - low < 6 || low[0] != '\\' || low[1] != 'u')
        return REPLACEMENT; /* decode rejects these; a config may still have one */
    uint32_t second = hex4(low + 2);
    if (second < 0xdc00 || second > 0xdfff)
        return REPLACEMENT;
    *at += 6;
    return 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00);
}

/* *at: behind the backslash -> behind the escape. Writes at most 4 bytes and never more than the escape had. */
static unsigned put_escape(const uint8_t **at, const uint8_t *end, uint8_t *out)
{
    static const uint8_t meaning[256] = {['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
    uint8_t letter = **at;
    if (letter == 'u')
        return put_utf8(code_point(at, end), out);
    ++*at;
    *out = meaning[letter] != 0 ? meaning[letter] : letter;
    return 1;
}

bool json_string(const struct value *value, struct arena *arena, struct bytes *ret_text)
{
    const uint8_t *at = value->text.data + 1, *end = value->text.data + value->text.size - 1;
    size_t size = (size_t)(end - at);
    const uint8_t *escape = memchr(at, '\\', size);
    if (escape == NULL) {
        *ret_text = bytes_of(at, (uint32_t)size);
        return true;
    }
    uint8_t *text = arena_text(arena, size), *out = text;
    if (text == NULL)
        return false;
    while (escape != NULL) {
        memcpy(out, at, (size_t)(escape - at));
        out += escape - at;
        at = escape + 1;
        out += put_escape(&at, end, out);
        escape = memchr(at, '\\', (size_t)(end - at));
    }
    memcpy(out, at, (size_t)(end - at));
    out += end - at;
    arena_trim(arena, text, size, (size_t)(out - text));
    *ret_text = bytes_of(text, (uint32_t)(out - text));
    return true;
}

bool json_text(const struct value *value, struct arena *arena, struct bytes *ret_text)
{
    if (value->type == VALUE_STRING)
        return json_string(value, arena, ret_text);
    *ret_text = value->type == VALUE_MISSING || value->type == VALUE_NULL ? bytes_of("", 0) : value->text;
    return true;
}

/* A string's bytes one by one, escapes resolved. */
struct unescaper {
    const uint8_t *at, *end;
    uint8_t ready[4];
    unsigned next, count;
};

/* -1 at the end. */
static int next_byte(struct unescaper *unescaper)
{
    if (unescaper->next < unescaper->count)
        return unescaper->ready[unescaper->next++];
    if (unescaper->at == unescaper->end)
        return -1;
    uint8_t byte = *unescaper->at++;
    if (byte != '\\')
        return byte;
    unescaper->count = put_escape(&unescaper->at, unescaper->end, unescaper->ready);
    unescaper->next = 1;
    return unescaper->ready[0];
}

bool json_key_equals_escaped(struct bytes key, struct bytes name)
{
    uint32_t i = 0;
    while (i < name.size && key.data[i] == name.data[i] && key.data[i] != '\\')
        i++;
    if (i == key.size || key.data[i] != '\\')
        return i == key.size && i == name.size;
    struct unescaper unescaper = {.at = key.data + i, .end = key.data + key.size};
    for (; i < name.size; i++) {
        if (next_byte(&unescaper) != name.data[i])
            return false;
    }
    return next_byte(&unescaper) < 0;
}

bool json_strings_equal(const struct value *a, const struct value *b)
{
    if (bytes_equal(a->text, b->text))
        return true;
    struct unescaper left = {.at = a->text.data + 1, .end = a->text.data + a->text.size - 1};
    struct unescaper right = {.at = b->text.data + 1, .end = b->text.data + b->text.size - 1};
    int byte;
    do {
        byte = next_byte(&left);
        if (byte != next_byte(&right))
            return false;
    } while (byte >= 0);
    return true;
}
