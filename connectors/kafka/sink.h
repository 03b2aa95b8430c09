/*
 * The dead-letter sink's inside: dead_letter.c keeps the contract (how many are under way, the thread), deliver.c sends and takes answers.
 */
#ifndef WEIR_CONNECTORS_KAFKA_SINK_H
#define WEIR_CONNECTORS_KAFKA_SINK_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connectors/kafka/client.h"
#include "connectors/kafka/letter.h"
#include "connectors/kafka/source.h"
#include "processor/backoff.h"
#include "processor/check.h"
#include "processor/connector.h"

struct kafka_dead_letter {
    struct dead_letter sink;
    const struct kafka_source_config *source;
    struct kafka_connection own; /* properties only */
    char *topic, *service;
    struct health *health; /* NULL: nobody asks */
    size_t message_max;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;
    pthread_cond_t answered_cond;
    bool closing;               /* mutex */
    struct kafka_client client; /* mutex: who sends holds it; polled by the thread without it */
    rd_kafka_topic_t *rkt;      /* mutex */
    struct letter *under_way;   /* mutex: all letters, by newer */
    size_t count, bytes;        /* mutex: of these */
    struct letters again;       /* mutex: to be sent, again or when the suspect has its answer */
    struct letters suspects;    /* mutex: each to be sent alone, see deliver.c */
    bool alone;                 /* mutex: only a suspect may be sent, and only while librdkafka has nothing else */
    struct error dead;          /* mutex: nothing can be delivered any more */
    struct letters answers;     /* the thread's: what the callback was told */
    int64_t again_at;           /* the thread's */
    struct backoff backoff;     /* the thread's */
};

static inline void sink_lock(struct kafka_dead_letter *sink)
{
    CHECK_CALL(pthread_mutex_lock(&sink->mutex));
}

static inline void sink_unlock(struct kafka_dead_letter *sink)
{
    CHECK_CALL(pthread_mutex_unlock(&sink->mutex));
}

/* -- dead_letter.c -- */

/* The letter has its verdict. */
void sink_take_off_locked(struct kafka_dead_letter *sink, struct letter *letter);
/* Nothing can be delivered any more: the next write says so. The first reason stays. */
void sink_set_dead_locked(struct kafka_dead_letter *sink, const struct error *error);

/* -- deliver.c -- */

enum status sink_open_producer(struct kafka_dead_letter *sink, struct error *error) WARN_UNUSED;
/* With the mutex, or when nobody else is there. True: all letters are back, those that were under way as answers. */
bool sink_close_producer_locked(struct kafka_dead_letter *sink);
/* Hands the letter to librdkafka, or puts it where the thread finds it. */
void sink_send_locked(struct kafka_dead_letter *sink, struct letter *letter);
/* Takes back what was said of it in health. */
void sink_is_well(struct kafka_dead_letter *sink);
/* One turn of the thread: answers, and what has to be sent again. */
void sink_deliver(struct kafka_dead_letter *sink);

#endif
