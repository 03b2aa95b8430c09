#include "cli/load.h"

#include <stdio.h>

#include "cli/registry.h"
#include "config/config.h"
#include "processor/log.h"

static void set_log(const struct config *config, const struct command *command)
{
    enum log_level level = (enum log_level)config->log_level;
    if (command_has(command, OPTION_QUIET))
        level = LOG_WARN;
    if (command_has(command, OPTION_VERBOSE))
        level = LOG_DEBUG;
    log_set(level, config->log_json || command_has(command, OPTION_JSON));
}

const struct config *load_config(const char *file, const struct command *command)
{
    struct config_report *report;
    const struct config *config = config_load(file, registry(), &report);
    if (config != NULL)
        set_log(config, command);
    if (config == NULL || !command_has(command, OPTION_QUIET))
        config_report_print(report, stderr, progress_colour());
    config_report_free(report);
    return config;
}

enum progress_mode load_progress_mode(const struct command *command)
{
    const char *given = command->values[OPTION_PROGRESS];
    if (given == NULL && command_has(command, OPTION_QUIET))
        return PROGRESS_NEVER;
    return progress_mode_of(given);
}
