/*
 * The Kafka store: an idempotent producer, acks=all. write hands messages to librdkafka; their delivery reports come whenever this thread polls, and tell
 * which batches are durable (acked). So there is no need to stop and wait, and flush is called only when the service drains or something hangs.
 *
 * What fails (after librdkafka's own retries) loses everything that is not acknowledged yet: the store takes nothing more, the next flush makes a new producer and fails, and the
 * framework hands over again what it holds, in order. A message that the broker refuses for its own sake fails the whole of its request with it; so after that the batches are
 * sent record by record, and the one that fails alone is rejected.
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
/* What librdkafka may hold of copies, beside our budget, when nobody says (connector_env.send_bytes): enough to fill the requests under way. A message takes
 * some 300 bytes that its limit in bytes does not count, so there is one in messages as well. */
enum { SEND_BYTES = 16 * 1024 * 1024, SEND_LEAST = 1024 * 1024, BYTES_A_MESSAGE = 320 };
enum { BATCH_SIZE = 1000000, BATCH_SIZE_LEAST = 16 * 1024 };
#define DOWN_PATIENCE (5 * CLOCK_SECOND)
#define OPEN_PATIENCE (5 * CLOCK_SECOND)
#define CLOSE_PATIENCE (3 * CLOCK_SECOND)

/* -- what is under way -- */

static struct kafka_handed *handed_new(struct kafka_store *store)
{
    struct kafka_handed *handed = store->idle;
    if (handed != NULL)
        store->idle = handed->next;
    else
        handed = malloc(sizeof *handed);
    if (handed == NULL)
        return NULL;
    *handed = (struct kafka_handed){0};
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

static void forget_handed(struct kafka_store *store)
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
static bool blames_record(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || err == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
           err == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE || err == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
           err == RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD || err == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_client *client = opaque;
    struct kafka_store *store = client->owner;
    struct kafka_handed *handed = message->_private;
    (void)rk;
    handed->open--;
    store->open--;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_client_up(client);
        backoff_reset(&store->backoff);
        return;
    }
    handed->failed = true;
    if (store->err == RD_KAFKA_RESP_ERR_NO_ERROR)
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

/* -- the producer -- */

static enum status set_number(rd_kafka_conf_t *conf, const char *name, int64_t number, struct error *error)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    return kafka_conf_set(conf, name, text, error);
}

static enum status set_limits(struct kafka_store *store, rd_kafka_conf_t *conf, struct error *error)
{
    const struct config_map *properties = &store->config->connection.properties;
    /* A single message of the largest size must have room, twice. */
    int64_t largest = kafka_conf_number(conf, "message.max.bytes", 0) / 512;
    int64_t bytes = store->send_bytes > SEND_LEAST ? store->send_bytes : SEND_LEAST;
    int64_t kbytes = largest > bytes / 1024 ? largest : bytes / 1024;
    enum status status = STATUS_OK;
    if (!kafka_properties_have(properties, "queue.buffering.max.messages"))
        status = set_number(conf, "queue.buffering.max.messages", bytes / BYTES_A_MESSAGE, error);
    if (status == STATUS_OK && !kafka_properties_have(properties, "queue.buffering.max.kbytes"))
        status = set_number(conf, "queue.buffering.max.kbytes", kbytes, error);
    if (status == STATUS_OK && store->batch_size > 0)
        status = set_number(conf, "batch.size", store->batch_size, error);
    return status;
}

