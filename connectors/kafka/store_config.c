#include <stdio.h>

#include "config/fields.h"
#include "connectors/kafka/source.h"
#include "connectors/kafka/store.h"

static const char *const timestamp_names[] = {"record", "now", NULL};

static const struct config_field fields[] = {
    KAFKA_CONNECTION_FIELDS(
        struct kafka_store_config, false,
        "HOST:PORT of one or more brokers. Without it the source's cluster and credentials are used."),
    {.name = "topic",
     .help = "The topic; a template may choose it for each record.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct kafka_store_config, topic),
     .required = true,
     .custom = &config_template},
    {.name = "key",
     .help = "The message's key, which also chooses the partition (by murmur2, as Kafka's own client does); without it "
             "the record's own key.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct kafka_store_config, key),
     .custom = &config_template},
    {.name = "partition",
     .help =
         "The message's partition: a number, or a template that makes one of each record (\"{{partition}}\": the one "
         "it "
         "came from). A record for a partition that the topic does not have is rejected. Without it the key chooses.",
     .kind = CONFIG_CUSTOM,
     .offset = offsetof(struct kafka_store_config, partition),
     .custom = &config_template},
    {.name = "headers",
     .help = "Whether the record's headers go along.",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct kafka_store_config, headers),
     .fallback = "true"},
    {.name = "timestamp",
     .help = "The message's time: the record's own, or now.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct kafka_store_config, timestamp),
     .fallback = "record",
     .choices = timestamp_names},
    {.name = NULL},
};

const char *kafka_store_constant_topic(const struct kafka_store_config *config)
{
    const struct config_node *node = config_tree_get(config->head.node, "topic");
    return node != NULL && config->topic != NULL && template_is_constant(config->topic) ? node->text : NULL;
}

static void check_together(const struct kafka_store_config *config, struct config_report *report)
{
    struct error error = {0};
    struct kafka_connection offline = config->connection;
    kafka_connection_offline(&offline);
    rd_kafka_conf_t *conf = kafka_conf_new(KAFKA_PRODUCER, NULL, &offline, NULL, &error);
    if (conf == NULL || kafka_conf_try(KAFKA_PRODUCER, conf, &error) != STATUS_OK)
        config_error(report, config->head.node, "%s", error.text);
    kafka_connection_offline_free(&offline);
}

static void check(const void *arg, struct config_report *report)
{
    const struct kafka_store_config *config = arg;
    const char *topic = kafka_store_constant_topic(config);
    if (topic != NULL && topic[0] == '\0')
        config_error(report, config_tree_get(config->head.node, "topic"),
                     "expected the name of a topic, found nothing");
    if (kafka_check_properties(KAFKA_PRODUCER, &config->connection.properties, report))
        check_together(config, report);
}

bool kafka_store_can_stand_behind(const void *arg, const char *source_name, const void *source_config,
                                  const struct config_node **ret_node, const char **ret_why)
{
    const struct kafka_store_config *config = arg;
    const char *topic = kafka_store_constant_topic(config);
    if (topic == NULL || strcmp(source_name, "kafka") != 0 || config->connection.brokers.count > 0 ||
        !kafka_source_consumes(source_config, topic))
        return true;
    *ret_node = config_tree_get(config->head.node, "topic");
    *ret_why = "expected a topic that the source does not consume: what is stored there would go round for ever";
    return false;
}

bool kafka_store_can_keep_offsets(const void *arg, const struct config_node **ret_node, const char **ret_why)
{
    static _Thread_local char words[ERROR_TEXT_MAX];
    const struct kafka_store_config *config = arg;
    struct error error = {0};
    if (config->connection.brokers.count > 0) {
        *ret_node = config_tree_get(config->head.node, "brokers");
        *ret_why = "no `brokers`, as a transaction with the group's offsets can't span two clusters: the store then "
                   "writes to the source's";
        return false;
    }
    struct kafka_connection offline = config->connection;
    kafka_connection_offline(&offline);
    rd_kafka_conf_t *conf = kafka_conf_new(KAFKA_PRODUCER, NULL, &offline, kafka_transaction_defaults, &error);
    if (conf != NULL && kafka_conf_set(conf, "transactional.id", "check", &error) != STATUS_OK) {
        rd_kafka_conf_destroy(conf);
        conf = NULL;
    }
    bool good = conf != NULL && kafka_conf_try(KAFKA_PRODUCER, conf, &error) == STATUS_OK;
    kafka_connection_offline_free(&offline);
    snprintf(words, sizeof words, "%s", error.text);
    *ret_node = config_tree_get(config->head.node, "properties");
    *ret_why = words;
    return good;
}

static const struct config_table table = {
    .name = "kafka",
    .help =
        "Messages in a Kafka topic, written by an idempotent producer; with `delivery: exactly_once` in transactions.",
    .size = sizeof(struct kafka_store_config),
    .fields = fields,
    .check = check,
};

const struct config_field kafka_store_config_field = {
    .name = "kafka",
    .help =
        "Messages in a Kafka topic, written by an idempotent producer; with `delivery: exactly_once` in transactions.",
    .kind = CONFIG_OBJECT,
    .table = &table,
};
