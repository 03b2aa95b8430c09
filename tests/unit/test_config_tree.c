#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/report.h"
#include "config/tree.h"

struct fixture {
    struct arena arena;
    struct config_report *report;
    const struct config_node *root;
    char *words; /* the report as JSON lines */
};

static void parse_sized(struct fixture *fixture, const char *file, const char *text, size_t size)
{
    size_t length = 0;
    *fixture = (struct fixture){.words = NULL};
    arena_init(&fixture->arena, NULL);
    fixture->report = config_report_new(file, text, size);
    assert_non_null(fixture->report);
    fixture->root = config_tree_parse(file, text, size, &fixture->arena, fixture->report);
    FILE *out = open_memstream(&fixture->words, &length);
    assert_non_null(out);
    config_report_print_json(fixture->report, out);
    assert_int_equal(fclose(out), 0);
}

static void parse(struct fixture *fixture, const char *text)
{
    parse_sized(fixture, "test.yaml", text, strlen(text));
}

static void end(struct fixture *fixture)
{
    arena_fini(&fixture->arena);
    config_report_free(fixture->report);
    free(fixture->words);
}

/* The report has this many errors, and the first is at line:column and has these words. */
static void assert_first(const struct fixture *fixture, unsigned errors, unsigned line, unsigned column,
                         const char *words)
{
    char place[64];
    snprintf(place, sizeof place, "\"line\": %u, \"column\": %u,", line, column);
    if (config_report_errors(fixture->report) != errors || strstr(fixture->words, place) == NULL ||
        strstr(fixture->words, words) == NULL)
        fail_msg("expected %u errors, the first with %s and \"%s\"; found %u:\n%s", errors, place, words,
                 config_report_errors(fixture->report), fixture->words);
}

static void assert_good(const struct fixture *fixture)
{
    if (fixture->root == NULL || config_report_errors(fixture->report) != 0)
        fail_msg("expected a good tree, found:\n%s", fixture->words);
}

static void assert_text(const struct config_node *map, const char *key, const char *text)
{
    const struct config_node *node = config_tree_get(map, key);
    assert_non_null(node);
    assert_int_equal(node->kind, NODE_SCALAR);
    assert_string_equal(node->text, text);
}

static void assert_place(const struct config_node *node, unsigned line, unsigned column)
{
    assert_non_null(node);
    assert_int_equal(node->line, line);
    assert_int_equal(node->column, column);
}

static void values_and_keys_know_their_places(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, "a: 1\nmap:\n  key: \"x\"\n  list:\n    - one\n    - {two: 2}\nflow: [\xc3\xa4, b]\n");
    assert_good(&fixture);
    const struct config_node *map = config_tree_get(fixture.root, "map"), *list = config_tree_get(map, "list");
    assert_place(config_tree_get(fixture.root, "a"), 1, 4);
    assert_place(map, 3, 3);
    assert_int_equal(map->key_line, 2);
    assert_int_equal(map->key_column, 1);
    assert_place(config_tree_get(map, "key"), 3, 8);
    assert_place(list, 5, 5);
    assert_place(&list->children[1], 6, 7);
    assert_place(config_tree_get(&list->children[1], "two"), 6, 13);
    /* Characters are counted, not bytes. */
    assert_place(&config_tree_get(fixture.root, "flow")->children[1], 7, 11);
    end(&fixture);
}

static void a_node_tells_its_path(void **state)
{
    (void)state;
    struct fixture fixture;
    char path[64];
    parse(&fixture, "stages:\n  - decode: {}\n  - enrich:\n      - lookup: {table: t.csv}\n");
    assert_good(&fixture);
    const struct config_node *enrich = config_tree_get(&config_tree_get(fixture.root, "stages")->children[1], "enrich");
    const struct config_node *table = config_tree_get(config_tree_get(&enrich->children[0], "lookup"), "table");
    config_tree_path(table, path, sizeof path);
    assert_string_equal(path, "stages[1].enrich[0].lookup.table");
    config_tree_path(fixture.root, path, sizeof path);
    assert_string_equal(path, "");
    char cut[10];
    config_tree_path(table, cut, sizeof cut);
    assert_string_equal(cut, "stages[1]");
    end(&fixture);
}

static void quotes_tell_a_text_from_other_values(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, "a: 1\nb: \"1\"\nc: '1'\nd: |\n  1\ne: !!str 1\nf:\ng: ~\nh: \"null\"\n");
    assert_good(&fixture);
    static const bool plain[] = {true, false, false, false, false, true, true, false};
    for (uint32_t i = 0; i < fixture.root->count; i++)
        assert_int_equal(fixture.root->children[i].plain, plain[i]);
    assert_text(fixture.root, "d", "1\n");
    assert_true(config_tree_is_null(config_tree_get(fixture.root, "f")));
    assert_true(config_tree_is_null(config_tree_get(fixture.root, "g")));
    assert_false(config_tree_is_null(config_tree_get(fixture.root, "h")));
    end(&fixture);
}

