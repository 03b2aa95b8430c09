/*
 * The Kafka store: an idempotent producer, acks=all. write hands messages to librdkafka; their delivery reports come whenever this thread polls, and tell
 * which batches are durable (acked). So there is no need to stop and wait, and flush is called only when the service drains or something hangs.
 *
 * What fails (after librdkafka's own retries) loses everything that is not acknowledged yet: the store takes nothing more, the next flush makes a new producer and fails, and the
 * framework hands over again what it holds, in order. A message that the broker refuses for its own sake fails the whole of its request with it; so after that the batches are
 * sent record by record, and the one that fails alone is rejected.
 *
 * With exactly-once delivery see store_transaction.c.
 */
#include "connectors/kafka/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/probe.h"
#include "connectors/kafka/source.h"
#include "processor/clock.h"
#include "processor/log.h"

enum { WAIT_MS = 50, ANSWER_MS = 500 };
/* What librdkafka may hold of copies, beside our budget, when nobody says (connector_env.send_bytes): enough to fill the requests under way. */
enum { SEND_BYTES = 16 * 1024 * 1024 };
enum { REQUEST_LEAST = 16 * 1024 };
#define DOWN_PATIENCE (5 * CLOCK_SECOND)
#define OPEN_PATIENCE (5 * CLOCK_SECOND)

/* -- what is under way -- */

static struct kafka_handed *handed_new(struct kafka_store *store, struct batch *batch)
{
    struct kafka_handed *handed = store->idle;
    if (handed != NULL)
        store->idle = handed->next;
    else
        handed = malloc(sizeof *handed);
    if (handed == NULL)
        return NULL;
    *handed = (struct kafka_handed){.batch = batch};
    *store->last = handed;
    store->last = &handed->next;
    store->handed++;
    return handed;
}

static void handed_pop(struct kafka_store *store)
{
    struct kafka_handed *handed = store->first;
    store->first = handed->next;
    if (store->first == NULL)
        store->last = &store->first;
    store->handed--;
    handed->next = store->idle;
    store->idle = handed;
}

void kafka_store_forget_handed(struct kafka_store *store)
{
    while (store->first != NULL)
        handed_pop(store);
    store->open = 0;
}

void kafka_store_lose(struct kafka_store *store, enum error_class class, const char *format, ...)
{
    va_list args;
    if (store->lost)
        return;
    va_start(args, format);
    (void)error_vset(&store->why, class, format, args);
    va_end(args);
    store->lost = true;
}

/* Wrong for its own sake, and it would be the next time. */
bool kafka_store_blames_record(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || err == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
           err == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE || err == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
           err == RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD || err == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP ||
           err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

void kafka_store_on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_client *client = opaque;
    struct kafka_store *store = client->owner;
    struct kafka_handed *handed = message->_private;
    (void)rk;
    handed->open--;
    store->open--;
    store->reached |= rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_client_up(client);
        backoff_reset(&store->backoff);
        return;
    }
    handed->failed = true;
    handed->blamed = handed->blamed || kafka_store_blames_record(message->err);
    /* What was only taken out of the queue says nothing of why. */
    if (store->err == RD_KAFKA_RESP_ERR_NO_ERROR || store->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE)
        store->err = message->err;
}

/* Outside of careful sending one failure is everybody's. */
static void look_at_reports(struct kafka_store *store)
{
    struct error error = {0};
    if (store->err == RD_KAFKA_RESP_ERR_NO_ERROR || store->lost)
        return;
    /* What a new handle can help (ERROR_RESTART), a new producer can: no need to take all down. */
    if (kafka_client_fatal(&store->client, &error))
        kafka_store_lose(store, error.class == ERROR_FATAL ? ERROR_FATAL : ERROR_TRANSIENT, "%s", error.text);
    else if (store->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE && kafka_transaction_failed(store, &error))
        kafka_store_lose(store, ERROR_TRANSIENT, "%s", error.text);
    else
        kafka_store_lose(store, ERROR_TRANSIENT, "the broker did not take a message: %s", rd_kafka_err2str(store->err));
}

void kafka_store_fail(struct kafka_store *store, rd_kafka_resp_err_t err)
{
    store->err = err;
    look_at_reports(store);
}

bool kafka_store_wait(struct kafka_store *store, int ms)
{
    (void)rd_kafka_poll(store->client.rk, ms);
    look_at_reports(store);
    if (store->client.state != KAFKA_UP && clock_now() - store->client.since > DOWN_PATIENCE)
        kafka_store_lose(store, ERROR_TRANSIENT, "%s", store->client.reason);
    return !store->lost && context_status(store->context) == STATUS_OK;
}

/* -- the contract -- */

enum kafka_sent kafka_store_send_batch(struct kafka_store *store, struct kafka_handed *handed)
{
    enum kafka_sent all = KAFKA_SENT;
    BATCH_EACH(handed->batch, record)
    {
        enum kafka_sent sent = kafka_store_send(store, handed, handed->batch, record);
        if (sent == KAFKA_SENT_LOST || sent == KAFKA_SENT_ENDED)
            return sent;
        if (sent == KAFKA_SENT_REJECTED)
            all = sent;
    }
    return all;
}

