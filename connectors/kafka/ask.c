#include "connectors/kafka/ask.h"

#include "processor/clock.h"

enum { ANSWER_MS = 1000 };

int kafka_ask_patience(const struct context *context)
{
    int64_t left = context_deadline(context) - clock_now();
    if (context_status(context) != STATUS_OK || left <= 0)
        return 0;
    return left / CLOCK_MS < ANSWER_MS ? (int)(left / CLOCK_MS) + 1 : ANSWER_MS;
}

rd_kafka_resp_err_t kafka_ask_metadata(struct kafka_client *client, struct context *context, bool all,
                                       rd_kafka_topic_t *rkt, const struct rd_kafka_metadata **ret)
{
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    int ms;
    *ret = NULL;
    while ((ms = kafka_ask_patience(context)) > 0) {
        int64_t began = clock_now();
        err = rd_kafka_metadata(client->rk, all, rkt, ret, ms);
        (void)rd_kafka_poll(client->rk, 0); /* for the error callback's words */
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
            return err;
        if (clock_now() - began < 100 * CLOCK_MS)
            (void)context_sleep(context, 100 * CLOCK_MS);
    }
    return err;
}

const char *kafka_ask_why(const struct kafka_client *client, rd_kafka_resp_err_t err)
{
    if (client->state != KAFKA_UP)
        return client->reason;
    return client->last_words[0] != '\0' ? client->last_words : rd_kafka_err2str(err);
}

bool kafka_ask_is_missing(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
}
