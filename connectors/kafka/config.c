/* The table behind `kafka:` of the source, and the rd_kafka_conf_t made of it. */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/kafka/dead_letter.h"
#include "connectors/kafka/source.h"

static const char *const start_names[] = {"earliest", "latest", NULL};
static const char *const protocol_names[] = {"classic", "consumer", NULL};
static const char *const corrupt_names[] = {"skip", "stop", NULL};

static const struct config_field fields[] = {
    KAFKA_CONNECTION_FIELDS(
        struct kafka_source_config, true,
        "HOST:PORT of one or more brokers to begin with; the rest of the cluster is found through them."),
    {.name = "group",
     .help =
         "The consumer group: its instances share the partitions, and the committed offsets are kept under its name.",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct kafka_source_config, group),
     .required = true},
    {.name = "topics",
     .help = "Topics by name, or by a regular expression that begins with ^ (POSIX extended; with `protocol: consumer` "
             "RE2); new topics that match are "
             "found within 30 s.",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct kafka_source_config, topics),
     .required = true,
     .min = 1,
     .item = &kafka_string_item},
    {.name = "start",
     .help = "Where the group starts in a partition of which it has no committed offset.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct kafka_source_config, start),
     .fallback = "earliest",
     .choices = start_names},
    {.name = "instance",
     .help = "Static membership (group.instance.id): a restarted instance has its partitions back at once, and a short "
             "absence moves none. "
             "Each running instance needs its own; without it, a killed instance's partitions wait for the session "
             "timeout of 45 s.",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct kafka_source_config, instance)},
    {.name = "protocol",
     .help = "The group protocol (group.protocol): classic, with cooperative rebalancing; or consumer (KIP-848, "
             "brokers from 4.0 on), where the broker "
             "assigns.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct kafka_source_config, protocol),
     .fallback = "classic",
     .choices = protocol_names},
    {.name = "on_corrupt",
     .help = "What to do at a batch in the log that can't be read (broken compression or checksum): skip goes to the "
             "next good one, reports the lost offsets and "
             "counts them; stop ends the service.",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct kafka_source_config, on_corrupt),
     .fallback = "skip",
     .choices = corrupt_names},
    {.name = NULL},
};

bool kafka_topic_is_pattern(const char *topic)
{
    return topic[0] == '^';
}

static const char *topic_at(const struct kafka_source_config *config, uint32_t at)
{
    return ((const char *const *)config->topics.items)[at];
}

bool kafka_source_consumes(const struct kafka_source_config *config, const char *topic)
{
    for (uint32_t i = 0; i < config->topics.count; i++) {
        const char *item = topic_at(config, i);
        regex_t regex;
        if (!kafka_topic_is_pattern(item)) {
            if (strcmp(item, topic) == 0)
                return true;
            continue;
        }
        if (regcomp(&regex, item, REG_EXTENDED | REG_NOSUB) != 0)
            continue;
        bool matches = regexec(&regex, topic, 0, NULL, 0) == 0;
        regfree(&regex);
        if (matches)
            return true;
    }
    return false;
}

/* -- rd_kafka_conf_t -- */

static bool has_pattern(const struct kafka_source_config *config)
{
    for (uint32_t i = 0; i < config->topics.count; i++) {
        if (kafka_topic_is_pattern(topic_at(config, i)))
            return true;
    }
    return false;
}

static bool names_internal_topic(const struct kafka_source_config *config)
{
    for (uint32_t i = 0; i < config->topics.count; i++) {
        if (strncmp(topic_at(config, i), "__", 2) == 0)
            return true;
    }
    return false;
}