/* Waits for the report of the only message under way. */
static enum kafka_sent wait_for_report(struct kafka_store *store, struct kafka_handed *handed, struct batch *batch,
                                       struct record *record)
{
    while (store->open > 0) {
        (void)rd_kafka_flush(store->client.rk, WAIT_MS);
        if (store->open > 0 && !kafka_store_wait(store, 0))
            return store->lost ? KAFKA_SENT_LOST : KAFKA_SENT_ENDED;
    }
    if (kafka_store_blames_record(store->err)) {
        batch_reject(batch, record, "broker", "the broker does not take it: %s", rd_kafka_err2str(store->err));
        store->err = RD_KAFKA_RESP_ERR_NO_ERROR;
        handed->failed = handed->blamed = false;
        return KAFKA_SENT_REFUSED;
    }
    look_at_reports(store);
    return store->lost ? KAFKA_SENT_LOST : KAFKA_SENT;
}

enum kafka_sent kafka_store_send_alone(struct kafka_store *store, struct kafka_handed *handed, struct batch *batch,
                                       struct record *record)
{
    enum kafka_sent sent = kafka_store_send(store, handed, batch, record);
    return sent == KAFKA_SENT ? wait_for_report(store, handed, batch, record) : sent;
}

static enum kafka_sent send_one_by_one(struct kafka_store *store, struct kafka_handed *handed, struct batch *batch)
{
    store->careful--;
    BATCH_EACH(batch, record)
    {
        enum kafka_sent sent = kafka_store_send_alone(store, handed, batch, record);
        if (sent == KAFKA_SENT_LOST || sent == KAFKA_SENT_ENDED)
            return sent;
    }
    return KAFKA_SENT;
}

/* A new producer knows nothing of what went wrong with the old one. Not to be tried at once, and not before the brokers answer. */
static enum status try_again(struct kafka_store *store, struct error *error)
{
    bool blamed = kafka_store_blames_record(store->err) || store->careful > 0;
    store->careful = blamed ? store->handed : 0;
    if (kafka_store_blames_size(store->err))
        (void)kafka_store_shrink_requests(store, 2, REQUEST_LEAST);
    return kafka_store_begin_anew(store, error);
}

enum status kafka_store_look(struct kafka_store *store, struct error *error)
{
    if (store->client.rk == NULL && kafka_store_open_producer(store, error) != STATUS_OK)
        return STATUS_FAILED;
    (void)rd_kafka_poll(store->client.rk, 0);
    look_at_reports(store);
    if (clock_now() >= store->not_before)
        kafka_client_probe(&store->client, ANSWER_MS);
    if (!store->lost && store->client.state != KAFKA_UP)
        return error_set(error, ERROR_TRANSIENT, "%s", store->client.reason);
    return STATUS_OK;
}

static enum status kafka_write(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    struct kafka_store *store = arg;
    enum status status = context_status(context);
    store->context = context;
    if (status == STATUS_OK)
        status = kafka_store_look(store, error);
    if (status == STATUS_OK && store->exactly_once && !store->lost)
        status = kafka_transaction_ready(store, error);
    if (status != STATUS_OK)
        return status;
    struct kafka_handed *handed = handed_new(store, batch);
    if (handed == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    handed->failed = store->lost;
    if (store->lost)
        return STATUS_OK;
    enum kafka_sent sent = store->deferred      ? kafka_suspects_try(store, handed)
                           : store->careful > 0 ? send_one_by_one(store, handed, batch)
                                                : kafka_store_send_batch(store, handed);
    arena_reset(&store->scratch);
    if (sent == KAFKA_SENT_LOST || sent == KAFKA_SENT_ENDED)
        handed->failed = true;
    return sent == KAFKA_SENT_ENDED ? context_status(context) : STATUS_OK;
}

enum status kafka_store_settle(struct kafka_store *store)
{
    while (store->open > 0 && !store->lost) {
        (void)rd_kafka_flush(store->client.rk, WAIT_MS);
        if (!kafka_store_wait(store, 0) && !store->lost)
            return context_status(store->context);
    }
    look_at_reports(store);
    return STATUS_OK;
}

static enum status kafka_flush(void *arg, struct context *context, struct error *error)
{
    struct kafka_store *store = arg;
    store->context = context;
    if (store->exactly_once)
        return kafka_transaction_flush(store, error);
    enum status status = kafka_store_settle(store);
    if (status != STATUS_OK)
        return status;
    if (!store->lost) {
        kafka_store_forget_handed(store);
        return STATUS_OK;
    }
    struct error why = store->why;
    if (why.class == ERROR_TRANSIENT && try_again(store, error) != STATUS_OK)
        return STATUS_FAILED;
    return error_set(error, why.class, "%s", why.text);
}

static unsigned kafka_acked(void *arg)
{
    struct kafka_store *store = arg;
    unsigned count = 0;
    (void)rd_kafka_poll(store->client.rk, 0);
    look_at_reports(store);
    for (; store->first != NULL && store->first->open == 0 && !store->first->failed; count++)
        handed_pop(store);
    return count;
}

static void kafka_close(void *arg)
{
    struct kafka_store *store = arg;
    if (store == NULL)
        return;
    kafka_transaction_close(store);
    kafka_store_close_producer(store);
    kafka_suspects_forget(store);
    kafka_cleanse_forget(store);
    while (store->idle != NULL) {
        struct kafka_handed *handed = store->idle;
        store->idle = handed->next;
        free(handed);
    }
    arena_fini(&store->scratch);
    free(store->transactional_id);
    free(store->buffer);
    free(store);
}

/* Until the brokers answer, and know the topic when it is the same for all records. */
static enum status wait_for_topic(struct kafka_store *store, struct context *context, struct error *error)
{
    int64_t until = clock_now() + OPEN_PATIENCE;
    const struct kafka_store_topic *topic = store->constant ? store->last_topic : NULL;
    for (;;) {
        const struct rd_kafka_metadata *metadata = NULL;
        rd_kafka_resp_err_t err = rd_kafka_metadata(store->client.rk, 0, topic != NULL ? topic->rkt : NULL, &metadata,
                                                    ANSWER_MS);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR && topic != NULL)
            err = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        if (metadata != NULL)
            rd_kafka_metadata_destroy(metadata);
        (void)rd_kafka_poll(store->client.rk, 0);
        enum status status = context_status(context);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR || status != STATUS_OK)
            return status;
        if (clock_now() >= until)
            return error_set(error, ERROR_TRANSIENT, "%s%s%s", topic != NULL ? topic->name : "",
                             topic != NULL ? ": " : "",
                             store->client.state != KAFKA_UP ? store->client.reason : rd_kafka_err2str(err));
        (void)context_sleep(context, 100 * CLOCK_MS);
    }
}

