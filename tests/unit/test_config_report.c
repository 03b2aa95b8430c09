#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "config/report.h"
#include "config/secret.h"
#include "config/tree.h"

struct fixture {
    struct arena arena;
    struct config_report *report;
    const struct config_node *root;
    char *words;
};

static void begin(struct fixture *fixture, const char *text)
{
    *fixture = (struct fixture){.words = NULL};
    arena_init(&fixture->arena, NULL);
    fixture->report = config_report_new("test.yaml", text, strlen(text));
    assert_non_null(fixture->report);
    fixture->root = config_tree_parse("test.yaml", text, strlen(text), &fixture->arena, fixture->report);
}

static void end(struct fixture *fixture)
{
    arena_fini(&fixture->arena);
    config_report_free(fixture->report);
    free(fixture->words);
}

typedef void printer(const struct config_report *report, FILE *out);

static void print_plain(const struct config_report *report, FILE *out)
{
    config_report_print(report, out, false);
}

static void print_colour(const struct config_report *report, FILE *out)
{
    config_report_print(report, out, true);
}

static const char *print(struct fixture *fixture, printer *run)
{
    size_t size = 0;
    free(fixture->words);
    FILE *out = open_memstream(&fixture->words, &size);
    assert_non_null(out);
    run(fixture->report, out);
    assert_int_equal(fclose(out), 0);
    return fixture->words;
}

static const struct config_node *get(const struct fixture *fixture, const char *key)
{
    const struct config_node *node = config_tree_get(fixture->root, key);
    assert_non_null(node);
    return node;
}

static void assert_hidden(const char *words)
{
    if (strstr(words, "canary") != NULL)
        fail_msg("expected no secret, found it in:\n%s", words);
}

static unsigned count(const char *text, const char *part)
{
    unsigned number = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        number++;
    return number;
}

static void mistakes_are_sorted_by_place_and_show_their_line(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "a: 1\nmap:\n  b: two\n  c: 3\n");
    const struct config_node *map = get(&fixture, "map");
    config_error(fixture.report, config_tree_get(map, "b"), "expected %s, found \"two\"", "2");
    config_error(fixture.report, get(&fixture, "a"), "expected 2, found 1");
    config_error_key(fixture.report, config_tree_get(map, "c"), "expected no c");
    config_error(fixture.report, NULL, "expected more");
    config_warn(fixture.report, get(&fixture, "a"), "better is 2");
    assert_int_equal(config_report_errors(fixture.report), 4);
    assert_int_equal(config_report_warnings(fixture.report), 1);
    assert_string_equal(print(&fixture, print_plain), "test.yaml: expected more\n"
                                                      "test.yaml:1:4: a: expected 2, found 1\n"
                                                      "     1 | a: 1\n"
                                                      "       |    ^\n"
                                                      "test.yaml:1:4: warning: a: better is 2\n"
                                                      "     1 | a: 1\n"
                                                      "       |    ^\n"
                                                      "test.yaml:3:6: map.b: expected 2, found \"two\"\n"
                                                      "     3 |   b: two\n"
                                                      "       |      ^\n"
                                                      "test.yaml:4:3: map.c: expected no c\n"
                                                      "     4 |   c: 3\n"
                                                      "       |   ^\n");
    end(&fixture);
}

static void colours_come_only_when_asked_for(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "a: 1\n");
    config_error(fixture.report, get(&fixture, "a"), "expected 2");
    assert_null(strchr(print(&fixture, print_plain), '\033'));
    assert_non_null(strchr(print(&fixture, print_colour), '\033'));
    end(&fixture);
}

static void json_is_one_object_a_line(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "a: \"x\"\n");
    config_error(fixture.report, get(&fixture, "a"), "found \"x\\y\"\nand a tab\t");
    config_warn(fixture.report, NULL, "beware");
    assert_string_equal(
        print(&fixture, config_report_print_json),
        "{\"file\": \"test.yaml\", \"line\": 0, \"column\": 0, \"path\": \"\", \"severity\": \"warning\", \"message\": "
        "\"beware\"}\n"
        "{\"file\": \"test.yaml\", \"line\": 1, \"column\": 4, \"path\": \"a\", \"severity\": \"error\", \"message\": "
        "\"found \\\"x\\\\y\\\" and a tab \"}\n");
    end(&fixture);
}

