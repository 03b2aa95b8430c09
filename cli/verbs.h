/* What the verbs do: each in the file of its name. stdout is for what was asked for, stderr for everything else. */
#ifndef WEIR_CLI_VERBS_H
#define WEIR_CLI_VERBS_H

#include "cli/command.h"

enum exit_code verb_run(const struct command *command);
enum exit_code verb_replay(const struct command *command);
enum exit_code verb_archive(const struct command *command);
enum exit_code verb_check(const struct command *command);
enum exit_code verb_test(const struct command *command);
enum exit_code verb_lag(const struct command *command);
enum exit_code verb_dlq_list(const struct command *command);
enum exit_code verb_dlq_show(const struct command *command);
enum exit_code verb_dlq_redrive(const struct command *command);
enum exit_code verb_tap(const struct command *command);
enum exit_code verb_top(const struct command *command);
enum exit_code verb_schema(const struct command *command);
enum exit_code verb_demo(const struct command *command);
enum exit_code verb_completion(const struct command *command);
enum exit_code verb_version(const struct command *command);
enum exit_code verb_help(const struct command *command);

#endif
