#include "cli/stretch_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/attendant.h"
#include "cli/dry_run.h"
#include "cli/load.h"
#include "cli/service.h"
#include "cli/stretch_options.h"
#include "cli/stretch_view.h"
#include "config/config.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/log.h"
#include "processor/stretch.h"

#define TIMEOUT (30 * CLOCK_SECOND)

struct run {
    const struct command *command;
    const struct config *config;
    const struct stretch_job *job;
    struct stretch_options *options;
    struct stretch_request request;
    struct stretch *stretch;
    char service[256];
    struct pipeline_store *stores, *dry_stores; /* what it goes to, and what stands in for that */
    struct stretch_view_store *views;
    unsigned store_count;
    struct source_type dry_home; /* dry run: the config's source, but for its dead letters */
    struct plan_changes changes;
};

static void say(const struct run *run, const char *text)
{
    fprintf(stderr, "weir %s: %s\n", run->command->verb->name, text);
}

static bool is_dry(const struct run *run)
{
    return command_has(run->command, OPTION_DRY_RUN_STORE);
}

static const struct source_type *source_of(const struct run *run)
{
    return run->job->source_type != NULL ? run->job->source_type : run->config->source_type;
}

/* -- where it goes -- */

static bool is_named(const struct config_store *store, const char *name)
{
    return strcmp(store->name, name) == 0 || strcmp(store->type->name, name) == 0;
}

/* The store that --store names, by its name or (where it is the only one) its type; -1: message says what there is. */
static int find_store(const struct config *config, const char *name, char *message, size_t size)
{
    int found = -1;
    unsigned count = 0;
    for (uint32_t i = 0; i < config->store_count; i++) {
        if (strcmp(config->stores[i].name, name) == 0)
            return (int)i;
        if (is_named(&config->stores[i], name)) {
            found = (int)i;
            count++;
        }
    }
    if (count == 1)
        return found;
    int used = snprintf(message, size, "--store \"%s\": expected one of the stores of %s: ", name, config->file);
    for (uint32_t i = 0; i < config->store_count && used >= 0 && (size_t)used < size; i++)
        used += snprintf(message + used, size - (size_t)used, "%s%s", i == 0 ? "" : ", ", config->stores[i].name);
    return -1;
}

static bool take_stores(struct run *run, char *message, size_t size)
{
    const struct stretch_job *job = run->job;
    const struct config *config = run->config;
    const char *name = run->command->values[OPTION_STORE];
    int only = -1;
    if (name != NULL && (only = find_store(config, name, message, size)) < 0)
        return false;
    unsigned count = job->stores != NULL ? job->store_count : only >= 0 ? 1 : config->store_count;
    run->stores = calloc(count, sizeof *run->stores);
    run->dry_stores = calloc(count, sizeof *run->dry_stores);
    run->views = calloc(count, sizeof *run->views);
    CHECK(run->stores != NULL && run->dry_stores != NULL && run->views != NULL);
    run->store_count = count;
    for (unsigned i = 0; i < count; i++) {
        struct pipeline_store *store = &run->stores[i];
        *store = job->stores != NULL ? job->stores[i] : plan_store(config, only >= 0 ? (unsigned)only : i);
        run->views[i] = (struct stretch_view_store){.name = store->name,
                                                    .place = job->place,
                                                    .passes_over = job->passes_over,
                                                    .type = store->type->name,
                                                    .replaces = store->type->replaces != NULL &&
                                                                store->type->replaces(store->config)};
        run->dry_stores[i] = *store;
        run->dry_stores[i].type = &dry_store_type;
        run->dry_stores[i].config = store;
    }
    return true;
}

static void set_changes(struct run *run)
{
    const struct stretch_job *job = run->job;
    run->changes = (struct plan_changes){
        .service = run->service,
        .source_type = job->source_type,
        .source_config = job->source_config,
        .first_steps = job->first_steps,
        .first_step_count = job->first_step_count,
        .first_name = job->what,
        .no_stages = job->no_stages,
        .stores = is_dry(run) ? run->dry_stores : run->stores,
        .store_count = run->store_count,
    };
    if (is_dry(run)) {
        run->dry_home = *run->config->source_type;
        run->dry_home.open_dead_letter = dry_open_dead_letter;
        run->changes.home_type = &run->dry_home;
    }
}

/* -- what is asked for -- */

