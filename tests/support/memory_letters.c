#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "processor/ledger.h"
#include "tests/support/memory_broker.h"

struct sink {
    struct dead_letter contract;
    struct memory_broker *broker;
};

static struct memory_letter describe(const struct batch *batch, const struct record *record)
{
    struct memory_letter letter = {
        .partition = batch->partition,
        .offset = record->offset,
        .attempts = record->attempts,
    };
    const struct failure *failure = record->failure;
    CHECK(failure != NULL);
    snprintf(letter.stage, sizeof letter.stage, "%s", failure->stage);
    snprintf(letter.class, sizeof letter.class, "%s", failure->class);
    snprintf(letter.message, sizeof letter.message, "%s", failure->message);
    return letter;
}

static void acknowledge_locked(struct memory_broker *broker)
{
    struct memory_waiting_letter *waiting = broker->letters.first;
    broker->letters.first = waiting->next;
    if (broker->letters.first == NULL)
        broker->letters.last = &broker->letters.first;
    broker->letters.waiting--;
    if (broker->letters.count == broker->letters.room) {
        broker->letters.room = broker->letters.room == 0 ? 64 : broker->letters.room * 2;
        broker->letters.done = realloc(broker->letters.done, broker->letters.room * sizeof *broker->letters.done);
        CHECK(broker->letters.done != NULL);
    }
    broker->letters.done[broker->letters.count++] = waiting->letter;
    /* Under the mutex, so that close finds either the letter or its verdict. The ledger's lock is the innermost of all. */
    if (waiting->ticket != NULL && waiting->all_branches)
        ticket_settle_all_branches(waiting->ticket, waiting->index, 1, VERDICT_DEAD_LETTERED);
    else if (waiting->ticket != NULL)
        ticket_settle(waiting->ticket, waiting->index, 1, VERDICT_DEAD_LETTERED);
    ticket_unref(waiting->ticket);
    free(waiting);
    CHECK_CALL(pthread_cond_broadcast(&broker->changed));
}

static void enqueue_locked(struct memory_broker *broker, const struct batch *batch, const struct record *record,
                           bool all_branches)
{
    struct memory_waiting_letter *waiting = calloc(1, sizeof *waiting);
    CHECK(waiting != NULL);
    waiting->letter = describe(batch, record);
    waiting->ticket = batch->ticket;
    waiting->index = record->index;
    waiting->all_branches = all_branches;
    if (waiting->ticket != NULL)
        ticket_ref(waiting->ticket);
    *broker->letters.last = waiting;
    broker->letters.last = &waiting->next;
    broker->letters.waiting++;
    CHECK_CALL(pthread_cond_broadcast(&broker->changed));
    if (broker->letters.at_once)
        acknowledge_locked(broker);
}

static enum status sink_write(struct dead_letter *contract, const struct batch *batch, const struct record *record,
                              bool all_branches, struct context *context, struct error *error)
{
    struct memory_broker *broker = ((struct sink *)contract)->broker;
    enum status status = STATUS_OK;
    memory_lock(&broker->mutex);
    while (status == STATUS_OK && !broker->letters.at_once && broker->letters.waiting >= broker->letters.most) {
        broker->letters.blocked++;
        CHECK_CALL(pthread_cond_broadcast(&broker->changed));
        status = context_wait(context, &broker->changed, &broker->mutex, CLOCK_NEVER);
        broker->letters.blocked--;
    }
    if (status == STATUS_OK && broker->letters.failure != ERROR_NONE)
        status = error_set(error, broker->letters.failure, "the dead letter fails as it was told");
    else if (status == STATUS_OK)
        enqueue_locked(broker, batch, record, all_branches);
    if (status == STATUS_FAILED)
        broker->letters.failure = ERROR_NONE;
    memory_unlock(&broker->mutex);
    return status;
}

static enum status sink_flush(struct dead_letter *contract, struct context *context, struct error *error)
{
    struct memory_broker *broker = ((struct sink *)contract)->broker;
    enum status status = STATUS_OK;
    (void)error;
    memory_lock(&broker->mutex);
    while (status == STATUS_OK && broker->letters.waiting > 0)
        status = context_wait(context, &broker->changed, &broker->mutex, CLOCK_NEVER);
    memory_unlock(&broker->mutex);
    return status;
}

/* What was not acknowledged is lost; the ledger knows. */
static void sink_close(struct dead_letter *contract)
{
    struct memory_broker *broker = ((struct sink *)contract)->broker;
    memory_lock(&broker->mutex);
    while (broker->letters.first != NULL) {
        struct memory_waiting_letter *waiting = broker->letters.first;
        broker->letters.first = waiting->next;
        ticket_unref(waiting->ticket);
        free(waiting);
    }
    broker->letters.last = &broker->letters.first;
    broker->letters.waiting = 0;
    memory_unlock(&broker->mutex);
    free(contract);
}

enum status memory_letters_open(const struct dead_letter_config *config, const struct connector_env *env,
                                struct context *context, struct dead_letter **ret, struct error *error)
{
    (void)config;
    (void)context;
    (void)error;
    struct sink *sink = calloc(1, sizeof *sink);
    CHECK(sink != NULL);
    *sink = (struct sink){
        .contract = {.write = sink_write, .flush = sink_flush, .close = sink_close},
        .broker = (struct memory_broker *)env->source_config,
    };
    *ret = &sink->contract;
    return STATUS_OK;
}

/* -- what tests ask for -- */

void memory_letters_hold(struct memory_broker *broker, unsigned room)
{
    memory_lock(&broker->mutex);
    broker->letters.at_once = false;
    broker->letters.most = room;
    memory_unlock(&broker->mutex);
}

void memory_letters_ack(struct memory_broker *broker, unsigned count)
{
    memory_lock(&broker->mutex);
    if (count == UINT_MAX)
        broker->letters.at_once = true;
    for (; count > 0 && broker->letters.first != NULL; count--)
        acknowledge_locked(broker);
    CHECK_CALL(pthread_cond_broadcast(&broker->changed));
    memory_unlock(&broker->mutex);
}

void memory_letters_fail(struct memory_broker *broker, enum error_class class)
{
    memory_lock(&broker->mutex);
    broker->letters.failure = class;
    memory_unlock(&broker->mutex);
}

size_t memory_letters_count(struct memory_broker *broker)
{
    memory_lock(&broker->mutex);
    size_t count = broker->letters.count;
    memory_unlock(&broker->mutex);
    return count;
}

struct memory_letter memory_letters_get(struct memory_broker *broker, size_t at)
{
    memory_lock(&broker->mutex);
    CHECK(at < broker->letters.count);
    struct memory_letter letter = broker->letters.done[at];
    memory_unlock(&broker->mutex);
    return letter;
}

bool memory_letters_wait_waiting(struct memory_broker *broker, unsigned count)
{
    int64_t until = 0;
    memory_lock(&broker->mutex);
    while (broker->letters.waiting < count && memory_wait(&broker->changed, &broker->mutex, &until)) {
    }
    bool holds = broker->letters.waiting >= count;
    memory_unlock(&broker->mutex);
    return holds;
}

bool memory_letters_wait_blocked(struct memory_broker *broker)
{
    int64_t until = 0;
    memory_lock(&broker->mutex);
    while (broker->letters.blocked == 0 && memory_wait(&broker->changed, &broker->mutex, &until)) {
    }
    bool holds = broker->letters.blocked > 0;
    memory_unlock(&broker->mutex);
    return holds;
}
