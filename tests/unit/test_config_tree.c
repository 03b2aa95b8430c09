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

static void values_and_keys_know_their_places(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree, "a: 1\nmap:\n  key: \"x\"\n  list:\n    - one\n    - {two: 2}\nflow: [\xc3\xa4, b]\n");
    tree_assert_good(&tree);
    const struct config_node *map = config_tree_get(tree.root, "map"), *list = config_tree_get(map, "list");
    tree_assert_place(config_tree_get(tree.root, "a"), 1, 4);
    tree_assert_place(map, 3, 3);
    assert_int_equal(map->key_line, 2);
    assert_int_equal(map->key_column, 1);
    tree_assert_place(config_tree_get(map, "key"), 3, 8);
    tree_assert_place(list, 5, 5);
    tree_assert_place(&list->children[1], 6, 7);
    tree_assert_place(config_tree_get(&list->children[1], "two"), 6, 13);
    /* Characters are counted, not bytes. */
    tree_assert_place(&config_tree_get(tree.root, "flow")->children[1], 7, 11);
    tree_fini(&tree);
}

static void a_node_tells_its_path(void **state)
{
    (void)state;
    struct tree tree;
    char path[64];
    tree_init(&tree, "stages:\n  - decode: {}\n  - enrich:\n      - lookup: {table: t.csv}\n");
    tree_assert_good(&tree);
    const struct config_node *enrich = config_tree_get(&config_tree_get(tree.root, "stages")->children[1], "enrich");
    const struct config_node *table = config_tree_get(config_tree_get(&enrich->children[0], "lookup"), "table");
    config_tree_path(table, path, sizeof path);
    assert_string_equal(path, "stages[1].enrich[0].lookup.table");
    config_tree_path(tree.root, path, sizeof path);
    assert_string_equal(path, "");
    char cut[10];
    config_tree_path(table, cut, sizeof cut);
    assert_string_equal(cut, "stages[1]");
    tree_fini(&tree);
}

static void quotes_tell_a_text_from_other_values(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree, "a: 1\nb: \"1\"\nc: '1'\nd: |\n  1\ne: !!str 1\nf:\ng: ~\nh: \"null\"\n");
    tree_assert_good(&tree);
    static const bool plain[] = {true, false, false, false, false, true, true, false};
    for (uint32_t i = 0; i < tree.root->count; i++)
        assert_int_equal(tree.root->children[i].plain, plain[i]);
    tree_assert_text(tree.root, "d", "1\n");
    assert_true(config_tree_is_null(config_tree_get(tree.root, "f")));
    assert_true(config_tree_is_null(config_tree_get(tree.root, "g")));
    assert_false(config_tree_is_null(config_tree_get(tree.root, "h")));
    tree_fini(&tree);
}

static void a_missing_key_is_null(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree, "a: 1\n");
    assert_null(config_tree_get(tree.root, "b"));
    assert_null(config_tree_get(config_tree_get(tree.root, "a"), "b"));
    assert_null(config_tree_get(NULL, "b"));
    tree_fini(&tree);
}

static void an_alias_is_a_copy_with_its_own_path(void **state)
{
    (void)state;
    struct tree tree;
    char path[64];
    tree_init(&tree, "base: &b {x: 1, y: [2, 3]}\nother: *b\nthird: &b 7\nlast: *b\n");
    tree_assert_good(&tree);
    const struct config_node *other = config_tree_get(tree.root, "other");
    tree_assert_place(other, 2, 8);
    tree_assert_text(other, "x", "1");
    const struct config_node *three = &config_tree_get(other, "y")->children[1];
    assert_string_equal(three->text, "3");
    tree_assert_place(three, 1, 24); /* where the text is */
    config_tree_path(three, path, sizeof path);
    assert_string_equal(path, "other.y[1]");
    tree_assert_text(tree.root, "last", "7");
    tree_fini(&tree);
}

static void merged_keys_give_way_to_own_and_earlier_ones(void **state)
{
    (void)state;
    struct tree tree;
    char path[64];
    tree_init(&tree, "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 3\nd: {<<: *a}\n");
    tree_assert_good(&tree);
    const struct config_node *c = config_tree_get(tree.root, "c");
    assert_int_equal(c->count, 3);
    tree_assert_text(c, "x", "3");
    tree_assert_text(c, "y", "1");
    tree_assert_text(c, "z", "2");
    config_tree_path(config_tree_get(c, "z"), path, sizeof path);
    assert_string_equal(path, "c.z");
    assert_int_equal(config_tree_get(tree.root, "d")->count, 2);
    tree_fini(&tree);
}

static void only_maps_can_be_merged(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree, "a: &a [1]\nb:\n  <<: *a\n  x: 1\n");
    tree_assert_error(&tree, 1, 1, 8, "expected a map (or an alias of one) to merge, found a single value");
    tree_assert_text(config_tree_get(tree.root, "b"), "x", "1");
    tree_fini(&tree);
}

