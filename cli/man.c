/* The man page, out of the table of verbs: roff, of man(7)'s macros. */
#include <string.h>

#include "version.h"
#include "cli/command.h"

/* Text as it is, whatever it begins with. A "-" that is to be typed must not become a hyphen. */
static void text(const char *words, FILE *out)
{
    bool begins = true;
    for (; *words != '\0'; words++) {
        if (begins && (*words == '.' || *words == '\''))
            fputs("\\&", out);
        if (*words == '\\')
            fputs("\\e", out);
        else if (*words == '-')
            fputs("\\-", out);
        else if (*words == '`')
            fputs("\\`", out);
        else if (*words == '\'')
            fputs("\\(aq", out);
        else
            putc(*words, out);
        begins = *words == '\n';
    }
}

/* Lines that stay lines. */
static void lines(const char *words, FILE *out)
{
    fputs(".PP\n.nf\n", out);
    text(words, out);
    fputs(".fi\n", out);
}

static void write_option(const struct option *option, FILE *out)
{
    fputs(".TP\n\\fB", out);
    if (option->letter != 0)
        fprintf(out, "\\-%c\\fR, \\fB", option->letter);
    text("--", out);
    text(option->name, out);
    fputs("\\fR", out);
    if (option->value != NULL)
        fprintf(out, " \\fI%s\\fR", option->value);
    putc('\n', out);
    text(option->help, out);
    for (const char *const *choice = option->choices; choice != NULL && *choice != NULL; choice++) {
        fputs(choice == option->choices ? " (" : ", ", out);
        text(*choice, out);
        fputs(choice[1] == NULL ? ")" : "", out);
    }
    putc('\n', out);
}

static void write_verb(const struct verb *verb, FILE *out)
{
    fprintf(out, ".SS \"weir %s%s%s\"\n", verb->name, verb->arguments[0] != '\0' ? " " : "", verb->arguments);
    text(verb->help, out);
    fputs(".\n", out);
    for (const struct option *option = verb->options; option->id != OPTION_NONE; option++)
        write_option(option, out);
    if (verb->details != NULL)
        lines(verb->details, out);
    if (verb->examples != NULL) {
        fputs(".PP\nExamples:\n", out);
        lines(verb->examples, out);
    }
}

void command_man(FILE *out)
{
    fprintf(out,
            ".TH WEIR 1 \"\" \"weir %s\" \"User Commands\"\n"
            ".SH NAME\nweir \\- consume Kafka topics, decode, enrich and store their records\n"
            ".SH SYNOPSIS\n.B weir\n\\fIVERB\\fR [\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n"
            ".SH DESCRIPTION\nA service is one YAML file: where records come from, what is done with each, where they "
            "go.\nEvery record gets one verdict. Options may stand anywhere behind the verb, and \\fB\\-\\-\\fR ends "
            "them.\n"
            ".SH VERBS\n",
            WEIR_VERSION);
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++)
        write_verb(verb, out);
    fputs(".SH EXIT STATUS\n", out);
    for (const struct exit_words *exit = command_exits; exit->words != NULL; exit++) {
        fprintf(out, ".TP\n%d\n", (int)exit->code);
        text(exit->words, out);
        putc('\n', out);
    }
    fputs(".SH ENVIRONMENT\n.TP\nNO_COLOR\nWhen it is set and not empty, nothing is coloured.\n", out);
}
