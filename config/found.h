/* Words for messages: "expected ..., found ...". */
#ifndef WEIR_CONFIG_FOUND_H
#define WEIR_CONFIG_FOUND_H

#include <stddef.h>

#include "config/tree.h"

enum { FOUND_MAX = 96 };

/* "a map", "a list", "nothing" or the text in quotes, cut; never a secret's. Returns text, which has room for FOUND_MAX. */
const char *found_words(const struct config_node *node, char *text);
/* "a, b or c", cut to fit. Returns text. */
const char *found_choices(const char *const *names, char *text, size_t size);

#endif
