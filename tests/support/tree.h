/* YAML text as a tree, with what is reported about it. */
#ifndef WEIR_TESTS_SUPPORT_TREE_H
#define WEIR_TESTS_SUPPORT_TREE_H

#include <stddef.h>

#include "config/report.h"
#include "config/tree.h"

struct tree {
    struct arena arena;
    struct config_report *report;
    const struct config_node *root; /* NULL: there is nothing to go on with */
    char *words;                    /* the report as JSON lines, as it is after parsing */
};

void tree_init(struct tree *tree, const char *text);
void tree_init_sized(struct tree *tree, const char *file, const char *text, size_t size);
void tree_fini(struct tree *tree);

/* cmocka's asserts: no error; so many errors, of which one is at line:column and one has these words. */
void tree_assert_good(const struct tree *tree);
void tree_assert_error(const struct tree *tree, unsigned errors, unsigned line, unsigned column, const char *words);
/* The scalar of that key in the map. */
void tree_assert_text(const struct config_node *map, const char *key, const char *text);
void tree_assert_place(const struct config_node *node, unsigned line, unsigned column);
/* head, and `part` so many times behind it; the caller frees it. */
char *tree_repeat(const char *head, const char *part, size_t count);

#endif
