#include "cli/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/usage.h"
#include "admin/server.h"
#include "cli/attendant.h"
#include "cli/notify.h"
#include "cli/plan.h"
#include "cli/release.h"
#include "config/config.h"
#include "processor/clock.h"
#include "processor/health.h"
#include "processor/log.h"
#include "processor/metrics.h"
#include "processor/stretch.h"
#include "processor/supervisor.h"
#include "processor/tap.h"

/* A pipeline that fails at once is not built again at once: its whole budget of restarts would be gone before anything could get better. */
#define RESTART_BACKOFF_LEAST CLOCK_SECOND
/* What ending takes beyond the drain, for systemd. */
#define STOP_MARGIN (15 * CLOCK_SECOND)

struct service {
    const struct config *config;
    struct service_options options;
    struct plan *plan;
    struct metrics *metrics;
    struct health *health;
    struct taps *taps;
    struct offsets *offsets;
    struct context *hard, *soft;
    struct admin *admin;
    char admin_url[128];
    /* The attendant's. */
    struct progress *progress;
    char told[256]; /* systemd's status line */
    int64_t told_at, tell_every;
    bool watched; /* by systemd's watchdog */
};

/* -- making -- */

static enum status open_admin(struct service *service, struct error *error)
{
    const struct config_admin *admin = &service->config->admin;
    int port = service->options.admin_port;
    if (port == SERVICE_NO_ADMIN || (port == SERVICE_ADMIN_AS_CONFIG && !admin->enabled))
        return STATUS_OK;
    const struct admin_config config = {
        .host = admin->host,
        .port = port > 0 ? (uint16_t)port : admin->port,
        .metrics = service->metrics,
        .health = service->health,
        .taps = service->taps,
        .show_records = admin->tap,
        .service = service->config->service,
        .version_json = release_json(),
    };
    enum status status = admin_start(&config, &service->admin, error);
    if (status != STATUS_OK && (port > 0 || admin->head.node != NULL))
        return status;
    if (status != STATUS_OK) {
        /* Nobody asked for this very port: another service, or another weir, may well have it. */
        log_warn("service", "%s: going on without an admin port; choose one with `admin: {listen: 127.0.0.1:PORT}`",
                 error->text);
        return STATUS_OK;
    }
    bool v6 = strchr(admin->host, ':') != NULL;
    snprintf(service->admin_url, sizeof service->admin_url, "http://%s%s%s:%u", v6 ? "[" : "", admin->host,
             v6 ? "]" : "", admin_port(service->admin));
    return STATUS_OK;
}

static enum status fill(struct service *service, struct error *error)
{
    service->plan = plan_new(service->config, &service->options.changes);
    service->metrics = metrics_new();
    service->health = health_new();
    service->taps = taps_new(service->metrics);
    service->offsets = offsets_new();
    service->hard = context_new(NULL, CLOCK_NEVER);
    service->soft = context_new(NULL, CLOCK_NEVER);
    if (service->plan == NULL || service->metrics == NULL || service->health == NULL || service->offsets == NULL ||
        service->taps == NULL || service->hard == NULL || service->soft == NULL)
        return error_set(error, ERROR_FATAL, "out of memory");
    release_metric(service->metrics);
    /* Until the intake has something to say about its source: tables may take a while to load. */
    health_problem(service->health, "source", "starting");
    return open_admin(service, error);
}

enum status service_new(const struct config *config, const struct service_options *options, struct service **ret,
                        struct error *error)
{
    struct service *service = calloc(1, sizeof *service);
    if (service == NULL)
        return error_set(error, ERROR_FATAL, "out of memory");
    service->config = config;
    service->options = *options;
    enum status status = fill(service, error);
    if (status != STATUS_OK) {
        service_free(service);
        return status;
    }
    *ret = service;
    return STATUS_OK;
}

void service_free(struct service *service)
{
    if (service == NULL)
        return;
    admin_stop(service->admin);
    context_free(service->soft);
    context_free(service->hard);
    offsets_free(service->offsets);
    health_free(service->health);
    taps_free(service->taps);
    metrics_free(service->metrics);
    plan_free(service->plan);
    free(service);
}

struct metrics *service_metrics(struct service *service)
{
    return service->metrics;
}

const char *service_admin_url(const struct service *service)
{
    return service->admin_url[0] != '\0' ? service->admin_url : NULL;
}

void service_stop(struct service *service)
{
    context_cancel(service->soft);
}

/* -- the attendant's part -- */

static void tell_systemd(struct service *service)
{
    char why[sizeof service->told];
    if (service->watched && health_silence(service->health) < ADMIN_MAX_SILENCE)
        notify_send("WATCHDOG=1");
    bool ready = health_ready(service->health, why, sizeof why);
    why[strcspn(why, "\n")] = '\0'; /* one line: the first reason */
    if (ready)
        snprintf(why, sizeof why, "ready");
    if (strcmp(why, service->told) == 0)
        return;
    memcpy(service->told, why, sizeof why);
    notify_send("STATUS=%s", why);
}

static void tick(void *arg)
{
    struct service *service = arg;
    int64_t now = clock_now();
    progress_tick(service->progress);
    if (now - service->told_at >= service->tell_every) {
        log_tick();
        tell_systemd(service);
        service->told_at = now;
    }
}

