#include <stdlib.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/ledger.h"
#include "processor/metrics.h"
#include "processor/storing_state.h"
#include "processor/tap.h"

/* -- settling -- */

static void settle(struct worker *worker, struct batch *batch)
{
    uint64_t stored = 0;
    tap_look(worker->storing->config.tap, batch, TAP_FORWARD);
    for (uint32_t i = 0; i < batch->count;) {
        if (batch->records[i].answer != STAGE_FORWARD) {
            i++;
            continue;
        }
        uint32_t end = i + 1;
        while (end < batch->count && batch->records[end].answer == STAGE_FORWARD &&
               batch->records[end].index == batch->records[end - 1].index + 1)
            end++;
        if (batch->ticket != NULL)
            ticket_settle(batch->ticket, batch->records[i].index, end - i, VERDICT_STORED);
        stored += end - i;
        i = end;
    }
    metric_add(worker->storing->stored, (int64_t)stored);
    atomic_fetch_add_explicit(&worker->storing->settled, (int64_t)stored, memory_order_relaxed);
    if (stored > 0)
        metric_observe(worker->storing->end_to_end, clock_now() - batch->entered, stored);
}

static void settle_oldest(struct worker *worker, uint64_t count)
{
    for (; count > 0 && worker->held.first != NULL; count--) {
        struct batch *batch = held_pop(&worker->held);
        settle(worker, batch);
        batch_free(batch);
    }
    worker->held.since = clock_now();
}

/* -- a flush that failed -- */

static bool is_wrong_held(const struct worker *worker)
{
    for (const struct batch *batch = worker->held.first; batch != NULL; batch = batch->next) {
        for (uint32_t i = 0; i < batch->count; i++) {
            if (batch->records[i].answer != STAGE_FORWARD && batch->records[i].answer != STAGE_SETTLED)
                return true;
        }
    }
    return false;
}

/* A flush failed, so the store has forgotten all that is held: what is left to do before the next flush. */
static enum status prepare_flush(struct worker *worker, struct error *error)
{
    enum status status = STATUS_FAILED;
    if (error->class == ERROR_TRANSIENT)
        status = storing_wait_out(worker, error);
    else if (error->class == ERROR_RECORD && is_wrong_held(worker))
        status = storing_reject_held(worker, worker->held.batches, error);
    else if (error->class == ERROR_RECORD)
        return error_set(error, ERROR_FATAL, "a bug in the store: it says that a record is wrong, and not which one");
    return status == STATUS_OK ? storing_write_all_again(worker, error) : status;
}

/* -- exactly once -- */

/* Takes what may not be stored any more off the list: its partition went elsewhere, or a record before it was given up. True: there was some. */
static bool drop_inadmissible(struct worker *worker)
{
    struct held kept;
    uint64_t before = worker->held.batches;
    int64_t since = worker->held.since;
    held_init(&kept);
    for (struct batch *batch; (batch = held_pop(&worker->held)) != NULL;) {
        if (ledger_admits(batch))
            held_push(&kept, batch);
        else
            batch_abandon(batch);
    }
    bool dropped = kept.batches < before;
    held_init(&worker->held);
    for (struct batch *batch; (batch = held_pop(&kept)) != NULL;)
        held_push(&worker->held, batch);
    worker->held.since = since;
    return dropped;
}

/* The store forgets what it was handed and gets what it may store. */
static enum status hand_admissible(struct worker *worker, struct error *error)
{
    worker->storing->config.type->offsets->discard(worker->store);
    return storing_write_all_again(worker, error);
}

static uint64_t count_forward(const struct worker *worker)
{
    uint64_t count = 0;
    for (const struct batch *batch = worker->held.first; batch != NULL; batch = batch->next)
        count += batch_forward(batch);
    return count;
}

/* False: out of memory. ret_prepared as in ledger_get_moves. */
static bool get_moves(struct worker *worker, unsigned *ret_count, uint64_t *ret_prepared)
{
    struct ledger *ledger = worker->storing->config.ledger;
    for (;;) {
        *ret_count = ledger_get_moves(ledger, worker->moves, worker->move_room, ret_prepared);
        if (*ret_count <= worker->move_room)
            return true;
        struct offset_move *bigger = realloc(worker->moves, *ret_count * sizeof *bigger);
        if (bigger == NULL)
            return false;
        worker->moves = bigger;
        worker->move_room = *ret_count;
    }
}