static void an_offset_becomes_a_column_in_the_text(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "a: x {{oops\nb: \"\xc3\xa4 {{oops\"\nc: \"\\x41 {{oops\"\nd: |\n  {{oops\n");
    config_error_at(fixture.report, get(&fixture, "a"), 2, "in a");
    config_error_at(fixture.report, get(&fixture, "b"), 3, "in b");
    config_error_at(fixture.report, get(&fixture, "c"), 2, "in c"); /* an escape before it: only the start is known */
    config_error_at(fixture.report, get(&fixture, "d"), 2, "in d");
    const char *words = print(&fixture, print_plain);
    assert_non_null(strstr(words, "test.yaml:1:6: a: in a"));
    assert_non_null(strstr(words, "test.yaml:2:7: b: in b"));
    assert_non_null(strstr(words, "test.yaml:3:4: c: in c"));
    assert_non_null(strstr(words, "test.yaml:4:4: d: in d"));
    end(&fixture);
}

static void only_the_first_error_of_a_scalar_is_kept(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "a: x\nb: {c: 1}\n");
    const struct config_node *a = get(&fixture, "a");
    config_error(fixture.report, a, "first");
    config_error(fixture.report, a, "second");
    config_error_also(fixture.report, a, 0, "third");
    config_error_key(fixture.report, a, "of the key");
    config_error(fixture.report, get(&fixture, "b"), "one of the map");
    config_error(fixture.report, get(&fixture, "b"), "another of the map");
    config_error(fixture.report, get(&fixture, "b"), "another of the map");
    assert_int_equal(config_report_errors(fixture.report), 5);
    assert_null(strstr(print(&fixture, print_plain), "second"));
    end(&fixture);
}

static void what_is_wrong_in_an_anchor_is_told_once(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "a: &a {x: bad}\nb: *a\nc: *a\n");
    config_error(fixture.report, config_tree_get(get(&fixture, "a"), "x"), "expected good");
    config_error(fixture.report, config_tree_get(get(&fixture, "b"), "x"), "expected good");
    assert_int_equal(config_report_errors(fixture.report), 1);
    end(&fixture);
}

static void tabs_and_control_characters_keep_the_caret_in_place(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "a:\t\tx # \xc3\xa4\xff\x1b[31m\n");
    config_error_place(fixture.report, 1, 5, "expected y");
    const char *words = print(&fixture, print_plain);
    assert_non_null(strstr(words, "     1 | a:  x # \xc3\xa4??[31m\n       |     ^\n"));
    end(&fixture);
}

static void a_long_line_is_cut_around_the_caret(void **state)
{
    (void)state;
    struct fixture fixture;
    char *text = malloc(200001);
    assert_non_null(text);
    memset(text, 'x', 200000);
    memcpy(text, "a: ", 3);
    memcpy(text + 150000, "HERE", 4);
    text[200000] = '\0';
    begin(&fixture, text);
    config_error_place(fixture.report, 1, 150001, "expected there");
    const char *words = print(&fixture, print_plain), *line = strstr(words, "...x"), *here = strstr(words, "HERE");
    assert_non_null(line);
    assert_non_null(here);
    assert_true(strlen(words) < 600);
    assert_non_null(strstr(here, "...\n"));
    assert_int_equal(strstr(words, "^") - strrchr(words, '|'), here - strstr(words, "| ..."));
    end(&fixture);
    free(text);
}

static void there_is_an_end_to_mistakes(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "a: 1\n");
    for (unsigned i = 1; i <= 2000; i++)
        config_error_place(fixture.report, i, 1, "mistake %u", i);
    assert_int_equal(config_report_errors(fixture.report), 2000);
    assert_non_null(strstr(print(&fixture, print_plain), "test.yaml: 1500 more\n"));
    end(&fixture);
}

