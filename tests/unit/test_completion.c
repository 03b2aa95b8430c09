/* What shells complete and the man page: all of the table is in them, and the programs that read them take them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/weir-completion-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* shell NULL: the man page. The caller frees it; it is in the folder as well, by the name of the shell or "weir.1". */
static char *print(const char *shell)
{
    char *text, path[128];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (shell == NULL)
        command_man(out);
    else
        assert_true(command_completion(shell, out));
    fclose(out);
    snprintf(path, sizeof path, "%s/%s", folder, shell != NULL ? shell : "weir.1");
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* The output of a shell command (stderr too) in the folder, up to the first 4 KiB. */
static const char *output(const char *command)
{
    static char text[4096];
    char line[1024];
    snprintf(line, sizeof line, "cd %s && { %s; } 2>&1", folder, command);
    FILE *in = popen(line, "r");
    assert_non_null(in);
    size_t size = fread(text, 1, sizeof text - 1, in);
    text[size] = '\0';
    int status = pclose(in);
    if (status != 0)
        fail_msg("%s: status %d: %s", command, status, text);
    return text;
}

static void assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, text);
}

/* In the part of the text that begins with `begin` and ends where that of the next verb begins. */
static void assert_part_holds(const char *text, const char *begin, const char *end, const char *part)
{
    const char *from = strstr(text, begin);
    if (from == NULL)
        fail_msg("no \"%s\"", begin);
    const char *to = end != NULL ? strstr(from + 1, end) : NULL;
    const char *found = strstr(from, part);
    if (found == NULL || (to != NULL && found > to))
        fail_msg("no \"%s\" behind \"%s\"", part, begin);
}

static void bash_has_all_of_it_and_takes_it(void **state)
{
    (void)state;
    char *text = print("bash"), begin[64], part[64];
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        snprintf(begin, sizeof begin, "    '%s')\n        options='", verb->name);
        for (const struct option *option = verb->options; option->id != OPTION_NONE; option++) {
            snprintf(part, sizeof part, "--%s", option->name);
            assert_part_holds(text, begin, "\n        case", part);
        }
    }
    free(text);
    assert_string_equal(output("bash -n bash"), "");
}

/* The line is split as bash does it. */
static void assert_bash_completes(const char *words, int at, const char *expected)
{
    char command[512];
    snprintf(command, sizeof command,
             "bash --norc -c 'compopt() { :; }; . ./bash; COMP_WORDS=(%s); COMP_CWORD=%d; _weir; "
             "printf \"%%s \" \"${COMPREPLY[@]}\"'",
             words, at);
    assert_string_equal(output(command), expected);
}

static void bash_completes_verbs_options_values_and_files(void **state)
{
    (void)state;
    free(print("bash"));
    assert_string_equal(output("touch orders.yaml 'or ders.yaml'; mkdir old"), "");
    assert_bash_completes("weir ch", 1, "check ");
    assert_bash_completes("weir run --ex", 2, "--exit-at-end ");
    assert_bash_completes("weir run --progress a", 3, "auto always ");
    assert_bash_completes("weir run --progress = n", 4, "never ");
    assert_bash_completes("weir run orders.yaml --progress =", 4, "auto always never ");
    assert_bash_completes("weir run orders", 2, "orders.yaml ");
    assert_bash_completes("weir run --receipt orders", 3, "orders.yaml ");
    assert_bash_completes("weir demo --dir o", 3, "old ");
    assert_bash_completes("weir lag --for \"\"", 3, " ");
    assert_bash_completes("weir completion f", 2, "fish ");
    assert_bash_completes("weir help ver", 2, "version ");
    assert_bash_completes("weir nothing -", 2, " ");
    assert_bash_completes("weir dl", 1, "dlq ");
    assert_bash_completes("weir dlq sh", 2, "show ");
    assert_bash_completes("weir dlq list --js", 3, "--json ");
    assert_bash_completes("weir dlq show orders", 3, "orders.yaml ");
    assert_bash_completes("weir dlq nothing -", 3, " ");
}

static void zsh_has_all_of_it_and_takes_it(void **state)
{
    (void)state;
    char *text = print("zsh"), begin[64], part[256];
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        const char *second = verb_second_word(verb);
        snprintf(part, sizeof part, "        '%.*s:", (int)verb_word(verb), verb->name);
        assert_holds(text, part);
        snprintf(part, sizeof part, "            '%s:", second != NULL ? second : "");
        if (second != NULL)
            assert_holds(text, part);
        snprintf(begin, sizeof begin, "    '%s')\n        _arguments", verb->name);
        for (const struct option *option = verb->options; option->id != OPTION_NONE; option++) {
            snprintf(part, sizeof part, "--%s%s", option->name, option->value != NULL ? "=" : "");
            assert_part_holds(text, begin, "\n        ;;", part);
        }
    }
    free(text);
    assert_string_equal(output("zsh -n zsh"), "");
}

