/* What makes a shell complete weir's command line, out of the table of verbs; and the verb that prints it. */
#include <string.h>

#include "cli/command.h"
#include "cli/verbs.h"

/* What a word of the line can be. */
enum { WORD_SIZE = 32 };
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
    if (strncmp(verb->arguments, "FILE", 4) == 0 || strncmp(verb->arguments, "PATH", 4) == 0)
        return KIND_FILE;
    return strcmp(verb->arguments, "[VERB]") == 0 ? KIND_VERB : KIND_NONE;
}

static void words(const char *const *list, FILE *out)
{
    for (const char *const *word = list; *word != NULL; word++)
        fprintf(out, "%s%s", word == list ? "" : " ", *word);
}

/* Each first word once. */
static void verb_words(FILE *out)
{
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        if (verb_is_first_of_word(verb))
            fprintf(out, "%s%.*s", verb == command_verbs ? "" : " ", (int)verb_word(verb), verb->name);
    }
}

static void second_words(const char *word, const char *separator, FILE *out)
{
    for (const struct verb *verb = NULL; (verb = command_next_of(word, verb)) != NULL;)
        fprintf(out, "%s%s", verb == command_next_of(word, NULL) ? "" : separator, verb_second_word(verb));
}

/* The first words that want a second one: *verb NULL at first. Returns the word, NULL at the end. */
static const char *next_group(const struct verb **verb, char word[WORD_SIZE])
{
    const struct verb *at = *verb != NULL ? *verb + 1 : command_verbs;
    while (at->name != NULL && (verb_second_word(at) == NULL || !verb_is_first_of_word(at)))
        at++;
    if (at->name == NULL)
        return NULL;
    snprintf(word, WORD_SIZE, "%.*s", (int)verb_word(at), at->name);
    *verb = at;
    return word;
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
    fprintf(out, "    '%s')\n        options='", verb->name);
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

static void bash_groups(FILE *out)
{
    char word[WORD_SIZE];
    for (const struct verb *verb = NULL; next_group(&verb, word) != NULL;) {
        fprintf(out, "    if [[ $verb == %s ]]; then\n        if ((COMP_CWORD == 2)); then\n            ", word);
        fputs("mapfile -t COMPREPLY < <(compgen -W '", out);
        second_words(word, " ", out);
        fputs("' -- \"$word\")\n            return\n        fi\n        verb+=\" ${COMP_WORDS[2]}\"\n    fi\n", out);
    }
}

static void bash(FILE *out)
{
    /* bash takes "=" for a word of its own. */
    fputs("# bash completion for weir\n"
          "_weir() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} options=\n"
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
    fputs("\n        return\n    fi\n", out);
    bash_groups(out);
    fputs("    case $verb in\n", out);
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

/* A first word of the line, and what it is for. */
static void zsh_word(const struct verb *verb, FILE *out)
{
    char word[WORD_SIZE];
    snprintf(word, sizeof word, "%.*s", (int)verb_word(verb), verb->name);
    fprintf(out, "        '%s:", word);
    if (verb_second_word(verb) != NULL)
        second_words(word, ", ", out);
    else
        quoted(verb->help, ZSH_QUOTE, ":\\", out);
    fputs("'\n", out);
}

static void zsh_groups(FILE *out)
{
    char word[WORD_SIZE];
    for (const struct verb *verb = NULL; next_group(&verb, word) != NULL;) {
        fprintf(out, "    if [[ $verb == %s ]]; then\n        verbs=(\n", word);
        for (const struct verb *second = NULL; (second = command_next_of(word, second)) != NULL;) {
            fprintf(out, "            '%s:", verb_second_word(second));
            quoted(second->help, ZSH_QUOTE, ":\\", out);
            fputs("'\n", out);
        }
        fputs("        )\n"
              "        if ((CURRENT == 2)); then\n"
              "            _describe -t verbs verb verbs\n"
              "            return\n"
              "        fi\n"
              "        verb+=\" $words[2]\"\n"
              "        shift words\n"
              "        ((CURRENT--))\n"
              "    fi\n",
              out);
    }
}

static void zsh_verb(const struct verb *verb, FILE *out)
{
    fprintf(out, "    '%s')\n        _arguments -s", verb->name);
    for (const struct option *option = verb->options; option->id != OPTION_NONE; option++)
        zsh_option(option, out);
    if (verb->most > 0) {
        fprintf(out, " \\\n            '%s:%s:", verb->most == 1 ? "1" : "*", verb->most == 1 ? "argument" : "file");
        zsh_action(kind_of_argument(verb), verb->choices, out);
        putc('\'', out);
    }
    fputs("\n        ;;\n", out);
}

static void zsh(FILE *out)
{
    fputs("#compdef weir\n"
          "_weir() {\n"
          "    local -a verbs=(\n",
          out);
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        if (verb_is_first_of_word(verb))
            zsh_word(verb, out);
    }
    fputs("    )\n"
          "    if ((CURRENT == 2)); then\n"
          "        _describe -t verbs verb verbs\n"
          "        return\n"
          "    fi\n"
          "    local verb=$words[2]\n"
          "    shift words\n"
          "    ((CURRENT--))\n",
          out);
    zsh_groups(out);
    fputs("    case $verb in\n", out);
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++)
        zsh_verb(verb, out);
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

/* When the words before are those of the verb. */
static void fish_seen(const struct verb *verb, FILE *out)
{
    fprintf(out, "complete -c weir -n '__fish_seen_subcommand_from %.*s", (int)verb_word(verb), verb->name);
    if (verb_second_word(verb) != NULL)
        fprintf(out, "; and __fish_seen_subcommand_from %s", verb_second_word(verb));
    putc('\'', out);
}

/* The words by which a verb is called. */
static void fish_words(const struct verb *verb, FILE *out)
{
    char word[WORD_SIZE];
    const char *second = verb_second_word(verb);
    snprintf(word, sizeof word, "%.*s", (int)verb_word(verb), verb->name);
    if (second == NULL) {
        fprintf(out, "complete -c weir -n __fish_use_subcommand -a %s", word);
        fish_description(verb->help, out);
        return;
    }
    if (verb_is_first_of_word(verb)) {
        fprintf(out, "complete -c weir -n __fish_use_subcommand -a %s -d '", word);
        second_words(word, ", ", out);
        fputs("'\n", out);
    }
    fprintf(out, "complete -c weir -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from ", word);
    second_words(word, " ", out);
    fprintf(out, "' -a %s", second);
    fish_description(verb->help, out);
}

static void fish(FILE *out)
{
    fputs("# fish completion for weir\ncomplete -c weir -f\n", out);
    for (const struct verb *verb = command_verbs; verb->name != NULL; verb++) {
        fish_words(verb, out);
        for (const struct option *option = verb->options; option->id != OPTION_NONE; option++) {
            fish_seen(verb, out);
            fprintf(out, " -l %s", option->name);
            if (option->letter != 0)
                fprintf(out, " -s %c", option->letter);
            if (option->value != NULL) {
                fputs(" -r", out);
                fish_kind(kind_of_value(option), option->choices, out);
            }
            fish_description(option->help, out);
        }
        if (verb->most > 0) {
            fish_seen(verb, out);
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