static void stopping(void *arg)
{
    struct service *service = arg;
    health_problem(service->health, "drain", "the service is stopping");
    notify_send("STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld", (long long)((service->config->shutdown + STOP_MARGIN) / 1000));
}

/* -- running -- */

static int64_t at_least(int64_t value, int64_t least)
{
    return value > least ? value : least;
}

static void supervise(struct service *service, struct receipt *ret)
{
    const struct config_errors *errors = &service->config->errors;
    const struct pipeline_shared shared = {
        .metrics = service->metrics,
        .health = service->health,
        .offsets = service->offsets,
        .soft = service->soft,
        .taps = service->taps,
    };
    const struct supervisor_config config = {
        .pipeline = plan_pipeline(service->plan),
        .shared = &shared,
        .restarts_max = (unsigned)errors->restarts_max,
        .restarts_window = errors->restarts_window,
        .backoff_least = at_least(errors->backoff[0], RESTART_BACKOFF_LEAST),
        .backoff_most = at_least(errors->backoff[1], RESTART_BACKOFF_LEAST),
    };
    struct supervisor_result result;
    ret->status = supervisor_run(&config, service->hard, &result, &ret->error);
    ret->counts = result.counts;
    ret->restarts = result.restarts;
}

static enum status start_attendant(struct service *service, struct attendant **ret, struct error *error)
{
    /* Twice as often as it must be, as sd_watchdog_enabled(3) recommends. */
    int64_t watchdog = notify_watchdog() / 2;
    service->watched = watchdog > 0;
    service->tell_every = service->watched && watchdog < CLOCK_SECOND ? watchdog : CLOCK_SECOND;
    const struct attendant_config config = {
        .soft = service->soft,
        .hard = service->hard,
        .on_stop = stopping,
        .tick = tick,
        .arg = service,
        .interval = service->progress != NULL && PROGRESS_TICK < service->tell_every ? PROGRESS_TICK
                                                                                     : service->tell_every,
    };
    return attendant_start(&config, ret, error);
}

static const char *name_of(const struct service *service)
{
    return plan_pipeline(service->plan)->service;
}

static void say_hello(const struct service *service)
{
    char plan[512];
    const char *url = service_admin_url(service);
    log_info("service", "weir %s: %s: %s%s%s", release_text(), name_of(service),
             plan_describe(service->plan, plan, sizeof plan), url != NULL ? "; admin at " : "", url != NULL ? url : "");
}

/* Records on the same terminal would be drawn over. */
static enum progress_mode choose_progress(const struct service *service)
{
    const struct pipeline_config *pipeline = plan_pipeline(service->plan);
    enum progress_mode mode = service->options.progress;
    for (unsigned i = 0; i < pipeline->store_count; i++) {
        if (mode == PROGRESS_AUTO && strcmp(pipeline->stores[i].type->name, "stdout") == 0 &&
            isatty(STDOUT_FILENO) == 1)
            mode = PROGRESS_NEVER;
    }
    return mode;
}

static struct progress *start_progress(struct service *service)
{
    const struct stretch *stretch = service->options.changes.stretch;
    const struct progress_config config = {
        .mode = choose_progress(service),
        .service = name_of(service),
        .metrics = service->metrics,
        .total = stretch != NULL ? stretch->max_records : service->options.total,
        .offsets = stretch != NULL ? stretch_left(stretch) : 0,
    };
    return progress_start(&config);
}

static void add_lost(const struct metric *metric, void *arg)
{
    int64_t *lost = arg;
    if (strcmp(metric->name, "weir_lost_offsets_total") == 0)
        *lost += metric_get(metric);
}

void service_run(struct service *service, struct receipt *ret)
{
    struct attendant *attendant = NULL;
    int64_t began = clock_now();
    *ret = (struct receipt){.service = name_of(service), .offsets = service->offsets};
    say_hello(service);
    service->progress = start_progress(service);
    ret->status = start_attendant(service, &attendant, &ret->error);
    if (ret->status == STATUS_OK) {
        notify_send("READY=1");
        supervise(service, ret);
    }
    attendant_stop(attendant);
    ret->stopped = context_status(service->soft) != STATUS_OK;
    log_flush();
    progress_stop(service->progress, ret->status == STATUS_OK && !ret->stopped);
    service->progress = NULL;
    metrics_each(service->metrics, add_lost, &ret->lost);
    struct usage usage = usage_read();
    ret->wall = clock_now() - began;
    ret->cpu = usage.cpu;
    ret->peak_rss = usage.peak_resident_bytes;
}

enum exit_code service_exit_code(const struct receipt *receipt)
{
    switch (receipt->status) {
    case STATUS_OK:
        return EXIT_OK;
    case STATUS_DEADLINE:
    case STATUS_CANCELLED:
        return EXIT_NOT_DRAINED;
    case STATUS_NO_MEMORY:
        return EXIT_INTERNAL;
    default:
        /* Restarts were to help and did not: the other side is away for longer than the budget lasts. */
        return receipt->error.class == ERROR_FATAL ? EXIT_FAILED : EXIT_UNAVAILABLE;
    }
}
