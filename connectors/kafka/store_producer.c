/* See store.h: making the producer, ending it, and making another one in its place. */
#include <stdio.h>

#include "connectors/kafka/store.h"
#include "processor/clock.h"
#include "processor/log.h"

/* A message takes some 300 bytes that librdkafka's limit in bytes does not count, so there is one in messages as well. */
enum { SEND_LEAST = 1024 * 1024, BYTES_A_MESSAGE = 320 };
enum { BATCH_SIZE = 1000000 };
#define CLOSE_PATIENCE (3 * CLOCK_SECOND)
#define REPORTS_PATIENCE (CLOCK_SECOND / 2)

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
    rd_kafka_conf_t *conf = kafka_conf_new(KAFKA_PRODUCER, store->base, &store->config->connection,
                                           store->exactly_once ? kafka_transaction_defaults : defaults, error);
    if (conf == NULL)
        return NULL;
    enum status status = set_limits(store, conf, error);
    if (status == STATUS_OK && store->exactly_once)
        status = kafka_conf_set(conf, "transactional.id", store->transactional_id, error);
    if (status == STATUS_OK)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

enum status kafka_store_open_producer(struct kafka_store *store, struct error *error)
{
    const char *topic = kafka_store_constant_topic(store->config);
    rd_kafka_conf_t *conf = make_conf(store, error);
    if (conf == NULL)
        return STATUS_FAILED;
    rd_kafka_conf_set_dr_msg_cb(conf, kafka_store_on_delivery);
    enum status status = kafka_client_open(&store->client, KAFKA_PRODUCER, conf, error);
    if (status == STATUS_OK && topic != NULL && !kafka_store_fix_topic(store, topic))
        status = error_set(error, ERROR_FATAL, "librdkafka does not take \"%s\" as the name of a topic", topic);
    return status;
}

/*
 * What the producer leaves of a transaction that it did not end. When nothing of it reached the topic, there is nothing to cover, and it must not be: the
 * transaction before may be committed and have no marker yet either (nobody can write in the next one before it has), and the one that covers would abort it.
 */
static void note_soiled(struct kafka_store *store)
{
    int64_t until = clock_now() + REPORTS_PATIENCE;
    /* Of one whose commit was asked for nobody knows how it ended. */
    if (store->transaction == KAFKA_TRANSACTION_NONE || store->transaction == KAFKA_TRANSACTION_ENDING)
        return;
    /* Of what was purged: was it sent? */
    while (store->open > 0 && clock_now() < until)
        (void)rd_kafka_poll(store->client.rk, 10);
    for (const struct kafka_store_topic *topic = store->topics; topic != NULL && store->reached; topic = topic->next) {
        /* Out of memory: as without. */
        (void)!kafka_cleanse_note(store, topic->name);
    }
}

void kafka_store_close_producer(struct kafka_store *store)
{
    if (store->client.rk != NULL) {
        (void)rd_kafka_purge(store->client.rk,
                             RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
        note_soiled(store);
    }
    kafka_store_forget_topics(store);
    (void)kafka_client_close(&store->client, CLOSE_PATIENCE);
    kafka_store_forget_handed(store);
    store->ready = store->deferred = false;
    store->guilty = 0;
    store->transaction = KAFKA_TRANSACTION_NONE;
}

enum status kafka_store_begin_anew(struct kafka_store *store, struct error *error)
{
    kafka_store_close_producer(store);
    store->lost = false;
    store->err = RD_KAFKA_RESP_ERR_NO_ERROR;
    store->not_before = clock_now() + backoff_next(&store->backoff);
    enum status status = kafka_store_open_producer(store, error);
    kafka_client_set_state(&store->client, KAFKA_DOWN, "%s", store->why.text);
    store->client.probed = 0;
    return status;
}

bool kafka_store_blames_size(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || err == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

bool kafka_store_shrink_requests(struct kafka_store *store, int divisor, int64_t least)
{
    int64_t before = store->batch_size > 0 ? store->batch_size : BATCH_SIZE, size = before / divisor;
    store->batch_size = size > least ? size : least;
    log_warn(store->part,
             "the topic takes no requests of this size (max.message.bytes): making some of %lld bytes at most",
             (long long)store->batch_size);
    return store->batch_size < before;
}
