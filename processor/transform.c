#include "processor/transform.h"

#include <stdlib.h>

#include "processor/backoff.h"
#include "processor/brake.h"
#include "processor/calls.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/ledger.h"
#include "processor/metrics.h"
#include "processor/pool.h"
#include "processor/queue.h"
#include "processor/rejects.h"
#include "processor/sequencer.h"
#include "processor/tap.h"

struct transform {
    struct transform_config config;
    struct transform_step steps[TRANSFORM_MAX_STEPS];
    void *stages[TRANSFORM_MAX_STEPS]; /* what init made */
    bool opened[TRANSFORM_MAX_STEPS];
    struct sequencer *sequencer; /* NULL: not ordered */
    struct pool *pool;
    struct rejects rejects;
    struct calls calls; /* of run_steps */
    struct metric *in, *out, *retries, *duration;
};

/* One worker's thread. */
struct worker {
    struct transform *transform;
    struct pool *pool;
    struct context *context;
    void *states[TRANSFORM_MAX_STEPS]; /* what start made */
    struct backoff backoff;
};

static void make_metrics(struct transform *transform)
{
    struct metrics *metrics = transform->config.metrics;
    char labels[160] = "";
    metrics_label(labels, sizeof labels, "stage", transform->config.name);
    transform->in = metrics_get(metrics, METRIC_COUNTER, "weir_stage_records_in_total", "Records the stage took.",
                                labels);
    transform->out = metrics_get(metrics, METRIC_COUNTER, "weir_stage_records_out_total", "Records the stage sent on.",
                                 labels);
    transform->retries = metrics_get(metrics, METRIC_COUNTER, "weir_retries_total", "Attempts after the first.",
                                     labels);
    transform->duration = metrics_get(metrics, METRIC_HISTOGRAM, "weir_stage_duration_seconds",
                                      "Time the stage took for a batch.", labels);
}

static enum status open_steps(struct transform *transform, struct error *error)
{
    const struct stage_env env = {
        .name = transform->config.name,
        .metrics = transform->config.metrics,
        .config_dir = transform->config.config_dir,
        .budget = transform->config.budget,
    };
    for (unsigned i = 0; i < transform->config.step_count; i++) {
        const struct transform_step *step = &transform->steps[i];
        enum status status = STATUS_OK;
        if (step->type->init != NULL)
            status = step->type->init(step->config, &env, &transform->stages[i], error);
        if (status != STATUS_OK) {
            error_prefix(error, "%s: %s", transform->config.name, step->type->name);
            return status;
        }
        transform->opened[i] = true;
    }
    return STATUS_OK;
}

enum status transform_new(const struct transform_config *config, struct transform **ret, struct error *error)
{
    CHECK(config->step_count <= TRANSFORM_MAX_STEPS);
    struct transform *transform = calloc(1, sizeof *transform);
    if (transform == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    transform->config = *config;
    for (unsigned i = 0; i < config->step_count; i++)
        transform->steps[i] = config->steps[i];
    rejects_init(&transform->rejects, config->name, config->dead_letter, true, config->metrics);
    make_metrics(transform);
    enum status status = STATUS_OK;
    if (config->ordered && config->workers_max > 1) {
        transform->sequencer = sequencer_new();
        if (transform->sequencer == NULL)
            status = error_set(error, ERROR_TRANSIENT, "out of memory");
    }
    if (status == STATUS_OK)
        status = open_steps(transform, error);
    if (status != STATUS_OK) {
        transform_free(transform);
        return status;
    }
    *ret = transform;
    return STATUS_OK;
}

void transform_free(struct transform *transform)
{
    if (transform == NULL)
        return;
    pool_free(transform->pool);
    for (unsigned i = 0; i < transform->config.step_count; i++) {
        if (transform->opened[i] && transform->steps[i].type->close != NULL)
            transform->steps[i].type->close(transform->stages[i]);
    }
    sequencer_free(transform->sequencer);
    free(transform);
}

static uint32_t count_answers(const struct batch *batch, enum stage_answer answer)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        count += batch->records[i].answer == answer;
    return count;
}

