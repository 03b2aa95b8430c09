/* What makes a shell complete weir's command line, out of the table of verbs; and the verb that prints it. */
#include <string.h>

#include "cli/command.h"
#include "cli/verbs.h"

/* What a word of the line can be. */
enum kind { KIND_NONE, KIND_FILE, KIND_DIR, KIND_VERB, KIND_CHOICE };

static enum kind kind_of_value(const struct option *option)
{
    if (option->value == NULL)
        return KIND_NONE;
    if (option->choices != NULL)
        return KIND_CHOICE;
    return strcmp(option->value, "FILE") == 0 ? KIND_FILE : strcmp(option->value, "DIR") == 0 ? KIND_DIR : KIND_NONE;
}

static enum kind kind_of_argument(const struct verb *verb)
{
    if (verb->choices != NULL)
        return KIND_CHOICE;
    if (strncmp(verb->arguments, "FILE", 4) == 0)
        return KIND_FILE;
    return strcmp(verb->arguments, "[VERB]") == 0 ? KIND_VERB : KIND_NONE;
}

static void words(const char *const *list, FILE *out)
{
    for (const char *const *word = list; *word != NULL; word++)
        fprintf(out, "%s%s", word == list ? "" : " ", *word);
}

static void verb_words(FILE *out)
{
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++)
        fprintf(out, "%s%s", verb == command_verbs ? "" : " ", verb->name);
}

static void kind_words(enum kind kind, const char *const *choices, FILE *out)
{
    if (kind == KIND_VERB)
        verb_words(out);
    else if (kind == KIND_CHOICE)
        words(choices, out);
}

/* For between single quotes; each of `special` gets a backslash. */
static void quoted(const char *text, const char *quote, const char *special, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs(quote, out);
        else if (strchr(special, *text) != NULL)
            fprintf(out, "\\%c", *text);
        else
            putc(*text, out);
    }
}

/* -- bash -- */

static void bash_reply(enum kind kind, const char *const *choices, FILE *out)
{
    if (kind == KIND_FILE || kind == KIND_DIR) {
        fprintf(out, "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -%c -- \"$word\")",
                kind == KIND_FILE ? 'f' : 'd');
    } else if (kind == KIND_NONE) {
        putc(':', out);
    } else {
        fputs("mapfile -t COMPREPLY < <(compgen -W '", out);
        kind_words(kind, choices, out);
        fputs("' -- \"$word\")", out);
    }
}

static void bash_verb(const struct verb *verb, FILE *out)
{
    fprintf(out, "    %s)\n        options='", verb->name);
    for (const struct option *option = verb->options; option->id != OPTION_NONE; option++) {
        fprintf(out, "%s--%s", option == verb->options ? "" : " ", option->name);
        if (option->letter != 0)
            fprintf(out, " -%c", option->letter);
    }
    fputs("'\n        case $before in\n", out);
    for (const struct option *option = verb->options; option->id != OPTION_NONE; option++) {
        if (option->value == NULL)
            continue;
        fprintf(out, "        --%s", option->name);
        if (option->letter != 0)
            fprintf(out, " | -%c", option->letter);
        fputs(") ", out);
        bash_reply(kind_of_value(option), option->choices, out);
        fputs("; return ;;\n", out);
    }
    fputs("        esac\n        [[ $word == -* ]] || { ", out);
    bash_reply(kind_of_argument(verb), verb->choices, out);
    fputs("; return; }\n        ;;\n", out);
}

static void bash(FILE *out)
{
    /* bash takes "=" for a word of its own. */
    fputs("# bash completion for weir\n"
          "_weir() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options=\n"
          "    COMPREPLY=()\n"
          "    if [[ $word == = ]]; then\n"
          "        word=\n"
          "    elif [[ $before == = ]]; then\n"
          "        before=${COMP_WORDS[COMP_CWORD-2]}\n"
          "    fi\n"
          "    if ((COMP_CWORD == 1)); then\n"
          "        ",
          out);
    bash_reply(KIND_VERB, NULL, out);
    fputs("\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n", out);
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++)
        bash_verb(verb, out);
    fputs("    esac\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
          "}\n"
          "complete -F _weir weir\n",
          out);
}

/* -- zsh -- */

static const char ZSH_QUOTE[] = "'\\''";

static void zsh_action(enum kind kind, const char *const *choices, FILE *out)
{
    switch (kind) {
    case KIND_FILE:
        fputs("_files", out);
        break;
    case KIND_DIR:
        fputs("_files -/", out);
        break;
    case KIND_VERB:
    case KIND_CHOICE:
        putc('(', out);
        kind_words(kind, choices, out);
        putc(')', out);
        break;
    case KIND_NONE:
        putc(' ', out);
    }
}

