/*
 * Exactly once: what is handed over between two flushes is one transaction, and the group's offsets are moved in it (KIP-98, KIP-447). Readers with
 * isolation.level=read_committed see all of it or nothing, and the group's offset is behind it or before it.
 *
 * Who stores what is not his any more is refused by the group's coordinator (see member.c), whose words end the transaction: ERROR_TRANSIENT, as the
 * framework then drops what the group has taken from us, which the source is about to learn if it has not, and hands over the rest again; a rebalance under
 * way is over then. Nothing must be torn down for that.
 *
 * transactional.id: with a static instance it is the same in the next process, which so ends at once what a crash left open. Without, each process has its
 * own, and what it leaves open is ended by the broker after transaction.timeout.ms; until then the offsets in it are awaited by the next owner
 * (ask_for_committed in rebalance.c), and readers wait as well. That is why it is short.
 *
 * "Fenced" is said for two things that cannot be told apart: another process has our transactional.id, or the broker ended a transaction that took longer
 * than the timeout (we were stopped, or it was down). The first happens only with an `instance` that is used twice, and then the group puts one of them out
 * by name (FENCED_INSTANCE_ID). So here it is as any other end of a producer: a new one begins.
 *
 * Before the commit is asked for, every failure is known to have stored nothing. After that only its answer counts. When it does not come, or when the
 * producer dies, nobody here knows: ERROR_RESTART, as the committed offsets, once they are stable, are the truth.
 *
 * The calls are made with short timeouts, and again; but rd_kafka_send_offsets_to_transaction waits for the answer to its request up to socket.timeout.ms (a
 * little less than transaction.timeout.ms), which is how long a coordinator that hangs can hold up the end of a context.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "connectors/kafka/source.h"
#include "connectors/kafka/store.h"
#include "connectors/kafka/stretch.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/log.h"

enum { STEP_MS = 200, OFFSETS_MS = 5000 };
#define PAUSE (20 * CLOCK_MS)
#define READY_PATIENCE (5 * CLOCK_SECOND)
#define OFFSETS_PATIENCE (5 * CLOCK_SECOND)
#define ABORT_PATIENCE (3 * CLOCK_SECOND)
#define CLOSE_PATIENCE CLOCK_SECOND
/* A broker that is restarted is back before that, and the answer with it. */
#define COMMIT_PATIENCE (60 * CLOCK_SECOND)

const struct kafka_setting kafka_transaction_defaults[] = {
    {"partitioner", "murmur2_random"},
    /* A restart of a single broker takes less; readers wait as long for what a crash left open. message.timeout.ms follows it. */
    {"transaction.timeout.ms", "30000"},
    {NULL, NULL},
};

/* -- the name -- */

static uint64_t process_number;
static pthread_once_t process_once = PTHREAD_ONCE_INIT;

static void number_process(void)
{
    CHECK(getrandom(&process_number, sizeof process_number, 0) == (ssize_t)sizeof process_number);
}

enum status kafka_transaction_init(struct kafka_store *store, const struct connector_env *env, struct error *error)
{
    const struct kafka_source_config *source = env->source_config;
    char number[24];
    if (store->base == NULL || store->config->connection.brokers.count > 0 || env->source == NULL)
        return error_set(error, ERROR_FATAL,
                         "exactly-once delivery needs a source in the same Kafka cluster, and no `brokers` of the "
                         "store's own");
    CHECK_CALL(pthread_once(&process_once, number_process));
    snprintf(number, sizeof number, "%016" PRIx64, process_number);
    if (asprintf(&store->transactional_id, "weir-%s-%s-%s-%s", env->service, source->group, env->name,
                 source->instance != NULL ? source->instance : number) < 0) {
        store->transactional_id = NULL;
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    }
    store->exactly_once = true;
    store->source = env->source;
    return STATUS_OK;
}

/* -- beginning and aborting -- */

/* After a little pause. False: `why` is for good, the patience is over, or the context. Takes `why` when true. */
static bool may_ask_again(struct kafka_store *store, rd_kafka_error_t *why, int64_t until)
{
    bool again = rd_kafka_error_is_retriable(why) && clock_now() < until &&
                 context_sleep(store->context, PAUSE) == STATUS_OK;
    if (again)
        rd_kafka_error_destroy(why);
    return again;
}

/* Takes `why`. */
static enum status cannot_start(struct kafka_store *store, rd_kafka_error_t *why, struct error *error)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(why);
    bool hopeless = code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT ||
                    code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE;
    bool usable = rd_kafka_error_is_retriable(why);
    enum status status = context_status(store->context);
    (void)error_set(&store->why, hopeless ? ERROR_FATAL : ERROR_TRANSIENT, "no transactions as %s: %s",
                    store->transactional_id, rd_kafka_error_string(why));
    rd_kafka_error_destroy(why);
    if (status == STATUS_OK && !usable && !hopeless)
        status = kafka_store_begin_anew(store, error);
    return status != STATUS_OK ? status : error_set(error, store->why.class, "%s", store->why.text);
}

