/* Writing JSON: strings with escapes, and objects with one member changed. */
#include "processor/check.h"
#include "processor/json.h"

/* -- strings -- */

#define EVERY_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not 0 when one of the eight bytes is under `limit` (at most 0x80): it borrows, and its own high bit was not set. */
static uint64_t any_below(uint64_t word, uint8_t limit)
{
    return (word - EVERY_BYTE(limit)) & ~word & EVERY_BYTE(0x80);
}

static bool needs_escape(uint64_t word)
{
    return (any_below(word, 0x20) | any_below(word ^ EVERY_BYTE('"'), 1) | any_below(word ^ EVERY_BYTE('\\'), 1)) != 0;
}

/* 0: stands for itself. Else the letter behind the backslash; 'u': four digits come behind. */
static const uint8_t ESCAPES[256] = {
    [0] = 'u',  [1] = 'u',    [2] = 'u',    [3] = 'u',    [4] = 'u',   [5] = 'u',     [6] = 'u',
    [7] = 'u',  ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', [11] = 'u',  ['\f'] = 'f',  ['\r'] = 'r',
    [14] = 'u', [15] = 'u',   [16] = 'u',   [17] = 'u',   [18] = 'u',  [19] = 'u',    [20] = 'u',
    [21] = 'u', [22] = 'u',   [23] = 'u',   [24] = 'u',   [25] = 'u',  [26] = 'u',    [27] = 'u',
    [28] = 'u', [29] = 'u',   [30] = 'u',   [31] = 'u',   ['"'] = '"', ['\\'] = '\\',
};

static uint8_t *put_escape(uint8_t *out, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    *out++ = '\\';
    *out++ = ESCAPES[byte];
    if (ESCAPES[byte] != 'u')
        return out;
    out[0] = out[1] = '0';
    out[2] = (uint8_t)hex[byte >> 4];
    out[3] = (uint8_t)hex[byte & 15];
    return out + 4;
}

/* Byte by byte. */
static uint8_t *put_escaped(uint8_t *out, const uint8_t *at, const uint8_t *end)
{
    for (; at < end; at++) {
        if (__builtin_expect(ESCAPES[*at] == 0, 1))
            *out++ = *at;
        else
            out = put_escape(out, *at);
    }
    return out;
}

size_t json_escape(uint8_t *out, struct bytes text)
{
    const uint8_t *at = text.data, *end = at + text.size, *begin = out;
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        if (__builtin_expect(needs_escape(word), 0)) {
            out = put_escaped(out, at, at + 8);
        } else {
            memcpy(out, at, 8);
            out += 8;
        }
    }
    return (size_t)(put_escaped(out, at, end) - begin);
}

size_t json_quote(uint8_t *out, struct bytes text)
{
    out[0] = '"';
    size_t size = json_escape(out + 1, text);
    out[size + 1] = '"';
    return size + 2;
}

/* A lead byte's sequence, and what its second byte may be: Unicode 15, table 3-7. */
static bool utf8_tail(const uint8_t *at, const uint8_t *end, size_t *ret_size)
{
    uint8_t lead = *at, least = 0x80, most = 0xbf;
    size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead < 0xc2 || lead > 0xf4 || (size_t)(end - at) < size)
        return false;
    if (lead == 0xe0)
        least = 0xa0;
    else if (lead == 0xed)
        most = 0x9f;
    else if (lead == 0xf0)
        least = 0x90;
    else if (lead == 0xf4)
        most = 0x8f;
    if (at[1] < least || at[1] > most)
        return false;
    for (size_t i = 2; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return false;
    }
    *ret_size = size;
    return true;
}

bool utf8_valid(struct bytes text)
{
    const uint8_t *at = text.data, *end = at + text.size;
    while (at < end) {
        uint64_t word;
        size_t size = 1;
        if (end - at >= 8 && (memcpy(&word, at, 8), (word & EVERY_BYTE(0x80)) == 0)) {
            at += 8;
            continue;
        }
        if (*at >= 0x80 && !utf8_tail(at, end, &size))
            return false;
        at += size;
    }
    return true;
}

/* -- splicing -- */

static uint8_t *put(uint8_t *out, const uint8_t *from, const uint8_t *end)
{
    memcpy(out, from, (size_t)(end - from));
    return out + (end - from);
}

static uint8_t *put_key(uint8_t *out, struct bytes key)
{
    out += json_quote(out, key);
    *out++ = ':';
    return out;
}

/* The member of that name that counts: the last. */
struct found {
    struct bytes key; /* data NULL: there is none */
    struct value value;
};