/* What is held has been handed over and is all admitted, as far as one knows. STATUS_EMPTY: not so any more. */
static enum status try_moves(struct worker *worker, bool *ret_moved, struct error *error)
{
    const struct storing_config *config = &worker->storing->config;
    unsigned count;
    uint64_t prepared;
    for (struct batch *batch = worker->held.first; batch != NULL; batch = batch->next)
        ledger_prepare(batch);
    enum status status = ledger_await_prepared(config->ledger, worker->context);
    if (status != STATUS_OK)
        return status;
    if (!get_moves(worker, &count, &prepared))
        return error_set(error, ERROR_RESTART, "out of memory");
    worker->move_count = count;
    if (prepared != count_forward(worker))
        return STATUS_EMPTY;
    *ret_moved = count > 0;
    if (count == 0)
        return STATUS_OK;
    calls_begin(&worker->storing->calls);
    status = config->type->offsets->move(worker->store, worker->moves, count, worker->context, error);
    calls_end(&worker->storing->calls);
    /* A store that shows who it is by its source's membership may have done so with the membership that came after. */
    return status == STATUS_OK && !ledger_holds_moves(config->ledger, count, prepared) ? STATUS_EMPTY : status;
}

/* Has the offsets moved in the transaction that the next flush ends. */
static enum status move_offsets(struct worker *worker, bool *ret_moved, struct error *error)
{
    for (;;) {
        if (drop_inadmissible(worker)) {
            enum status status = hand_admissible(worker, error);
            if (status != STATUS_OK)
                return status;
            continue;
        }
        enum status status = try_moves(worker, ret_moved, error);
        if (status != STATUS_EMPTY)
            return status;
        /* What was moved with it must not be committed. */
        status = hand_admissible(worker, error);
        if (status != STATUS_OK)
            return status;
    }
}

/* -- flushing -- */

static enum status flush_once(struct worker *worker, struct error *error)
{
    struct storing *storing = worker->storing;
    bool moved = false;
    int64_t begin = clock_now();
    enum status status = STATUS_OK;
    if (storing->config.exactly_once)
        status = move_offsets(worker, &moved, error);
    if (status == STATUS_OK && (moved || worker->held.first != NULL)) {
        calls_begin(&storing->calls);
        status = storing->config.type->flush(worker->store, worker->context, error);
        calls_end(&storing->calls);
    }
    storing_note_time(storing, storing->flush_time, clock_now() - begin);
    if (status == STATUS_OK && moved)
        ledger_moved(storing->config.ledger);
    /* The offset is past it, and its dead letter is not even sent. */
    if (status == STATUS_OK && storing->config.exactly_once && is_wrong_held(worker))
        return error_set(error, ERROR_FATAL, "a bug in the store: it found a record wrong and flushed all the same");
    return status;
}

enum status storing_flush(struct worker *worker, struct error *error)
{
    if (worker->held.first == NULL && !worker->storing->config.exactly_once)
        return STATUS_OK;
    for (;;) {
        enum status status = flush_once(worker, error);
        if (status == STATUS_OK) {
            storing_recovered(worker);
            status = storing_reject_held(worker, worker->held.batches, error);
            settle_oldest(worker, worker->held.batches);
            return status;
        }
        if (status == STATUS_FAILED)
            status = prepare_flush(worker, error);
        if (status != STATUS_OK)
            return status;
    }
}

enum status storing_settle_acked(struct worker *worker, struct error *error)
{
    const struct store_type *type = worker->storing->config.type;
    if (type->acked == NULL || worker->storing->config.exactly_once || worker->held.first == NULL)
        return STATUS_OK;
    unsigned count = type->acked(worker->store);
    if (count == 0)
        return STATUS_OK;
    enum status status = storing_reject_held(worker, count, error);
    settle_oldest(worker, count);
    return status;
}
