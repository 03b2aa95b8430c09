/*
 * Reading JSON text (RFC 8259) that is known to be valid: no checks, only spans. decode has validated it; what weir itself writes is
 * valid by construction. Numbers keep their text, so nothing is lost between topic and store.
 */
#ifndef WEIR_PROCESSOR_JSON_H
#define WEIR_PROCESSOR_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/arena.h"
#include "processor/bytes.h"

enum value_type { VALUE_MISSING = 0, VALUE_NULL, VALUE_BOOL, VALUE_INTEGER, VALUE_NUMBER, VALUE_STRING, VALUE_ARRAY, VALUE_OBJECT };

/* A value as its JSON text: strings with their quotes and escapes. VALUE_INTEGER: no '.', 'e' or 'E' in it (may exceed 64 bits). */
struct value {
    enum value_type type;
    struct bytes text;
};

const char *value_type_name(enum value_type type);
struct value json_value(struct bytes text);                    /* text is exactly one value, no white space around */
const uint8_t *json_skip(const uint8_t *at);                   /* at a value's first byte -> just behind it */
/* Walks the members of an object's text: *cursor NULL at first; false at the end. key: without quotes, escapes kept. */
bool json_next_member(struct bytes object, const uint8_t **cursor, struct bytes *ret_key, struct value *ret_value);
bool json_next_element(struct bytes array, const uint8_t **cursor, struct value *ret_value);
/* The last member of that name (a plain, unescaped name); VALUE_MISSING when there is none. */
struct value json_member(struct bytes object, struct bytes name);

/* The text of a string value, escapes resolved: a view when it has none, else built in arena. false: out of memory. */
bool json_string(const struct value *value, struct arena *arena, struct bytes *ret_text) WARN_UNUSED;
/* Any value as plain text: a string without quotes, everything else as its JSON text, null as "". */
bool json_text(const struct value *value, struct arena *arena, struct bytes *ret_text) WARN_UNUSED;
bool json_int64(const struct value *value, int64_t *ret);      /* false: no integer or out of range (1.0 and 1e3 count as integers when exact) */
bool json_double(const struct value *value, double *ret);

/* Writes text as a JSON string with quotes; out has room for JSON_QUOTED_MAX(size). Returns the bytes written. Input: valid UTF-8. */
#define JSON_QUOTED_MAX(size) ((size_t)(size) * 6 + 2)
size_t json_quote(uint8_t *out, struct bytes text);
bool utf8_valid(struct bytes text);

/* A new text of `object` in which the member at keys[0..n) (nested objects are made) has `value`; value.text.data NULL removes it.
 * false: out of memory, or something on the way is not an object (ret untouched). */
bool json_splice(struct bytes object, const struct bytes *keys, unsigned n, struct bytes value, struct arena *arena, struct bytes *ret);

#endif
