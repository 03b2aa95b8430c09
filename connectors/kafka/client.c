#include "connectors/kafka/client.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/log.h"

void kafka_client_set_state(struct kafka_client *client, enum kafka_state state, const char *format, ...)
{
    char reason[sizeof client->reason];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    if (client->state == state && strcmp(client->reason, reason) == 0)
        return;
    if (client->state != state)
        client->since = clock_now();
    client->state = state;
    client->changed = true;
    memcpy(client->reason, reason, sizeof reason);
}

void kafka_client_up(struct kafka_client *client)
{
    if (client->state == KAFKA_UP)
        return;
    log_info(client->part, "connected again");
    kafka_client_set_state(client, KAFKA_UP, "%s", "");
}

/* librdkafka's levels are syslog's. What it says of lost connections is repeated by its error callback, so that is where we log it. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const struct kafka_client *client = rd_kafka_opaque(rk);
    const char *part = client != NULL ? client->part : "kafka";
    if (strcmp(facility, "FAIL") == 0 || strcmp(facility, "ERROR") == 0)
        level = 7;
    /* Who has the handle learns the same, and says what it does about it. */
    if (strcmp(facility, "TXNERR") == 0 || strcmp(facility, "ADDOFFSETS") == 0 || strcmp(facility, "FATAL") == 0)
        level = 6;
    if (level <= 3)
        log_error(part, "librdkafka %s: %s", facility, text);
    else if (level == 4)
        log_warn(part, "librdkafka %s: %s", facility, text);
    else if (level <= 6)
        log_info(part, "librdkafka %s: %s", facility, text);
    else
        log_debug(part, "librdkafka %s: %s", facility, text);
}

/* Runs where the handle is polled. */
static void on_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
    struct kafka_client *client = opaque;
    (void)rk;
    switch ((rd_kafka_resp_err_t)code) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        /* It comes again with each attempt to connect. */
        if (client->state != KAFKA_UP)
            break;
        kafka_client_set_state(client, KAFKA_DOWN, "all brokers are down (%s)",
                               client->last_words[0] != '\0' ? client->last_words : text);
        log_warn(client->part, "%s: waiting for them", client->reason);
        break;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        kafka_client_set_state(client, KAFKA_DOWN, "the broker does not let us in: %s", text);
        log_error(client->part, "%s: check `sasl`, `tls` and the security properties", client->reason);
        break;
    case RD_KAFKA_RESP_ERR__FATAL:
        break; /* asked for by kafka_client_fatal */
    default:
        snprintf(client->last_words, sizeof client->last_words, "%s", text);
        log_info(client->part, "%s (librdkafka tries again by itself)", text);
    }
}

enum status kafka_client_open(struct kafka_client *client, enum kafka_role role, rd_kafka_conf_t *conf,
                              struct error *error)
{
    char words[ERROR_TEXT_MAX] = "";
    client->state = KAFKA_UP;
    client->since = client->probed = clock_now();
    client->changed = client->left_asking = false;
    client->reason[0] = client->last_words[0] = '\0';
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    client->rk = rd_kafka_new(role == KAFKA_CONSUMER ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, words,
                              sizeof words);
    if (client->rk != NULL)
        return STATUS_OK;
    rd_kafka_conf_destroy(conf);
    return error_set(error, ERROR_FATAL, "librdkafka does not start with this config: %s", words);
}

bool kafka_client_fatal(struct kafka_client *client, struct error *error)
{
    char words[ERROR_TEXT_MAX] = "";
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(client->rk, words, sizeof words);
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return false;
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        error_set(error, ERROR_FATAL,
                  "another process with the same `instance` joined the group and took over: each needs its own (%s)",
                  words);
        return true;
    case RD_KAFKA_RESP_ERR__FENCED:
        error_set(
            error, ERROR_RESTART,
            "the broker has ended our transaction: it took longer than transaction.timeout.ms, or another process "
            "with the same `instance` took over (%s)",
            words);
        return true;
    /* The state of an idempotent producer is beyond repair, or its id unknown to the broker: a new one has neither trouble. Rights may be given meanwhile. */
    case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
    case RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_INVALID_TXN_STATE:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__INCONSISTENT:
    case RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE:
        error_set(error, ERROR_RESTART, "%s: %s", rd_kafka_err2name(code), words);
        return true;
    default:
        error_set(error, ERROR_FATAL, "%s: %s", rd_kafka_err2name(code), words);
        return true;
    }
}