static void a_missing_key_is_null(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, "a: 1\n");
    assert_null(config_tree_get(fixture.root, "b"));
    assert_null(config_tree_get(config_tree_get(fixture.root, "a"), "b"));
    assert_null(config_tree_get(NULL, "b"));
    end(&fixture);
}

static void an_alias_is_a_copy_with_its_own_path(void **state)
{
    (void)state;
    struct fixture fixture;
    char path[64];
    parse(&fixture, "base: &b {x: 1, y: [2, 3]}\nother: *b\nthird: &b 7\nlast: *b\n");
    assert_good(&fixture);
    const struct config_node *other = config_tree_get(fixture.root, "other");
    assert_place(other, 2, 8);
    assert_text(other, "x", "1");
    const struct config_node *three = &config_tree_get(other, "y")->children[1];
    assert_string_equal(three->text, "3");
    assert_place(three, 1, 24); /* where the text is */
    config_tree_path(three, path, sizeof path);
    assert_string_equal(path, "other.y[1]");
    assert_text(fixture.root, "last", "7");
    end(&fixture);
}

static void merged_keys_give_way_to_own_and_earlier_ones(void **state)
{
    (void)state;
    struct fixture fixture;
    char path[64];
    parse(&fixture, "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 3\nd: {<<: *a}\n");
    assert_good(&fixture);
    const struct config_node *c = config_tree_get(fixture.root, "c");
    assert_int_equal(c->count, 3);
    assert_text(c, "x", "3");
    assert_text(c, "y", "1");
    assert_text(c, "z", "2");
    config_tree_path(config_tree_get(c, "z"), path, sizeof path);
    assert_string_equal(path, "c.z");
    assert_int_equal(config_tree_get(fixture.root, "d")->count, 2);
    end(&fixture);
}

static void only_maps_can_be_merged(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, "a: &a [1]\nb:\n  <<: *a\n  x: 1\n");
    assert_first(&fixture, 1, 1, 8, "expected a map (or an alias of one) to merge, found a single value");
    assert_text(config_tree_get(fixture.root, "b"), "x", "1");
    end(&fixture);
}

static void each_duplicate_key_is_an_error(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, "a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\na: 4\n");
    assert_first(&fixture, 3, 3, 1, "expected each key once, found `a` again (first in line 1)");
    assert_non_null(strstr(fixture.words, "\"line\": 4, \"column\": 11"));
    assert_non_null(strstr(fixture.words, "\"line\": 5, \"column\": 1"));
    assert_text(fixture.root, "a", "1");
    assert_int_equal(fixture.root->count, 3);
    end(&fixture);
}

static void aliases_without_an_anchor_or_inside_of_it_are_errors(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, "a: *nothing\nb: &b {c: *b}\n");
    assert_first(&fixture, 2, 1, 4, "expected an alias of an anchor above, found *nothing");
    assert_non_null(strstr(fixture.words, "expected an alias outside of its own anchor"));
    end(&fixture);
}

static void a_bomb_of_aliases_meets_the_budget(void **state)
{
    (void)state;
    struct fixture fixture;
    char text[2048] = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
    for (char name = 'b'; name <= 'j'; name++) {
        char line[64];
        char of = (char)(name - 1);
        snprintf(line, sizeof line, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", name, name, of, of, of, of, of,
                 of, of, of, of);
        strcat(text, line);
    }
    parse(&fixture, text);
    assert_null(fixture.root);
    assert_first(&fixture, 1, 5, 8, "expected at most 10000 values out of aliases");
    assert_true(fixture.arena.held < 8 * 1024 * 1024);
    end(&fixture);
}

static char *repeat(const char *head, const char *part, size_t count)
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

static void nesting_ends_at_64_levels(void **state)
{
    (void)state;
    static const char *const parts[] = {"[", "[\n", "- ", "{a: ", "? "};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct fixture fixture;
        char *text = repeat("", parts[i], 1000000 / strlen(parts[i]));
        parse(&fixture, text);
        assert_null(fixture.root);
        assert_non_null(strstr(fixture.words, "expected at most 64 levels of nesting, found more"));
        end(&fixture);
        free(text);
    }
}

static void nesting_through_aliases_ends_at_64_levels(void **state)
{
    (void)state;
    struct fixture fixture;
    char text[4096] = "a0: &a0 {x: {x: {x: {x: {x: {x: {x: {x: {x: {x: 1}}}}}}}}}}\n";
    for (int i = 1; i < 10; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "a%d: &a%d {x: {x: {x: {x: {x: {x: {x: *a%d}}}}}}}\n",
                 i, i, i - 1);
    parse(&fixture, text);
    assert_null(fixture.root);
    assert_non_null(strstr(fixture.words, "expected at most 64 levels of nesting, aliases included, found more"));
    end(&fixture);
}

