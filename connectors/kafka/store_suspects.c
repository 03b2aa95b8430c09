/*
 * Exactly once: which records does the broker refuse? It refuses a request for one message in it, and with that the transaction is void. All of it comes
 * again; then:
 *
 *   - of the batches that had messages in such a request (the suspects) each record is sent alone, in a transaction that will be aborted. Those that are
 * refused are rejected;
 *   - what comes along is deferred, suspects or not, and sent when the flush begins, in order, without the rejected ones.
 *
 * When all suspects were good alone, it was the size of their request: then there is a new producer, which makes smaller ones.
 *
 * A record is tried in a round trip, and one that is refused costs an abort, some tens of milliseconds; that is for suspects only, some thousands of records.
 */
#include <stdlib.h>

#include "connectors/kafka/store.h"
#include "processor/clock.h"

enum { SMALLER = 4, TRIALS_AGAIN = 2 };
#define TRIAL_LENGTH CLOCK_SECOND /* well below any transaction.timeout.ms */
#define ABORT_PATIENCE (3 * CLOCK_SECOND)

void kafka_suspects_forget(struct kafka_store *store)
{
    while (store->suspects != NULL) {
        struct kafka_handed *handed = store->suspects;
        store->suspects = handed->next;
        handed->next = store->idle;
        store->idle = handed;
    }
}

/* Takes them off the list of what was handed over. */
static void collect(struct kafka_store *store)
{
    struct kafka_handed **end = &store->suspects, **at = &store->first;
    while (*end != NULL)
        end = &(*end)->next;
    while (*at != NULL) {
        struct kafka_handed *handed = *at;
        if (!handed->blamed) {
            at = &handed->next;
            continue;
        }
        *at = handed->next;
        handed->next = NULL;
        *end = handed;
        end = &handed->next;
        store->handed--;
    }
    store->last = at;
}

bool kafka_suspects_note(struct kafka_store *store)
{
    if (store->in_vain && kafka_store_blames_size(store->err)) {
        kafka_suspects_forget(store);
        if (kafka_store_shrink_requests(store, SMALLER, 1))
            return true;
        store->in_vain = false;
    }
    collect(store);
    return false;
}

static bool end_trial(struct kafka_store *store)
{
    if (store->transaction != KAFKA_TRANSACTION_TRIAL || kafka_transaction_abort(store, ABORT_PATIENCE))
        return true;
    kafka_store_lose(store, ERROR_TRANSIENT, "a transaction could not be aborted in time");
    return false;
}

static bool begin(struct kafka_store *store, enum kafka_transaction kind)
{
    struct error error;
    if (kafka_transaction_begin(store, kind, &error) == STATUS_OK)
        return true;
    kafka_store_lose(store, error.class, "%s", error.text);
    return false;
}

static enum kafka_sent send_in_trial(struct kafka_store *store, struct kafka_handed *handed, struct record *record)
{
    if (store->transaction == KAFKA_TRANSACTION_TRIAL && clock_now() - store->begun > TRIAL_LENGTH && !end_trial(store))
        return KAFKA_SENT_LOST;
    if (store->transaction == KAFKA_TRANSACTION_NONE && !begin(store, KAFKA_TRANSACTION_TRIAL))
        return KAFKA_SENT_LOST;
    return kafka_store_send_alone(store, handed, handed->batch, record);
}

/* The broker misses the sequence number of a message that it refused, and so it refuses the next one too. When that is aborted there is a new epoch, in which
 * the numbers begin again. */
static enum kafka_sent try_record(struct kafka_store *store, struct kafka_handed *handed, struct record *record)
{
    enum kafka_sent sent = send_in_trial(store, handed, record);
    for (int again = 0; sent == KAFKA_SENT_LOST && again < TRIALS_AGAIN && store->client.state == KAFKA_UP; again++) {
        store->lost = handed->failed = false;
        store->err = RD_KAFKA_RESP_ERR_NO_ERROR;
        sent = end_trial(store) ? send_in_trial(store, handed, record) : KAFKA_SENT_LOST;
    }
    if (sent != KAFKA_SENT_REFUSED)
        return sent;
    store->guilty++;
    return end_trial(store) ? sent : KAFKA_SENT_LOST;
}

enum kafka_sent kafka_suspects_try(struct kafka_store *store, struct kafka_handed *handed)
{
    struct kafka_handed **at = &store->suspects;
    while (*at != NULL && (*at)->batch != handed->batch)
        at = &(*at)->next;
    if (*at == NULL)
        return KAFKA_SENT;
    BATCH_EACH(handed->batch, record)
    {
        enum kafka_sent sent = try_record(store, handed, record);
        if (sent == KAFKA_SENT_LOST || sent == KAFKA_SENT_ENDED)
            return sent;
    }
    struct kafka_handed *tried = *at;
    *at = tried->next;
    tried->next = store->idle;
    store->idle = tried;
    return KAFKA_SENT;
}

enum kafka_sent kafka_suspects_send(struct kafka_store *store)
{
    enum kafka_sent all = KAFKA_SENT;
    store->in_vain = store->guilty == 0;
    store->guilty = 0;
    store->deferred = false;
    if (!end_trial(store) || !begin(store, KAFKA_TRANSACTION_OPEN))
        return KAFKA_SENT_LOST;
    for (struct kafka_handed *handed = store->first; handed != NULL; handed = handed->next) {
        enum kafka_sent sent = kafka_store_send_batch(store, handed);
        arena_reset(&store->scratch);
        if (sent == KAFKA_SENT_LOST || sent == KAFKA_SENT_ENDED)
            return sent;
        if (sent == KAFKA_SENT_REJECTED)
            all = sent;
    }
    return all;
}