static void each_duplicate_key_is_an_error(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree, "a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\na: 4\n");
    tree_assert_error(&tree, 3, 3, 1, "expected each key once, found `a` again (first in line 1)");
    assert_non_null(strstr(tree.words, "\"line\": 4, \"column\": 11"));
    assert_non_null(strstr(tree.words, "\"line\": 5, \"column\": 1"));
    tree_assert_text(tree.root, "a", "1");
    assert_int_equal(tree.root->count, 3);
    tree_fini(&tree);
}

static void aliases_without_an_anchor_or_inside_of_it_are_errors(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree, "a: *nothing\nb: &b {c: *b}\n");
    tree_assert_error(&tree, 2, 1, 4, "expected an alias of an anchor above, found *nothing");
    assert_non_null(strstr(tree.words, "expected an alias outside of its own anchor"));
    tree_fini(&tree);
}

static void a_bomb_of_aliases_meets_the_budget(void **state)
{
    (void)state;
    struct tree tree;
    char text[2048] = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
    for (char name = 'b'; name <= 'j'; name++) {
        char line[64];
        char of = (char)(name - 1);
        snprintf(line, sizeof line, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", name, name, of, of, of, of, of,
                 of, of, of, of);
        strcat(text, line);
    }
    tree_init(&tree, text);
    assert_null(tree.root);
    tree_assert_error(&tree, 1, 5, 8, "expected at most 10000 values out of aliases");
    assert_true(tree.arena.held < 8 * 1024 * 1024);
    tree_fini(&tree);
}

static void nesting_ends_at_64_levels(void **state)
{
    (void)state;
    static const char *const parts[] = {"[", "[\n", "- ", "{a: ", "? "};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct tree tree;
        char *text = tree_repeat("", parts[i], 1000000 / strlen(parts[i]));
        tree_init(&tree, text);
        assert_null(tree.root);
        assert_non_null(strstr(tree.words, "expected at most 64 levels of nesting, found more"));
        tree_fini(&tree);
        free(text);
    }
}

static void nesting_through_aliases_ends_at_64_levels(void **state)
{
    (void)state;
    struct tree tree;
    char text[4096] = "a0: &a0 {x: {x: {x: {x: {x: {x: {x: {x: {x: {x: 1}}}}}}}}}}\n";
    for (int i = 1; i < 10; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "a%d: &a%d {x: {x: {x: {x: {x: {x: {x: *a%d}}}}}}}\n",
                 i, i, i - 1);
    tree_init(&tree, text);
    assert_null(tree.root);
    assert_non_null(strstr(tree.words, "expected at most 64 levels of nesting, aliases included, found more"));
    tree_fini(&tree);
}

static void values_end_at_100000(void **state)
{
    (void)state;
    struct tree tree;
    char *text = tree_repeat("a: [", "x,", 500000);
    tree_init(&tree, text);
    assert_null(tree.root);
    assert_non_null(strstr(tree.words, "expected at most 100000 values, found more"));
    tree_fini(&tree);
    free(text);
}

static void a_file_of_10_megabytes_is_not_read(void **state)
{
    (void)state;
    struct tree tree;
    char *text = tree_repeat("", "a: 1\n", 2000000);
    tree_init(&tree, text);
    assert_null(tree.root);
    tree_assert_error(&tree, 1, 0, 0, "expected a file of at most 1 MiB");
    tree_fini(&tree);
    free(text);
}

static void many_keys_are_compared_without_trouble(void **state)
{
    (void)state;
    struct tree tree;
    size_t size = 0;
    char *text = malloc(1000000);
    assert_non_null(text);
    for (int i = 0; i < 80000; i++)
        size += (size_t)snprintf(text + size, 1000000 - size, "k%d: 1\n", i);
    tree_init(&tree, text);
    tree_assert_good(&tree);
    assert_int_equal(tree.root->count, 80000);
    tree_fini(&tree);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_keys_know_their_places),
        cmocka_unit_test(a_node_tells_its_path),
        cmocka_unit_test(quotes_tell_a_text_from_other_values),
        cmocka_unit_test(a_missing_key_is_null),
        cmocka_unit_test(an_alias_is_a_copy_with_its_own_path),
        cmocka_unit_test(merged_keys_give_way_to_own_and_earlier_ones),
        cmocka_unit_test(only_maps_can_be_merged),
        cmocka_unit_test(each_duplicate_key_is_an_error),
        cmocka_unit_test(aliases_without_an_anchor_or_inside_of_it_are_errors),
        cmocka_unit_test(a_bomb_of_aliases_meets_the_budget),
        cmocka_unit_test(nesting_ends_at_64_levels),
        cmocka_unit_test(nesting_through_aliases_ends_at_64_levels),
        cmocka_unit_test(values_end_at_100000),
        cmocka_unit_test(a_file_of_10_megabytes_is_not_read),
        cmocka_unit_test(many_keys_are_compared_without_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
