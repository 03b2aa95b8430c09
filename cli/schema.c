#include <stdio.h>

#include "cli/registry.h"
#include "cli/verbs.h"
#include "config/config.h"

enum exit_code verb_schema(const struct command *command)
{
    (void)command;
    config_schema(registry(), stdout);
    return EXIT_OK;
}