static enum exit_code prepare(struct run *run)
{
    char message[1024];
    const struct stretch_job *job = run->job;
    const char *port = run->command->values[OPTION_ADMIN];
    if (port != NULL && strtoll(port, NULL, 10) > UINT16_MAX) {
        snprintf(message, sizeof message, "--admin \"%s\": expected a port, up to %u", port, (unsigned)UINT16_MAX);
        say(run, message);
        return EXIT_USAGE;
    }
    run->options = stretch_options_read(run->command, clock_wall_ms(), message, sizeof message);
    if (run->options == NULL || !take_stores(run, message, sizeof message)) {
        say(run, message);
        return EXIT_USAGE;
    }
    run->request = *stretch_options_request(run->options);
    run->request.onward = job->onward;
    run->request.anywhere = job->time != NULL;
    run->request.ids = job->ids;
    snprintf(run->service, sizeof run->service, "%s.%s", run->config->service,
             run->request.progress != NULL ? run->request.progress : job->what);
    set_changes(run);
    if (command_has(run->command, OPTION_EXECUTE) && run->request.progress == NULL &&
        plan_is_exactly_once(run->config, &run->changes)) {
        say(run, "delivery is exactly_once: give it a --name, under which the store keeps its offsets");
        return EXIT_USAGE;
    }
    if (source_of(run)->stretch == NULL) {
        snprintf(message, sizeof message, "the source %s can't be read again", source_of(run)->name);
        say(run, message);
        return EXIT_CONFIG;
    }
    return EXIT_OK;
}

static enum exit_code find(struct run *run)
{
    const struct connector_env env = {
        .service = run->service, .name = source_of(run)->name, .config_dir = run->config->dir};
    struct error error = {0};
    struct context *context = context_new(NULL, clock_now() + command_duration(run->command, OPTION_TIMEOUT, TIMEOUT));
    CHECK(context != NULL);
    enum status status = source_of(run)->stretch->find(run->job->source_type != NULL ? run->job->source_config
                                                                                     : run->config->source_config,
                                                       &env, &run->request, &run->stretch, context, &error);
    context_free(context);
    log_flush();
    if (status == STATUS_OK) {
        stretch_options_apply(run->options, run->stretch);
        run->stretch->filter.time = run->job->time;
        run->stretch->filter.also = run->job->also;
        run->stretch->filter.also_arg = run->job->also_arg;
        return EXIT_OK;
    }
    say(run, error.class != ERROR_NONE ? error.text : status_name(status));
    return error.class == ERROR_FATAL ? EXIT_CONFIG : EXIT_UNAVAILABLE;
}

/* What people must know also when they do not want to see the plan. */
static void tell_notes(const struct stretch *stretch)
{
    for (unsigned i = 0; i < stretch->count; i++) {
        const struct stretch_part *part = &stretch->parts[i];
        if (part->note[0] != '\0')
            log_warn("stretch", "%s/%d: %s", part->topic, (int)part->partition, part->note);
    }
}

static void show_plan(const struct run *run)
{
    bool execute = command_has(run->command, OPTION_EXECUTE);
    FILE *out = execute ? stderr : stdout;
    log_flush();
    const struct stretch_view view = {
        .what = run->job->what,
        .service = run->service,
        .stretch = run->stretch,
        .key = run->command->values[OPTION_KEY],
        .where = run->command->values[OPTION_WHERE],
        .stores = run->views,
        .store_count = run->store_count,
        .exactly_once = plan_is_exactly_once(run->config, &run->changes),
        .dry_run = is_dry(run),
        .execute = execute,
    };
    if (command_has(run->command, OPTION_JSON))
        stretch_view_json(&view, out);
    else if (!execute || !command_has(run->command, OPTION_QUIET))
        stretch_view_table(&view, out);
    else
        tell_notes(run->stretch);
    /* What is logged afterwards comes afterwards also where both go into one pipe. */
    fflush(out);
}

/* -- doing it -- */

static enum progress_mode progress_mode(const struct command *command)
{
    enum progress_mode mode = load_progress_mode(command);
    return command_has(command, OPTION_JSON) && mode != PROGRESS_NEVER ? PROGRESS_JSON : mode;
}

static void say_how_to_go_on(const struct run *run)
{
    if (is_dry(run))
        return;
    if (run->stretch->progress != NULL)
        log_info("service", "to go on: the same command; it begins where this run ended");
    else
        log_warn("service", "no progress was kept, the same command starts over; with --name NAME it would go on");
}

/* --max-records ends a run where it is, which may be the stretch's end as well. */
static bool is_more(const struct stretch *stretch, const struct offsets *offsets)
{
    for (unsigned i = 0; stretch->max_records > 0 && i < stretch->count; i++) {
        const struct stretch_part *part = &stretch->parts[i];
        int64_t reached = offsets_get((struct offsets *)offsets, part->topic, part->partition);
        if (part->next < part->end && reached < part->end)
            return true;
    }
    return false;
}