/* With what _arguments would be told: only an editing zsh completes. */
static void zsh_hands_over_the_verbs_options_and_values(void **state)
{
    (void)state;
    free(print("zsh"));
    static const char RUN[] = "zsh -f -c 'compdef() { :; }; _describe() { print -rl -- $verbs; }; _arguments() { print "
                              "-rl -- \"$@\"; }; . ./zsh; words=(weir %s); CURRENT=%d; _weir'";
    char command[512];
    snprintf(command, sizeof command, RUN, "x", 2);
    assert_holds(output(command), "run:run the service that FILE describes\n");
    snprintf(command, sizeof command, RUN, "run x", 3);
    assert_holds(output(command), "\n(-q --quiet)-q[only warnings and errors, no receipt]\n"
                                  "(-q --quiet)--quiet[only warnings and errors, no receipt]\n");
    assert_holds(output(command),
                 "\n--progress=[live progress on stderr; auto is on a terminal only]:WHEN:(auto always "
                 "never)\n");
    assert_holds(output(command), "\n1:argument:_files\n");
    snprintf(command, sizeof command, RUN, "x", 2);
    assert_holds(output(command), "\ndlq:list, show");
    snprintf(command, sizeof command, RUN, "dlq x", 3);
    assert_holds(output(command), "list:count the dead letters of FILE's service by stage, class and time\n");
    snprintf(command, sizeof command, RUN, "dlq show x", 4);
    assert_holds(output(command), "\n--hex[key and value as hex dumps]\n");
    snprintf(command, sizeof command, RUN, "completion x", 3);
    assert_holds(output(command), "\n1:argument:(bash zsh fish)\n");
}

static void fish_has_all_of_it_and_takes_it(void **state)
{
    (void)state;
    char *text = print("fish"), part[192];
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        char seen[128];
        const char *second = verb_second_word(verb);
        snprintf(part, sizeof part, "-n __fish_use_subcommand -a %.*s -d '", (int)verb_word(verb), verb->name);
        assert_holds(text, part);
        snprintf(seen, sizeof seen, "__fish_seen_subcommand_from %.*s%s%s", (int)verb_word(verb), verb->name,
                 second != NULL ? "; and __fish_seen_subcommand_from " : "", second != NULL ? second : "");
        for (const struct option *option = verb->options; option->id != OPTION_NONE; option++) {
            snprintf(part, sizeof part, "-n '%s' -l %s ", seen, option->name);
            assert_holds(text, part);
        }
    }
    free(text);
    assert_string_equal(output("HOME=$PWD fish --no-execute fish"), "");
    assert_string_equal(output("HOME=$PWD fish -c 'source fish; complete -C \"weir run --ex\"'"),
                        "--exit-at-end\tstop at the end offsets seen at the start: a batch job, a test\n");
    assert_string_equal(output("HOME=$PWD fish -c 'source fish; complete -C \"weir run --progress al\"' | cut -f1"),
                        "always\n");
    assert_string_equal(output("HOME=$PWD fish -c 'source fish; complete -C \"weir completion ba\"'"), "bash\n");
    assert_string_equal(output("HOME=$PWD fish -c 'source fish; complete -C \"weir dlq sh\"' | cut -f1"), "show\n");
    assert_string_equal(output("HOME=$PWD fish -c 'source fish; complete -C \"weir dlq show --he\"' | cut -f1"),
                        "--help\n--hex\n");
}

static void the_man_page_has_all_of_it_and_groff_has_no_warning(void **state)
{
    (void)state;
    char *text = print(NULL), begin[64], part[64];
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        snprintf(begin, sizeof begin, ".SS \"weir %s", verb->name);
        for (const struct option *option = verb->options; option->id != OPTION_NONE; option++) {
            char name[32] = "";
            for (const char *at = option->name; *at != '\0'; at++)
                snprintf(name + strlen(name), sizeof name - strlen(name), *at == '-' ? "\\-" : "%c", *at);
            snprintf(part, sizeof part, "\\-\\-%s\\fR", name);
            assert_part_holds(text, begin, ".SS", part);
        }
    }
    for (const struct exit_words *exit = command_exits; exit->words != NULL; exit++) {
        snprintf(part, sizeof part, ".TP\n%d\n", (int)exit->code);
        assert_part_holds(text, ".SH EXIT STATUS", NULL, part);
    }
    free(text);
    assert_string_equal(output("groff -man -ww -z -Tutf8 weir.1"), "");
    /* A line that begins with a dot or has a backslash in it would be lost. */
    assert_holds(output("groff -man -Tascii -P-cbou weir.1 | grep 'For this one bash'"),
                 "For this one bash: eval \"$(weir completion bash)\"\n");
}

static void a_shell_that_is_not_known_gets_nothing(void **state)
{
    (void)state;
    assert_false(command_completion("tcsh", stdout));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bash_has_all_of_it_and_takes_it),
        cmocka_unit_test(bash_completes_verbs_options_values_and_files),
        cmocka_unit_test(zsh_has_all_of_it_and_takes_it),
        cmocka_unit_test(zsh_hands_over_the_verbs_options_and_values),
        cmocka_unit_test(fish_has_all_of_it_and_takes_it),
        cmocka_unit_test(the_man_page_has_all_of_it_and_groff_has_no_warning),
        cmocka_unit_test(a_shell_that_is_not_known_gets_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
