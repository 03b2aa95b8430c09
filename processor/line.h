/*
 * A record's document as one line of text (NDJSON), for stores that write lines. Valid JSON has line breaks only between its tokens, so they become
 * blanks; raw bytes are left as they are and must not have any.
 */
#ifndef WEIR_PROCESSOR_LINE_H
#define WEIR_PROCESSOR_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/batch.h"

/* An upper bound of what line_encode writes. */
size_t line_max(const struct record *record);
/* Writes the line and its '\n' to out, which has room for line_max; returns the bytes written. A tombstone is `null`; what was not decoded is written as
 * it was received. 0: raw bytes with a line break in them. */
size_t line_encode(const struct record *record, uint8_t *out);
/* false: line_encode would return 0. */
bool line_fits(const struct record *record);

#endif
