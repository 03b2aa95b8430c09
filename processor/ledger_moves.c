/*
 * How far a store may move the offsets that it keeps. What it was handed counts as good (it is `prepared`), as it gets its verdict in the same transaction;
 * what else comes before must have its verdict already.
 */
#include "processor/batch.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/connector.h"
#include "processor/ledger_state.h"

/* How far everything is settled or prepared, and what comes then. */
struct reach {
    int64_t offset;    /* -1: nothing was settled in this epoch */
    uint64_t prepared; /* so many records before it */
    bool given_up;     /* the next record was given up */
    bool left_over;    /* something prepared stands behind the next record */
};

static bool is_ready(uint8_t state)
{
    return (state & LEFT_MASK) == 0 || (state & PREPARED) != 0;
}

static bool any_prepared(const struct ticket *ticket)
{
    while (ticket != NULL && ticket->prepared == 0)
        ticket = ticket->next;
    return ticket != NULL;
}

static struct reach find_reach_locked(const struct ledger_partition *partition)
{
    struct reach reach = {.offset = partition->committable};
    const struct ticket *ticket = partition->first;
    for (; ticket != NULL && ticket->open == ticket->prepared; ticket = ticket->next) {
        reach.offset = ticket->offsets[ticket->count - 1] + 1;
        reach.prepared += ticket->prepared;
    }
    if (ticket == NULL)
        return reach;
    uint32_t i = 0, prepared = 0;
    for (; is_ready(ticket->states[i]); i++) {
        reach.offset = ticket->offsets[i] + 1;
        prepared += (ticket->states[i] & PREPARED) != 0;
    }
    reach.prepared += prepared;
    reach.given_up = (ticket->states[i] & GIVEN_UP) != 0;
    reach.left_over = ticket->prepared > prepared || any_prepared(ticket->next);
    return reach;
}

bool ledger_is_behind_locked(const struct ledger_partition *partition)
{
    if (!partition->ledger->kept_in_store || !partition->current)
        return false;
    int64_t offset = ledger_committable_locked(partition);
    return offset >= 0 && offset != partition->stored;
}

void ledger_keep_in_store(struct ledger *ledger)
{
    CHECK_CALL(pthread_mutex_lock(&ledger->mutex));
    ledger->kept_in_store = true;
    CHECK_CALL(pthread_mutex_unlock(&ledger->mutex));
}

void ledger_set_stored(struct ledger_partition *partition, int64_t offset)
{
    CHECK_CALL(pthread_mutex_lock(&partition->ledger->mutex));
    partition->stored = offset;
    CHECK_CALL(pthread_mutex_unlock(&partition->ledger->mutex));
}

int64_t ledger_get_stored(const struct ledger_partition *partition)
{
    CHECK_CALL(pthread_mutex_lock(&partition->ledger->mutex));
    int64_t offset = partition->stored;
    CHECK_CALL(pthread_mutex_unlock(&partition->ledger->mutex));
    return offset;
}

int64_t ticket_get_stored(const struct ticket *ticket)
{
    CHECK_CALL(pthread_mutex_lock(&ticket->ledger->mutex));
    int64_t offset = ticket->partition != NULL ? ticket->partition->stored : -1;
    CHECK_CALL(pthread_mutex_unlock(&ticket->ledger->mutex));
    return offset;
}

bool ledger_is_behind(struct ledger *ledger)
{
    bool behind = false;
    CHECK_CALL(pthread_mutex_lock(&ledger->mutex));
    for (const struct ledger_partition *p = ledger->partitions; p != NULL && !behind; p = p->next)
        behind = ledger_is_behind_locked(p);
    CHECK_CALL(pthread_mutex_unlock(&ledger->mutex));
    return behind;
}

/* -- what is prepared -- */

static void prepare_locked(struct ticket *ticket, const struct record *record)
{
    uint8_t *state = &ticket->states[record->index];
    bool prepared = record->answer == STAGE_FORWARD && (*state & LEFT_MASK) != 0 && (*state & GIVEN_UP) == 0;
    ticket->prepared -= (*state & PREPARED) != 0;
    ticket->prepared += prepared;
    *state = (uint8_t)(prepared ? *state | PREPARED : *state & ~PREPARED);
}

