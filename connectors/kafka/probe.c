/*
 * What a look at the cluster tells before anything is started. All of it goes through a consumer that never subscribes: it joins no group, and, other than a
 * producer's, its questions for a topic do not make the topic (allow.auto.create.topics).
 */
#include "connectors/kafka/probe.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "config/probe.h"
#include "connectors/kafka/ask.h"
#include "connectors/kafka/source.h"

#define CLOSE_PATIENCE (2 * CLOCK_SECOND)

struct look {
    struct kafka_client client;
    struct context *context;
    struct probe *probe;
    rd_kafka_topic_partition_list_t *found; /* a partition of each topic that is there */
    int32_t broker;                         /* one that answers; -1: none yet */
};

/* -- asking -- */

static rd_kafka_resp_err_t ask(struct look *look, bool all, rd_kafka_topic_t *rkt, const struct rd_kafka_metadata **ret)
{
    rd_kafka_resp_err_t err = kafka_ask_metadata(&look->client, look->context, all, rkt, ret);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && (*ret)->broker_cnt > 0)
        look->broker = (*ret)->brokers[0].id;
    return err;
}

static bool find_brokers(struct look *look, const struct config_node *node)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = ask(look, false, NULL, &metadata);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
        return true;
    }
    probe_tell(look->probe, ERROR_TRANSIENT, node, "expected a broker that answers in time: %s",
               kafka_ask_why(&look->client, err));
    return false;
}

/* Would the brokers make a topic that is missing? 1: yes, 0: no, -1: they don't say. */
static int makes_topics(struct look *look)
{
    char id[16], words[256];
    int answer = -1, ms = kafka_ask_patience(look->context);
    if (ms == 0 || look->broker < 0)
        return -1;
    /* Every broker has it, and all should have the same. */
    snprintf(id, sizeof id, "%d", (int)look->broker);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(look->client.rk);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(look->client.rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, id);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, ms, words, sizeof words);
    rd_kafka_DescribeConfigs(look->client.rk, &resource, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ms + 100);
    const rd_kafka_DescribeConfigs_result_t *result = event != NULL ? rd_kafka_event_DescribeConfigs_result(event)
                                                                    : NULL;
    size_t count = 0, entry_count = 0;
    const rd_kafka_ConfigResource_t **resources = result != NULL
                                                      ? rd_kafka_DescribeConfigs_result_resources(result, &count)
                                                      : NULL;
    const rd_kafka_ConfigEntry_t **entries = count > 0 ? rd_kafka_ConfigResource_configs(resources[0], &entry_count)
                                                       : NULL;
    for (size_t i = 0; i < entry_count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value != NULL && strcmp(rd_kafka_ConfigEntry_name(entries[i]), "auto.create.topics.enable") == 0)
            answer = strcmp(value, "true") == 0;
    }
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return answer;
}

/* -- topics -- */

static void tell_topic(struct look *look, const struct config_node *node, const char *topic, rd_kafka_resp_err_t err)
{
    if (err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        probe_tell(look->probe, ERROR_FATAL, node, "expected the right to use the topic \"%s\": %s", topic,
                   rd_kafka_err2str(err));
    else if (err == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION || err == RD_KAFKA_RESP_ERR__INVALID_ARG)
        probe_tell(look->probe, ERROR_FATAL, node, "expected the name of a topic, found \"%s\": %s", topic,
                   rd_kafka_err2str(err));
    else
        probe_tell(look->probe, ERROR_TRANSIENT, node, "topic \"%s\": %s", topic, rd_kafka_err2str(err));
}

static void look_at_partitions(struct look *look, const struct config_node *node,
                               const struct rd_kafka_metadata_topic *topic)
{
    int leaderless = 0;
    for (int i = 0; i < topic->partition_cnt; i++)
        leaderless += topic->partitions[i].leader < 0;
    if (leaderless > 0)
        probe_tell(look->probe, ERROR_TRANSIENT, node, "topic \"%s\": %d of %d partitions have no leader", topic->topic,
                   leaderless, topic->partition_cnt);
    if (rd_kafka_topic_partition_list_find(look->found, topic->topic, 0) == NULL)
        rd_kafka_topic_partition_list_add(look->found, topic->topic, 0);
}

/* NO_ERROR: it is there, and what is wrong with it is told. */
static rd_kafka_resp_err_t look_at_topic(struct look *look, const struct config_node *node, const char *topic)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(look->client.rk, topic, NULL);
    if (rkt == NULL)
        return RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    rd_kafka_resp_err_t err = ask(look, false, rkt, &metadata);
    const struct rd_kafka_metadata_topic *found = metadata != NULL && metadata->topic_cnt == 1 ? &metadata->topics[0]
                                                                                               : NULL;
    if (metadata != NULL)
        err = found == NULL ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART : found->err;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && found != NULL)
        look_at_partitions(look, node, found);
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(rkt);
    return err;
}

static void look_for_name(struct look *look, const struct config_node *node, const char *topic)
{
    rd_kafka_resp_err_t err = look_at_topic(look, node, topic);
    if (kafka_ask_is_missing(err))
        probe_tell(look->probe, ERROR_TRANSIENT, node, "there is no topic \"%s\"", topic);
    else if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        tell_topic(look, node, topic, err);
}

