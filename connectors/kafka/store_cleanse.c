/*
 * Exactly once: a transaction that we did not end ourselves is aborted by its coordinator, which has a marker written into each partition. But a broker that
 * starts with a transaction that timed out while it was down may find no leader for a partition yet, takes it for deleted, and leaves the marker out (Kafka
 * 4.3: "likely deleted already and hence can be skipped"). Nobody sees those records then, until the next marker of the same producer id: were that a
 * commit's, they would be seen, twice over with those that were sent again.
 *
 * So a store whose producer was lost in a transaction, the end of which was not asked for, has the next one write an empty record into each partition of
 * those topics, and abort: that marker covers all before it. A store that is opened does not do so for what its predecessor, in this process or another,
 * left: a commit's marker may have been left out as well, and to cover that would lose what was committed, which is worse than what this is for.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/store.h"
#include "processor/clock.h"
#include "processor/log.h"

enum { METADATA_MS = 2000 };
#define ABORT_PATIENCE (3 * CLOCK_SECOND)

bool kafka_cleanse_note(struct kafka_store *store, const char *name)
{
    struct kafka_store_topic *topic = store->soiled;
    while (topic != NULL && strcmp(topic->name, name) != 0)
        topic = topic->next;
    if (topic != NULL)
        return true;
    size_t size = strlen(name) + 1;
    topic = malloc(sizeof *topic + size);
    if (topic == NULL)
        return false;
    topic->rkt = NULL;
    memcpy(topic->name, name, size);
    topic->next = store->soiled;
    store->soiled = topic;
    return true;
}

void kafka_cleanse_forget(struct kafka_store *store)
{
    while (store->soiled != NULL) {
        struct kafka_store_topic *topic = store->soiled;
        store->soiled = topic->next;
        free(topic);
    }
}

/* -1: not known now. 0: there is no such topic any more. */
static int count_partitions(struct kafka_store *store, rd_kafka_topic_t *rkt)
{
    const struct rd_kafka_metadata *metadata = NULL;
    int count = -1;
    if (rd_kafka_metadata(store->client.rk, 0, rkt, &metadata, METADATA_MS) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        metadata->topic_cnt == 1) {
        rd_kafka_resp_err_t err = metadata->topics[0].err;
        count = err == RD_KAFKA_RESP_ERR_NO_ERROR                ? metadata->topics[0].partition_cnt
                : err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? 0
                                                                 : -1;
    }
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    return count;
}

static bool send_empty(struct kafka_store *store, rd_kafka_topic_t *rkt, int32_t partition)
{
    static const char KEY[] = "weir"; /* a compacted topic takes none without */
    for (;;) {
        if (rd_kafka_produce(rkt, partition, 0, NULL, 0, KEY, sizeof KEY - 1, &store->nobody) == 0) {
            store->nobody.open++;
            store->open++;
            return true;
        }
        rd_kafka_resp_err_t err = rd_kafka_last_error();
        if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL && kafka_store_wait(store, 20))
            continue;
        kafka_store_fail(store, err);
        return false;
    }
}

static bool send_all(struct kafka_store *store, const char *name)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(store->client.rk, name, NULL);
    int count = rkt != NULL ? count_partitions(store, rkt) : -1;
    bool sent = count >= 0;
    if (!sent)
        kafka_store_lose(store, ERROR_TRANSIENT, "%s: its partitions are not known", name);
    for (int32_t i = 0; i < count && sent; i++)
        sent = send_empty(store, rkt, i);
    if (rkt != NULL)
        rd_kafka_topic_destroy(rkt);
    return sent;
}

enum status kafka_cleanse(struct kafka_store *store, struct error *error)
{
    if (store->soiled == NULL)
        return STATUS_OK;
    enum status status = kafka_transaction_begin(store, KAFKA_TRANSACTION_TRIAL, error);
    if (status != STATUS_OK)
        return status;
    bool sent = true;
    for (const struct kafka_store_topic *topic = store->soiled; topic != NULL && sent; topic = topic->next)
        sent = send_all(store, topic->name);
    status = kafka_store_settle(store);
    if (status != STATUS_OK)
        return status;
    if (store->lost)
        return error_set(error, store->why.class, "%s", store->why.text);
    if (!kafka_transaction_abort(store, ABORT_PATIENCE))
        return error_set(error, ERROR_TRANSIENT, "a transaction could not be aborted in time");
    log_debug(store->part, "an aborted transaction covers what may have been left of the one before");
    kafka_cleanse_forget(store);
    return STATUS_OK;
}
