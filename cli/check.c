#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/plan.h"
#include "cli/registry.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "config/config.h"

/* Findings are what was asked for: stdout. */
static bool wants_colour(void)
{
    const char *no_color = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) == 1 && (no_color == NULL || no_color[0] == '\0');
}

static void say_good(const char *file, const struct config *config, bool json)
{
    char plan[512];
    plan_describe(config, plan, sizeof plan);
    if (!json) {
        printf("%s: good: %s: %s\n", file, config->service, plan);
        return;
    }
    fputs("{\"file\": ", stdout);
    text_json(stdout, file);
    fputs(", \"severity\": \"good\", \"service\": ", stdout);
    text_json(stdout, config->service);
    fputs(", \"pipeline\": ", stdout);
    text_json(stdout, plan);
    fputs("}\n", stdout);
}

static bool check_file(const char *file, bool json)
{
    struct config_report *report;
    const struct config *config = config_load(file, registry(), &report);
    if (json)
        config_report_print_json(report, stdout);
    else
        config_report_print(report, stdout, wants_colour());
    bool good = config != NULL;
    unsigned errors = config_report_errors(report);
    if (good)
        say_good(file, config, json);
    else if (!json)
        printf("%s: %u mistake%s\n", file, errors, errors == 1 ? "" : "s");
    config_report_free(report);
    config_free(config);
    return good;
}

enum exit_code verb_check(const struct command *command)
{
    bool good = true;
    for (unsigned i = 0; i < command->count; i++)
        good = check_file(command->arguments[i], command_has(command, OPTION_JSON)) && good;
    return good ? EXIT_OK : EXIT_CONFIG;
}
