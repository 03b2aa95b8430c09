/*
 * A partition keeps its tickets in offset order. A ticket has one byte a record: how many branches have yet to settle it and the worst verdict so far.
 * When the oldest ticket is settled whole it leaves the list; the committable offset is the first record of the oldest ticket that is not settled.
 *
 * A ticket outlives its epoch for as long as somebody refers to it; `partition` is then NULL and settling it only counts as refused.
 */
#include "processor/ledger_state.h"

#include <stdlib.h>
#include <string.h>

#include "processor/batch.h"
#include "processor/budget.h"
#include "processor/check.h"
#include "processor/clock.h"

struct ledger *ledger_new(unsigned branches, struct budget *budget)
{
    CHECK(branches >= 1 && branches <= LEDGER_MAX_BRANCHES);
    struct ledger *ledger = calloc(1, sizeof *ledger);
    if (ledger == NULL)
        return NULL;
    ledger->branches = branches;
    ledger->budget = budget;
    CHECK_CALL(pthread_mutex_init(&ledger->mutex, NULL));
    CHECK_CALL(pthread_cond_init(&ledger->idle, NULL));
    return ledger;
}

/* Tickets that have left their partition's list: without the mutex, as the budget may wake somebody. */
static void unref_all(struct ticket *ticket)
{
    while (ticket != NULL) {
        struct ticket *next = ticket->next;
        ticket_unref(ticket);
        ticket = next;
    }
}

/* Returns the tickets that left the list, for unref_all. */
static struct ticket *fence_locked(struct ledger_partition *partition)
{
    struct ledger *ledger = partition->ledger;
    struct ticket *fenced = partition->first;
    for (struct ticket *ticket = fenced; ticket != NULL; ticket = ticket->next)
        ticket->partition = NULL;
    partition->first = NULL;
    partition->last = &partition->first;
    ledger->counts.in_flight -= partition->in_flight;
    ledger->counts.abandoned += partition->in_flight;
    partition->in_flight = 0;
    partition->current = false;
    partition->moving = -1;
    CHECK_CALL(pthread_cond_broadcast(&ledger->idle));
    return fenced;
}

void ledger_free(struct ledger *ledger)
{
    if (ledger == NULL)
        return;
    while (ledger->partitions != NULL) {
        struct ledger_partition *partition = ledger->partitions;
        ledger->partitions = partition->next;
        unref_all(fence_locked(partition));
        free(partition->topic);
        free(partition);
    }
    CHECK(__atomic_load_n(&ledger->tickets, __ATOMIC_ACQUIRE) == 0);
    CHECK_CALL(pthread_cond_destroy(&ledger->idle));
    CHECK_CALL(pthread_mutex_destroy(&ledger->mutex));
    free(ledger);
}

static struct ledger_partition *find_locked(struct ledger *ledger, const char *topic, int32_t partition)
{
    for (struct ledger_partition *p = ledger->partitions; p != NULL; p = p->next) {
        if (p->partition == partition && strcmp(p->topic, topic) == 0)
            return p;
    }
    return NULL;
}

static struct ledger_partition *add_locked(struct ledger *ledger, const char *topic, int32_t partition)
{
    struct ledger_partition *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->topic = strdup(topic);
    if (p->topic == NULL) {
        free(p);
        return NULL;
    }
    p->ledger = ledger;
    p->partition = partition;
    p->last = &p->first;
    p->next = ledger->partitions;
    ledger->partitions = p;
    return p;
}

struct ledger_partition *ledger_assign(struct ledger *ledger, const char *topic, int32_t partition)
{
    struct ticket *fenced = NULL;
    CHECK_CALL(pthread_mutex_lock(&ledger->mutex));
    struct ledger_partition *p = find_locked(ledger, topic, partition);
    if (p == NULL)
        p = add_locked(ledger, topic, partition);
    if (p != NULL) {
        if (p->current)
            fenced = fence_locked(p);
        p->current = true;
        p->committable = p->stored = p->moving = -1;
        p->given_up = INT64_MAX;
    }
    CHECK_CALL(pthread_mutex_unlock(&ledger->mutex));
    unref_all(fenced);
    return p;
}

void ledger_revoke(struct ledger_partition *partition)
{
    CHECK_CALL(pthread_mutex_lock(&partition->ledger->mutex));
    struct ticket *fenced = fence_locked(partition);
    CHECK_CALL(pthread_mutex_unlock(&partition->ledger->mutex));
    unref_all(fenced);
}

bool ledger_is_current(const struct ledger_partition *partition)
{
    CHECK_CALL(pthread_mutex_lock(&partition->ledger->mutex));
    bool current = partition->current;
    CHECK_CALL(pthread_mutex_unlock(&partition->ledger->mutex));
    return current;
}

static size_t ticket_cost(uint32_t records)
{
    return sizeof(struct ticket) + records * (sizeof(int64_t) + 1);
}