/* -- secrets -- */

#define SECRET "hunter2canary"

static void a_hidden_text_is_in_no_message_and_no_line(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "secret: " SECRET "\nother: 1\n",
        "{secret: " SECRET ", other: 1}\n",
        "{other: 1, secret: \"" SECRET "\"} # \n",
        "secret: |\n  first " SECRET "\n  " SECRET "\nother: 1\n",
        "secret: >-\n  " SECRET "\nother: 1\n",
        "anchor: &s " SECRET "\nsecret: *s\nother: 1\n",
        "secret: ${WEIR_TEST_NONE:-" SECRET "}\nother: 1\n",
        "secret: [" SECRET ", x]\nother: 1\n",
        "secret:\n  in: {here: " SECRET "}\nother: 1\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct fixture fixture;
        begin(&fixture, texts[i]);
        assert_non_null(fixture.root);
        /* Before it is known for a secret, and in the error of another value. */
        config_error_key(fixture.report, get(&fixture, "other"), "expected nothing of " SECRET ".");
        config_error(fixture.report, get(&fixture, "secret"), "found \"" SECRET "\"");
        config_report_hide(fixture.report, get(&fixture, "secret"));
        for (unsigned line = 1; line <= 4; line++)
            config_error_place(fixture.report, line, 9, "another one");
        assert_non_null(strstr(print(&fixture, print_plain), "***"));
        assert_hidden(fixture.words);
        assert_hidden(print(&fixture, config_report_print_json));
        end(&fixture);
    }
}

static void keys_that_sound_secret_are_hidden_unasked(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "properties: {sasl.password: " SECRET ", other: 1}\n",
        "ssl.key.pem: |\n  " SECRET "\nother: 1\n",
        "client_secret: " SECRET "\nother: 1\n",
        "tokens: [a, " SECRET "]\nother: 1\n",
        "passwords: {a: " SECRET "}\nother: 1\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct fixture fixture;
        begin(&fixture, texts[i]);
        assert_non_null(fixture.root);
        config_error(fixture.report, fixture.root, "librdkafka says no to " SECRET);
        config_error_place(fixture.report, 2, 1, "another one");
        assert_hidden(print(&fixture, print_plain));
        assert_hidden(print(&fixture, config_report_print_json));
        end(&fixture);
    }
}

static void broken_yaml_shows_no_secret_either(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "password: \"" SECRET "\nother: 1\n",
        "password: " SECRET ": x\n",
        "sasl: {username: me, password: " SECRET ", other: [}\n",
        "sasl:\n  password: |\n    " SECRET "\n   " SECRET "\n",
        "password:\n\t" SECRET "\n",
        "'sasl.password': " SECRET "\x01\n",
        "\"api_key\" : @" SECRET "\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct fixture fixture;
        begin(&fixture, texts[i]);
        assert_null(fixture.root);
        assert_int_equal(config_report_errors(fixture.report), 1);
        assert_hidden(print(&fixture, print_plain));
        end(&fixture);
    }
}

static void a_variable_is_shown_as_written_and_its_value_never(void **state)
{
    (void)state;
    struct fixture fixture;
    setenv("WEIR_TEST_SECRET", SECRET, 1);
    begin(&fixture, "password: ${WEIR_TEST_SECRET}\nport: ${WEIR_TEST_SECRET:?needed}\n");
    const struct config_node *port = get(&fixture, "port");
    config_report_hide(fixture.report, get(&fixture, "password"));
    config_error(fixture.report, get(&fixture, "password"), "expected another one, found %s", SECRET);
    config_error(fixture.report, port, "expected a number, found \"%s\"", port->text);
    const char *words = print(&fixture, print_plain);
    assert_hidden(words);
    assert_non_null(strstr(words, "     1 | password: ${WEIR_TEST_SECRET}\n"));
    assert_non_null(strstr(words, "     2 | port: ${WEIR_TEST_SECRET:?needed}\n"));
    assert_int_equal(count(words, "found ***"), 1);
    assert_int_equal(count(words, "found \"***\""), 1);
    end(&fixture);
}

