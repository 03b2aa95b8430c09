/* The pages of `weir help`, out of the table of verbs, and the verb itself. */
#include <string.h>

#include "cli/command.h"
#include "cli/verbs.h"

enum { MARGIN = 24 };

static void write_option(const struct option *option, FILE *out)
{
    char head[64], letter[8] = "    ";
    if (option->letter != 0)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(head, sizeof head, "%s--%s%s%s", letter, option->name, option->value != NULL ? " " : "",
             option->value != NULL ? option->value : "");
    fprintf(out, "  %-*s %s", MARGIN, head, option->help);
    for (const char *const *choice = option->choices; choice != NULL && *choice != NULL; choice++)
        fprintf(out, "%s%s%s", choice == option->choices ? " (" : " | ", *choice, choice[1] == NULL ? ")" : "");
    putc('\n', out);
}

static void write_usage(const struct verb *verb, FILE *out)
{
    fprintf(out, "weir %s%s%s [OPTION...]\n  %s\n", verb->name, verb->arguments[0] != '\0' ? " " : "", verb->arguments,
            verb->help);
}

static void help_verb(const struct verb *verb, FILE *out)
{
    write_usage(verb, out);
    if (verb->examples != NULL)
        fprintf(out, "\nExamples:\n%s", verb->examples);
    fputs("\nOptions:\n", out);
    for (const struct option *option = verb->options; option->id != OPTION_NONE; option++)
        write_option(option, out);
    if (verb->details != NULL)
        fprintf(out, "\n%s", verb->details);
}

static void help_program(FILE *out)
{
    fputs("weir consumes Kafka topics, and decodes, enriches and stores their records: one verdict for each.\n"
          "\n"
          "  weir demo                 all of it at once on an embedded broker: nothing to set up\n"
          "  weir check orders.yaml    every mistake in a config, each with its place\n"
          "  weir run orders.yaml      the service itself\n"
          "\n"
          "Verbs:\n",
          out);
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        char head[64];
        snprintf(head, sizeof head, "%s %s", verb->name, verb->arguments);
        fprintf(out, "  %-*s %s\n", MARGIN, head, verb->help);
    }
    fputs("\n`weir help VERB` tells a verb's options.\nExit codes: ", out);
    for (const struct exit_words *exit = command_exits; exit->words != NULL; exit++)
        fprintf(out, "%s%d %s", exit == command_exits ? "" : ", ", (int)exit->code, exit->words);
    fputs(".\n", out);
}

void command_help(const struct verb *verb, FILE *out)
{
    if (verb != NULL)
        help_verb(verb, out);
    else
        help_program(out);
}

/* The pages of all verbs with this first word. */
static void help_group(const char *word, FILE *out)
{
    for (const struct verb *verb = NULL; (verb = command_next_of(word, verb)) != NULL;)
        write_usage(verb, out);
    fprintf(out, "\n`weir help %s VERB` tells a verb's options.\n", word);
}

enum exit_code verb_help(const struct command *command)
{
    if (command_has(command, OPTION_MAN)) {
        command_man(stdout);
        return EXIT_OK;
    }
    if (command->count == 0) {
        command_help(NULL, stdout);
        return EXIT_OK;
    }
    if (command->count == 1 && command_next_of(command->arguments[0], NULL) != NULL) {
        help_group(command->arguments[0], stdout);
        return EXIT_OK;
    }
    /* By the parser's own words for a verb that there is not. */
    struct command about;
    char message[256], *argv[5] = {"weir"};
    for (unsigned i = 0; i < command->count; i++)
        argv[1 + i] = command->arguments[i];
    argv[1 + command->count] = "--help";
    bool good = command_parse((int)command->count + 2, argv, &about, message, sizeof message);
    if (good && about.count > 0)
        snprintf(message, sizeof message, "there is no verb \"%s %s\"", command->arguments[0], about.arguments[0]);
    if (!good || about.count > 0) {
        fprintf(stderr, "weir: %s\n", message);
        return EXIT_USAGE;
    }
    command_help(about.verb, stdout);
    return EXIT_OK;
}