static struct ticket *ticket_new(struct ledger *ledger, struct batch *batch)
{
    struct ticket *ticket = malloc(ticket_cost(batch->count));
    if (ticket == NULL)
        return NULL;
    *ticket = (struct ticket){
        .ledger = ledger,
        .refs = 2, /* the partition's list and the batch */
        .count = batch->count,
        .open = batch->count,
    };
    ticket->states = (uint8_t *)(ticket->offsets + batch->count);
    memset(ticket->states, (int)ledger->branches, batch->count);
    for (uint32_t i = 0; i < batch->count; i++) {
        batch->records[i].index = i;
        ticket->offsets[i] = batch->records[i].offset;
    }
    return ticket;
}

enum status ledger_issue(struct ledger_partition *partition, struct batch *batch)
{
    struct ledger *ledger = partition->ledger;
    CHECK(batch->count > 0 && batch->ticket == NULL);
    struct ticket *ticket = ticket_new(ledger, batch);
    if (ticket == NULL)
        return STATUS_NO_MEMORY;
    __atomic_add_fetch(&ledger->tickets, 1, __ATOMIC_RELAXED);
    if (ledger->budget != NULL)
        budget_take(ledger->budget, ticket_cost(batch->count));
    CHECK_CALL(pthread_mutex_lock(&ledger->mutex));
    CHECK(partition->current);
    ticket->partition = partition;
    *partition->last = ticket;
    partition->last = &ticket->next;
    partition->in_flight += batch->count;
    ledger->counts.in_flight += batch->count;
    ledger->counts.issued += batch->count;
    CHECK_CALL(pthread_mutex_unlock(&ledger->mutex));
    batch->ticket = ticket;
    return STATUS_OK;
}

void ticket_ref(struct ticket *ticket)
{
    __atomic_add_fetch(&ticket->refs, 1, __ATOMIC_RELAXED);
}