static void short_secrets_do_not_garble_words(void **state)
{
    (void)state;
    char text[64] = "expected a number, found \"a\" or a", other[64] = "production is not prod, nor \"prod\"";
    secret_scrub(text, sizeof text, "a", false);
    assert_string_equal(text, "expected a number, found \"***\" or a");
    secret_scrub(text, sizeof text, "number", false);
    assert_string_equal(text, "expected a ***, found \"***\" or a");
    secret_scrub(other, sizeof other, "prod", false);
    assert_string_equal(other, "production is not prod, nor \"***\"");
    secret_scrub(other, sizeof other, "prod", true);
    assert_string_equal(other, "production is not ***, nor \"***\"");
    char full[8] = "'a' 'a'";
    secret_scrub(full, sizeof full, "a", false);
    assert_string_equal(full, "'***' '");
}

/* -- did you mean -- */

static void the_nearest_name_is_a_few_slips_away(void **state)
{
    (void)state;
    static const char *const names[] = {"brokers",         "group", "topics", "start", "instance",
                                        "fetch.min.bytes", "in",    "any",    NULL};
    static const struct {
        const char *name, *nearest;
    } cases[] = {
        {"brokres", "brokers"},
        {"broker", "brokers"},
        {"gruop", "group"},
        {"topic", "topics"},
        {"TOPICS", "topics"},
        {"strat", "start"},
        {"instnace", "instance"},
        {"fetch_min_bytes", "fetch.min.bytes"},
        {"inn", "in"},
        {"xyz", NULL},
        {"", NULL},
        {"completely", NULL},
        {"b", NULL},
        {"topography", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *nearest = config_nearest(cases[i].name, names);
        if (cases[i].nearest == NULL)
            assert_null(nearest);
        else
            assert_string_equal(nearest, cases[i].nearest);
    }
}

static void a_hint_is_whole_for_the_longest_name_that_can_be_near(void **state)
{
    (void)state;
    char name[CONFIG_NEAR_MAX + 2] = "", near[CONFIG_NEAR_MAX + 2], hint[CONFIG_HINT_SIZE], expected[256];
    const char *const names[] = {near, NULL};
    memset(name, 'n', CONFIG_NEAR_MAX);
    memcpy(near, name, sizeof near);
    near[0] = 'm';
    snprintf(expected, sizeof expected, "; did you mean \"%s\"?", near);
    assert_string_equal(config_hint(name, names, hint), expected);
    snprintf(expected, sizeof expected, "; did you mean `%s`?", near);
    assert_string_equal(config_hint_key(name, names, hint), expected);
    near[CONFIG_NEAR_MAX] = 'n';
    assert_string_equal(config_hint(name, names, hint), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_sorted_by_place_and_show_their_line),
        cmocka_unit_test(colours_come_only_when_asked_for),
        cmocka_unit_test(json_is_one_object_a_line),
        cmocka_unit_test(an_offset_becomes_a_column_in_the_text),
        cmocka_unit_test(only_the_first_error_of_a_scalar_is_kept),
        cmocka_unit_test(what_is_wrong_in_an_anchor_is_told_once),
        cmocka_unit_test(tabs_and_control_characters_keep_the_caret_in_place),
        cmocka_unit_test(a_long_line_is_cut_around_the_caret),
        cmocka_unit_test(there_is_an_end_to_mistakes),
        cmocka_unit_test(a_hidden_text_is_in_no_message_and_no_line),
        cmocka_unit_test(keys_that_sound_secret_are_hidden_unasked),
        cmocka_unit_test(broken_yaml_shows_no_secret_either),
        cmocka_unit_test(a_variable_is_shown_as_written_and_its_value_never),
        cmocka_unit_test(short_secrets_do_not_garble_words),
        cmocka_unit_test(the_nearest_name_is_a_few_slips_away),
        cmocka_unit_test(a_hint_is_whole_for_the_longest_name_that_can_be_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
