/*
 * Places in a text and the lines around them. Lines end as YAML's do (LF, CR, CR LF, NEL, LS, PS); columns count characters from 1. Text need not be valid UTF-8.
 */
#ifndef WEIR_CONFIG_EXCERPT_H
#define WEIR_CONFIG_EXCERPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What must not be shown: from a place up to the end place (not included). */
struct excerpt_mask {
    unsigned line, column, end_line, end_column;
};

struct excerpt {
    const char *text;
    size_t size;
    const struct excerpt_mask *masks;
    size_t mask_count;
    bool guess; /* mask values whose key looks like a secret's too: of broken YAML there is no tree that would know */
    bool colour, warning;
};

/* The offset at which a line (from 1) begins, and its length without its end. Past the last line: size and 0. */
size_t excerpt_line(const char *text, size_t size, unsigned line, size_t *ret_length);
/* The byte at which the column begins in a line; its length when it is past the end. */
size_t excerpt_byte(const char *line, size_t length, unsigned column);
/* Bytes of the character at text[at]; a byte that is no UTF-8 is one by itself. */
size_t excerpt_character(const char *text, size_t size, size_t at);
void excerpt_place(const char *text, size_t size, size_t offset, unsigned *ret_line, unsigned *ret_column);
/* Prints the line, with *** for what is masked, and a caret below the column. Long lines are cut to what is around it. */
void excerpt_print(const struct excerpt *excerpt, unsigned line, unsigned column, FILE *out);

#endif
