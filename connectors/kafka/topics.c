/*
 * Which of the config's topics are there. Before the consumer is made, because its fetch limits depend on how many partitions there are; and later,
 * because librdkafka alone would notice a topic that was missing at the start only minutes after it was made.
 *
 * The first look needs a handle of its own, without a group. With one topic at least the source goes on; what is missing is said, and the service is not
 * ready meanwhile.
 */
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "connectors/kafka/source.h"
#include "processor/log.h"

enum { ANSWER_MS = 1000 };
#define LOOK_AGAIN (5 * CLOCK_SECOND)
/* exit_at_end: a topic without which there is nothing to do may be in the making for so long, but not for ever: somebody waits for the end. */
#define GIVE_UP_AFTER (30 * CLOCK_SECOND)

struct look {
    struct kafka_client *client;
    unsigned partitions; /* of all topics that are there */
    unsigned missing;
    rd_kafka_resp_err_t err; /* the broker did not answer */
    char first_missing[160];
};

static void note_missing(struct look *look, const char *topic, rd_kafka_resp_err_t err)
{
    if (look->missing++ > 0)
        return;
    if (err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        snprintf(look->first_missing, sizeof look->first_missing, "no right to read the topic %s", topic);
    else if (kafka_topic_is_pattern(topic))
        snprintf(look->first_missing, sizeof look->first_missing, "no topic matches %s", topic);
    else
        snprintf(look->first_missing, sizeof look->first_missing, "there is no topic %s", topic);
}

static void look_for_name(struct look *look, const char *topic)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(look->client->rk, topic, NULL);
    if (rkt == NULL) {
        note_missing(look, topic, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION);
        return;
    }
    rd_kafka_resp_err_t err = rd_kafka_metadata(look->client->rk, 0, rkt, &metadata, ANSWER_MS);
    const struct rd_kafka_metadata_topic *found = metadata != NULL && metadata->topic_cnt == 1 ? &metadata->topics[0]
                                                                                               : NULL;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        look->err = err;
    else if (found == NULL || found->err != RD_KAFKA_RESP_ERR_NO_ERROR || found->partition_cnt == 0)
        note_missing(look, topic, found != NULL ? found->err : RD_KAFKA_RESP_ERR_NO_ERROR);
    else
        look->partitions += (unsigned)found->partition_cnt;
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(rkt);
}

static void look_for_pattern(struct look *look, const char *pattern)
{
    const struct rd_kafka_metadata *metadata = NULL;
    unsigned found = 0;
    regex_t regex;
    /* RE2's syntax has more than POSIX; a pattern that only the broker understands is taken to match something. */
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        look->partitions += 64;
        return;
    }
    look->err = rd_kafka_metadata(look->client->rk, 1, NULL, &metadata, ANSWER_MS);
    for (int i = 0; metadata != NULL && i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
        if (strncmp(topic->topic, "__", 2) != 0 && regexec(&regex, topic->topic, 0, NULL, 0) == 0)
            found += (unsigned)topic->partition_cnt;
    }
    if (look->err == RD_KAFKA_RESP_ERR_NO_ERROR && found == 0)
        note_missing(look, pattern, RD_KAFKA_RESP_ERR_NO_ERROR);
    look->partitions += found;
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    regfree(&regex);
}

/* False: the brokers do not answer. */
static bool look_for_all(const struct kafka_source_config *config, struct look *look)
{
    const char *const *topics = config->topics.items;
    for (uint32_t i = 0; i < config->topics.count && look->err == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        if (kafka_topic_is_pattern(topics[i]))
            look_for_pattern(look, topics[i]);
        else
            look_for_name(look, topics[i]);
    }
    return look->err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void note_look(struct kafka_source *source, const struct look *look)
{
    const char *part = source->client.part;
    unsigned before = source->topics_missing;
    bool other = strcmp(source->missing, look->first_missing) != 0;
    source->topics_looked = clock_now();
    source->topics_missing = look->missing;
    memcpy(source->missing, look->first_missing, sizeof source->missing);
    if (look->missing > 0 && (look->missing != before || other))
        log_warn(part, "%s%s: waiting for it", look->first_missing, look->missing > 1 ? " (and more are missing)" : "");
    else if (look->missing == 0 && before > 0)
        log_info(part, "all topics are there now");
}

/* -- before the consumer is made -- */

/* absent_since: when the brokers first said that no topic is there; 0: they have not. */
static enum status give_up(const struct kafka_source *source, const struct look *look, int64_t absent_since,
                           struct error *error)
{
    if (!source->env.exit_at_end || absent_since == 0 || clock_now() - absent_since < GIVE_UP_AFTER)
        return STATUS_OK;
    return error_set(error, ERROR_UNAVAILABLE, "%s%s, for %lld s by now: an exit at the end waits no longer",
                     look->first_missing, look->missing > 1 ? " (and more are missing)" : "",
                     (long long)(GIVE_UP_AFTER / CLOCK_SECOND));
}

static enum status wait_for_one(struct kafka_source *source, struct kafka_client *client, unsigned *ret_partitions,
                                struct error *error)
{
    int64_t absent_since = 0;
    for (;;) {
        struct look look = {.client = client};
        bool answered = look_for_all(source->config, &look);
        (void)rd_kafka_poll(client->rk, 0); /* for the error callback's words */
        if (answered) {
            kafka_client_up(client);
            note_look(source, &look);
        }
        *ret_partitions = look.partitions;
        if (answered && look.partitions > 0)
            return STATUS_OK;
        if (answered)
            intake_state(source->intake, false, -1, look.first_missing);
        else
            intake_state(source->intake, false, -1,
                         client->state != KAFKA_UP ? client->reason : rd_kafka_err2str(look.err));
        if (answered && absent_since == 0)
            absent_since = clock_now();
        kafka_source_wait(source, clock_now() + CLOCK_SECOND);
        enum status status = context_status(source->context);
        if (status == STATUS_OK && answered)
            status = give_up(source, &look, absent_since, error);
        if (status != STATUS_OK)
            return status;
        if (intake_draining(source->intake))
            return STATUS_CLOSED;
    }
}

enum status kafka_topics_wait(struct kafka_source *source, unsigned *ret_partitions, struct error *error)
{
    struct kafka_client client = {.part = source->client.part, .owner = source};
    rd_kafka_conf_t *conf = kafka_conf_new(KAFKA_CONSUMER, NULL, &source->config->connection, NULL, error);
    if (conf == NULL)
        return STATUS_FAILED;
    enum status status = kafka_client_open(&client, KAFKA_CONSUMER, conf, error);
    if (status == STATUS_OK)
        status = wait_for_one(source, &client, ret_partitions, error);
    (void)kafka_client_close(&client, 5 * CLOCK_SECOND);
    return status;
}

/* -- later -- */

void kafka_topics_look(struct kafka_source *source)
{
    if (source->topics_missing == 0 || source->client.state == KAFKA_DOWN ||
        clock_now() - source->topics_looked < LOOK_AGAIN)
        return;
    struct look look = {.client = &source->client};
    if (look_for_all(source->config, &look)) {
        note_look(source, &look);
        kafka_source_tell_state(source);
    }
}
