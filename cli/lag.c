/* `weir lag`: looks at the offsets for a while, and says how far the service is behind. */
#include <stdio.h>

#include "cli/lag_view.h"
#include "cli/registry.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "config/config.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/lag.h"
#include "processor/log.h"

#define TIMEOUT (10 * CLOCK_SECOND)
#define EVERY (5 * CLOCK_SECOND)

struct watch {
    const struct source_lag *source;
    void *lag; /* of the source */
    int64_t timeout, span, every;
};

static enum status look(const struct watch *watch, struct lag_view *view, struct error *error)
{
    struct context *context = context_new(NULL, clock_now() + watch->timeout);
    CHECK(context != NULL);
    enum status status = watch->source->look(watch->lag, &view->report, context, error);
    view->looks += status == STATUS_OK;
    context_free(context);
    return status;
}

/* A look that fails in the middle leaves a gap in the window; the one that counts is the last. */
static enum status look_for_a_while(const struct watch *watch, struct lag_view *view, struct error *error)
{
    int64_t began = clock_now(), next = began;
    struct context *context = context_new(NULL, CLOCK_NEVER);
    CHECK(context != NULL);
    enum status status = look(watch, view, error);
    bool answered = status == STATUS_OK;
    while (answered && next - began < watch->span && error->class != ERROR_FATAL) {
        next += watch->every;
        /* The end of the window is looked at in any case. */
        if (next - began > watch->span)
            next = began + watch->span;
        if (context_sleep(context, next > clock_now() ? next - clock_now() : 0) != STATUS_OK)
            break;
        *error = (struct error){0};
        status = look(watch, view, error);
        if (status != STATUS_OK)
            fprintf(stderr, "weir lag: %s\n", error->text);
    }
    context_free(context);
    view->window = clock_now() - began;
    return status;
}

static void date(const struct watch *watch, struct lag_view *view)
{
    struct context *context = context_new(NULL, clock_now() + watch->timeout);
    CHECK(context != NULL);
    watch->source->date(watch->lag, &view->report, context);
    context_free(context);
    view->at = clock_wall_ms();
}

static bool store_keeps_offsets(const struct config *config)
{
    return config->delivery == DELIVERY_EXACTLY_ONCE && config->store_count == 1 &&
           config->stores[0].type->offsets != NULL && config->stores[0].type->offsets->read != NULL;
}

static enum exit_code show(const struct command *command, const struct lag_view *view)
{
    if (command_has(command, OPTION_JSON))
        lag_view_json(view, stdout);
    else
        lag_view_table(view, text_wants_colour(stdout), stdout);
    if (lag_view_worst(view) >= LAG_STALL)
        return EXIT_FAILED;
    return view->report.problem_count > 0 ? EXIT_UNAVAILABLE : EXIT_OK;
}

static enum exit_code watch_config(const struct command *command, const struct config *config)
{
    struct watch watch = {
        .source = config->source_type->lag,
        .timeout = command_duration(command, OPTION_TIMEOUT, TIMEOUT),
        .span = command_duration(command, OPTION_FOR, 0),
        .every = command_duration(command, OPTION_EVERY, EVERY),
    };
    struct lag_view view = {.config = config, .in_store = store_keeps_offsets(config)};
    const struct connector_env env = {
        .service = config->service, .name = config->source_type->name, .config_dir = config->dir};
    struct error error = {0};
    if (watch.source == NULL) {
        fprintf(stderr, "weir lag: the source %s has no offsets to look at\n", config->source_type->name);
        return EXIT_CONFIG;
    }
    enum exit_code code;
    enum status status = watch.source->open(config->source_config, &env, &watch.lag, &error);
    if (status == STATUS_OK)
        status = look_for_a_while(&watch, &view, &error);
    if (status == STATUS_OK) {
        date(&watch, &view);
        code = show(command, &view);
    } else {
        fprintf(stderr, "weir lag: %s\n", error.class != ERROR_NONE ? error.text : status_name(status));
        code = error.class == ERROR_FATAL ? EXIT_CONFIG : EXIT_UNAVAILABLE;
    }
    watch.source->close(watch.lag);
    lag_fini(&view.report);
    return code;
}

enum exit_code verb_lag(const struct command *command)
{
    struct config_report *report;
    const struct config *config = config_load(command->arguments[0], registry(), &report);
    enum exit_code code = EXIT_CONFIG;
    if (config == NULL || config_report_errors(report) > 0)
        config_report_print(report, stderr, text_wants_colour(stderr));
    log_set(command_has(command, OPTION_VERBOSE) ? LOG_DEBUG : LOG_ERROR, false);
    if (config != NULL)
        code = watch_config(command, config);
    log_flush();
    config_report_free(report);
    config_free(config);
    return code;
}
