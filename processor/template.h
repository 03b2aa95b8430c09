/*
 * `{{...}}` fields: compiled once when the config is loaded, evaluated for each record.
 * {{topic}} {{partition}} {{offset}} {{key}} {{timestamp}} (the record's, RFC 3339 in UTC with milliseconds) {{now}} (likewise, one clock reading a batch is enough)
 * {{header.NAME}} {{.path.in.document}}. White space inside the braces is allowed. A template that is one expression keeps its type.
 */
#ifndef WEIR_PROCESSOR_TEMPLATE_H
#define WEIR_PROCESSOR_TEMPLATE_H

#include <stdbool.h>

#include "processor/arena.h"
#include "processor/batch.h"
#include "processor/json.h"

struct template;

/* Allocates from arena (lives as long). On failure: position in text and a text of what was expected. */
enum status template_compile(const char *text, struct arena *arena, struct template **ret, unsigned *ret_at,
                             char *ret_why, size_t why_size) WARN_UNUSED;
/* A template without any expression evaluates to this JSON text (a YAML scalar's own type: number, bool, null or string). */
struct template *template_constant(struct bytes json, struct arena *arena) WARN_UNUSED;
bool template_is_constant(const struct template *template);
/* For intake: does any record need its headers? */
bool template_uses_headers(const struct template *template);
/* From now on {{now}} is this, ms since 1970; -1: the clock again. For the whole process, so only while no template is evaluated: what `weir test` does. */
void template_fix_now(int64_t ms);

/* As JSON text: one expression keeps its type (missing: VALUE_MISSING), mixed text gives a string. Not valid UTF-8 (a key) gives STATUS_FAILED. The result lives in arena or the batch. */
enum status template_value(const struct template *template, const struct batch *batch, const struct record *record,
                           struct arena *arena, struct value *ret) WARN_UNUSED;
/* As plain text: for keys, topics, file names. A missing part is empty; `{{key}}` alone of a null key is null. */
enum status template_text(const struct template *template, const struct batch *batch, const struct record *record,
                          struct arena *arena, struct bytes *ret) WARN_UNUSED;

#endif
