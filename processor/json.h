/*
 * Reading JSON text (RFC 8259) that is known to be valid: no checks, only spans. decode has validated it; what weir itself writes is
 * valid by construction. Numbers keep their text, so nothing is lost between topic and store.
 */
#ifndef WEIR_PROCESSOR_JSON_H
#define WEIR_PROCESSOR_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "processor/arena.h"
#include "processor/bytes.h"
#include "processor/status.h"

enum value_type {
    VALUE_MISSING = 0,
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_INTEGER,
    VALUE_NUMBER,
    VALUE_STRING,
    VALUE_ARRAY,
    VALUE_OBJECT
};

/* A value as its JSON text: strings with their quotes and escapes. VALUE_INTEGER: no '.', 'e' or 'E' in it (may exceed 64 bits). */
struct value {
    enum value_type type;
    struct bytes text;
};

const char *value_type_name(enum value_type type);
struct value json_value(struct bytes text); /* text is exactly one value, no white space around */
/* at: a value's first byte -> just behind it. end: of the text that it is in. */
const uint8_t *json_skip(const uint8_t *at, const uint8_t *end);
/* Walks the members of an object's text: *cursor NULL at first; false at the end. key: without quotes, escapes kept. */
bool json_next_member(struct bytes object, const uint8_t **cursor, struct bytes *ret_key, struct value *ret_value);
bool json_next_element(struct bytes array, const uint8_t **cursor, struct value *ret_value);
/* The last member of that name (a plain, unescaped name); VALUE_MISSING when there is none. */
struct value json_member(struct bytes object, struct bytes name);
struct value json_element(struct bytes array, uint32_t index); /* VALUE_MISSING behind the last one */

/* Is the string `key`, as between its quotes, the plain `name`? */
bool json_key_equals_escaped(struct bytes key, struct bytes name);
static inline bool json_key_equals(struct bytes key, struct bytes name)
{
    /* An escape is longer than what it stands for: at equal sizes there is none, and a shorter key is never it. */
    if (key.size == name.size)
        return bytes_equal(key, name) && (name.size == 0 || memchr(name.data, '\\', name.size) == NULL);
    return key.size > name.size && name.size > 0 && (key.data[0] == name.data[0] || key.data[0] == '\\') &&
           json_key_equals_escaped(key, name);
}
/* Two string values: by their text, however it is escaped. */
bool json_strings_equal(const struct value *a, const struct value *b);

/* The text of a string value, escapes resolved: a view when it has none, else built in arena. false: out of memory. */
bool json_string(const struct value *value, struct arena *arena, struct bytes *ret_text) WARN_UNUSED;
/* Any value as plain text: a string without quotes, everything else as its JSON text, null as "". */
bool json_text(const struct value *value, struct arena *arena, struct bytes *ret_text) WARN_UNUSED;
/* false: no integer, or out of range (1.0 and 1e3 count as integers). */
bool json_int64(const struct value *value, int64_t *ret);
/* The nearest double. false: no number, or beyond a double's range. */
bool json_double(const struct value *value, double *ret);

/* Writes text as a JSON string with quotes; out has room for JSON_QUOTED_MAX(size). Returns the bytes written. Input: valid UTF-8. */
#define JSON_QUOTED_MAX(size) ((size_t)(size)*6 + 2)
size_t json_quote(uint8_t *out, struct bytes text);
size_t json_escape(uint8_t *out, struct bytes text); /* the same without the quotes */
bool utf8_valid(struct bytes text);

enum { JSON_SPLICE_MAX = 32 };
/* A new text of `object` in which the member at keys[0..n) (plain names, 1..JSON_SPLICE_MAX; nested objects are made) has `value`; value.data NULL removes it. The
 * member keeps its place, others of its name before it go. Nothing to remove: *ret is `object` itself.
 * STATUS_FAILED: something on the way is not an object. STATUS_NO_MEMORY: also for a text past 4 GiB. */
enum status json_splice(struct bytes object, const struct bytes *keys, unsigned n, struct bytes value,
                        struct arena *arena, struct bytes *ret) WARN_UNUSED;

#endif
