/*
 * A manifest's lines: a checksum (XXH3, 16 hex digits), then entries, each behind a tab, a line break at the end. An entry is a letter, numbers, and a name
 * that goes on to the next tab: "o PARTITION OFFSET TOPIC", "f SIZE PATH", "v 1".
 */
#ifndef WEIR_CONNECTORS_FILE_MANIFEST_LINE_H
#define WEIR_CONNECTORS_FILE_MANIFEST_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/status.h"

/* Lines that are being put together, behind each other. Zeroed is empty. */
struct manifest_lines {
    char *text;
    size_t used, room;
    size_t begin; /* of the line under way */
    bool failed;  /* out of memory: it is not whole */
};

void manifest_lines_fini(struct manifest_lines *lines);
void manifest_lines_reset(struct manifest_lines *lines);
void manifest_line_begin(struct manifest_lines *lines);
/* Puts an entry in. */
void manifest_line_add(struct manifest_lines *lines, const char *format, ...) PRINTF_LIKE(2, 3);
void manifest_line_end(struct manifest_lines *lines);

/* How long the line is that the text begins with, with its line break; 0: it is none, or not whole. */
size_t manifest_line_size(const char *text, size_t size);
/* Is there a whole line behind what the text begins with? */
bool manifest_line_follows(const char *text, size_t size);
/* Where its entries begin. */
enum { MANIFEST_LINE_HEAD = 16 };

#endif