void kafka_client_probe(struct kafka_client *client, int wait_ms)
{
    int64_t now = clock_now();
    if (client->state != KAFKA_DOWN || now - client->probed < CLOCK_SECOND)
        return;
    client->probed = now;
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(client->rk, 0, NULL, &metadata, wait_ms) == RD_KAFKA_RESP_ERR_NO_ERROR)
        kafka_client_up(client);
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
}

#define LEFT_PATIENCE CLOCK_SECOND

/* -- the end, bounded: rd_kafka_destroy never returns while anything of the handle is held, or after some fatal errors -- */

struct ending {
    pthread_mutex_t mutex;
    pthread_cond_t done_cond;
    rd_kafka_t *rk;
    int refs;  /* mutex: the waiter and the thread */
    bool done; /* mutex */
};

static void ending_unref(struct ending *ending)
{
    CHECK_CALL(pthread_mutex_lock(&ending->mutex));
    int left = --ending->refs;
    CHECK_CALL(pthread_mutex_unlock(&ending->mutex));
    if (left > 0)
        return;
    CHECK_CALL(pthread_cond_destroy(&ending->done_cond));
    CHECK_CALL(pthread_mutex_destroy(&ending->mutex));
    free(ending);
}

static void *ending_main(void *arg)
{
    struct ending *ending = arg;
    rd_kafka_destroy_flags(ending->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    CHECK_CALL(pthread_mutex_lock(&ending->mutex));
    ending->done = true;
    CHECK_CALL(pthread_cond_signal(&ending->done_cond));
    CHECK_CALL(pthread_mutex_unlock(&ending->mutex));
    ending_unref(ending);
    return NULL;
}

static bool ending_wait(struct ending *ending, int64_t until)
{
    struct timespec at = clock_timespec(until);
    CHECK_CALL(pthread_mutex_lock(&ending->mutex));
    while (!ending->done && clock_now() < until)
        (void)pthread_cond_clockwait(&ending->done_cond, &ending->mutex, CLOCK_MONOTONIC, &at);
    bool done = ending->done;
    CHECK_CALL(pthread_mutex_unlock(&ending->mutex));
    return done;
}

bool kafka_client_close(struct kafka_client *client, int64_t wait)
{
    if (client->rk == NULL)
        return true;
    rd_kafka_t *rk = client->rk;
    client->rk = NULL;
    /* If it is left behind, it must not log through a client that is gone. */
    rd_kafka_set_log_level(rk, 0);
    struct ending *ending = calloc(1, sizeof *ending);
    pthread_t thread;
    if (ending == NULL) {
        rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        return true;
    }
    CHECK_CALL(pthread_cond_init(&ending->done_cond, NULL));
    CHECK_CALL(pthread_mutex_init(&ending->mutex, NULL));
    ending->rk = rk;
    ending->refs = 2;
    CHECK_CALL(pthread_create(&thread, NULL, ending_main, ending));
    if (client->left_asking && wait > LEFT_PATIENCE)
        wait = LEFT_PATIENCE;
    bool done = ending_wait(ending, clock_now() + wait);
    if (done) {
        CHECK_CALL(pthread_join(thread, NULL));
    } else {
        CHECK_CALL(pthread_detach(thread));
    }
    if (!done && client->left_asking)
        log_info(client->part, "librdkafka is left behind: it waits for an answer still");
    else if (!done)
        log_error(client->part, "librdkafka did not end within %lld s: it is left behind",
                  (long long)(wait / CLOCK_SECOND));
    ending_unref(ending);
    return done;
}
