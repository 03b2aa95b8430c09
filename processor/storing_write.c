#include <stdlib.h>
#include <string.h>

#include "processor/brake.h"
#include "processor/clock.h"
#include "processor/health.h"
#include "processor/ledger.h"
#include "processor/log.h"
#include "processor/metrics.h"
#include "processor/queue.h"
#include "processor/storing_state.h"
#include "processor/tap.h"

/* -- failures -- */

enum status storing_wait_out(struct worker *worker, struct error *error)
{
    struct storing *storing = worker->storing;
    if (!worker->troubled)
        atomic_fetch_add(&storing->troubled, 1);
    worker->troubled = true;
    health_problem(storing->config.health, storing->part, "%s", error->text);
    if (worker->backoff.attempt == 0 || worker->backoff.attempt % 8 == 0)
        log_warn(storing->part, "%s; trying again", error->text);
    metric_add(storing->retries, 1);
    int64_t wait = backoff_next(&worker->backoff);
    /* Without an open store there is nothing held: it need not go on when no more records come. */
    return worker->store != NULL ? context_sleep(worker->context, wait)
                                 : queue_await_end(storing->config.input, worker->context, wait);
}

void storing_recovered(struct worker *worker)
{
    struct storing *storing = worker->storing;
    if (!worker->troubled)
        return;
    worker->troubled = false;
    log_info(storing->part, "works again");
    if (atomic_fetch_sub(&storing->troubled, 1) == 1)
        health_ok(storing->config.health, storing->part);
    backoff_reset(&worker->backoff);
}

/* A record that nobody may skip: it and what follows in its batch is given up and the service drains; what comes before is stored. */
static void halt_at(struct worker *worker, struct batch *batch, const struct error *error)
{
    bool found = false;
    atomic_store(&worker->storing->halted, true);
    brake_halt(worker->storing->config.brake, BRAKE_STORE, error);
    for (uint32_t i = 0; i < batch->count; i++) {
        struct record *record = &batch->records[i];
        found = found || (record->answer != STAGE_FORWARD && record->answer != STAGE_SETTLED);
        if (!found || record->answer == STAGE_SETTLED)
            continue;
        if (batch->ticket != NULL)
            ticket_abandon(batch->ticket, record->index, 1);
        record->answer = STAGE_SETTLED;
    }
}

/* Refused in a way that a row which is there already may be: by the other side, and not for what the record is. */
static bool is_any_in_conflict(const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct record *record = &batch->records[i];
        if (record->answer == STAGE_REJECT && record->failure != NULL &&
            strcmp(record->failure->class, BATCH_CONFLICT) == 0)
            return true;
    }
    return false;
}

/* Nobody hears of refused records that are not ours any more, or that come behind one that was given up. */
static void give_up_rejected(struct batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        struct record *record = &batch->records[i];
        if (record->answer == STAGE_FORWARD || record->answer == STAGE_SETTLED)
            continue;
        ticket_abandon(batch->ticket, record->index, 1);
        record->answer = STAGE_SETTLED;
    }
}

static enum status read_offsets(struct worker *worker, struct offset_start *starts, unsigned count, struct error *error)
{
    const struct storing_config *config = &worker->storing->config;
    for (;;) {
        enum status status = config->type->offsets->read(config->config, config->env, starts, count, worker->context,
                                                         error);
        if (status != STATUS_FAILED || error->class != ERROR_TRANSIENT)
            return status;
        status = storing_wait_out(worker, error);
        if (status != STATUS_OK)
            return status;
    }
}

static enum status compare(const struct offset_move *moves, const struct offset_start *starts, unsigned count,
                           struct error *error)
{
    for (unsigned i = 0; i < count; i++) {
        if (starts[i].offset != moves[i].from)
            return error_set(error, ERROR_RESTART, "fenced: somebody else stores %s/%d: its offset is %lld, not %lld",
                             moves[i].topic, (int)moves[i].partition, (long long)starts[i].offset,
                             (long long)moves[i].from);
    }
    return STATUS_OK;
}

