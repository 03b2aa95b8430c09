/*
 * A condition in its one closed form: {path, equals | not_equals | in | matches | exists | above | below}, joined by all, any, not.
 * The struct is filled from the config by config/condition.c; evaluated here. Const after that; no allocation but in the record's arena.
 * Comparison: strings by their text, numbers by value (1 equals 1.0), null and booleans by kind. A missing value satisfies not_equals and nothing else but `exists: false`.
 * `matches` sees strings, and numbers and booleans as they are written.
 */
#ifndef WEIR_PROCESSOR_CONDITION_H
#define WEIR_PROCESSOR_CONDITION_H

#include <regex.h>
#include <stdbool.h>

#include "processor/document.h"

enum condition_kind {
    CONDITION_EQUALS,
    CONDITION_NOT_EQUALS,
    CONDITION_IN,
    CONDITION_MATCHES,
    CONDITION_EXISTS,
    CONDITION_ABOVE,
    CONDITION_BELOW,
    CONDITION_ALL,
    CONDITION_ANY,
    CONDITION_NOT
};

struct condition {
    enum condition_kind kind;
    struct path path;
    struct value *values; /* equals, not_equals: 1; in: count */
    uint32_t count;       /* of values, or of parts */
    double bound;         /* above, below */
    bool exists;
    regex_t *matches; /* POSIX extended; its maker frees it */
    struct condition *parts;
};

/* When the system has no memory the process ends: either answer could drop the record. */
bool condition_holds(const struct condition *condition, const struct document *document, struct arena *arena);

#endif
