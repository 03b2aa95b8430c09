/*
 * The store's inside:
 *
 *   store.c         the contract: write, flush, acked, what happens to what fails
 *   store_send.c    a record -> a message in librdkafka's queue
 *   store_config.c  what stands under `kafka:`
 *
 * One thread at a time calls all of it; the delivery reports come in that thread too, when it polls.
 */
#ifndef WEIR_CONNECTORS_KAFKA_STORE_H
#define WEIR_CONNECTORS_KAFKA_STORE_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connectors/kafka/client.h"
#include "connectors/kafka/connection.h"
#include "processor/arena.h"
#include "processor/backoff.h"
#include "processor/connector.h"
#include "processor/template.h"

enum kafka_store_timestamp { KAFKA_TIMESTAMP_RECORD, KAFKA_TIMESTAMP_NOW };

struct kafka_store_config {
    struct config_head head;
    struct kafka_connection connection;
    struct template *topic, *key; /* key NULL: the record's own */
    bool headers;
    int timestamp;
};

extern const struct config_field kafka_store_config_field;
/* The topic, when it is the same for all records; else NULL. */
const char *kafka_store_constant_topic(const struct kafka_store_config *config);

/* A batch that was handed over. */
struct kafka_handed {
    struct kafka_handed *next;
    uint32_t open; /* messages without a delivery report */
    bool failed;   /* not all of it was sent, or taken: never durable */
};

struct kafka_store_topic {
    struct kafka_store_topic *next;
    rd_kafka_topic_t *rkt;
    char name[];
};

struct kafka_store {
    const struct kafka_store_config *config;
    const struct kafka_connection *base; /* the source's connection; NULL: it has another */
    char part[64];                       /* for the log */
    struct kafka_client client;
    struct context *context; /* of the call under way */
    struct kafka_store_topic *topics, *last_topic;
    bool constant; /* last_topic is the topic of all records */
    unsigned topic_count;
    struct arena scratch; /* of one record: templates */
    uint8_t *buffer;      /* of one record: its text */
    size_t room;
    struct kafka_handed *first, **last, *idle;
    uint64_t handed; /* batches in the list */
    uint64_t open;   /* messages without a delivery report */
    bool lost;       /* something failed: nothing is taken until flush said so */
    struct error why;
    rd_kafka_resp_err_t err; /* of the first message that failed */
    uint64_t careful;        /* batches to be sent record by record */
    int64_t batch_size;      /* 0: as configured */
    int64_t send_bytes;      /* what librdkafka may hold of copies */
    int64_t not_before;      /* of the next attempt after a failure */
    struct backoff backoff;
};

/* What came of sending a record. */
enum kafka_sent {
    KAFKA_SENT,
    KAFKA_SENT_REJECTED, /* the record has its answer */
    KAFKA_SENT_LOST,     /* store->lost: the rest of the batch need not be tried */
    KAFKA_SENT_ENDED,    /* the context ended */
};

/* Hands the record to librdkafka, waiting for room in its queue. */
enum kafka_sent kafka_store_send(struct kafka_store *store, struct kafka_handed *handed, struct batch *batch,
                                 struct record *record);
/* For a topic that is the same for all records. False: librdkafka does not take its name. */
bool kafka_store_fix_topic(struct kafka_store *store, const char *name) WARN_UNUSED;
void kafka_store_forget_topics(struct kafka_store *store);

/* Notes why all that is not acknowledged has to be handed over again. The first reason stays. */
void kafka_store_lose(struct kafka_store *store, enum error_class class, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same for an error of librdkafka's. */
void kafka_store_fail(struct kafka_store *store, rd_kafka_resp_err_t err);
/* Serves delivery reports for `ms`; false: waiting longer makes no sense (see lost), or the context ended. */
bool kafka_store_wait(struct kafka_store *store, int ms);

#endif
