/*
 * The command line: what verbs and options there are, and what was given. One table (verbs.c) drives parsing, help, the man page, the completion of shells and "did you mean".
 */
#ifndef WEIR_CLI_COMMAND_H
#define WEIR_CLI_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/exit.h"
#include "processor/status.h"

enum option_id {
    OPTION_NONE = 0,
    OPTION_HELP,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_VERBOSE,
    OPTION_PROGRESS,
    OPTION_EXIT_AT_END,
    OPTION_RECEIPT,
    OPTION_RECORDS,
    OPTION_DIR,
    OPTION_KEEP,
    OPTION_LIVE,
    OPTION_JUNIT,
    OPTION_FILTER,
    OPTION_TIMEOUT,
    OPTION_FOR,
    OPTION_EVERY,
    OPTION_MAN,
    OPTION_FROM,
    OPTION_TO,
    OPTION_PARTITIONS,
    OPTION_KEY,
    OPTION_WHERE,
    OPTION_LATE,
    OPTION_NAME,
    OPTION_RATE,
    OPTION_SPEED,
    OPTION_MAX_RECORDS,
    OPTION_EXECUTE,
    OPTION_STORE,
    OPTION_DRY_RUN_STORE,
    OPTION_ADMIN,
    OPTION_STAGE,
    OPTION_CLASS,
    OPTION_LAST,
    OPTION_HEX,
    OPTION_RAW,
    OPTION_TO_SOURCE,
    OPTION_MAX_ATTEMPTS,
    OPTION_SAMPLE,
    OPTION_ANSWER,
    OPTION_LIMIT,
    OPTION_ONCE,
    OPTION_FORMAT,
    OPTION_SEGMENT,
    OPTION_LEVEL,
    OPTION_LIST,
    OPTION_VERIFY,
    OPTION_FROM_ARCHIVE,
    OPTION_INTO_TOPIC,
    OPTION_SAME_TOPIC,
    OPTION_COUNT,
};

struct option {
    enum option_id id; /* OPTION_NONE ends a list */
    char letter;       /* 0: none */
    bool number;       /* its value is a whole number from 1 on */
    bool duration;     /* its value is a duration as in configs, not 0 */
    const char *name;
    const char *value; /* what the value is called in help; NULL: a flag */
    const char *help;
    const char *const *choices; /* the values that there are, NULL-terminated; NULL: any */
    bool several;               /* of choices, with commas between */
};

struct command;

struct verb {
    const char *name;      /* one word, or two ("dlq list"): those of the same first word stand beside each other */
    const char *arguments; /* as help shows them; "" none */
    unsigned least, most;  /* of them */
    const char *const *choices; /* what an argument can be, NULL-terminated; NULL: see `arguments` */
    const char *help;           /* one line */
    const char *details;        /* paragraphs for `weir help VERB`; NULL: none */
    const char *examples;       /* lines; NULL: none */
    const struct option *options;
    enum exit_code (*run)(const struct command *command);
};

struct command {
    const struct verb *verb;
    const char *values[OPTION_COUNT]; /* NULL: not given; "" for flags */
    char *const *arguments;
    unsigned count;
};

struct exit_words {
    enum exit_code code;
    const char *words; /* NULL ends the list */
};

extern const struct verb command_verbs[]; /* name NULL ends it */
extern const struct exit_words command_exits[];

/*
 * Parses argv, which it permutes: options may stand anywhere behind the verb, "--" ends them; `--help` and `--version` instead of a verb are the
 * verbs of these names. False: message says what is wrong, and ret->verb which verb it was about (NULL: none).
 */
bool command_parse(int argc, char **argv, struct command *ret, char *message, size_t size) WARN_UNUSED;
static inline bool command_has(const struct command *command, enum option_id id)
{
    return command->values[id] != NULL;
}
/* Of an option that is a duration: ns. */
int64_t command_duration(const struct command *command, enum option_id id, int64_t otherwise);
/* The name of an option that was given and is not among these (OPTION_NONE ends them); NULL: there is none. */
const char *command_besides(const struct command *command, const enum option_id *these);
const struct verb *command_find(const char *name); /* NULL: no such verb */
/* The next verb with this first word and a second one; NULL: none behind `from` (NULL: at all). */
const struct verb *command_next_of(const char *word, const struct verb *from);
size_t verb_word(const struct verb *verb);             /* the size of the first word */
const char *verb_second_word(const struct verb *verb); /* NULL: it has one only */
bool verb_is_first_of_word(const struct verb *verb);

/* The page of the program (verb NULL) or of one verb. */
void command_help(const struct verb *verb, FILE *out);
/* The same for man(1), of all verbs, as roff. */
void command_man(FILE *out);
/* The script by which a shell completes the command line. False: no such shell. */
bool command_completion(const char *shell, FILE *out) WARN_UNUSED;

#endif
