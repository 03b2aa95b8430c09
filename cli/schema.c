#include <stdio.h>
#include <string.h>

#include "cli/registry.h"
#include "cli/verbs.h"
#include "config/config.h"
#include "scenario/spec.h"

enum exit_code verb_schema(const struct command *command)
{
    const char *kind = command->count > 0 ? command->arguments[0] : "config";
    if (strcmp(kind, "test") == 0) {
        spec_schema(stdout);
    } else if (strcmp(kind, "config") == 0) {
        config_schema(registry(), stdout);
    } else {
        fprintf(stderr, "weir schema: expected config or test, found \"%s\"\n", kind);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}