void ticket_unref(struct ticket *ticket)
{
    if (ticket == NULL || __atomic_sub_fetch(&ticket->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    struct ledger *ledger = ticket->ledger;
    if (ledger->budget != NULL)
        budget_give(ledger->budget, ticket_cost(ticket->count));
    free(ticket);
    __atomic_sub_fetch(&ledger->tickets, 1, __ATOMIC_RELEASE);
}

static void wake_locked(struct ledger_partition *partition)
{
    if ((partition->in_flight == 0 && partition->ledger->waiters > 0) || partition->ledger->watchers > 0)
        CHECK_CALL(pthread_cond_broadcast(&partition->ledger->idle));
}

/* Takes settled tickets off the front of the list. Returns them, for unref_all. */
static struct ticket *advance_locked(struct ledger_partition *partition)
{
    struct ticket *settled = partition->first, **end = &settled;
    while (*end != NULL && (*end)->open == 0) {
        partition->committable = (*end)->offsets[(*end)->count - 1] + 1;
        end = &(*end)->next;
    }
    partition->first = *end;
    if (partition->first == NULL)
        partition->last = &partition->first;
    *end = NULL;
    wake_locked(partition);
    return settled;
}

static void count_locked(struct ledger_counts *counts, enum verdict verdict, uint64_t n)
{
    switch (verdict) {
    case VERDICT_STORED:
        counts->stored += n;
        break;
    case VERDICT_DROPPED:
        counts->dropped += n;
        break;
    case VERDICT_DEAD_LETTERED:
        counts->dead_lettered += n;
        break;
    case VERDICT_NONE:
        break;
    }
}

/* One verdict for one record, by one branch or (all) by all of them. Returns whether it has its final verdict now. */
static bool settle_one_locked(uint8_t *state, enum verdict verdict, bool all, uint64_t *done_by_verdict)
{
    unsigned now = *state;
    unsigned left = now & LEFT_MASK;
    unsigned worst = (now & VERDICT_MASK) >> VERDICT_SHIFT;
    if (now & GIVEN_UP) {
        done_by_verdict[VERDICT_NONE]++;
        return false;
    }
    CHECK(left > 0);
    if ((unsigned)verdict > worst)
        worst = (unsigned)verdict;
    left = all ? 0 : left - 1;
    *state = (uint8_t)(left | worst << VERDICT_SHIFT);
    if (left > 0)
        return false;
    done_by_verdict[worst]++;
    return true;
}

static void unprepare_locked(struct ticket *ticket, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        ticket->prepared -= (ticket->states[i] & PREPARED) != 0;
        ticket->states[i] &= (uint8_t)~PREPARED;
    }
}

static void settle(struct ticket *ticket, uint32_t first, uint32_t count, enum verdict verdict, bool all)
{
    struct ledger *ledger = ticket->ledger;
    uint64_t by_verdict[VERDICT_DEAD_LETTERED + 1] = {0};
    uint32_t done = 0;
    struct ticket *settled = NULL;
    CHECK(first <= ticket->count && count <= ticket->count - first);
    CHECK_CALL(pthread_mutex_lock(&ledger->mutex));
    struct ledger_partition *partition = ticket->partition;
    if (partition == NULL) {
        ledger->counts.refused += count;
    } else {
        if (ticket->prepared > 0)
            unprepare_locked(ticket, first, count);
        for (uint32_t i = first; i < first + count; i++)
            done += settle_one_locked(&ticket->states[i], verdict, all, by_verdict);
        ticket->open -= done;
        partition->in_flight -= done;
        ledger->counts.in_flight -= done;
        ledger->counts.refused += by_verdict[VERDICT_NONE];
        for (enum verdict v = VERDICT_STORED; v <= VERDICT_DEAD_LETTERED; v++)
            count_locked(&ledger->counts, v, by_verdict[v]);
        settled = advance_locked(partition);
    }
    CHECK_CALL(pthread_mutex_unlock(&ledger->mutex));
    unref_all(settled);
}

void ticket_settle(struct ticket *ticket, uint32_t first, uint32_t count, enum verdict verdict)
{
    settle(ticket, first, count, verdict, false);
}

void ticket_settle_all_branches(struct ticket *ticket, uint32_t first, uint32_t count, enum verdict verdict)
{
    settle(ticket, first, count, verdict, true);
}

void ticket_abandon(struct ticket *ticket, uint32_t first, uint32_t count)
{
    struct ledger *ledger = ticket->ledger;
    CHECK(first <= ticket->count && count <= ticket->count - first);
    CHECK_CALL(pthread_mutex_lock(&ledger->mutex));
    struct ledger_partition *partition = ticket->partition;
    uint32_t given_up = 0;
    for (uint32_t i = first; partition != NULL && i < first + count; i++) {
        if ((ticket->states[i] & LEFT_MASK) == 0 || (ticket->states[i] & GIVEN_UP) != 0)
            continue;
        ticket->prepared -= (ticket->states[i] & PREPARED) != 0;
        ticket->states[i] = (uint8_t)((ticket->states[i] & ~PREPARED) | GIVEN_UP);
        if (ticket->offsets[i] < partition->given_up)
            partition->given_up = ticket->offsets[i];
        given_up++;
    }
    if (given_up > 0) {
        partition->in_flight -= given_up;
        ledger->counts.in_flight -= given_up;
        ledger->counts.abandoned += given_up;
        wake_locked(partition);
    }
    CHECK_CALL(pthread_mutex_unlock(&ledger->mutex));
}

bool ticket_is_current(const struct ticket *ticket)
{
    CHECK_CALL(pthread_mutex_lock(&ticket->ledger->mutex));
    bool current = ticket->partition != NULL;
    CHECK_CALL(pthread_mutex_unlock(&ticket->ledger->mutex));
    return current;
}

/* Behind the settled prefix of the oldest ticket, so that a stop in the middle of a batch commits up to the very record. */
int64_t ledger_committable_locked(const struct ledger_partition *partition)
{
    const struct ticket *ticket = partition->first;
    if (ticket == NULL || (ticket->states[0] & LEFT_MASK) != 0)
        return partition->committable;
    uint32_t i = 1;
    while (i < ticket->count && (ticket->states[i] & LEFT_MASK) == 0)
        i++;
    return ticket->offsets[i - 1] + 1;
}

int64_t ledger_committable(const struct ledger_partition *partition)
{
    CHECK_CALL(pthread_mutex_lock(&partition->ledger->mutex));
    int64_t offset = ledger_committable_locked(partition);
    CHECK_CALL(pthread_mutex_unlock(&partition->ledger->mutex));
    return offset;
}

uint64_t ledger_partition_in_flight(const struct ledger_partition *partition)
{
    CHECK_CALL(pthread_mutex_lock(&partition->ledger->mutex));
    uint64_t in_flight = partition->in_flight;
    CHECK_CALL(pthread_mutex_unlock(&partition->ledger->mutex));
    return in_flight;
}

static bool is_idle_locked(const struct ledger *ledger, const struct ledger_partition *partition)
{
    if (partition != NULL)
        return partition->in_flight == 0 && !ledger_is_behind_locked(partition);
    if (ledger->counts.in_flight > 0)
        return false;
    for (partition = ledger->partitions; partition != NULL; partition = partition->next) {
        if (ledger_is_behind_locked(partition))
            return false;
    }
    return true;
}

enum status ledger_wait_idle(struct ledger *ledger, struct ledger_partition *partition, struct context *context,
                             int64_t until)
{
    enum status status = STATUS_OK;
    CHECK_CALL(pthread_mutex_lock(&ledger->mutex));
    ledger->waiters++;
    while (!is_idle_locked(ledger, partition) && status == STATUS_OK)
        status = context_wait(context, &ledger->idle, &ledger->mutex, until);
    if (is_idle_locked(ledger, partition))
        status = STATUS_OK;
    ledger->waiters--;
    CHECK_CALL(pthread_mutex_unlock(&ledger->mutex));
    return status == STATUS_EMPTY ? STATUS_DEADLINE : status;
}

void ledger_get_counts(struct ledger *ledger, struct ledger_counts *ret)
{
    CHECK_CALL(pthread_mutex_lock(&ledger->mutex));
    *ret = ledger->counts;
    CHECK_CALL(pthread_mutex_unlock(&ledger->mutex));
}
