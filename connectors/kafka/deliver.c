/*
 * A letter is handed to an idempotent producer and settled when the broker acknowledged it; what fails is sent again, for ever: a record whose letter is
 * lost would be lost.
 *   - the broker refuses (no topic, no right): again after a backoff;
 *   - too large: all messages of a batch fail for one, or for their sum. Each is a suspect and sent again alone; the one that fails alone is cut by half, until
 *     it fits;
 *   - its timestamp (the record's) is too far from the broker's clock: likewise alone, then without it; a header has it all the same;
 *   - the producer is beyond repair: a new one is made, and everything is sent again.
 *
 * Alone means that librdkafka has no other letter, as it makes a batch of all that it has. While a suspect waits for that, and then for its answer, what is
 * written waits too. After each suspect these have their turn: one that the broker never takes holds nobody back.
 */
#include <poll.h>
#include <stdlib.h>

#include "connectors/kafka/sink.h"
#include "processor/health.h"
#include "processor/log.h"

enum { POLL_MS = 50, MESSAGE_MAX_DEFAULT = 1000000 };
#define PURGE_PATIENCE (2 * CLOCK_SECOND)
#define CLOSE_PATIENCE (3 * CLOCK_SECOND)

static const char PART[] = "dead letters";

/* -- sending -- */

static rd_kafka_resp_err_t produce(struct kafka_dead_letter *sink, struct letter *letter, rd_kafka_headers_t *headers)
{
    rd_kafka_vu_t args[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = sink->rkt},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)letter->key.data, letter->key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)letter->value.data, letter->value.size}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = letter->timestamp > 0 ? letter->timestamp : 0},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = letter},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(sink->client.rk, args, sizeof args / sizeof args[0]);
    if (error == NULL)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t err = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return err;
}

/* False: librdkafka did not take it, see letter->err. What is larger than our own limit is cut before it is tried. */
static bool send_locked(struct kafka_dead_letter *sink, struct letter *letter)
{
    size_t overhead = letter_overhead(letter);
    if (overhead + letter->value.size > sink->message_max)
        (void)letter_cut(letter, sink->message_max > overhead ? sink->message_max - overhead : 0);
    /* All before it is sent: the answer may come, in the thread, before produce returns. */
    rd_kafka_headers_t *headers = letter->headers;
    letter->headers = NULL;
    letter->sent = true;
    rd_kafka_resp_err_t err = sink->client.rk != NULL ? produce(sink, letter, headers) : RD_KAFKA_RESP_ERR__STATE;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return true;
    letter->headers = headers;
    letter->sent = false;
    letter->err = err;
    return false;
}

void sink_send_locked(struct kafka_dead_letter *sink, struct letter *letter)
{
    if (sink->alone || !send_locked(sink, letter))
        letters_push(&sink->again, letter);
}

/* -- answers -- */

/* In the thread, inside rd_kafka_poll. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_client *client = opaque;
    struct kafka_dead_letter *sink = client->owner;
    struct letter *letter = message->_private;
    (void)rk;
    letter->sent = false;
    letter->err = message->err;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        (void)rd_kafka_message_detach_headers((rd_kafka_message_t *)message, &letter->headers);
    letters_push(&sink->answers, letter);
}

void sink_is_well(struct kafka_dead_letter *sink)
{
    if (sink->health != NULL)
        health_ok(sink->health, PART);
}

static void delivered(struct kafka_dead_letter *sink, struct letter *letter)
{
    kafka_client_up(&sink->client);
    if (sink->backoff.attempt > 0) {
        log_info(PART, "%s takes them again", sink->topic);
        sink_is_well(sink);
    }
    backoff_reset(&sink->backoff);
    sink->again_at = 0;
    letter_settle(letter);
    sink_lock(sink);
    sink_take_off_locked(sink, letter);
    sink_unlock(sink);
    letter_free(letter);
}

static void too_large(struct kafka_dead_letter *sink, struct letter *letter, bool was_alone)
{
    struct error error;
    letter->alone = true;
    if (!was_alone || letter_cut(letter, letter->value.size / 2))
        return;
    error_set(&error, ERROR_FATAL,
              "a dead letter is too large for the topic %s even without its value (key and headers: %zu bytes)",
              sink->topic, letter_overhead(letter));
    sink_lock(sink);
    sink_set_dead_locked(sink, &error);
    sink_unlock(sink);
}

static void back_off(struct kafka_dead_letter *sink)
{
    int64_t now = clock_now();
    if (sink->again_at <= now)
        sink->again_at = now + backoff_next(&sink->backoff);
}

static void refused(struct kafka_dead_letter *sink, const struct letter *letter)
{
    back_off(sink);
    log_error(PART, "%s does not take them (%s): trying again; their records stay uncommitted", sink->topic,
              rd_kafka_err2str(letter->err));
    if (sink->health != NULL)
        health_problem(sink->health, PART, "%s does not take them: %s", sink->topic, rd_kafka_err2str(letter->err));
}

/* The broker may say of a timestamp no more than that the record is not valid. */
static void not_valid(struct kafka_dead_letter *sink, struct letter *letter, bool was_alone)
{
    if (was_alone && letter->timestamp <= 0)
        refused(sink, letter);
    if (was_alone)
        letter->timestamp = -1;
    letter->alone = true;
}