/* What it writes must not come back to it. */
static enum status check_circle(const struct kafka_store *store, const struct connector_env *env, struct error *error)
{
    const char *topic = kafka_store_constant_topic(store->config);
    /* A stretch has its end before anything of this run can come into it. */
    if (topic == NULL || store->base == NULL || store->config->connection.brokers.count > 0 || env->stretch != NULL ||
        !kafka_source_consumes(env->source_config, topic))
        return STATUS_OK;
    return error_set(error, ERROR_FATAL, "the source consumes %s itself: what is stored there would go round for ever",
                     topic);
}

static enum status open_client(struct kafka_store *store, const struct connector_env *env, struct error *error)
{
    enum status status = env->exactly_once ? kafka_transaction_init(store, env, error) : STATUS_OK;
    if (status == STATUS_OK)
        status = kafka_store_open_producer(store, error);
    if (status == STATUS_OK)
        status = wait_for_topic(store, store->context, error);
    if (status == STATUS_OK && store->exactly_once)
        status = kafka_transaction_start(store, error);
    return status;
}

static enum status kafka_open(const void *config, const struct connector_env *env, struct context *context,
                              void **ret_store, struct error *error)
{
    struct kafka_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    store->config = config;
    store->send_bytes = env->send_bytes > 0 ? env->send_bytes : SEND_BYTES;
    store->context = context;
    store->last = &store->first;
    arena_init(&store->scratch, NULL);
    backoff_init(&store->backoff, 200 * CLOCK_MS, 30 * CLOCK_SECOND);
    snprintf(store->part, sizeof store->part, "store %s", env->name);
    store->client = (struct kafka_client){.part = store->part, .owner = store};
    if (env->source_name != NULL && strcmp(env->source_name, "kafka") == 0)
        store->base = &((const struct kafka_source_config *)env->source_config)->connection;
    enum status status = STATUS_OK;
    if (store->base == NULL && store->config->connection.brokers.count == 0)
        status = error_set(error, ERROR_FATAL, "expected `brokers`, as the source is not Kafka");
    if (status == STATUS_OK)
        status = check_circle(store, env, error);
    if (status == STATUS_OK && env->probe != NULL)
        status = kafka_store_probe(store->config, store->base, env->probe, context, error);
    else if (status == STATUS_OK)
        status = open_client(store, env, error);
    if (status == STATUS_OK) {
        *ret_store = store;
        return STATUS_OK;
    }
    kafka_close(store);
    return status;
}

const struct store_type kafka_store = {
    .name = "kafka",
    .help =
        "Messages in a Kafka topic, written by an idempotent producer; with `delivery: exactly_once` in transactions.",
    .config = &kafka_store_config_field,
    .open = kafka_open,
    .write = kafka_write,
    .flush = kafka_flush,
    .acked = kafka_acked,
    .close = kafka_close,
    .offsets = &kafka_transaction_offsets,
    .can_keep_offsets = kafka_store_can_keep_offsets,
    .can_stand_behind = kafka_store_can_stand_behind,
    .preview = kafka_store_preview,
    .flush_records = 1000000,
    .flush_interval = CLOCK_SECOND,
};