static void values_end_at_100000(void **state)
{
    (void)state;
    struct fixture fixture;
    char *text = repeat("a: [", "x,", 500000);
    parse(&fixture, text);
    assert_null(fixture.root);
    assert_non_null(strstr(fixture.words, "expected at most 100000 values, found more"));
    end(&fixture);
    free(text);
}

static void a_file_of_10_megabytes_is_not_read(void **state)
{
    (void)state;
    struct fixture fixture;
    char *text = repeat("", "a: 1\n", 2000000);
    parse(&fixture, text);
    assert_null(fixture.root);
    assert_first(&fixture, 1, 0, 0, "expected a file of at most 1 MiB");
    end(&fixture);
    free(text);
}

static void many_keys_are_compared_without_trouble(void **state)
{
    (void)state;
    struct fixture fixture;
    size_t size = 0;
    char *text = malloc(1000000);
    assert_non_null(text);
    for (int i = 0; i < 80000; i++)
        size += (size_t)snprintf(text + size, 1000000 - size, "k%d: 1\n", i);
    parse(&fixture, text);
    assert_good(&fixture);
    assert_int_equal(fixture.root->count, 80000);
    end(&fixture);
    free(text);
}

/* -- ${...} -- */

static void variables_take_their_value_or_default(void **state)
{
    (void)state;
    struct fixture fixture;
    setenv("WEIR_TEST_A", "alpha", 1);
    setenv("WEIR_TEST_EMPTY", "", 1);
    unsetenv("WEIR_TEST_NONE");
    parse(&fixture,
          "a: ${WEIR_TEST_A}\nb: \"x-${WEIR_TEST_A}-${WEIR_TEST_NONE:-none}\"\nc: ${WEIR_TEST_EMPTY:-full}\n"
          "d: ${WEIR_TEST_EMPTY}\ne: ${WEIR_TEST_A:?why}\nf: ${WEIR_TEST_NONE:-}\ng: ${WEIR_TEST_NONE:-a:b-c}\n");
    assert_good(&fixture);
    assert_text(fixture.root, "a", "alpha");
    assert_text(fixture.root, "b", "x-alpha-none");
    assert_text(fixture.root, "c", "full");
    assert_text(fixture.root, "d", "");
    assert_text(fixture.root, "e", "alpha");
    assert_text(fixture.root, "f", "");
    assert_text(fixture.root, "g", "a:b-c");
    assert_true(config_tree_get(fixture.root, "a")->secret);
    assert_true(config_tree_get(fixture.root, "b")->secret);
    assert_false(config_tree_get(fixture.root, "g")->secret);
    assert_true(config_tree_get(fixture.root, "g")->substituted);
    /* An empty variable is an empty text, not null. */
    assert_false(config_tree_is_null(config_tree_get(fixture.root, "d")));
    end(&fixture);
}

static void a_dollar_sign_is_written_twice(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, "a: $$\nb: $${WEIR_TEST_NONE}\nc: ^x$\nd: $x\ne: a$$b$$$$\n");
    assert_good(&fixture);
    assert_text(fixture.root, "a", "$");
    assert_text(fixture.root, "b", "${WEIR_TEST_NONE}");
    assert_text(fixture.root, "c", "^x$");
    assert_text(fixture.root, "d", "$x");
    assert_text(fixture.root, "e", "a$b$$");
    assert_false(config_tree_get(fixture.root, "b")->substituted);
    end(&fixture);
}

static void a_value_can_not_inject_structure(void **state)
{
    (void)state;
    struct fixture fixture;
    setenv("WEIR_TEST_A", "x\nb: 2 # ${WEIR_TEST_NONE} *c [", 1);
    parse(&fixture, "a: ${WEIR_TEST_A}\n");
    assert_good(&fixture);
    assert_int_equal(fixture.root->count, 1);
    assert_text(fixture.root, "a", "x\nb: 2 # ${WEIR_TEST_NONE} *c [");
    end(&fixture);
}

static void each_undefined_variable_is_an_error_at_its_place(void **state)
{
    (void)state;
    struct fixture fixture;
    unsetenv("WEIR_TEST_NONE");
    unsetenv("WEIR_TEST_NEITHER");
    parse(&fixture, "a: \"x ${WEIR_TEST_NONE} ${WEIR_TEST_NEITHER}\"\nb: [1, \"${WEIR_TEST_NONE:?set it}\"]\n");
    assert_first(&fixture, 3, 1, 7, "expected the environment variable WEIR_TEST_NONE, which is not set");
    assert_non_null(strstr(fixture.words, "\"line\": 1, \"column\": 25"));
    assert_non_null(strstr(fixture.words, "\"line\": 2, \"column\": 9, \"path\": \"b[1]\""));
    assert_non_null(strstr(fixture.words, "expected the environment variable WEIR_TEST_NONE: set it"));
    end(&fixture);
}