static void failed(struct kafka_dead_letter *sink, struct letter *letter, bool was_alone)
{
    switch (letter->err) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
        too_large(sink, letter, was_alone);
        break;
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
        not_valid(sink, letter, was_alone);
        break;
    case RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD: /* another one of its request is bad */
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:              /* we did that */
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
    case RD_KAFKA_RESP_ERR__FATAL: /* said by repair */
    case RD_KAFKA_RESP_ERR__STATE:
        break;
    default:
        refused(sink, letter);
    }
    sink_lock(sink);
    letters_push(letter->alone ? &sink->suspects : &sink->again, letter);
    sink_unlock(sink);
}

static void end_alone(struct kafka_dead_letter *sink)
{
    sink_lock(sink);
    sink->alone = false;
    sink_unlock(sink);
}

static void serve_answers(struct kafka_dead_letter *sink)
{
    struct letter *letter;
    while ((letter = letters_pop(&sink->answers)) != NULL) {
        bool was_alone = letter->alone;
        if (was_alone)
            end_alone(sink);
        if (letter->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            delivered(sink, letter);
        else
            failed(sink, letter, was_alone);
    }
}

/* -- sending again -- */

static bool any_sent_locked(const struct kafka_dead_letter *sink)
{
    for (const struct letter *letter = sink->under_way; letter != NULL; letter = letter->newer) {
        if (letter->sent)
            return true;
    }
    return false;
}

/* One that librdkafka does not take at once; NULL: it took all that may go now. */
static struct letter *send_due_locked(struct kafka_dead_letter *sink)
{
    struct letter *letter;
    while (!sink->alone && (letter = letters_pop(&sink->again)) != NULL) {
        if (!send_locked(sink, letter))
            return letter;
    }
    sink->alone = sink->suspects.first != NULL;
    if (!sink->alone || any_sent_locked(sink))
        return NULL;
    letter = letters_pop(&sink->suspects);
    if (send_locked(sink, letter))
        return NULL;
    sink->alone = false;
    return letter;
}

/* What librdkafka refuses by itself, it refuses for its own sake. */
static void send_again(struct kafka_dead_letter *sink)
{
    struct letter *refused = NULL;
    if (clock_now() < sink->again_at)
        return;
    sink_lock(sink);
    if (sink->client.rk != NULL)
        refused = send_due_locked(sink);
    sink_unlock(sink);
    if (refused != NULL)
        failed(sink, refused, true);
}

/* -- the producer -- */

enum status sink_open_producer(struct kafka_dead_letter *sink, struct error *error)
{
    static const struct kafka_setting defaults[] = {
        {"message.timeout.ms", "0"}, /* for ever */
        {"partitioner", "murmur2_random"},
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf = kafka_conf_new(KAFKA_PRODUCER, &sink->source->connection, &sink->own, defaults, error);
    if (conf == NULL)
        return STATUS_FAILED;
    sink->message_max = (size_t)kafka_conf_number(conf, "message.max.bytes", MESSAGE_MAX_DEFAULT);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    sink->client = (struct kafka_client){.part = PART, .owner = sink};
    enum status status = kafka_client_open(&sink->client, KAFKA_PRODUCER, conf, error);
    if (status != STATUS_OK)
        return status;
    sink->rkt = rd_kafka_topic_new(sink->client.rk, sink->topic, NULL);
    if (sink->rkt != NULL)
        return STATUS_OK;
    error_set(error, ERROR_FATAL, "errors.dead_letter.topic: %s", rd_kafka_err2str(rd_kafka_last_error()));
    (void)kafka_client_close(&sink->client, CLOSE_PATIENCE);
    return STATUS_FAILED;
}

/* With the mutex, or when nobody else is there. True: all letters are back, those that were under way as answers. */
bool sink_close_producer_locked(struct kafka_dead_letter *sink)
{
    rd_kafka_t *rk = sink->client.rk;
    int64_t until = clock_now() + PURGE_PATIENCE;
    if (rk != NULL) {
        (void)rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
        while (any_sent_locked(sink) && clock_now() < until)
            (void)rd_kafka_poll(rk, POLL_MS);
    }
    if (sink->rkt != NULL)
        rd_kafka_topic_destroy(sink->rkt);
    sink->rkt = NULL;
    (void)kafka_client_close(&sink->client, CLOSE_PATIENCE);
    return !any_sent_locked(sink);
}

/* After a fatal error the producer takes nothing any more: a new one does, and gets all letters that are not acknowledged. */
static void repair(struct kafka_dead_letter *sink)
{
    struct error error = {0};
    if (sink->client.rk != NULL && kafka_client_fatal(&sink->client, &error)) {
        log_error(PART, "%s: making a new producer", error.text);
        back_off(sink);
        sink_lock(sink);
        if (!sink_close_producer_locked(sink)) {
            error_set(&error, ERROR_RESTART, "librdkafka does not give the letters back that it has");
            sink_set_dead_locked(sink, &error);
        }
        sink_unlock(sink);
    }
    if (sink->client.rk != NULL || clock_now() < sink->again_at)
        return;
    sink_lock(sink);
    enum status status = sink_open_producer(sink, &error);
    sink_unlock(sink);
    if (status != STATUS_OK) {
        back_off(sink);
        log_error(PART, "%s", error.text);
    }
}

void sink_deliver(struct kafka_dead_letter *sink)
{
    repair(sink);
    if (sink->client.rk != NULL)
        (void)rd_kafka_poll(sink->client.rk, POLL_MS);
    else
        (void)poll(NULL, 0, POLL_MS);
    serve_answers(sink);
    send_again(sink);
}
