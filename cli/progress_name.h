/* Under which name the progress of a command is kept. */
#ifndef WEIR_CLI_PROGRESS_NAME_H
#define WEIR_CLI_PROGRESS_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/command.h"

enum { PROGRESS_NAME_SIZE = 80 };

/*
 * `given`, and behind it a word that is made of those of the options `asked` (OPTION_NONE ends them) that the command has: the same command goes on where the last one
 * ended, and one that asks for something else has a progress of its own, as what one passed over the other may want.
 */
void progress_name(const struct command *command, const char *given, const enum option_id *asked,
                   char name[PROGRESS_NAME_SIZE]);

/*
 * Of the command's own --name, with `prefix` before it, which tells the verbs apart. `asking` is the command, with one value for what can be said in several
 * ways; the command itself is looked at for what is wrong with its options. False: the message says what, of the name as it was given.
 */
bool progress_name_given(const struct command *command, const char *prefix, const struct command *asking,
                         const enum option_id *asked, char name[PROGRESS_NAME_SIZE], char *message,
                         size_t size) WARN_UNUSED;

#endif