void ledger_prepare(struct batch *batch)
{
    struct ticket *ticket = batch->ticket;
    CHECK_CALL(pthread_mutex_lock(&ticket->ledger->mutex));
    for (uint32_t i = 0; ticket->partition != NULL && i < batch->count; i++)
        prepare_locked(ticket, &batch->records[i]);
    CHECK_CALL(pthread_mutex_unlock(&ticket->ledger->mutex));
}

bool ledger_admits(const struct batch *batch)
{
    const struct ticket *ticket = batch->ticket;
    int64_t last = -1;
    BATCH_EACH(batch, record)
    {
        last = record->offset;
    }
    CHECK_CALL(pthread_mutex_lock(&ticket->ledger->mutex));
    bool admits = ticket->partition != NULL && last < ticket->partition->given_up;
    CHECK_CALL(pthread_mutex_unlock(&ticket->ledger->mutex));
    return admits;
}

/* What is behind a record that was given up will never be stored, and nobody moves past it: no reason to wait. */
static bool must_wait_locked(struct ledger_partition *partition)
{
    if (!partition->current)
        return false;
    struct reach reach = find_reach_locked(partition);
    if (reach.given_up && partition->moving > reach.offset)
        partition->moving = reach.offset;
    return !reach.given_up && (reach.left_over || reach.offset < partition->moving);
}

static bool must_any_wait_locked(struct ledger *ledger)
{
    for (struct ledger_partition *p = ledger->partitions; p != NULL; p = p->next) {
        if (must_wait_locked(p))
            return true;
    }
    return false;
}

enum status ledger_await_prepared(struct ledger *ledger, struct context *context)
{
    enum status status = STATUS_OK;
    CHECK_CALL(pthread_mutex_lock(&ledger->mutex));
    ledger->watchers++;
    while (status == STATUS_OK && must_any_wait_locked(ledger))
        status = context_wait(context, &ledger->idle, &ledger->mutex, CLOCK_NEVER);
    ledger->watchers--;
    CHECK_CALL(pthread_mutex_unlock(&ledger->mutex));
    return status;
}

/* -- the moves -- */

unsigned ledger_get_moves(struct ledger *ledger, struct offset_move *moves, unsigned room, uint64_t *ret_prepared)
{
    unsigned count = 0;
    *ret_prepared = 0;
    CHECK_CALL(pthread_mutex_lock(&ledger->mutex));
    for (struct ledger_partition *p = ledger->partitions; p != NULL; p = p->next) {
        if (!p->current)
            continue;
        struct reach reach = find_reach_locked(p);
        *ret_prepared += reach.prepared;
        if (p->moving < 0)
            p->moving = reach.offset;
        if (p->moving == p->stored)
            p->moving = -1;
        if (p->moving < 0)
            continue;
        if (count < room)
            moves[count] = (struct offset_move){
                .topic = p->topic, .partition = p->partition, .from = p->stored, .to = p->moving};
        count++;
    }
    CHECK_CALL(pthread_mutex_unlock(&ledger->mutex));
    return count;
}

bool ledger_holds_moves(struct ledger *ledger, unsigned count, uint64_t prepared)
{
    uint64_t still_prepared = 0;
    unsigned moving = 0;
    CHECK_CALL(pthread_mutex_lock(&ledger->mutex));
    for (const struct ledger_partition *p = ledger->partitions; p != NULL; p = p->next) {
        moving += p->moving >= 0;
        still_prepared += find_reach_locked(p).prepared;
    }
    CHECK_CALL(pthread_mutex_unlock(&ledger->mutex));
    return moving == count && still_prepared == prepared;
}

void ledger_moved(struct ledger *ledger)
{
    CHECK_CALL(pthread_mutex_lock(&ledger->mutex));
    for (struct ledger_partition *p = ledger->partitions; p != NULL; p = p->next) {
        if (p->moving >= 0)
            p->stored = p->moving;
        p->moving = -1;
    }
    if (ledger->waiters > 0)
        CHECK_CALL(pthread_cond_broadcast(&ledger->idle));
    CHECK_CALL(pthread_mutex_unlock(&ledger->mutex));
}
