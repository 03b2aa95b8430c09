#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/support/tree.h"

static void a_template_without_quotes_says_that_it_needs_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned errors, line, column;
    } cases[] = {
        {"a: {{now}}\nb: 1\n", 1, 1, 4},
        {"set: {x: {{.a.b}}, y: 1}\n", 1, 1, 10},
        {"a: x {{now}}: 1\n", 1, 1, 13},
        {"a: {{topic}}/{{partition}}\n", 2, 1, 4},
        {"a:\n  - {{header.x}}\n  - 2\n", 1, 2, 5},
        {"a: {{}}\n", 1, 1, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tree tree;
        tree_init(&tree, cases[i].text);
        tree_assert_error(&tree, cases[i].errors, cases[i].line, cases[i].column, "a template needs quotes in YAML");
        tree_fini(&tree);
    }
    struct tree tree;
    tree_init(&tree, cases[0].text);
    tree_assert_text(tree.root, "b", "1"); /* and what follows is still read */
    tree_fini(&tree);
}

static void broken_yaml_is_explained(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line, column;
        const char *words;
    } cases[] = {
        {"a: 1\n\tb: 2\n", 2, 1, "found a tab"},
        {"a:\n\t- 1\n", 2, 1, "found a tab"},
        {"a: \"x\nb: 1\n", 1, 4, "expected a closing quote"},
        {"a: [1, 2\nb: 3\n", 2, 2, "expected , or ]"},
        {"a: {x: 1\nb: 3\n", 2, 2, "expected , or }"},
        {"a: [1, ${X}]\n", 1, 9, "expected quotes around ${...}"},
        {"a: {x: ${X}}\n", 1, 9, "expected quotes around ${...}"},
        {"a: b: c\n", 1, 5, "found a `key: value` in it"},
        {"a: 1\n  b: 2\n", 2, 4, "found a `key: value` in it"},
        {"a:\n  b: 1\n c: 2\n", 3, 2, "expected a key, indented as the ones around it"},
        {"- a\nb: c\n", 2, 1, "expected `- `"},
        {"a: @x\n", 1, 4, "found @"},
        {"a: %x\n", 1, 4, "found %"},
        {"a: \"\\q\"\n", 1, 5, "expected an escape that YAML knows"},
        {"a: x\x01y\n", 1, 5, "control character 0x01"},
        {"a: x\xff\n", 1, 5, "expected UTF-8 text, found the byte 0xff"},
        {"a: 1\n---\nb: 1\n", 3, 1, "expected one YAML document"},
        {"", 0, 0, "found an empty file"},
        {"# nothing\n", 0, 0, "found an empty file"},
        {"? [a]\n: b\n", 1, 3, "expected a name as key, found a list"},
        {"a: !thing x\n", 1, 4, "expected a value without a tag"},
        {"a: \"x\\0y\"\n", 1, 4, "found a NUL character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tree tree;
        tree_init(&tree, cases[i].text);
        tree_assert_error(&tree, 1, cases[i].line, cases[i].column, cases[i].words);
        tree_fini(&tree);
    }
}

static void other_line_ends_and_a_byte_order_mark_are_fine(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree, "\xef\xbb\xbf"
                     "a: 1\r\nb:\r\n  c: 2\r\n");
    tree_assert_good(&tree);
    tree_assert_text(tree.root, "a", "1");
    tree_assert_place(config_tree_get(config_tree_get(tree.root, "b"), "c"), 3, 6);
    tree_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_template_without_quotes_says_that_it_needs_them),
        cmocka_unit_test(broken_yaml_is_explained),
        cmocka_unit_test(other_line_ends_and_a_byte_order_mark_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
