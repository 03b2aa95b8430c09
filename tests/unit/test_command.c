#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"

enum { WORDS_MAX = 16 };

struct line {
    char words[256], *argv[WORDS_MAX + 1];
    struct command command;
    char message[256];
    bool good;
};

/* Parses "weir " and the words, which blanks part. */
static struct line *parse(struct line *line, const char *words)
{
    int argc = 0;
    *line = (struct line){0};
    snprintf(line->words, sizeof line->words, "weir %s", words);
    for (char *word = strtok(line->words, " "); word != NULL; word = strtok(NULL, " "))
        line->argv[argc++] = word;
    line->good = command_parse(argc, line->argv, &line->command, line->message, sizeof line->message);
    return line;
}

static void assert_wrong(const char *words, const char *message)
{
    struct line line;
    assert_false(parse(&line, words)->good);
    assert_string_equal(line.message, message);
}

static void a_verb_gets_its_arguments_and_options_in_any_order(void **state)
{
    (void)state;
    struct line line;
    assert_true(parse(&line, "run --exit-at-end orders.yaml --receipt r.json")->good);
    assert_string_equal(line.command.verb->name, "run");
    assert_int_equal(line.command.count, 1);
    assert_string_equal(line.command.arguments[0], "orders.yaml");
    assert_true(command_has(&line.command, OPTION_EXIT_AT_END));
    assert_string_equal(line.command.values[OPTION_RECEIPT], "r.json");
    assert_false(command_has(&line.command, OPTION_JSON));
}

static void a_value_may_stand_behind_an_equals_sign(void **state)
{
    (void)state;
    struct line line;
    assert_true(parse(&line, "run x --receipt=a=b --progress=never")->good);
    assert_string_equal(line.command.values[OPTION_RECEIPT], "a=b");
    assert_string_equal(line.command.values[OPTION_PROGRESS], "never");
    assert_true(parse(&line, "tap x --stage s --answer=dropped,rejected")->good);
    assert_string_equal(line.command.values[OPTION_ANSWER], "dropped,rejected");
}

static void letters_can_be_joined_and_take_values(void **state)
{
    (void)state;
    struct line line;
    assert_true(parse(&line, "demo -qn500")->good);
    assert_true(command_has(&line.command, OPTION_QUIET));
    assert_string_equal(line.command.values[OPTION_RECORDS], "500");
    assert_true(parse(&line, "demo -n 7 -v")->good);
    assert_string_equal(line.command.values[OPTION_RECORDS], "7");
    assert_true(command_has(&line.command, OPTION_VERBOSE));
}

static void two_dashes_end_the_options_and_one_is_a_file(void **state)
{
    (void)state;
    struct line line;
    assert_true(parse(&line, "check a.yaml -- --json")->good);
    assert_int_equal(line.command.count, 2);
    assert_string_equal(line.command.arguments[1], "--json");
    assert_false(command_has(&line.command, OPTION_JSON));
    assert_true(parse(&line, "run -")->good);
    assert_string_equal(line.command.arguments[0], "-");
}

static void help_and_version_are_options_as_well(void **state)
{
    (void)state;
    struct line line;
    assert_true(parse(&line, "--help")->good);
    assert_string_equal(line.command.verb->name, "help");
    assert_true(parse(&line, "--version")->good);
    assert_string_equal(line.command.verb->name, "version");
    /* Help needs no file. */
    assert_true(parse(&line, "run --help")->good);
    assert_true(command_has(&line.command, OPTION_HELP));
}

static void a_verb_may_have_two_words(void **state)
{
    (void)state;
    struct line line;
    assert_true(parse(&line, "dlq list orders.yaml --json")->good);
    assert_string_equal(line.command.verb->name, "dlq list");
    assert_int_equal(line.command.count, 1);
    assert_string_equal(line.command.arguments[0], "orders.yaml");
    assert_true(parse(&line, "dlq show --help")->good);
    assert_string_equal(line.command.verb->name, "dlq show");
    assert_true(command_has(&line.command, OPTION_HELP));
    /* Help about all that begin so. */
    assert_true(parse(&line, "dlq --help")->good);
    assert_string_equal(line.command.verb->name, "help");
    assert_int_equal(line.command.count, 1);
    assert_string_equal(line.command.arguments[0], "dlq");
    assert_wrong("dlq lst x", "there is no verb \"dlq lst\"; did you mean \"dlq list\"?");
    assert_wrong("dql list x", "there is no verb \"dql\"; did you mean \"dlq\"?");
    assert_false(parse(&line, "dlq")->good);
    assert_ptr_equal(strstr(line.message, "dlq wants one of list | show"), line.message);
    assert_false(parse(&line, "dlq --json list")->good);
    assert_false(parse(&line, "dlq everything")->good);
    assert_non_null(strstr(line.message, ", not \"everything\""));
    assert_false(parse(&line, "list")->good);
}