static rd_kafka_conf_t *make_conf(struct kafka_store *store, struct error *error)
{
    static const struct kafka_setting defaults[] = {
        {"partitioner", "murmur2_random"},
        /* After so long a message that the broker does not take is said to be one, and tried again. */
        {"message.timeout.ms", "60000"},
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf = kafka_conf_new(KAFKA_PRODUCER, store->base, &store->config->connection, defaults, error);
    if (conf == NULL || set_limits(store, conf, error) == STATUS_OK)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

static enum status open_producer(struct kafka_store *store, struct error *error)
{
    const char *topic = kafka_store_constant_topic(store->config);
    rd_kafka_conf_t *conf = make_conf(store, error);
    if (conf == NULL)
        return STATUS_FAILED;
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    enum status status = kafka_client_open(&store->client, KAFKA_PRODUCER, conf, error);
    if (status == STATUS_OK && topic != NULL && !kafka_store_fix_topic(store, topic))
        status = error_set(error, ERROR_FATAL, "librdkafka does not take \"%s\" as the name of a topic", topic);
    return status;
}

static void close_producer(struct kafka_store *store)
{
    if (store->client.rk != NULL)
        (void)rd_kafka_purge(store->client.rk,
                             RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    kafka_store_forget_topics(store);
    (void)kafka_client_close(&store->client, CLOSE_PATIENCE);
    forget_handed(store);
}

static void make_smaller_requests(struct kafka_store *store)
{
    if (store->err != RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && store->err != RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE)
        return;
    int64_t size = (store->batch_size > 0 ? store->batch_size : BATCH_SIZE) / 2;
    store->batch_size = size > BATCH_SIZE_LEAST ? size : BATCH_SIZE_LEAST;
    log_warn(store->part,
             "the topic takes no requests of this size (max.message.bytes): making some of %lld bytes at most",
             (long long)store->batch_size);
}

/* A new producer knows nothing of what went wrong with the old one. Not to be tried at once, and not before the brokers answer. */
static enum status begin_anew(struct kafka_store *store, struct error *error)
{
    bool blamed = blames_record(store->err) || store->careful > 0;
    store->careful = blamed ? store->handed : 0;
    make_smaller_requests(store);
    close_producer(store);
    store->lost = false;
    store->err = RD_KAFKA_RESP_ERR_NO_ERROR;
    store->not_before = clock_now() + backoff_next(&store->backoff);
    enum status status = open_producer(store, error);
    kafka_client_set_state(&store->client, KAFKA_DOWN, "%s", store->why.text);
    store->client.probed = 0;
    return status;
}

/* -- the contract -- */

static enum kafka_sent send_batch(struct kafka_store *store, struct kafka_handed *handed, struct batch *batch)
{
    BATCH_EACH(batch, record)
    {
        enum kafka_sent sent = kafka_store_send(store, handed, batch, record);
        if (sent == KAFKA_SENT_LOST || sent == KAFKA_SENT_ENDED)
            return sent;
    }
    return KAFKA_SENT;
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
    if (blames_record(store->err)) {
        batch_reject(batch, record, "broker", "the broker does not take it: %s", rd_kafka_err2str(store->err));
        store->err = RD_KAFKA_RESP_ERR_NO_ERROR;
        handed->failed = false;
    }
    look_at_reports(store);
    return store->lost ? KAFKA_SENT_LOST : KAFKA_SENT;
}

static enum kafka_sent send_one_by_one(struct kafka_store *store, struct kafka_handed *handed, struct batch *batch)
{
    store->careful--;
    BATCH_EACH(batch, record)
    {
        enum kafka_sent sent = kafka_store_send(store, handed, batch, record);
        if (sent == KAFKA_SENT)
            sent = wait_for_report(store, handed, batch, record);
        if (sent == KAFKA_SENT_LOST || sent == KAFKA_SENT_ENDED)
            return sent;
    }
    return KAFKA_SENT;
}

static enum status kafka_write(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    struct kafka_store *store = arg;
    enum status status = context_status(context);
    if (status != STATUS_OK)
        return status;
    store->context = context;
    (void)rd_kafka_poll(store->client.rk, 0);
    look_at_reports(store);
    if (clock_now() >= store->not_before)
        kafka_client_probe(&store->client, ANSWER_MS);
    if (!store->lost && store->client.state != KAFKA_UP)
        return error_set(error, ERROR_TRANSIENT, "%s", store->client.reason);
    struct kafka_handed *handed = handed_new(store);
    if (handed == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    handed->failed = store->lost;
    if (store->lost)
        return STATUS_OK;
    enum kafka_sent sent = store->careful > 0 ? send_one_by_one(store, handed, batch)
                                              : send_batch(store, handed, batch);
    arena_reset(&store->scratch);
    if (sent != KAFKA_SENT)
        handed->failed = true;
    return sent == KAFKA_SENT_ENDED ? context_status(context) : STATUS_OK;
}

static enum status kafka_flush(void *arg, struct context *context, struct error *error)
{
    struct kafka_store *store = arg;
    store->context = context;
    while (store->open > 0 && !store->lost) {
        (void)rd_kafka_flush(store->client.rk, WAIT_MS);
        if (!kafka_store_wait(store, 0) && !store->lost)
            return context_status(context);
    }
    look_at_reports(store);
    if (!store->lost) {
        forget_handed(store);
        return STATUS_OK;
    }
    struct error why = store->why;
    if (why.class == ERROR_TRANSIENT && begin_anew(store, error) != STATUS_OK)
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
    close_producer(store);
    while (store->idle != NULL) {
        struct kafka_handed *handed = store->idle;
        store->idle = handed->next;
        free(handed);
    }
    arena_fini(&store->scratch);
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
    if (topic == NULL || store->base == NULL || store->config->connection.brokers.count > 0 ||
        !kafka_source_consumes(env->source_config, topic))
        return STATUS_OK;
    return error_set(error, ERROR_FATAL, "the source consumes %s itself: what is stored there would go round for ever",
                     topic);
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
    if (status == STATUS_OK && env->probe != NULL) {
        status = kafka_store_probe(store->config, store->base, env->probe, context, error);
    } else {
        if (status == STATUS_OK)
            status = open_producer(store, error);
        if (status == STATUS_OK)
            status = wait_for_topic(store, context, error);
    }
    if (status == STATUS_OK) {
        *ret_store = store;
        return STATUS_OK;
    }
    kafka_close(store);
    return status;
}

const struct store_type kafka_store = {
    .name = "kafka",
    .help = "Messages in a Kafka topic, written by an idempotent producer.",
    .config = &kafka_store_config_field,
    .open = kafka_open,
    .write = kafka_write,
    .flush = kafka_flush,
    .acked = kafka_acked,
    .close = kafka_close,
    .flush_records = 1000000,
    .flush_interval = CLOCK_SECOND,
};
