/*
 * A line of a screen that is only so wide: what does not fit is cut at the last column, colours take none. A code point counts as one column: what we write, and names in any
 * alphabet but the wide ones. Control characters become blanks, so nothing that is shown gives the terminal orders.
 */
#ifndef WEIR_CLI_COLUMNS_H
#define WEIR_CLI_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/status.h"

enum { COLUMNS_LINE_MAX = 1024 };

enum columns_colour { COLUMNS_PLAIN, COLUMNS_DIM, COLUMNS_BOLD, COLUMNS_GREEN, COLUMNS_YELLOW, COLUMNS_RED };

struct columns_style {
    unsigned width; /* columns of the terminal */
    bool colour, unicode;
};

struct columns {
    char *text;
    size_t used;
    unsigned columns;
    const struct columns_style *style;
};

/* An empty line; text has room for COLUMNS_LINE_MAX. */
void columns_init(struct columns *line, char *text, const struct columns_style *style);
void columns_add(struct columns *line, enum columns_colour colour, const char *format, ...) PRINTF_LIKE(3, 4);
/* Plain, and all of it or nothing, nor anything behind it: a number that is cut is another number. */
void columns_add_whole(struct columns *line, const char *format, ...) PRINTF_LIKE(2, 3);
/* Blanks up to that column; none when the line is there already. */
void columns_to(struct columns *line, unsigned column);
/* Eight cells. warns: a full one is no good sign, so it is yellow from 80 % on. */
void columns_bar(struct columns *line, int percent, bool warns);

/* Rounded, 0 to 999. */
int columns_percent(int64_t used, int64_t capacity);

#endif
