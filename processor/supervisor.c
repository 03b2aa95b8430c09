#include "processor/supervisor.h"

#include <stdlib.h>

#include "processor/backoff.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/health.h"
#include "processor/log.h"
#include "processor/metrics.h"

/* When the restarts were, so far as they count: a ring of restarts_max. */
struct restarts {
    int64_t *times;
    unsigned max, next, count;
};

static bool restarts_allow(const struct restarts *restarts, int64_t now, int64_t window)
{
    if (restarts->max == 0)
        return false;
    return restarts->count < restarts->max || now - restarts->times[restarts->next] > window;
}

static void restarts_note(struct restarts *restarts, int64_t now)
{
    restarts->times[restarts->next] = now;
    restarts->next = (restarts->next + 1) % restarts->max;
    if (restarts->count < restarts->max)
        restarts->count++;
}

static void add_counts(struct ledger_counts *total, const struct ledger_counts *run)
{
    total->issued += run->issued;
    total->stored += run->stored;
    total->dropped += run->dropped;
    total->dead_lettered += run->dead_lettered;
    total->in_flight += run->in_flight;
    total->refused += run->refused;
    total->abandoned += run->abandoned;
}

/* Between two runs: a stop asked for meanwhile finds nothing to drain. The heart goes on beating: a supervisor that waits is alive. */
static enum status rest(const struct supervisor_config *config, struct context *context, int64_t wait)
{
    int64_t until = clock_now() + wait;
    struct context *soft = config->shared->soft;
    while (clock_now() < until) {
        health_beat(config->shared->health);
        int64_t left = until - clock_now();
        enum status status = context_sleep(soft, left < CLOCK_SECOND ? left : CLOCK_SECOND);
        if (context_status(context) != STATUS_OK)
            return STATUS_CANCELLED;
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* After a failed run: STATUS_OK when there is to be another. */
static enum status prepare_restart(const struct supervisor_config *config, struct context *context,
                                   struct restarts *restarts, struct backoff *backoff, struct error *error)
{
    int64_t now = clock_now();
    if (error->class == ERROR_FATAL || error->class == ERROR_UNAVAILABLE)
        return STATUS_FAILED;
    if (!restarts_allow(restarts, now, config->restarts_window)) {
        error_prefix(error, "failed more than %u times within %lld s, the last time by this", restarts->max,
                     (long long)(config->restarts_window / CLOCK_SECOND));
        return STATUS_FAILED;
    }
    restarts_note(restarts, now);
    int64_t wait = backoff_next(backoff);
    log_error("supervisor", "%s; starting again from the committed offsets in %lld ms", error->text,
              (long long)(wait / CLOCK_MS));
    health_problem(config->shared->health, "supervisor", "restarting after: %s", error->text);
    enum status status = rest(config, context, wait);
    health_ok(config->shared->health, "supervisor");
    return status;
}

enum status supervisor_run(const struct supervisor_config *config, struct context *context,
                           struct supervisor_result *ret, struct error *error)
{
    struct metric *metric = metrics_get(config->shared->metrics, METRIC_COUNTER, "weir_restarts_total",
                                        "Times the pipeline was taken down and built anew.", NULL);
    struct restarts restarts = {.max = config->restarts_max};
    struct backoff backoff;
    *ret = (struct supervisor_result){0};
    backoff_init(&backoff, config->backoff_least, config->backoff_most);
    restarts.times = calloc(restarts.max + 1, sizeof *restarts.times);
    if (restarts.times == NULL)
        return error_set(error, ERROR_FATAL, "out of memory");
    enum status status;
    for (;;) {
        struct ledger_counts counts;
        int64_t begin = clock_now();
        status = pipeline_run(config->pipeline, config->shared, context, &counts, error);
        add_counts(&ret->counts, &counts);
        if (status != STATUS_FAILED)
            break;
        if (clock_now() - begin > config->restarts_window)
            backoff_reset(&backoff);
        status = prepare_restart(config, context, &restarts, &backoff, error);
        if (status != STATUS_OK)
            break;
        ret->restarts++;
        metric_add(metric, 1);
    }
    free(restarts.times);
    /* The soft stop came while nothing ran: there is nothing to drain. A failed run left nothing uncommitted that it could have committed. */
    return status == STATUS_CANCELLED && context_status(context) == STATUS_OK ? STATUS_OK : status;
}
