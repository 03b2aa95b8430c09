/* JSON that somebody else wrote, checked in full before it is read; and its members with a default where there is none, or another kind. */
#ifndef WEIR_CLI_PARSED_JSON_H
#define WEIR_CLI_PARSED_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/json.h"

struct parsed_json;

struct parsed_json *parsed_json_new(void) WARN_UNUSED;
void parsed_json_free(struct parsed_json *parsed); /* NULL is fine */
/* The value lives until the next call. False: no valid JSON, or no memory. */
bool parsed_json_read(struct parsed_json *parsed, const char *text, size_t size, struct value *ret) WARN_UNUSED;

struct value parsed_json_member(const struct value *object, const char *name); /* VALUE_MISSING: not there */
int64_t parsed_json_number(const struct value *object, const char *name);      /* 0: not there, or no whole number */
bool parsed_json_bool(const struct value *object, const char *name);
/* Zero-terminated, cut at a whole character; "" when it is no text. */
void parsed_json_text(const struct value *object, const char *name, char *text, size_t size);

#endif