/*
 * Exactly once: a row may be refused only because it is there already, stored by who has the partition now (we may have slept for an hour). Then the store's
 * offset has moved as well, before the conflict; so it is asked before a refused record becomes a dead letter, or ends the service.
 */
static enum status look_for_fence(struct worker *worker, const struct offset_move *moves, unsigned count,
                                  struct error *error)
{
    if (worker->storing->config.type->offsets->read == NULL || count == 0)
        return STATUS_OK;
    struct offset_start *starts = calloc(count, sizeof *starts);
    if (starts == NULL)
        return error_set(error, ERROR_RESTART, "out of memory");
    for (unsigned i = 0; i < count; i++)
        starts[i] = (struct offset_start){.topic = moves[i].topic, .partition = moves[i].partition};
    enum status status = read_offsets(worker, starts, count, error);
    if (status == STATUS_OK)
        status = compare(moves, starts, count, error);
    free(starts);
    return status;
}

static enum status settle_rejects(struct worker *worker, struct batch *batch, struct error *error)
{
    if (worker->storing->config.exactly_once && !ledger_admits(batch))
        give_up_rejected(batch);
    tap_look(worker->storing->config.tap, batch, TAP_STOPPED);
    enum status status = rejects_settle(&worker->rejects, batch, worker->context, error);
    if (status == STATUS_FAILED && error->class == ERROR_FATAL) {
        halt_at(worker, batch, error);
        return STATUS_OK;
    }
    return status;
}

/* The records that a write refused. */
static enum status settle_written(struct worker *worker, struct batch *batch, struct error *error)
{
    enum status status = STATUS_OK;
    if (worker->storing->config.exactly_once && is_any_in_conflict(batch) && ledger_admits(batch)) {
        const struct offset_move move = {
            .topic = batch->topic, .partition = batch->partition, .from = ticket_get_stored(batch->ticket)};
        status = look_for_fence(worker, &move, 1, error);
    }
    return status == STATUS_OK ? settle_rejects(worker, batch, error) : status;
}

void storing_note_time(struct storing *storing, struct metric *metric, int64_t ns)
{
    metric_observe(metric, ns, 1);
    atomic_fetch_add_explicit(&storing->spent, ns, memory_order_relaxed);
}

/* -- writing -- */

enum status storing_write(struct worker *worker, struct batch *batch, bool again, struct error *error)
{
    struct storing *storing = worker->storing;
    for (;;) {
        int64_t begin = clock_now();
        calls_begin(&storing->calls);
        enum status status = storing->config.type->write(worker->store, batch, worker->context, error);
        calls_end(&storing->calls);
        storing_note_time(storing, storing->write_time, clock_now() - begin);
        if (status == STATUS_OK) {
            if (!again)
                storing_recovered(worker);
            return settle_written(worker, batch, error);
        }
        if (status != STATUS_FAILED || error->class != ERROR_TRANSIENT)
            return status;
        status = storing_wait_out(worker, error);
        if (status != STATUS_OK)
            return status;
    }
}

enum status storing_write_all_again(struct worker *worker, struct error *error)
{
    enum status status = STATUS_OK;
    for (struct batch *batch = worker->held.first; batch != NULL && status == STATUS_OK; batch = batch->next)
        status = storing_write(worker, batch, true, error);
    return status;
}

enum status storing_reject_held(struct worker *worker, uint64_t count, struct error *error)
{
    enum status status = STATUS_OK;
    bool conflict = false;
    for (const struct batch *batch = worker->held.first; batch != NULL && !conflict; batch = batch->next)
        conflict = is_any_in_conflict(batch);
    if (conflict && worker->storing->config.exactly_once)
        status = look_for_fence(worker, worker->moves, worker->move_count, error);
    for (struct batch *batch = worker->held.first; batch != NULL && count > 0 && status == STATUS_OK;
         batch = batch->next) {
        status = settle_rejects(worker, batch, error);
        count--;
    }
    return status;
}