static void zsh_option(const struct option *option, FILE *out)
{
    const char *equals = option->value != NULL ? "=" : "";
    /* Braces make two of it: -q'[...]' and --quiet'[...]'. */
    if (option->letter != 0)
        fprintf(out, " \\\n            '(-%c --%s)'{-%c%s,--%s%s}'[", option->letter, option->name, option->letter,
                option->value != NULL ? "+" : "", option->name, equals);
    else
        fprintf(out, " \\\n            '--%s%s[", option->name, equals);
    quoted(option->help, ZSH_QUOTE, "[]\\", out);
    putc(']', out);
    if (option->value != NULL) {
        fprintf(out, ":%s:", option->value);
        zsh_action(kind_of_value(option), option->choices, out);
    }
    putc('\'', out);
}

static void zsh(FILE *out)
{
    fputs("#compdef weir\n"
          "_weir() {\n"
          "    local -a verbs=(\n",
          out);
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        fprintf(out, "        '%s:", verb->name);
        quoted(verb->help, ZSH_QUOTE, ":\\", out);
        fputs("'\n", out);
    }
    fputs("    )\n"
          "    if ((CURRENT == 2)); then\n"
          "        _describe -t verbs verb verbs\n"
          "        return\n"
          "    fi\n"
          "    local verb=$words[2]\n"
          "    shift words\n"
          "    ((CURRENT--))\n"
          "    case $verb in\n",
          out);
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        fprintf(out, "    %s)\n        _arguments -s", verb->name);
        for (const struct option *option = verb->options; option->id != OPTION_NONE; option++)
            zsh_option(option, out);
        if (verb->most > 0) {
            fprintf(out, " \\\n            '%s:%s:", verb->most == 1 ? "1" : "*",
                    verb->most == 1 ? "argument" : "file");
            zsh_action(kind_of_argument(verb), verb->choices, out);
            putc('\'', out);
        }
        fputs("\n        ;;\n", out);
    }
    fputs("    esac\n"
          "}\n"
          "if [[ $funcstack[1] == _weir ]]; then\n"
          "    _weir \"$@\"\n"
          "else\n"
          "    compdef _weir weir\n"
          "fi\n",
          out);
}

/* -- fish -- */

static void fish_description(const char *help, FILE *out)
{
    fputs(" -d '", out);
    quoted(help, "\\'", "\\", out);
    fputs("'\n", out);
}

static void fish_kind(enum kind kind, const char *const *choices, FILE *out)
{
    if (kind == KIND_FILE) {
        fputs(" -F", out);
    } else if (kind == KIND_DIR) {
        fputs(" -f -a '(__fish_complete_directories)'", out);
    } else if (kind == KIND_VERB || kind == KIND_CHOICE) {
        fputs(" -f -a '", out);
        kind_words(kind, choices, out);
        putc('\'', out);
    } else {
        fputs(" -f", out);
    }
}

static void fish(FILE *out)
{
    fputs("# fish completion for weir\ncomplete -c weir -f\n", out);
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        fprintf(out, "complete -c weir -n __fish_use_subcommand -a %s", verb->name);
        fish_description(verb->help, out);
        for (const struct option *option = verb->options; option->id != OPTION_NONE; option++) {
            fprintf(out, "complete -c weir -n '__fish_seen_subcommand_from %s' -l %s", verb->name, option->name);
            if (option->letter != 0)
                fprintf(out, " -s %c", option->letter);
            if (option->value != NULL) {
                fputs(" -r", out);
                fish_kind(kind_of_value(option), option->choices, out);
            }
            fish_description(option->help, out);
        }
        if (verb->most > 0) {
            fprintf(out, "complete -c weir -n '__fish_seen_subcommand_from %s'", verb->name);
            fish_kind(kind_of_argument(verb), verb->choices, out);
            putc('\n', out);
        }
    }
}

/* -- the verb -- */

bool command_completion(const char *shell, FILE *out)
{
    if (strcmp(shell, "bash") == 0)
        bash(out);
    else if (strcmp(shell, "zsh") == 0)
        zsh(out);
    else if (strcmp(shell, "fish") == 0)
        fish(out);
    else
        return false;
    return true;
}

enum exit_code verb_completion(const struct command *command)
{
    if (command_completion(command->arguments[0], stdout))
        return EXIT_OK;
    fprintf(stderr, "weir completion: bash, zsh or fish, not \"%s\"\n", command->arguments[0]);
    return EXIT_USAGE;
}
