#include "connectors/kafka/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const sasl_mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", NULL};

const struct config_field kafka_string_item = {.help = "A name.", .kind = CONFIG_STRING};
const struct config_field kafka_property_item = {.kind = CONFIG_STRING, .help = "The property's value."};

const struct config_table kafka_sasl_table = {
    .name = "sasl",
    .help = "Authentication by user name and password.",
    .size = sizeof(struct kafka_sasl),
    .fields =
        (const struct config_field[]){
            {.name = "mechanism",
             .help = "How the password is proven.",
             .kind = CONFIG_ENUM,
             .offset = offsetof(struct kafka_sasl, mechanism),
             .fallback = "SCRAM-SHA-512",
             .choices = sasl_mechanisms},
            {.name = "username",
             .help = "User name.",
             .kind = CONFIG_STRING,
             .offset = offsetof(struct kafka_sasl, username),
             .required = true},
            {.name = "password",
             .help = "Password; best as ${VAR} or ${file:...}.",
             .kind = CONFIG_SECRET,
             .offset = offsetof(struct kafka_sasl, password),
             .required = true},
            {.name = NULL},
        },
};

const struct config_table kafka_tls_table = {
    .name = "tls",
    .help = "Encryption of the connection.",
    .size = sizeof(struct kafka_tls),
    .fields =
        (const struct config_field[]){
            {.name = "ca",
             .help = "File with the certificates to trust (PEM); default: the system's.",
             .kind = CONFIG_STRING,
             .offset = offsetof(struct kafka_tls, ca)},
            {.name = "cert",
             .help = "File with the client's certificate (PEM).",
             .kind = CONFIG_STRING,
             .offset = offsetof(struct kafka_tls, cert)},
            {.name = "key",
             .help = "File with the client's private key (PEM).",
             .kind = CONFIG_STRING,
             .offset = offsetof(struct kafka_tls, key)},
            {.name = "key_password",
             .help = "Password of the private key.",
             .kind = CONFIG_SECRET,
             .offset = offsetof(struct kafka_tls, key_password)},
            {.name = "verify",
             .help = "Whether the broker's certificate and name are checked.",
             .kind = CONFIG_BOOL,
             .offset = offsetof(struct kafka_tls, verify),
             .fallback = "true"},
            {.name = NULL},
        },
};

static const char *value_at(const struct config_map *properties, uint32_t at)
{
    return ((const char *const *)properties->values)[at];
}

bool kafka_properties_have(const struct config_map *properties, const char *name)
{
    for (uint32_t i = 0; properties != NULL && i < properties->count; i++) {
        if (strcmp(properties->keys[i], name) == 0)
            return true;
    }
    return false;
}

/* -- judging -- */

static void report_unknown(const struct config_node *node, const char *name, const char *text,
                           struct config_report *report)
{
    char hint[CONFIG_HINT_SIZE];
    config_error_key(report, node, "%s%s", text, config_hint(name, kafka_property_names(), hint));
}

bool kafka_check_properties(enum kafka_role role, const struct config_map *properties, struct config_report *report)
{
    unsigned before = config_report_errors(report);
    for (uint32_t i = 0; i < properties->count; i++) {
        char text[640];
        const char *name = properties->keys[i];
        const struct config_node *node = properties->nodes[i];
        if (kafka_property_is_secret(name))
            config_report_hide(report, node);
        switch (kafka_property_check(role, name, value_at(properties, i), text, sizeof text)) {
        case KAFKA_PROPERTY_GOOD:
            /* Others that are kept out of the output may be names of files. */
            if (strstr(name, "password") != NULL || strstr(name, "client.secret") != NULL)
                config_warn_secret(report, node);
            break;
        case KAFKA_PROPERTY_UNKNOWN:
            report_unknown(node, name, text, report);
            break;
        case KAFKA_PROPERTY_OWNED:
            config_error_key(report, node, "%s", text);
            break;
        case KAFKA_PROPERTY_BAD_VALUE:
            config_error(report, node, "%s", text);
            break;
        case KAFKA_PROPERTY_OTHER_ROLE:
            config_warn(report, node, "%s", text);
            break;
        }
    }
    return config_report_errors(report) == before;
}

static void no_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)facility, (void)text;
}

int64_t kafka_conf_number(const rd_kafka_conf_t *conf, const char *name, int64_t otherwise)
{
    char text[24] = "";
    size_t size = sizeof text;
    if (rd_kafka_conf_get(conf, name, text, &size) != RD_KAFKA_CONF_OK)
        return otherwise;
    char *end;
    long long number = strtoll(text, &end, 10);
    return end != text && *end == '\0' ? number : otherwise;
}

enum status kafka_conf_try(enum kafka_role role, rd_kafka_conf_t *conf, struct error *error)
{
    char words[ERROR_TEXT_MAX] = "";
    rd_kafka_conf_set_log_cb(conf, no_log);
    rd_kafka_t *rk = rd_kafka_new(role == KAFKA_CONSUMER ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, words,
                                  sizeof words);
    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return error_set(error, ERROR_FATAL, "librdkafka does not take these settings together: %s", words);
    }
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return STATUS_OK;
}

/* -- what a check may not touch -- */

static bool reaches_outside(const char *name)
{
    return strncmp(name, "ssl.", 4) == 0 && (strstr(name, "location") != NULL || strstr(name, "pem") != NULL ||
                                             strstr(name, "keystore") != NULL || strstr(name, "engine") != NULL);
}