/* Asks one step again for the records that answered RETRY, and only for these: the others are put aside behind an answer that BATCH_EACH passes over. */
static void ask_again(struct worker *worker, unsigned step, struct batch *batch)
{
    const struct transform_step *what = &worker->transform->steps[step];
    enum { ASIDE = 0x80 };
    for (uint32_t i = 0; i < batch->count; i++) {
        struct record *record = &batch->records[i];
        if (record->answer == STAGE_RETRY) {
            record->answer = STAGE_FORWARD;
            record->attempts++;
        } else if (record->answer == STAGE_FORWARD) {
            record->answer = ASIDE;
        }
    }
    what->type->process(worker->transform->stages[step], worker->states[step], batch);
    CHECK(batch->cut == 0);
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->records[i].answer == ASIDE)
            batch->records[i].answer = STAGE_FORWARD;
    }
}

static enum status retry_step(struct worker *worker, unsigned step, struct batch *batch)
{
    struct transform *transform = worker->transform;
    backoff_reset(&worker->backoff);
    for (unsigned attempt = 1;; attempt++) {
        uint32_t wanting = count_answers(batch, STAGE_RETRY);
        if (wanting == 0)
            return STATUS_OK;
        if (attempt >= transform->config.retry_max)
            break;
        metric_add(transform->retries, wanting);
        enum status status = context_sleep(worker->context, backoff_next(&worker->backoff));
        if (status != STATUS_OK)
            return status;
        ask_again(worker, step, batch);
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->records[i].answer == STAGE_RETRY)
            batch->records[i].answer = STAGE_REJECT;
    }
    return STATUS_OK;
}