static void what_is_no_substitution_is_an_error(void **state)
{
    (void)state;
    static const char *const texts[] = {"a: ${}",    "a: ${1X}",      "a: ${X-y}",  "a: \"${X\"",
                                        "a: ${A B}", "a: ${X:-${Y}}", "a: ${file:}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct fixture fixture;
        parse(&fixture, texts[i]);
        assert_first(&fixture, 1, 1, texts[i][3] == '"' ? 5 : 4, "expected ");
        end(&fixture);
    }
}

static void keys_are_not_substituted(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, "${WEIR_TEST_A}: 1\n");
    assert_first(&fixture, 1, 1, 1, "expected a key without ${...}");
    end(&fixture);
}

static void write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void files_give_their_text_without_one_line_break(void **state)
{
    (void)state;
    struct fixture fixture;
    char folder[] = "/tmp/weir-tree-XXXXXX", path[128], config[128], text[256];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/secret", folder);
    snprintf(config, sizeof config, "%s/weir.yaml", folder);
    write_file(path, "pass word\n\n", 11);
    snprintf(text, sizeof text, "a: ${file:%s}\nb: ${file:secret}\n", path);
    parse_sized(&fixture, config, text, strlen(text));
    assert_good(&fixture);
    assert_text(fixture.root, "a", "pass word\n");
    assert_text(fixture.root, "b", "pass word\n"); /* relative to the config's folder */
    assert_true(config_tree_get(fixture.root, "a")->secret);
    end(&fixture);

    write_file(path, "crlf\r\n", 6);
    parse_sized(&fixture, config, text, strlen(text));
    assert_text(fixture.root, "a", "crlf");
    end(&fixture);

    write_file(path, "nul\0nul", 7);
    parse_sized(&fixture, config, text, strlen(text));
    assert_int_equal(config_report_errors(fixture.report), 2);
    assert_non_null(strstr(fixture.words, "it has a NUL byte in it"));
    end(&fixture);

    unlink(path);
    parse_sized(&fixture, config, text, strlen(text));
    assert_int_equal(config_report_errors(fixture.report), 2);
    assert_non_null(strstr(fixture.words, "No such file"));
    end(&fixture);
    rmdir(folder);
}

static void substitutions_have_a_budget(void **state)
{
    (void)state;
    struct fixture fixture;
    char *value = repeat("", "x", 100000), *text = repeat("a: ", "${WEIR_TEST_A}", 70000);
    setenv("WEIR_TEST_A", value, 1);
    parse(&fixture, text);
    assert_int_equal(config_report_errors(fixture.report), 1);
    assert_non_null(strstr(fixture.words, "expected at most 16 MiB out of ${...}"));
    end(&fixture);
    setenv("WEIR_TEST_A", "alpha", 1);
    free(value);
    free(text);
}

/* -- what is no YAML, or not ours -- */

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
        struct fixture fixture;
        parse(&fixture, cases[i].text);
        assert_first(&fixture, cases[i].errors, cases[i].line, cases[i].column, "a template needs quotes in YAML");
        end(&fixture);
    }
    struct fixture fixture;
    parse(&fixture, cases[0].text);
    assert_text(fixture.root, "b", "1"); /* and what follows is still read */
    end(&fixture);
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
        struct fixture fixture;
        parse(&fixture, cases[i].text);
        assert_first(&fixture, 1, cases[i].line, cases[i].column, cases[i].words);
        end(&fixture);
    }
}

static void other_line_ends_and_a_byte_order_mark_are_fine(void **state)
{
    (void)state;
    struct fixture fixture;
    parse(&fixture, "\xef\xbb\xbf"
                    "a: 1\r\nb:\r\n  c: 2\r\n");
    assert_good(&fixture);
    assert_text(fixture.root, "a", "1");
    assert_place(config_tree_get(config_tree_get(fixture.root, "b"), "c"), 3, 6);
    end(&fixture);
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
        cmocka_unit_test(variables_take_their_value_or_default),
        cmocka_unit_test(a_dollar_sign_is_written_twice),
        cmocka_unit_test(a_value_can_not_inject_structure),
        cmocka_unit_test(each_undefined_variable_is_an_error_at_its_place),
        cmocka_unit_test(what_is_no_substitution_is_an_error),
        cmocka_unit_test(keys_are_not_substituted),
        cmocka_unit_test(files_give_their_text_without_one_line_break),
        cmocka_unit_test(substitutions_have_a_budget),
        cmocka_unit_test(a_template_without_quotes_says_that_it_needs_them),
        cmocka_unit_test(broken_yaml_is_explained),
        cmocka_unit_test(other_line_ends_and_a_byte_order_mark_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
