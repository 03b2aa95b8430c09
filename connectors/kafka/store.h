/*
 * The store's inside:
 *
 *   store.c              the contract: write, flush, acked, what happens to what fails
 *   store_producer.c     making and replacing the producer
 *   store_send.c         a record -> a message in librdkafka's queue
 *   store_transaction.c  exactly once: transactions, with the group's offsets in them
 *   store_suspects.c     exactly once: finding the records that the broker refuses
 *   store_cleanse.c      exactly once: what a transaction of an earlier producer may have left
 *   store_config.c       what stands under `kafka:`
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
    struct template *partition;   /* NULL: the partitioner's choice, by the key */
    bool headers;
    int timestamp;
};

extern const struct store_type kafka_store;
extern const struct config_field kafka_store_config_field;
/* The topic, when it is the same for all records; else NULL. */
const char *kafka_store_constant_topic(const struct kafka_store_config *config);

/* `delivery: exactly_once`: not with brokers of its own, as no transaction spans two clusters. */
bool kafka_store_can_stand_behind(const void *config, const char *source_name, const void *source_config,
                                  const struct config_node **ret_node, const char **ret_why);
bool kafka_store_can_keep_offsets(const void *config, const struct config_node **ret_node, const char **ret_why);
enum status kafka_store_preview(const void *config, struct batch *batch, struct record *record, struct arena *arena,
                                struct store_preview *ret);

/* A batch that was handed over. */
struct kafka_handed {
    struct kafka_handed *next;
    struct batch *batch; /* exactly once: not settled before the store has forgotten it */
    uint32_t open;       /* messages without a delivery report */
    bool failed;         /* not all of it was sent, or taken: never durable */
    bool blamed;         /* a request failed for what is in some of its messages, and some of these are in it */
};

enum kafka_transaction {
    KAFKA_TRANSACTION_NONE,
    KAFKA_TRANSACTION_OPEN,
    KAFKA_TRANSACTION_TRIAL,  /* will be aborted: it shows which records the broker refuses */
    KAFKA_TRANSACTION_ENDING, /* its commit is asked for, and not answered */
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
    /* Exactly once. */
    bool exactly_once;
    void *const *source;    /* where the kafka_source stands */
    char *transactional_id; /* of our own */
    bool ready;             /* librdkafka may begin transactions */
    enum kafka_transaction transaction;
    int64_t begun;                    /* when */
    bool reached;                     /* something of it may be in the topic */
    struct kafka_store_topic *soiled; /* names: a transaction may have left records without a marker there */
    struct kafka_handed nobody;       /* of messages that belong to no batch */
    struct kafka_handed
        *suspects;   /* of these the broker refused some, alone or together; in the order in which they come again */
    bool deferred;   /* suspects are being tried: what is handed over is sent only after that */
    unsigned guilty; /* how many records were found in these trials */
    bool in_vain;    /* the latest trials found none: the suspects are good alone, and too large together */
};

/* What came of sending a record. */
enum kafka_sent {
    KAFKA_SENT,
    KAFKA_SENT_REJECTED, /* the record has its answer, and librdkafka never had it */
    KAFKA_SENT_REFUSED,  /* the record has its answer, from the broker */
    KAFKA_SENT_LOST,     /* store->lost: the rest of the batch need not be tried */
    KAFKA_SENT_ENDED,    /* the context ended */
};

/* -- store_send.c -- */

/* Hands the record to librdkafka, waiting for room in its queue. */
enum kafka_sent kafka_store_send(struct kafka_store *store, struct kafka_handed *handed, struct batch *batch,
                                 struct record *record);
/* For a topic that is the same for all records. False: librdkafka does not take its name. */
bool kafka_store_fix_topic(struct kafka_store *store, const char *name) WARN_UNUSED;
void kafka_store_forget_topics(struct kafka_store *store);

/* -- store.c -- */

void kafka_store_on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque);
void kafka_store_forget_handed(struct kafka_store *store);
/* Wrong for its own sake, and it would be the next time. */
bool kafka_store_blames_record(rd_kafka_resp_err_t err);
/* KAFKA_SENT; KAFKA_SENT_REJECTED: but for some records; or why it was not sent whole. */
enum kafka_sent kafka_store_send_batch(struct kafka_store *store, struct kafka_handed *handed);
/* Sends it while nothing else is under way, and waits for what the broker says. */
enum kafka_sent kafka_store_send_alone(struct kafka_store *store, struct kafka_handed *handed, struct batch *batch,
                                       struct record *record);