static void look_for_pattern(struct look *look, const struct config_node *node, const char *pattern)
{
    const struct rd_kafka_metadata *metadata;
    regex_t regex;
    unsigned matches = 0;
    /* What only the broker understands (RE2) it alone can match. */
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return;
    rd_kafka_resp_err_t err = ask(look, true, NULL, &metadata);
    for (int i = 0; metadata != NULL && i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
        /* As when consuming: a pattern does not mean the broker's internal topics. */
        if (strncmp(topic->topic, "__", 2) == 0 || regexec(&regex, topic->topic, 0, NULL, 0) != 0)
            continue;
        matches++;
        if (topic->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            look_at_partitions(look, node, topic);
        else
            tell_topic(look, node, topic->topic, topic->err);
    }
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        tell_topic(look, node, pattern, err);
    else if (matches == 0)
        probe_tell(look->probe, ERROR_TRANSIENT, node, "no topic matches \"%s\"", pattern);
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    regfree(&regex);
}

/* A topic that is written to: there, or made by the brokers when a producer asks for it. */
static void look_for_target(struct look *look, const struct config_node *node, const char *topic)
{
    rd_kafka_resp_err_t err = look_at_topic(look, node, topic);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    if (!kafka_ask_is_missing(err)) {
        tell_topic(look, node, topic, err);
        return;
    }
    int made = makes_topics(look);
    if (made == 0)
        probe_tell(look->probe, ERROR_TRANSIENT, node,
                   "there is no topic \"%s\", and the brokers do not make it by themselves "
                   "(auto.create.topics.enable=false)",
                   topic);
    else
        probe_warn(look->probe, node, "there is no topic \"%s\" yet%s", topic,
                   made > 0 ? ": the brokers make it when weir asks for it, with their defaults"
                            : ", and the brokers do not say whether they make it by themselves");
}

/* -- the group -- */

/* Reading the committed offsets needs the coordinator and the right to the group, and no membership. A transaction that is open has nothing to say to it. topic: to ask for when none is there. */
static void look_at_group(struct look *look, const struct config_node *node, const char *group, const char *topic)
{
    if (look->found->cnt == 0)
        rd_kafka_topic_partition_list_add(look->found, topic, 0);
    rd_kafka_resp_err_t err = kafka_ask_unsettled(&look->client, look->context, group, look->found);
    for (int i = 0; i < look->found->cnt && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        err = kafka_ask_is_missing(look->found->elems[i].err) ? err : look->found->elems[i].err;
    if (err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
        probe_tell(look->probe, ERROR_FATAL, node, "expected the right to use the group \"%s\": %s", group,
                   rd_kafka_err2str(err));
    else if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        probe_tell(look->probe, ERROR_TRANSIENT, node, "expected the committed offsets of the group \"%s\": %s", group,
                   rd_kafka_err2str(err));
}

/* -- the handle -- */

/* Takes conf (NULL: see error). */
static enum status open_look(struct look *look, rd_kafka_conf_t *conf, struct error *error)
{
    look->client = (struct kafka_client){.part = "check", .owner = look};
    look->broker = -1;
    if (conf == NULL)
        return STATUS_FAILED;
    if (kafka_conf_set(conf, "allow.auto.create.topics", "false", error) != STATUS_OK) {
        rd_kafka_conf_destroy(conf);
        return STATUS_FAILED;
    }
    if (kafka_client_open(&look->client, KAFKA_CONSUMER, conf, error) != STATUS_OK)
        return STATUS_FAILED;
    look->found = rd_kafka_topic_partition_list_new(4);
    return STATUS_OK;
}

static void close_look(struct look *look)
{
    if (look->found != NULL)
        rd_kafka_topic_partition_list_destroy(look->found);
    (void)kafka_client_close(&look->client, CLOSE_PATIENCE);
}

static void look_at_source(struct look *look, const struct kafka_source_config *config)
{
    const struct config_node *list = config_tree_get(config->head.node, "topics");
    const char *const *topics = config->topics.items;
    for (uint32_t i = 0; i < config->topics.count; i++) {
        const struct config_node *node = list->kind == NODE_LIST ? &list->children[i] : list;
        if (kafka_topic_is_pattern(topics[i]))
            look_for_pattern(look, node, topics[i]);
        else
            look_for_name(look, node, topics[i]);
    }
    look_at_group(look, config_tree_get(config->head.node, "group"), config->group, topics[0]);
}

void kafka_source_probe(const void *arg, const struct dead_letter_config *letters,
                        const struct config_node *letters_node, const struct connector_env *env,
                        struct context *context)
{
    const struct kafka_source_config *config = arg;
    struct look look = {.context = context, .probe = env->probe};
    struct error error = {0};
    if (open_look(&look, kafka_source_conf(config, &error), &error) != STATUS_OK) {
        probe_tell(env->probe, error.class, config->head.node, "%s", error.text);
    } else if (find_brokers(&look, config_tree_get(config->head.node, "brokers"))) {
        look_at_source(&look, config);
        if (letters->topic != NULL)
            look_for_target(&look, config_tree_get(letters_node, "topic"), letters->topic);
    }
    close_look(&look);
}

enum status kafka_store_probe(const struct kafka_store_config *config, const struct kafka_connection *base,
                              struct probe *probe, struct context *context, struct error *error)
{
    struct look look = {.context = context, .probe = probe};
    const struct config_node *brokers = config_tree_get(config->head.node, "brokers");
    const char *topic = kafka_store_constant_topic(config);
    enum status status = open_look(&look, kafka_conf_new(KAFKA_CONSUMER, base, &config->connection, NULL, error),
                                   error);
    if (status == STATUS_OK && find_brokers(&look, brokers != NULL ? brokers : config->head.node) && topic != NULL)
        look_for_target(&look, config_tree_get(config->head.node, "topic"), topic);
    close_look(&look);
    return status;
}
