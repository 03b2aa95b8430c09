/*
 * The list of properties is parsed once out of the table that librdkafka prints about itself: there is no call that returns names.
 */
#include "connectors/kafka/properties.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"

enum { PROPERTIES_MAX = 512 };

static struct {
    const char *names[PROPERTIES_MAX + 1];
    char roles[PROPERTIES_MAX]; /* 'C', 'P' or '*' */
    char *text;
} catalogue;
static pthread_once_t catalogue_once = PTHREAD_ONCE_INIT;

/* `name<spaces> | C/P | range | default ...`, a line each, between headings. Some properties are there twice (global and topic). */
static void catalogue_load(void)
{
    size_t size = 0, count = 0;
    FILE *out = open_memstream(&catalogue.text, &size);
    CHECK(out != NULL);
    rd_kafka_conf_properties_show(out);
    CHECK(fclose(out) == 0);
    char *save = NULL;
    for (char *line = strtok_r(catalogue.text, "\n", &save); line != NULL && count < PROPERTIES_MAX;
         line = strtok_r(NULL, "\n", &save)) {
        const char *bar = strstr(line, " | ");
        if (bar == NULL || line[0] < 'a' || line[0] > 'z' || strstr(line, "see dedicated API") != NULL)
            continue; /* a heading, or nothing that a text can set */
        char role = bar[strspn(bar, " |")];
        line[strcspn(line, " ")] = 0;
        catalogue.names[count] = line;
        catalogue.roles[count++] = role;
    }
    CHECK(count > 100);
}

const char *const *kafka_property_names(void)
{
    CHECK_CALL(pthread_once(&catalogue_once, catalogue_load));
    return catalogue.names;
}

/* 0: no such property. A name that is there for both roles in two lines is for both. */
static char property_role(const char *name)
{
    const char *const *names = kafka_property_names();
    char role = 0;
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0)
            role = role != 0 && role != catalogue.roles[i] ? '*' : catalogue.roles[i];
    }
    return role;
}

bool kafka_property_is_secret(const char *name)
{
    static const char *const words[] = {
        "password",   "secret",  "key.pem",           "private.key", "jaas",
        "passphrase", "ssl_key", "assertion.private", "userinfo",    "sasl.oauthbearer.config"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strstr(name, words[i]) != NULL)
            return true;
    }
    return false;
}

bool kafka_property_is_of_connection(const char *name)
{
    static const char *const prefixes[] = {"security.",
                                           "sasl.",
                                           "ssl.",
                                           "socket.",
                                           "broker.address.",
                                           "broker.version.",
                                           "api.version.",
                                           "reconnect.",
                                           "client.",
                                           "enable.sasl.",
                                           "enable.ssl.",
                                           "https.",
                                           "connections.max.idle",
                                           "allow.auto.create",
                                           "metadata.recovery.",
                                           "log.connection.close",
                                           "debug",
                                           "receive.message.max.bytes"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return false;
}

struct owned {
    const char *name, *why;
};

static const struct owned owned_by_both[] = {
    {"bootstrap.servers", "use `brokers`"},
    {"metadata.broker.list", "use `brokers`"},
    {"plugin.library.paths", "weir loads no plugins into its process"},
    {"log.queue", "weir writes librdkafka's log into its own; use `debug` for more of it"},
    {"log.thread.name", "weir writes librdkafka's log into its own"},
    {"enabled_events", "weir sets it itself"},
    {"enable.sasl.oauthbearer.unsecure.jwt", "an unsigned token protects nothing"},
    {"test.mock.num.brokers", "use `weir demo` for the embedded broker"},
    {"test.mock.broker.rtt", "use `weir demo` for the embedded broker"},
    {"statistics.interval.ms", "weir has metrics of its own at the admin port"},
    {NULL, NULL},
};

static const struct owned owned_in_consumers[] = {
    {"group.id", "use `group`"},
    {"group.instance.id", "use `instance`"},
    {"group.protocol", "use `protocol`"},
    {"auto.offset.reset", "use `start`"},
    {"enable.auto.offset.store", "weir stores an offset when every record before it has its verdict"},
    {"auto.commit.enable",
     "weir commits only offsets whose records have their verdict; use `auto.commit.interval.ms` for how often"},
    {"enable.auto.commit",
     "weir commits only offsets whose records have their verdict; use `auto.commit.interval.ms` for how often"},
    {"offset.store.method", "weir keeps offsets in the group"},
    {"offset.store.path", "weir keeps offsets in the group"},
    {"offset.store.sync.interval.ms", "weir keeps offsets in the group"},
    {"enable.partition.eof", "weir needs these events to know the end of a partition"},
    {"consume.callback.max.messages", "weir does not consume by callback"},
    {NULL, NULL},
};

static const struct owned owned_in_producers[] = {
    {"enable.idempotence", "it is always on: a retry must not make a duplicate"},
    {"acks", "it is always `all`: a record counts as stored only when all replicas have it"},
    {"request.required.acks", "it is always `all`: a record counts as stored only when all replicas have it"},
    {"transactional.id", "with `delivery: exactly_once` it is weir-SERVICE-GROUP-STORE-INSTANCE, with a random number "
                         "where the source has no "
                         "`instance`"},
    {"produce.offset.report", "weir sets it itself"},
    {"delivery.report.only.error", "weir needs the reports to know what is stored"},
    {"enable.gapless.guarantee", "weir keeps what fails and sends it again"},
    {NULL, NULL},
};

static const char *owned_why(const struct owned *list, const char *name)
{
    for (; list->name != NULL; list++) {
        if (strcmp(list->name, name) == 0)
            return list->why;
    }
    return NULL;
}

static enum kafka_property_verdict try_value(const char *name, const char *value, char *text, size_t size)
{
    char words[512] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, words, sizeof words);
    rd_kafka_conf_destroy(conf);
    if (result == RD_KAFKA_CONF_OK)
        return KAFKA_PROPERTY_GOOD;
    if (result == RD_KAFKA_CONF_UNKNOWN) {
        snprintf(text, size, "librdkafka %s has no property `%s`", rd_kafka_version_str(), name);
        return KAFKA_PROPERTY_UNKNOWN;
    }
    /* Some of its words end in a blank or a line break. */
    for (size_t end = strlen(words); end > 0 && isspace((unsigned char)words[end - 1]); end--)
        words[end - 1] = '\0';
    /* librdkafka's words quote the value. */
    if (kafka_property_is_secret(name))
        snprintf(text, size, "librdkafka does not accept the value of `%s` (not shown: it is a secret)", name);
    else
        snprintf(text, size, "%s", words);
    return KAFKA_PROPERTY_BAD_VALUE;
}

enum kafka_property_verdict kafka_property_check(enum kafka_role role, const char *name, const char *value, char *text,
                                                 size_t size)
{
    const char *why = owned_why(owned_by_both, name);
    if (why == NULL)
        why = owned_why(role == KAFKA_CONSUMER ? owned_in_consumers : owned_in_producers, name);
    if (why != NULL) {
        snprintf(text, size, "`%s` is set by weir: %s", name, why);
        return KAFKA_PROPERTY_OWNED;
    }
    enum kafka_property_verdict verdict = try_value(name, value, text, size);
    if (verdict != KAFKA_PROPERTY_GOOD)
        return verdict;
    char of = property_role(name);
    if (of == (role == KAFKA_CONSUMER ? 'P' : 'C')) {
        snprintf(text, size, "`%s` is a property of %s and has no effect here", name,
                 of == 'P' ? "producers" : "consumers");
        return KAFKA_PROPERTY_OTHER_ROLE;
    }
    return KAFKA_PROPERTY_GOOD;
}