enum status kafka_transaction_start(struct kafka_store *store, struct error *error)
{
    int64_t until = clock_now() + READY_PATIENCE;
    while (!store->ready) {
        rd_kafka_error_t *why = rd_kafka_init_transactions(store->client.rk, STEP_MS);
        store->ready = why == NULL;
        if (why != NULL && !may_ask_again(store, why, until))
            return cannot_start(store, why, error);
    }
    enum status status = kafka_cleanse(store, error);
    if (status != STATUS_FAILED)
        return status;
    store->why = *error;
    status = kafka_store_begin_anew(store, error);
    return status != STATUS_OK ? status : error_set(error, store->why.class, "%s", store->why.text);
}

enum status kafka_transaction_begin(struct kafka_store *store, enum kafka_transaction kind, struct error *error)
{
    rd_kafka_error_t *why = rd_kafka_begin_transaction(store->client.rk);
    if (why == NULL) {
        store->transaction = kind;
        store->begun = clock_now();
        store->reached = false;
        return STATUS_OK;
    }
    enum status status = error_set(error, ERROR_TRANSIENT, "could not begin a transaction: %s",
                                   rd_kafka_error_string(why));
    rd_kafka_error_destroy(why);
    return status;
}

enum status kafka_transaction_ready(struct kafka_store *store, struct error *error)
{
    if (store->transaction != KAFKA_TRANSACTION_NONE || store->deferred)
        return STATUS_OK;
    enum status status = kafka_transaction_start(store, error);
    if (status != STATUS_OK)
        return status;
    if (store->suspects != NULL) {
        store->deferred = true;
        return STATUS_OK;
    }
    status = kafka_transaction_begin(store, KAFKA_TRANSACTION_OPEN, error);
    if (status == STATUS_OK)
        return status;
    /* Nothing was handed over that could be lost with the producer. */
    store->why = *error;
    status = kafka_store_begin_anew(store, error);
    return status != STATUS_OK ? status : error_set(error, store->why.class, "%s", store->why.text);
}

bool kafka_transaction_abort(struct kafka_store *store, int64_t patience)
{
    int64_t until = clock_now() + patience;
    for (;;) {
        rd_kafka_error_t *why = rd_kafka_abort_transaction(store->client.rk, STEP_MS);
        if (why == NULL) {
            store->transaction = KAFKA_TRANSACTION_NONE;
            return true;
        }
        if (may_ask_again(store, why, until))
            continue;
        log_info(store->part, "could not abort a transaction: %s", rd_kafka_error_string(why));
        rd_kafka_error_destroy(why);
        return false;
    }
}

bool kafka_transaction_failed(struct kafka_store *store, struct error *error)
{
    if (store->transaction == KAFKA_TRANSACTION_NONE)
        return false;
    /* There is no call that only asks. Within a transaction this one is refused, with the reason why it failed if it did. */
    rd_kafka_error_t *why = rd_kafka_begin_transaction(store->client.rk);
    bool failed = why != NULL && rd_kafka_error_txn_requires_abort(why);
    if (failed)
        (void)error_set(error, ERROR_TRANSIENT, "%s", rd_kafka_error_string(why));
    if (why != NULL)
        rd_kafka_error_destroy(why);
    return failed;
}

/* Nothing of what was handed over since the last flush will be seen. */
static enum status start_over(struct kafka_store *store, struct error *error)
{
    bool aborted = store->transaction == KAFKA_TRANSACTION_NONE ||
                   (store->transaction != KAFKA_TRANSACTION_ENDING && kafka_transaction_abort(store, ABORT_PATIENCE));
    bool smaller = kafka_suspects_note(store);
    if (!aborted || smaller)
        return kafka_store_begin_anew(store, error);
    kafka_store_forget_handed(store);
    store->lost = store->deferred = false;
    store->guilty = 0;
    store->err = RD_KAFKA_RESP_ERR_NO_ERROR;
    return STATUS_OK;
}

/* It is lost: says why, and is as after the last flush. */
static enum status fail(struct kafka_store *store, struct error *error)
{
    struct error why = store->why;
    enum status status = context_status(store->context);
    if (status == STATUS_OK)
        status = start_over(store, error);
    return status != STATUS_OK ? status : error_set(error, why.class, "%s", why.text);
}

/* -- the end of a transaction -- */

/* All that was handed over is in the transaction, and acknowledged. */
static enum status gather(struct kafka_store *store, struct error *error)
{
    enum kafka_sent sent = store->deferred && !store->lost ? kafka_suspects_send(store) : KAFKA_SENT;
    if (sent == KAFKA_SENT_REJECTED)
        kafka_store_lose(store, ERROR_RECORD, "some records can't be sent");
    enum status status = sent == KAFKA_SENT_ENDED ? context_status(store->context) : kafka_store_settle(store);
    if (status != STATUS_OK)
        return status;
    return store->lost ? fail(store, error) : STATUS_OK;
}