static void what_is_mistyped_is_guessed(void **state)
{
    (void)state;
    assert_wrong("rnu", "there is no verb \"rnu\"; did you mean \"run\"?");
    assert_wrong("chekc x", "there is no verb \"chekc\"; did you mean \"check\"?");
    assert_wrong("kubernetes", "there is no verb \"kubernetes\"");
    assert_wrong("run x --exit-at-ned", "there is no option --exit-at-ned; did you mean --exit-at-end?");
    assert_wrong("run x --recipt=y", "there is no option --recipt; did you mean --receipt?");
    assert_wrong("run x --records 5", "there is no option --records");
    assert_wrong("run x -z", "there is no option -z");
}

static void a_wrong_value_is_told_with_what_is_right(void **state)
{
    (void)state;
    assert_wrong("run x --progress sometimes", "--progress takes auto | always | never, not \"sometimes\"");
    assert_wrong("tap x --stage s --answer stored,lost",
                 "--answer takes forwarded | stored | dropped | rejected, not \"stored,lost\"");
    assert_wrong("tap x --stage s --answer stored,",
                 "--answer takes forwarded | stored | dropped | rejected, not \"stored,\"");
    assert_wrong("run x --progress auto,never", "--progress takes auto | always | never, not \"auto,never\"");
    assert_wrong("demo --records 0", "--records takes a whole number from 1 on, not \"0\"");
    assert_wrong("demo --records -5", "--records takes a whole number from 1 on, not \"-5\"");
    assert_wrong("demo --records 1e6", "--records takes a whole number from 1 on, not \"1e6\"");
    assert_wrong("demo --records 99999999999999999999",
                 "--records takes a whole number from 1 on, not \"99999999999999999999\"");
    assert_wrong("check x --live --timeout soon", "--timeout takes a duration (500ms, 10s, 1m), not \"soon\"");
    assert_wrong("check x --live --timeout 0", "--timeout takes a duration (500ms, 10s, 1m), not \"0\"");
    assert_wrong("check x --live --timeout 5", "--timeout takes a duration (500ms, 10s, 1m), not \"5\"");
    assert_wrong("run x --receipt", "--receipt wants FILE");
    assert_wrong("run x --json=yes", "--json takes no value");
}

static void too_few_and_too_many_arguments_are_told(void **state)
{
    (void)state;
    assert_wrong("run", "wants FILE");
    assert_wrong("check", "wants FILE...");
    assert_wrong("run a b", "takes FILE only: \"b\" is too much");
    assert_wrong("demo x", "takes no argument, not \"x\"");
    assert_wrong("", "a verb is missing");
}

static char *page_of(const struct verb *verb)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    command_help(verb, out);
    fclose(out);
    return text;
}

static void the_main_page_names_all_verbs(void **state)
{
    (void)state;
    char *text = page_of(NULL), part[64];
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        snprintf(part, sizeof part, "\n  %s ", verb->name);
        assert_non_null(strstr(text, part));
        assert_non_null(strstr(text, verb->help));
    }
    free(text);
}

static void a_verbs_page_names_all_its_options_and_fits_the_screen(void **state)
{
    (void)state;
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        char *text = page_of(verb);
        for (const struct option *option = verb->options; option->id != OPTION_NONE; option++) {
            char part[64];
            snprintf(part, sizeof part, "--%s%s%s ", option->name, option->value != NULL ? " " : "",
                     option->value != NULL ? option->value : "");
            assert_non_null(strstr(text, part));
            assert_non_null(strstr(text, option->help));
        }
        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") <= 120);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verb_gets_its_arguments_and_options_in_any_order),
        cmocka_unit_test(a_value_may_stand_behind_an_equals_sign),
        cmocka_unit_test(letters_can_be_joined_and_take_values),
        cmocka_unit_test(two_dashes_end_the_options_and_one_is_a_file),
        cmocka_unit_test(help_and_version_are_options_as_well),
        cmocka_unit_test(a_verb_may_have_two_words),
        cmocka_unit_test(what_is_mistyped_is_guessed),
        cmocka_unit_test(a_wrong_value_is_told_with_what_is_right),
        cmocka_unit_test(too_few_and_too_many_arguments_are_told),
        cmocka_unit_test(the_main_page_names_all_verbs),
        cmocka_unit_test(a_verbs_page_names_all_its_options_and_fits_the_screen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
