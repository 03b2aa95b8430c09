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

static void write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void variables_take_their_value_or_default(void **state)
{
    (void)state;
    struct tree tree;
    setenv("WEIR_TEST_A", "alpha", 1);
    setenv("WEIR_TEST_EMPTY", "", 1);
    unsetenv("WEIR_TEST_NONE");
    tree_init(&tree,
              "a: ${WEIR_TEST_A}\nb: \"x-${WEIR_TEST_A}-${WEIR_TEST_NONE:-none}\"\nc: ${WEIR_TEST_EMPTY:-full}\n"
              "d: ${WEIR_TEST_EMPTY}\ne: ${WEIR_TEST_A:?why}\nf: ${WEIR_TEST_NONE:-}\ng: ${WEIR_TEST_NONE:-a:b-c}\n");
    tree_assert_good(&tree);
    tree_assert_text(tree.root, "a", "alpha");
    tree_assert_text(tree.root, "b", "x-alpha-none");
    tree_assert_text(tree.root, "c", "full");
    tree_assert_text(tree.root, "d", "");
    tree_assert_text(tree.root, "e", "alpha");
    tree_assert_text(tree.root, "f", "");
    tree_assert_text(tree.root, "g", "a:b-c");
    assert_true(config_tree_get(tree.root, "a")->secret);
    assert_true(config_tree_get(tree.root, "b")->secret);
    assert_false(config_tree_get(tree.root, "g")->secret);
    assert_true(config_tree_get(tree.root, "g")->substituted);
    /* An empty variable is an empty text, not null. */
    assert_false(config_tree_is_null(config_tree_get(tree.root, "d")));
    tree_fini(&tree);
}

static void a_dollar_sign_is_written_twice(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree, "a: $$\nb: $${WEIR_TEST_NONE}\nc: ^x$\nd: $x\ne: a$$b$$$$\n");
    tree_assert_good(&tree);
    tree_assert_text(tree.root, "a", "$");
    tree_assert_text(tree.root, "b", "${WEIR_TEST_NONE}");
    tree_assert_text(tree.root, "c", "^x$");
    tree_assert_text(tree.root, "d", "$x");
    tree_assert_text(tree.root, "e", "a$b$$");
    assert_false(config_tree_get(tree.root, "b")->substituted);
    tree_fini(&tree);
}

static void a_value_can_not_inject_structure(void **state)
{
    (void)state;
    struct tree tree;
    setenv("WEIR_TEST_A", "x\nb: 2 # ${WEIR_TEST_NONE} *c [", 1);
    tree_init(&tree, "a: ${WEIR_TEST_A}\n");
    tree_assert_good(&tree);
    assert_int_equal(tree.root->count, 1);
    tree_assert_text(tree.root, "a", "x\nb: 2 # ${WEIR_TEST_NONE} *c [");
    tree_fini(&tree);
}

static void each_undefined_variable_is_an_error_at_its_place(void **state)
{
    (void)state;
    struct tree tree;
    unsetenv("WEIR_TEST_NONE");
    unsetenv("WEIR_TEST_NEITHER");
    tree_init(&tree, "a: \"x ${WEIR_TEST_NONE} ${WEIR_TEST_NEITHER}\"\nb: [1, \"${WEIR_TEST_NONE:?set it}\"]\n");
    tree_assert_error(&tree, 3, 1, 7, "expected the environment variable WEIR_TEST_NONE, which is not set");
    assert_non_null(strstr(tree.words, "\"line\": 1, \"column\": 25"));
    assert_non_null(strstr(tree.words, "\"line\": 2, \"column\": 9, \"path\": \"b[1]\""));
    assert_non_null(strstr(tree.words, "expected the environment variable WEIR_TEST_NONE: set it"));
    tree_fini(&tree);
}

static void what_is_no_substitution_is_an_error(void **state)
{
    (void)state;
    static const char *const texts[] = {"a: ${}",    "a: ${1X}",      "a: ${X-y}",  "a: \"${X\"",
                                        "a: ${A B}", "a: ${X:-${Y}}", "a: ${file:}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct tree tree;
        tree_init(&tree, texts[i]);
        tree_assert_error(&tree, 1, 1, texts[i][3] == '"' ? 5 : 4, "expected ");
        tree_fini(&tree);
    }
}

static void keys_are_not_substituted(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree, "${WEIR_TEST_A}: 1\n");
    tree_assert_error(&tree, 1, 1, 1, "expected a key without ${...}");
    tree_fini(&tree);
}

static void files_give_their_text_without_one_line_break(void **state)
{
    (void)state;
    struct tree tree;
    char folder[] = "/tmp/weir-tree-XXXXXX", path[128], config[128], text[256];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/secret", folder);
    snprintf(config, sizeof config, "%s/weir.yaml", folder);
    write_file(path, "pass word\n\n", 11);
    snprintf(text, sizeof text, "a: ${file:%s}\nb: ${file:secret}\n", path);
    tree_init_sized(&tree, config, text, strlen(text));
    tree_assert_good(&tree);
    tree_assert_text(tree.root, "a", "pass word\n");
    tree_assert_text(tree.root, "b", "pass word\n"); /* relative to the config's folder */
    assert_true(config_tree_get(tree.root, "a")->secret);
    tree_fini(&tree);

    write_file(path, "crlf\r\n", 6);
    tree_init_sized(&tree, config, text, strlen(text));
    tree_assert_text(tree.root, "a", "crlf");
    tree_fini(&tree);

    write_file(path, "nul\0nul", 7);
    tree_init_sized(&tree, config, text, strlen(text));
    assert_int_equal(config_report_errors(tree.report), 2);
    assert_non_null(strstr(tree.words, "it has a NUL byte in it"));
    tree_fini(&tree);

    unlink(path);
    tree_init_sized(&tree, config, text, strlen(text));
    assert_int_equal(config_report_errors(tree.report), 2);
    assert_non_null(strstr(tree.words, "No such file"));
    tree_fini(&tree);
    rmdir(folder);
}

static void substitutions_have_a_budget(void **state)
{
    (void)state;
    struct tree tree;
    char *value = tree_repeat("", "x", 100000), *text = tree_repeat("a: ", "${WEIR_TEST_A}", 70000);
    setenv("WEIR_TEST_A", value, 1);
    tree_init(&tree, text);
    assert_int_equal(config_report_errors(tree.report), 1);
    assert_non_null(strstr(tree.words, "expected at most 16 MiB out of ${...}"));
    tree_fini(&tree);
    setenv("WEIR_TEST_A", "alpha", 1);
    free(value);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_take_their_value_or_default),
        cmocka_unit_test(a_dollar_sign_is_written_twice),
        cmocka_unit_test(a_value_can_not_inject_structure),
        cmocka_unit_test(each_undefined_variable_is_an_error_at_its_place),
        cmocka_unit_test(what_is_no_substitution_is_an_error),
        cmocka_unit_test(keys_are_not_substituted),
        cmocka_unit_test(files_give_their_text_without_one_line_break),
        cmocka_unit_test(substitutions_have_a_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
