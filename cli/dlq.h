/* What the verbs of `weir dlq` do alike. */
#ifndef WEIR_CLI_DLQ_H
#define WEIR_CLI_DLQ_H

#include "cli/command.h"
#include "cli/letter_filter.h"
#include "cli/letter_reader.h"
#include "cli/stretch_options.h"

/* --stage, --class */
struct letter_filter dlq_filter(const struct command *command);
/* Loads the config, opens its letters, calls `with`, and puts all away. */
enum exit_code dlq_with_letters(const struct command *command, const char *what,
                                enum exit_code (*with)(const struct command *command,
                                                       const struct letter_reader *reader));
/* Finds and reads what the options and the filter say. Says what is wrong on stderr. */
enum exit_code dlq_read(const struct letter_reader *reader, const struct stretch_options *options,
                        struct letter_filter *filter,
                        bool (*visit)(const struct batch *batch, const struct record *record, void *arg), void *arg);

#endif
