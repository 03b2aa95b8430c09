/*
 * One librdkafka handle and what it says about itself: its log goes into weir's, its errors become a state (connected or not, and why).
 *
 * Threads: created, polled and freed by one thread; the log callback comes from librdkafka's own.
 */
#ifndef WEIR_CONNECTORS_KAFKA_CLIENT_H
#define WEIR_CONNECTORS_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "connectors/kafka/properties.h"
#include "processor/context.h"
#include "processor/error.h"

enum kafka_state {
    KAFKA_UP,
    KAFKA_DOWN,   /* no broker answers, or lets us in: a probe that succeeds ends it */
    KAFKA_DENIED, /* a broker lets us in and refuses what we want: only success at the same thing ends it */
};

struct kafka_client {
    rd_kafka_t *rk;
    const char *part; /* for the log: lives as long */
    void *owner;      /* for the callbacks */
    enum kafka_state state;
    bool changed;  /* the state or its reason since the owner looked */
    int64_t since; /* when the state began */
    char reason[256];
    char last_words[200]; /* why the latest connection failed, for the reason */
    int64_t probed;
    bool left_asking; /* somebody asked last and did not wait for the answer, which may come still */
};

/* Takes conf in any case. client: part and owner are set, the rest is filled; on failure client->rk is NULL. */
enum status kafka_client_open(struct kafka_client *client, enum kafka_role role, rd_kafka_conf_t *conf,
                              struct error *error) WARN_UNUSED;
/* Ends the handle without closing the consumer (that is done before, within a deadline): waits up to `wait` ns. False: librdkafka did not come back; it is
 * left behind with a thread of its own, and the log says so. With a question left it may well wait for the answer, and is not waited for so long. Fine when not open. */
bool kafka_client_close(struct kafka_client *client, int64_t wait);
void kafka_client_set_state(struct kafka_client *client, enum kafka_state state, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Something worked that could not work before the state was good again. Cheap when it is good. */
void kafka_client_up(struct kafka_client *client);
/* While down: asks the brokers for metadata at most once a second, waiting `wait_ms` at most. */
void kafka_client_probe(struct kafka_client *client, int wait_ms);
/* True: librdkafka gave the handle up, see error. ERROR_FATAL where nobody but a person can help, ERROR_RESTART where a new handle can. */
bool kafka_client_fatal(struct kafka_client *client, struct error *error) WARN_UNUSED;

#endif
