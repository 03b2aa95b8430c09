/* What kind of terminal a file descriptor is, if it is one. TERM=dumb is none; NO_COLOR (https://no-color.org) is honoured. */
#ifndef WEIR_CLI_TERMINAL_H
#define WEIR_CLI_TERMINAL_H

#include <stdbool.h>

/* One on which a cursor can be moved. */
bool terminal_is(int fd);
bool terminal_wants_colour(int fd);
/* By the locale's environment. */
bool terminal_is_utf8(void);
/* Columns that can be written to, and lines; 79 and 24 where nobody knows. */
unsigned terminal_width(int fd);
unsigned terminal_height(int fd);

#endif
