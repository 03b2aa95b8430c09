/* Numbers as people read them. Each writes into the buffer and returns it, so that it stands in an argument list. */
#ifndef WEIR_CLI_TEXT_H
#define WEIR_CLI_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { TEXT_MAX = 40 };

const char *text_count(char text[TEXT_MAX], int64_t n);     /* 1,234,567 */
const char *text_bytes(char text[TEXT_MAX], int64_t bytes); /* 45.3 MiB */
const char *text_time(char text[TEXT_MAX], int64_t ns);     /* 0.25 s, 12.3 s, 3 min 20 s, 2 h 5 min */
/* As a JSON string with its quotes; what is not valid UTF-8 becomes U+FFFD. */
void text_json(FILE *out, const char *text);
/* The bytes of the character that text begins with. plain: a terminal can show it. Neither control characters are (ASCII's, and U+0080 to U+009F, of which terminals take some for
 * orders as well) nor is a byte that is not UTF-8, which may be one of them to an older terminal. size: of text, above 0. */
unsigned text_symbol(const char *text, size_t size, bool *ret_plain);
/* On a terminal, in one line: a blank for each byte that is not plain. */
void text_plain(FILE *out, const char *text, size_t size);
/* Is it a terminal, and NO_COLOR not set? */
bool text_wants_colour(FILE *out);

#endif
