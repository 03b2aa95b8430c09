/* What the verbs that run a config do alike: load it, say what is wrong with it, and set the log as config and options say. */
#ifndef WEIR_CLI_LOAD_H
#define WEIR_CLI_LOAD_H

#include "cli/command.h"
#include "cli/progress.h"

struct config;

/* NULL: has mistakes, which are on stderr. The caller frees it (config_free). */
const struct config *load_config(const char *file, const struct command *command);
/* --progress; --quiet is never, unless asked for. */
enum progress_mode load_progress_mode(const struct command *command);

#endif
