#include "tests/support/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

void tree_init_sized(struct tree *tree, const char *file, const char *text, size_t size)
{
    size_t length = 0;
    *tree = (struct tree){.words = NULL};
    arena_init(&tree->arena, NULL);
    tree->report = config_report_new(file, text, size);
    assert_non_null(tree->report);
    tree->root = config_tree_parse(file, text, size, &tree->arena, tree->report);
    FILE *out = open_memstream(&tree->words, &length);
    assert_non_null(out);
    config_report_print_json(tree->report, out);
    assert_int_equal(fclose(out), 0);
}

void tree_init(struct tree *tree, const char *text)
{
    tree_init_sized(tree, "test.yaml", text, strlen(text));
}

void tree_fini(struct tree *tree)
{
    arena_fini(&tree->arena);
    config_report_free(tree->report);
    free(tree->words);
}

void tree_assert_error(const struct tree *tree, unsigned errors, unsigned line, unsigned column, const char *words)
{
    char place[64];
    snprintf(place, sizeof place, "\"line\": %u, \"column\": %u,", line, column);
    if (config_report_errors(tree->report) != errors || strstr(tree->words, place) == NULL ||
        strstr(tree->words, words) == NULL)
        fail_msg("expected %u errors, the first with %s and \"%s\"; found %u:\n%s", errors, place, words,
                 config_report_errors(tree->report), tree->words);
}

void tree_assert_good(const struct tree *tree)
{
    if (tree->root == NULL || config_report_errors(tree->report) != 0)
        fail_msg("expected a good tree, found:\n%s", tree->words);
}

void tree_assert_text(const struct config_node *map, const char *key, const char *text)
{
    const struct config_node *node = config_tree_get(map, key);
    assert_non_null(node);
    assert_int_equal(node->kind, NODE_SCALAR);
    assert_string_equal(node->text, text);
}

void tree_assert_place(const struct config_node *node, unsigned line, unsigned column)
{
    assert_non_null(node);
    assert_int_equal(node->line, line);
    assert_int_equal(node->column, column);
}

char *tree_repeat(const char *head, const char *part, size_t count)
{
    size_t head_size = strlen(head), size = strlen(part);
    char *text = malloc(head_size + size * count + 1);
    assert_non_null(text);
    memcpy(text, head, head_size);
    for (size_t i = 0; i < count; i++)
        memcpy(text + head_size + i * size, part, size);
    text[head_size + size * count] = '\0';
    return text;
}