/* Makes sure that there is a producer, and serves it. ERROR_TRANSIENT: the brokers are away. STATUS_OK also when it is lost. */
enum status kafka_store_look(struct kafka_store *store, struct error *error) WARN_UNUSED;
/* Waits until all messages have their report, or it is lost. Not STATUS_OK: the context ended. */
enum status kafka_store_settle(struct kafka_store *store) WARN_UNUSED;
/* Notes why all that is not acknowledged has to be handed over again. The first reason stays. */
void kafka_store_lose(struct kafka_store *store, enum error_class class, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same for an error of librdkafka's. */
void kafka_store_fail(struct kafka_store *store, rd_kafka_resp_err_t err);
/* Serves delivery reports for `ms`; false: waiting longer makes no sense (see lost), or the context ended. */
bool kafka_store_wait(struct kafka_store *store, int ms);

/* -- store_producer.c -- */

enum status kafka_store_open_producer(struct kafka_store *store, struct error *error) WARN_UNUSED;
/* Forgets what was handed over, too. */
void kafka_store_close_producer(struct kafka_store *store);
/* A new one, to be used when the brokers answer, and not at once. */
enum status kafka_store_begin_anew(struct kafka_store *store, struct error *error) WARN_UNUSED;
bool kafka_store_blames_size(rd_kafka_resp_err_t err);
/* The next producer makes requests of a fraction of the size, but not below `least`. False: they are so small already. */
bool kafka_store_shrink_requests(struct kafka_store *store, int divisor, int64_t least);

/* -- store_transaction.c -- */

extern const struct store_offsets kafka_transaction_offsets;
extern const struct kafka_setting kafka_transaction_defaults[];
/* Names the transactions. */
enum status kafka_transaction_init(struct kafka_store *store, const struct connector_env *env,
                                   struct error *error) WARN_UNUSED;
/* Makes sure that transactions can begin. Waits some seconds. */
enum status kafka_transaction_start(struct kafka_store *store, struct error *error) WARN_UNUSED;
/* Makes sure that a batch can be written: in a transaction, or deferred. */
enum status kafka_transaction_ready(struct kafka_store *store, struct error *error) WARN_UNUSED;
enum status kafka_transaction_begin(struct kafka_store *store, enum kafka_transaction kind,
                                    struct error *error) WARN_UNUSED;
/* Within the patience for it, and the context. False: the producer is of no use any more. */
bool kafka_transaction_abort(struct kafka_store *store, int64_t patience);
enum status kafka_transaction_flush(struct kafka_store *store, struct error *error) WARN_UNUSED;
/* Did it fail, so that it must be aborted? Then the text says why. */
bool kafka_transaction_failed(struct kafka_store *store, struct error *error) WARN_UNUSED;
void kafka_transaction_close(struct kafka_store *store);

/* -- store_cleanse.c -- */

/* The topic may have records of a transaction that we did not end. False: out of memory. */
bool kafka_cleanse_note(struct kafka_store *store, const char *name) WARN_UNUSED;
/* Makes sure that none of them will ever be seen. Between transactions. On failure the producer is to be replaced. */
enum status kafka_cleanse(struct kafka_store *store, struct error *error) WARN_UNUSED;
void kafka_cleanse_forget(struct kafka_store *store);

/* -- store_suspects.c -- */

/* After a failure, before what was handed over is forgotten. True: a new producer is needed, with smaller requests. */
bool kafka_suspects_note(struct kafka_store *store);
/* Finds out, when it is a suspect, which of its records the broker refuses; these are rejected. Nothing of it stays in the topic. */
enum kafka_sent kafka_suspects_try(struct kafka_store *store, struct kafka_handed *handed);
/* Sends all that was deferred. KAFKA_SENT_REJECTED: records were found wrong. */
enum kafka_sent kafka_suspects_send(struct kafka_store *store);
void kafka_suspects_forget(struct kafka_store *store);

#endif