/* Runs the steps. A cut (the first step made values bigger than a batch may be) splits off *ret_rest, which is untouched. */
static enum status run_steps(struct worker *worker, struct batch *batch, struct batch **ret_rest)
{
    struct transform *transform = worker->transform;
    for (unsigned i = 0; i < transform->config.step_count; i++) {
        transform->steps[i].type->process(transform->stages[i], worker->states[i], batch);
        if (batch->cut != 0) {
            CHECK(i == 0);
            *ret_rest = batch_split(batch, batch->cut);
            if (*ret_rest == NULL)
                return STATUS_NO_MEMORY;
        }
        enum status status = retry_step(worker, i, batch);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* A record that nobody may skip: what comes before it in its batch goes on to the stores; it and what follows is given up, and the service drains. */
static struct batch *halt_at(struct worker *worker, struct batch *batch, const struct error *error)
{
    uint32_t at = 0;
    while (at < batch->count &&
           (batch->records[at].answer == STAGE_FORWARD || batch->records[at].answer == STAGE_SETTLED))
        at++;
    brake_halt(worker->transform->config.brake, worker->transform->config.position, error);
    for (uint32_t i = at; i < batch->count; i++) {
        if (batch->records[i].answer == STAGE_SETTLED)
            continue;
        if (batch->ticket != NULL)
            ticket_abandon(batch->ticket, batch->records[i].index, 1);
        batch->records[i].answer = STAGE_SETTLED;
    }
    return batch;
}

static enum status hand_on(struct worker *worker, struct batch *batch)
{
    struct transform *transform = worker->transform;
    uint32_t forward = count_answers(batch, STAGE_FORWARD);
    metric_add(transform->out, forward);
    if (forward == 0) {
        batch_free(batch);
        return STATUS_OK;
    }
    return outlet_push(&transform->config.output, batch, worker->context);
}

/* One part of a batch: steps, verdicts, hand-on. Takes the batch in every case. */
static enum status work_part(struct worker *worker, struct batch *batch, uint64_t turn, struct batch **ret_rest,
                             struct error *error)
{
    struct transform *transform = worker->transform;
    int64_t begin = clock_now();
    calls_begin(&transform->calls);
    enum status status = run_steps(worker, batch, ret_rest);
    calls_end(&transform->calls);
    metric_observe(transform->duration, clock_now() - begin, 1);
    if (status == STATUS_OK && transform->sequencer != NULL)
        status = sequencer_wait(transform->sequencer, turn, worker->context);
    /* The halt may have come while we were at it: what is behind that record would only be stored twice. */
    if (status == STATUS_OK && brake_gives_up(transform->config.brake, transform->config.position)) {
        batch_abandon(batch);
        batch_abandon(*ret_rest);
        *ret_rest = NULL;
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        tap_look(transform->config.tap, batch, TAP_ALL);
        status = rejects_settle(&transform->rejects, batch, worker->context, error);
        if (status == STATUS_FAILED && error->class == ERROR_FATAL) {
            batch = halt_at(worker, batch, error);
            batch_abandon(*ret_rest);
            *ret_rest = NULL;
            status = STATUS_OK;
        }
    }
    if (status == STATUS_OK)
        return hand_on(worker, batch);
    batch_free(batch);
    return status;
}

static enum status work(struct worker *worker, struct batch *batch, struct error *error)
{
    struct transform *transform = worker->transform;
    uint64_t turn = batch->sequence;
    uint32_t records = batch->count;
    enum status status = STATUS_OK;
    metric_add(transform->in, count_answers(batch, STAGE_FORWARD));
    while (batch != NULL && status == STATUS_OK) {
        struct batch *rest = NULL;
        if (brake_gives_up(transform->config.brake, transform->config.position)) {
            if (transform->sequencer != NULL)
                status = sequencer_wait(transform->sequencer, turn, worker->context);
            batch_abandon(batch);
        } else {
            status = work_part(worker, batch, turn, &rest, error);
        }
        batch = rest;
    }
    batch_free(batch);
    if (status == STATUS_OK && transform->sequencer != NULL)
        sequencer_done(transform->sequencer, turn);
    pool_done(worker->pool, records);
    return status;
}

static enum status start_steps(struct worker *worker, struct error *error)
{
    struct transform *transform = worker->transform;
    for (unsigned i = 0; i < transform->config.step_count; i++) {
        const struct stage_type *type = transform->steps[i].type;
        if (type->start == NULL)
            continue;
        enum status status = type->start(transform->stages[i], &worker->states[i], error);
        if (status != STATUS_OK) {
            error_prefix(error, "%s: %s", transform->config.name, type->name);
            return status;
        }
    }
    return STATUS_OK;
}

static void stop_steps(struct worker *worker)
{
    struct transform *transform = worker->transform;
    for (unsigned i = 0; i < transform->config.step_count; i++) {
        const struct stage_type *type = transform->steps[i].type;
        if (type->stop != NULL && worker->states[i] != NULL)
            type->stop(worker->states[i]);
    }
}

static enum status worker_loop(struct worker *worker, struct error *error)
{
    struct transform *transform = worker->transform;
    while (!pool_should_leave(worker->pool)) {
        struct batch *batch;
        enum status status = queue_pop(transform->config.input, worker->context, clock_now() + POOL_TICK, &batch);
        if (status == STATUS_EMPTY)
            continue;
        if (status == STATUS_OK)
            status = work(worker, batch, error);
        if (status != STATUS_OK)
            return status == STATUS_CLOSED ? STATUS_OK : status;
    }
    return STATUS_OK;
}

static enum status worker_main(void *arg, struct pool *pool, struct context *context, struct error *error)
{
    struct transform *transform = arg;
    struct worker worker = {.transform = transform, .pool = pool, .context = context};
    backoff_init(&worker.backoff, transform->config.backoff_least, transform->config.backoff_most);
    enum status status = start_steps(&worker, error);
    if (status == STATUS_OK)
        status = worker_loop(&worker, error);
    stop_steps(&worker);
    /* Only a failure ends the group, and without this worker the others would wait for ever. */
    if (status == STATUS_NO_MEMORY)
        status = error_set(error, ERROR_RESTART, "%s: out of memory", transform->config.name);
    return status;
}

enum status transform_start(struct transform *transform, struct group *group, struct error *error)
{
    const struct pool_config config = {
        .name = transform->config.name,
        .min = transform->config.workers_min,
        .max = transform->config.workers_max,
        .queue = transform->config.input,
        .run = worker_main,
        .arg = transform,
    };
    transform->pool = pool_new(&config, group, transform->config.metrics);
    if (transform->pool == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    return pool_start(transform->pool, error);
}

void transform_tick(struct transform *transform, int64_t latency)
{
    pool_tick(transform->pool, latency);
}

int64_t transform_stuck(struct transform *transform)
{
    return calls_stuck(&transform->calls, clock_now());
}

enum status transform_join(struct transform *transform, struct context *context)
{
    return pool_join(transform->pool, context);
}