static void tell_passed_over(const struct run *run, struct receipt *receipt)
{
    const struct stretch_job *job = run->job;
    /* In a dry run the stores are not there that would say it. */
    if (job->passed_over == NULL || (job->passes_over && is_dry(run)))
        return;
    receipt->filtered = !job->passes_over;
    receipt->kept = job->passes_over;
    receipt->passed_over = job->passed_over(job->arg);
}

static enum exit_code close_run(const struct run *run, struct receipt *receipt)
{
    const struct command *command = run->command;
    enum exit_code code = service_exit_code(receipt);
    const char *path = command->values[OPTION_RECEIPT];
    struct error error;
    receipt->of_stretch = true;
    receipt->more = is_more(run->stretch, receipt->offsets);
    receipt->dry_run = is_dry(run);
    tell_passed_over(run, receipt);
    if (run->job->passed_over_by != NULL)
        receipt->passed_over_by = run->job->passed_over_by(run->job->arg);
    if (receipt->status == STATUS_FAILED)
        log_error("service", "%s", receipt->error.text);
    if (code == EXIT_OK && receipt->stopped)
        code = EXIT_NOT_DRAINED;
    if (code != EXIT_OK)
        say_how_to_go_on(run);
    log_flush();
    if (command_has(command, OPTION_JSON))
        receipt_json(receipt, stderr);
    else if (!command_has(command, OPTION_QUIET))
        receipt_print(receipt, stderr);
    if (path != NULL && receipt_write(receipt, path, &error) != STATUS_OK) {
        log_error("service", "%s", error.text);
        return code == EXIT_OK ? EXIT_FAILED : code;
    }
    return code;
}

static enum exit_code execute(struct run *run)
{
    const char *path = run->command->values[OPTION_RECEIPT], *port = run->command->values[OPTION_ADMIN];
    struct service *service;
    struct receipt receipt;
    struct error error;
    if (path != NULL && receipt_probe(path, &error) != STATUS_OK) {
        log_error("service", "%s", error.text);
        return EXIT_FAILED;
    }
    /* A dry run takes nothing away from the real one. */
    if (is_dry(run))
        run->stretch->progress = NULL;
    run->changes.stretch = run->stretch;
    const struct service_options options = {
        .changes = run->changes,
        .progress = progress_mode(run->command),
        .admin_port = port != NULL ? (int)strtol(port, NULL, 10) : SERVICE_NO_ADMIN,
    };
    attendant_block_signals();
    if (service_new(run->config, &options, &service, &error) != STATUS_OK) {
        log_error("service", "%s", error.text);
        return EXIT_UNAVAILABLE;
    }
    service_run(service, &receipt);
    enum exit_code code = close_run(run, &receipt);
    service_free(service);
    return code;
}

/* Nothing was left to do, as the plan says. Who asks for a receipt finds one: of this run, and not that of the last one. */
static enum exit_code close_nothing(const struct run *run)
{
    struct offsets *offsets = offsets_new();
    struct receipt receipt = {.service = run->service, .offsets = offsets, .of_stretch = true};
    struct error error;
    CHECK(offsets != NULL);
    receipt.dry_run = is_dry(run);
    tell_passed_over(run, &receipt);
    for (unsigned i = 0; i < run->stretch->count; i++)
        offsets_set(offsets, run->stretch->parts[i].topic, run->stretch->parts[i].partition,
                    run->stretch->parts[i].end);
    if (command_has(run->command, OPTION_JSON))
        receipt_json(&receipt, stderr);
    const char *path = run->command->values[OPTION_RECEIPT];
    enum status status = path != NULL ? receipt_write(&receipt, path, &error) : STATUS_OK;
    offsets_free(offsets);
    if (status == STATUS_OK)
        return EXIT_OK;
    say(run, error.text);
    return EXIT_FAILED;
}

static enum exit_code plan_and_execute(struct run *run)
{
    enum exit_code code = prepare(run);
    if (code == EXIT_OK)
        code = find(run);
    if (code == EXIT_OK && run->job->check != NULL)
        code = run->job->check(run->job->check_arg, run->stretch);
    if (code != EXIT_OK)
        return code;
    bool in_earnest = command_has(run->command, OPTION_EXECUTE), nothing = stretch_finished(run->stretch);
    if (!in_earnest && run->job->look != NULL && !nothing)
        code = run->job->look(run->stretch, run->job->arg);
    if (code != EXIT_OK)
        return code;
    show_plan(run);
    if (!in_earnest)
        return EXIT_OK;
    return nothing ? close_nothing(run) : execute(run);
}

enum exit_code stretch_run(const struct command *command, const struct config *config, const struct stretch_job *job)
{
    struct run run = {.command = command, .config = config, .job = job};
    enum exit_code code = plan_and_execute(&run);
    stretch_free(run.stretch);
    stretch_options_free(run.options);
    free(run.stores);
    free(run.dry_stores);
    free(run.views);
    return code;
}