static struct found find(struct bytes object, struct bytes name)
{
    struct found found = {.key = {0}};
    const uint8_t *cursor = NULL;
    struct bytes key;
    struct value value;
    while (json_next_member(object, &cursor, &key, &value)) {
        if (json_key_equals(key, name))
            found = (struct found){key, value};
    }
    return found;
}

/* The opening bracket and what stands before the member found, others of its name left out. *ret_count: members written. */
static uint8_t *put_before(uint8_t *out, struct bytes object, struct bytes name, const struct found *found,
                           unsigned *ret_count)
{
    const uint8_t *cursor = NULL;
    struct bytes key;
    struct value value;
    *out++ = '{';
    *ret_count = 0;
    while (json_next_member(object, &cursor, &key, &value) && key.data != found->key.data) {
        if (json_key_equals(key, name))
            continue;
        if ((*ret_count)++ > 0)
            *out++ = ',';
        out = put(out, key.data - 1, cursor);
    }
    return out;
}

/* What stands behind the member found: its comma belongs to it when nothing stands before it any more. */
static struct bytes rest_of(struct bytes object, const struct found *found, bool with_comma)
{
    const uint8_t *at = found->value.text.data + found->value.text.size, *end = object.data + object.size;
    while (!with_comma && *at <= ' ')
        at++;
    if (!with_comma && *at == ',')
        at++;
    return bytes_of(at, (uint32_t)(end - at));
}

/* A new member at the object's end, in as many objects as there are more keys. */
static uint8_t *put_new(uint8_t *out, struct bytes object, bool empty, const struct bytes *keys, unsigned n,
                        struct bytes value)
{
    out = put(out, object.data, object.data + object.size - 1);
    if (!empty)
        *out++ = ',';
    for (unsigned i = 0; i < n; i++) {
        if (i > 0)
            *out++ = '{';
        out = put_key(out, keys[i]);
    }
    out = put(out, value.data, value.data + value.size);
    memset(out, '}', n);
    return out + n;
}

static bool is_empty(struct bytes object)
{
    const uint8_t *cursor = NULL;
    struct bytes key;
    struct value value;
    return !json_next_member(object, &cursor, &key, &value);
}

/*
 * Goes down the keys. On each level the text up to the member is written and the text behind it remembered; at the bottom comes the value, and
 * then what was remembered, from the inside out. Returns the end; NULL: *ret_status says why not, or OK for nothing to remove.
 */
static uint8_t *splice(uint8_t *out, struct bytes object, const struct bytes *keys, unsigned n, struct bytes value,
                       enum status *ret_status)
{
    struct bytes rests[JSON_SPLICE_MAX];
    unsigned level = 0;
    *ret_status = STATUS_OK;
    for (; level < n; level++) {
        struct found found = find(object, keys[level]);
        bool last = level + 1 == n;
        unsigned before;
        if (found.key.data == NULL) {
            if (value.data == NULL)
                return NULL;
            out = put_new(out, object, is_empty(object), keys + level, n - level, value);
            break;
        }
        if (!last && found.value.type != VALUE_OBJECT) {
            *ret_status = STATUS_FAILED;
            return NULL;
        }
        out = put_before(out, object, keys[level], &found, &before);
        bool kept = !last || value.data != NULL;
        rests[level] = rest_of(object, &found, kept || before > 0);
        if (kept && before > 0)
            *out++ = ',';
        if (kept)
            out = put(out, found.key.data - 1, found.value.text.data);
        if (last && kept)
            out = put(out, value.data, value.data + value.size);
        object = found.value.text;
    }
    while (level-- > 0)
        out = put(out, rests[level].data, rests[level].data + rests[level].size);
    return out;
}

enum status json_splice(struct bytes object, const struct bytes *keys, unsigned n, struct bytes value,
                        struct arena *arena, struct bytes *ret)
{
    CHECK(n > 0 && n <= JSON_SPLICE_MAX);
    size_t room = (size_t)object.size + value.size;
    for (unsigned i = 0; i < n; i++)
        room += JSON_QUOTED_MAX(keys[i].size) + sizeof ",{:}";
    uint8_t *text = room <= UINT32_MAX ? arena_text(arena, room) : NULL;
    if (text == NULL)
        return STATUS_NO_MEMORY;
    enum status status;
    uint8_t *end = splice(text, object, keys, n, value, &status);
    arena_trim(arena, text, room, end != NULL ? (size_t)(end - text) : 0);
    if (status == STATUS_OK)
        *ret = end != NULL ? bytes_of(text, (uint32_t)(end - text)) : object;
    return status;
}