static enum status send_offsets(struct kafka_store *store, const rd_kafka_topic_partition_list_t *offsets,
                                const rd_kafka_consumer_group_metadata_t *member, struct error *error)
{
    int64_t until = clock_now() + OFFSETS_PATIENCE;
    for (;;) {
        rd_kafka_error_t *why = rd_kafka_send_offsets_to_transaction(store->client.rk, offsets, member, OFFSETS_MS);
        if (why == NULL)
            return STATUS_OK;
        if (may_ask_again(store, why, until))
            continue;
        kafka_store_lose(store, ERROR_TRANSIENT, "the group does not take our offsets: %s",
                         rd_kafka_err2str(rd_kafka_error_code(why)));
        rd_kafka_error_destroy(why);
        return fail(store, error);
    }
}

static enum status kafka_move(void *arg, const struct offset_move *moves, unsigned count, struct context *context,
                              struct error *error)
{
    struct kafka_store *store = arg;
    enum status status = STATUS_OK;
    store->context = context;
    if (store->first == NULL)
        status = kafka_store_look(store, error);
    if (status == STATUS_OK && store->first == NULL && !store->lost)
        status = kafka_transaction_ready(store, error);
    if (status == STATUS_OK)
        status = gather(store, error);
    if (status != STATUS_OK)
        return status;
    rd_kafka_consumer_group_metadata_t *member = kafka_member_metadata(*store->source);
    if (member == NULL) {
        kafka_store_lose(store, ERROR_TRANSIENT, "the source is no member of its group for now");
        return fail(store, error);
    }
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new((int)count);
    for (unsigned i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *entry = rd_kafka_topic_partition_list_add(offsets, moves[i].topic,
                                                                              moves[i].partition);
        const char *seal = kafka_stretch_seal(*store->source, moves[i].topic, moves[i].partition);
        entry->offset = moves[i].to;
        if (seal != NULL)
            kafka_seal_put(entry, seal);
    }
    status = send_offsets(store, offsets, member, error);
    rd_kafka_topic_partition_list_destroy(offsets);
    rd_kafka_consumer_group_metadata_destroy(member);
    return status;
}

/* Takes `why`. */
static enum status cannot_commit(struct kafka_store *store, rd_kafka_error_t *why, struct error *error)
{
    bool refused = rd_kafka_error_txn_requires_abort(why);
    enum status status = context_status(store->context);
    kafka_store_lose(store, refused ? ERROR_TRANSIENT : ERROR_RESTART, "%s%s",
                     refused ? "" : "not known whether a transaction was committed: ", rd_kafka_error_string(why));
    rd_kafka_error_destroy(why);
    if (status != STATUS_OK)
        return status;
    /* That the broker lets us abort it is the proof. */
    store->transaction = KAFKA_TRANSACTION_OPEN;
    if (refused && kafka_transaction_abort(store, ABORT_PATIENCE))
        return fail(store, error);
    store->transaction = KAFKA_TRANSACTION_ENDING;
    return error_set(error, ERROR_RESTART, "%s", store->why.text);
}

static enum status commit(struct kafka_store *store, struct error *error)
{
    int64_t until = clock_now() + COMMIT_PATIENCE;
    store->transaction = KAFKA_TRANSACTION_ENDING;
    for (;;) {
        rd_kafka_error_t *why = rd_kafka_commit_transaction(store->client.rk, STEP_MS);
        if (why == NULL)
            break;
        if (!may_ask_again(store, why, until))
            return cannot_commit(store, why, error);
    }
    store->transaction = KAFKA_TRANSACTION_NONE;
    store->in_vain = false;
    kafka_store_forget_handed(store);
    kafka_suspects_forget(store);
    backoff_reset(&store->backoff);
    return STATUS_OK;
}

enum status kafka_transaction_flush(struct kafka_store *store, struct error *error)
{
    enum status status = gather(store, error);
    if (status != STATUS_OK || store->transaction == KAFKA_TRANSACTION_NONE)
        return status;
    return commit(store, error);
}

static void kafka_discard(void *arg)
{
    struct kafka_store *store = arg;
    struct error error;
    (void)error_set(&store->why, ERROR_TRANSIENT, "a transaction could not be aborted in time");
    if (start_over(store, &error) != STATUS_OK)
        log_error(store->part, "%s", error.text);
}

/* So that readers and the group's next members need not wait for the transaction's timeout. */
void kafka_transaction_close(struct kafka_store *store)
{
    bool open = store->transaction == KAFKA_TRANSACTION_OPEN || store->transaction == KAFKA_TRANSACTION_TRIAL;
    if (open && store->client.rk != NULL && store->client.state == KAFKA_UP)
        (void)kafka_transaction_abort(store, CLOSE_PATIENCE);
}

const struct store_offsets kafka_transaction_offsets = {
    .move = kafka_move,
    .discard = kafka_discard,
    /* Readers wait so long. An end of a transaction takes some 10 to 30 ms in which nothing is sent: at 200 ms a tenth of the throughput is lost, at 400 ms a
     * twentieth. */
    .flush_interval = 400 * CLOCK_MS,
};