rd_kafka_conf_t *kafka_source_conf(const struct kafka_source_config *config, struct error *error)
{
    bool classic = config->protocol == KAFKA_PROTOCOL_CLASSIC, pattern = has_pattern(config);
    const struct kafka_setting defaults[] = {
        {"check.crcs", "true"},
        /* How much comes again after a kill. */
        {"auto.commit.interval.ms", "1000"},
        /* The assigned partitions move one by one, the others go on meanwhile. The new protocol has that built in, and refuses the property. */
        {"partition.assignment.strategy", classic ? "cooperative-sticky" : NULL},
        /* One fetch is under way per broker: one that waits for data holds up a new partition. */
        {"fetch.wait.max.ms", "100"},
        /* A partition over its limit is looked at again after so long; the default of 1 s leaves the queue dry. */
        {"fetch.queue.backoff.ms", "10"},
        {"topic.metadata.refresh.interval.ms", pattern ? "30000" : NULL},
        /* As Kafka's own client: a pattern does not mean the broker's internal topics. */
        {"topic.blacklist", pattern && !names_internal_topic(config) ? "^__.*" : NULL},
        {NULL, NULL},
    };
    const struct kafka_setting own[] = {
        {"group.id", config->group},
        {"group.instance.id", config->instance},
        {"group.protocol", protocol_names[config->protocol]},
        /* Only for a position that the log does not have: back to what there is, as a duplicate beats a loss. Where a new group starts is settled
         * when a partition is assigned. */
        {"auto.offset.reset", "earliest"},
        {"enable.auto.commit", "true"},
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "true"},
        {NULL, NULL},
    };
    return kafka_conf_with(kafka_conf_new(KAFKA_CONSUMER, NULL, &config->connection, defaults, error), own, error);
}

/* -- check -- */

static void check_topics(const struct kafka_source_config *config, struct config_report *report)
{
    const struct config_node *list = config_tree_get(config->head.node, "topics");
    for (uint32_t i = 0; i < config->topics.count; i++) {
        const char *topic = topic_at(config, i);
        const struct config_node *node = list != NULL && list->kind == NODE_LIST && i < list->count ? &list->children[i]
                                                                                                    : list;
        regex_t regex;
        char words[160];
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(topic, topic_at(config, j)) == 0)
                config_error(report, node, "the topic \"%s\" is there twice", topic);
        }
        /* RE2's syntax is the broker's business. */
        if (!kafka_topic_is_pattern(topic) || config->protocol == KAFKA_PROTOCOL_CONSUMER)
            continue;
        int code = regcomp(&regex, topic, REG_EXTENDED | REG_NOSUB);
        if (code == 0) {
            regfree(&regex);
            continue;
        }
        regerror(code, &regex, words, sizeof words);
        config_error(report, node, "expected a regular expression (POSIX extended) after ^, found \"%s\": %s", topic,
                     words);
    }
}

/* What single properties can't tell: those that do not go together. */
static void check_together(const struct kafka_source_config *config, struct config_report *report)
{
    struct error error = {0};
    struct kafka_source_config offline = *config;
    kafka_connection_offline(&offline.connection);
    rd_kafka_conf_t *conf = kafka_source_conf(&offline, &error);
    if (conf == NULL || kafka_conf_try(KAFKA_CONSUMER, conf, &error) != STATUS_OK)
        config_error(report, config->head.node, "%s", error.text);
    kafka_connection_offline_free(&offline.connection);
}

static void check(const void *arg, struct config_report *report)
{
    const struct kafka_source_config *config = arg;
    check_topics(config, report);
    if (kafka_check_properties(KAFKA_CONSUMER, &config->connection.properties, report))
        check_together(config, report);
}

void kafka_dead_letter_check(const struct dead_letter_config *config, const void *source_config,
                             const struct config_node *node, struct config_report *report)
{
    const struct config_node *topic = config_tree_get(node, "topic");
    if (config->topic != NULL && kafka_source_consumes(source_config, config->topic))
        config_error(report, topic, "expected a topic that the source does not consume itself, found \"%s\"",
                     config->topic);
    if (config->properties != NULL)
        (void)kafka_check_properties(KAFKA_PRODUCER, config->properties, report);
}

void *kafka_read_dead_letters(const struct dead_letter_config *config, const void *source_config)
{
    struct {
        struct kafka_source_config config;
        const char *topics[1];
    } *letters = malloc(sizeof *letters);
    if (letters == NULL)
        return NULL;
    letters->config = *(const struct kafka_source_config *)source_config;
    letters->config.instance = NULL;
    letters->topics[0] = config->topic;
    letters->config.topics = (struct config_list){.items = letters->topics, .count = 1};
    return letters;
}

static const struct config_table table = {
    .name = "kafka",
    .help = "Topics of a Kafka cluster, consumed as a member of a group.",
    .size = sizeof(struct kafka_source_config),
    .fields = fields,
    .check = check,
};

const struct config_field kafka_source_config_field = {
    .name = "kafka",
    .help = "Topics of a Kafka cluster, consumed as a member of a group.",
    .kind = CONFIG_OBJECT,
    .table = &table,
};