void kafka_connection_offline(struct kafka_connection *connection)
{
    struct config_map all = connection->properties;
    struct config_map *left = &connection->properties;
    const char **values = calloc(all.count + 1, sizeof *values);
    *left = (struct config_map){.keys = calloc(all.count + 1, sizeof *left->keys), .values = values};
    for (uint32_t i = 0; i < all.count && left->keys != NULL && values != NULL; i++) {
        if (reaches_outside(all.keys[i]))
            continue;
        left->keys[left->count] = all.keys[i];
        values[left->count++] = value_at(&all, i);
    }
    connection->brokers = (struct config_list){0};
    /* Those that are missing are reported as such already. */
    if (connection->sasl.username == NULL)
        connection->sasl.username = "unknown";
    if (connection->sasl.password == NULL)
        connection->sasl.password = "unknown";
    connection->tls.ca = connection->tls.cert = connection->tls.key = connection->tls.key_password = NULL;
}

void kafka_connection_offline_free(struct kafka_connection *connection)
{
    free(connection->properties.keys);
    free(connection->properties.values);
    connection->properties = (struct config_map){0};
}

/* -- rd_kafka_conf_t -- */

enum status kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *error)
{
    char words[ERROR_TEXT_MAX] = "";
    if (rd_kafka_conf_set(conf, name, value, words, sizeof words) == RD_KAFKA_CONF_OK)
        return STATUS_OK;
    if (kafka_property_is_secret(name))
        return error_set(error, ERROR_FATAL, "librdkafka does not accept the value of %s (not shown: it is a secret)",
                         name);
    return error_set(error, ERROR_FATAL, "librdkafka: %s", words);
}

static enum status set_all(rd_kafka_conf_t *conf, const struct kafka_setting *settings, struct error *error)
{
    enum status status = STATUS_OK;
    for (; settings != NULL && settings->name != NULL && status == STATUS_OK; settings++) {
        if (settings->value != NULL)
            status = kafka_conf_set(conf, settings->name, settings->value, error);
    }
    return status;
}

rd_kafka_conf_t *kafka_conf_with(rd_kafka_conf_t *conf, const struct kafka_setting *own, struct error *error)
{
    if (conf == NULL || set_all(conf, own, error) == STATUS_OK)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

static enum status set_security(rd_kafka_conf_t *conf, const struct kafka_connection *connection, struct error *error)
{
    const struct kafka_sasl *sasl = &connection->sasl;
    const struct kafka_tls *tls = &connection->tls;
    bool with_sasl = sasl->head.node != NULL, with_tls = tls->head.node != NULL;
    if (!with_sasl && !with_tls)
        return STATUS_OK;
    const struct kafka_setting settings[] = {
        {"security.protocol", with_sasl && with_tls ? "sasl_ssl"
                              : with_sasl           ? "sasl_plaintext"
                                                    : "ssl"},
        {"sasl.mechanism", with_sasl ? sasl_mechanisms[sasl->mechanism] : NULL},
        {"sasl.username", with_sasl ? sasl->username : NULL},
        {"sasl.password", with_sasl ? sasl->password : NULL},
        {"ssl.ca.location", with_tls ? tls->ca : NULL},
        {"ssl.certificate.location", with_tls ? tls->cert : NULL},
        {"ssl.key.location", with_tls ? tls->key : NULL},
        {"ssl.key.password", with_tls ? tls->key_password : NULL},
        {"enable.ssl.certificate.verification", with_tls && !tls->verify ? "false" : NULL},
        {NULL, NULL},
    };
    return set_all(conf, settings, error);
}

static enum status set_brokers(rd_kafka_conf_t *conf, const struct config_list *brokers, struct error *error)
{
    const char *const *items = brokers->items;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    for (uint32_t i = 0; i < brokers->count; i++)
        fprintf(out, "%s%s", i > 0 ? "," : "", items[i]);
    enum status status = fclose(out) == 0 ? kafka_conf_set(conf, "bootstrap.servers", text, error)
                                          : error_set(error, ERROR_TRANSIENT, "out of memory");
    free(text);
    return status;
}

/* inherited: only those properties that fit another client of the same cluster. */
static enum status set_connection(rd_kafka_conf_t *conf, const struct kafka_connection *connection, bool inherited,
                                  struct error *error)
{
    const struct config_map *properties = &connection->properties;
    enum status status = STATUS_OK;
    if (connection->brokers.count > 0)
        status = set_brokers(conf, &connection->brokers, error);
    if (status == STATUS_OK)
        status = set_security(conf, connection, error);
    for (uint32_t i = 0; i < properties->count && status == STATUS_OK; i++) {
        if (!inherited || kafka_property_is_of_connection(properties->keys[i]))
            status = kafka_conf_set(conf, properties->keys[i], value_at(properties, i), error);
    }
    return status;
}

rd_kafka_conf_t *kafka_conf_new(enum kafka_role role, const struct kafka_connection *base,
                                const struct kafka_connection *own, const struct kafka_setting *defaults,
                                struct error *error)
{
    static const struct kafka_setting common[] = {
        {"client.id", "weir"},                /* shown in the broker's log and quotas */
        {"log.connection.close", "false"},    /* brokers close idle connections as a matter of course */
        {"reconnect.backoff.max.ms", "1000"}, /* as Kafka's own client; with 10 s a restarted broker waits for us */
        {NULL, NULL},
    };
    static const struct kafka_setting producers[] = {{"enable.idempotence", "true"}, {"acks", "all"}, {NULL, NULL}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum status status = set_all(conf, common, error);
    if (status == STATUS_OK)
        status = set_all(conf, defaults, error);
    if (status == STATUS_OK && base != NULL && (own == NULL || own->brokers.count == 0))
        status = set_connection(conf, base, true, error);
    if (status == STATUS_OK && own != NULL)
        status = set_connection(conf, own, false, error);
    if (status == STATUS_OK && role == KAFKA_PRODUCER)
        status = set_all(conf, producers, error);
    if (status == STATUS_OK)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}
