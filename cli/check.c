#include <stdio.h>

#include "cli/live.h"
#include "cli/plan.h"
#include "cli/registry.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "config/config.h"
#include "config/probe.h"
#include "processor/clock.h"
#include "processor/log.h"

#define TIMEOUT (10 * CLOCK_SECOND)

struct check {
    bool json, live;
    int64_t timeout; /* ns, for each of the others */
};

static void say_good(const struct check *check, const char *file, const struct config *config)
{
    char text[512] = "";
    struct plan *plan = plan_new(config, &(struct plan_changes){0});
    if (plan != NULL)
        plan_describe(plan, text, sizeof text);
    plan_free(plan);
    if (!check->json) {
        printf("%s: good: %s: %s%s\n", file, config->service, text, check->live ? "; all of it answers" : "");
        return;
    }
    fputs("{\"file\": ", stdout);
    text_json(stdout, file);
    fputs(", \"severity\": \"good\", \"service\": ", stdout);
    text_json(stdout, config->service);
    fputs(", \"pipeline\": ", stdout);
    text_json(stdout, text);
    fputs(check->live ? ", \"live\": true}\n" : "}\n", stdout);
}

static void say_bad(const char *file, unsigned mistakes, unsigned unreachable)
{
    printf("%s: ", file);
    if (mistakes > 0)
        printf("%u mistake%s", mistakes, mistakes == 1 ? "" : "s");
    if (unreachable > 0)
        printf("%s%u out of reach", mistakes > 0 ? ", " : "", unreachable);
    putchar('\n');
}

static enum exit_code check_file(const struct check *check, const char *file)
{
    struct config_report *report;
    const struct config *config = config_load(file, registry(), &report);
    struct probe probe = {.report = report};
    if (config != NULL)
        live_check_stages(config, &probe);
    if (config != NULL && check->live)
        live_check_connectors(config, check->timeout, &probe);
    if (check->json)
        config_report_print_json(report, stdout);
    else
        config_report_print(report, stdout, text_wants_colour(stdout));
    unsigned errors = config_report_errors(report);
    if (config != NULL && errors == 0)
        say_good(check, file, config);
    else if (!check->json)
        say_bad(file, errors - probe.unreachable, probe.unreachable);
    config_report_free(report);
    config_free(config);
    return errors == 0 ? EXIT_OK : errors > probe.unreachable ? EXIT_CONFIG : EXIT_UNAVAILABLE;
}

/* A mistake says more than what is out of reach; the codes are in that order. */
_Static_assert(EXIT_OK < EXIT_UNAVAILABLE && EXIT_UNAVAILABLE < EXIT_CONFIG, "the worst is the highest");

enum exit_code verb_check(const struct command *command)
{
    struct check check = {
        .json = command_has(command, OPTION_JSON),
        .live = command_has(command, OPTION_LIVE),
        .timeout = command_duration(command, OPTION_TIMEOUT, TIMEOUT),
    };
    enum exit_code worst = EXIT_OK;
    /* What the clients say of themselves is in the findings, as far as it matters. */
    log_set(command_has(command, OPTION_VERBOSE) ? LOG_DEBUG : LOG_ERROR, false);
    for (unsigned i = 0; i < command->count; i++) {
        enum exit_code code = check_file(&check, command->arguments[i]);
        worst = code > worst ? code : worst;
    }
    log_flush();
    return worst;
}
