#include "connectors/kafka/connection.h"

#include <stdio.h>
#include <string.h>

static const char *const sasl_mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", NULL};

const struct config_field kafka_string_item = {.kind = CONFIG_STRING};
const struct config_field kafka_property_item = {.kind = CONFIG_STRING, .help = "The property's value."};

const struct config_table kafka_sasl_table = {
    .name = "sasl",
    .help = "Authentication by user name and password.",
    .size = sizeof(struct kafka_sasl),
    .fields = (const struct config_field[]){
        {.name = "mechanism", .help = "How the password is proven.", .kind = CONFIG_ENUM,
         .offset = offsetof(struct kafka_sasl, mechanism), .fallback = "SCRAM-SHA-512", .choices = sasl_mechanisms},
        {.name = "username", .help = "User name.", .kind = CONFIG_STRING, .offset = offsetof(struct kafka_sasl, username),
         .required = true},
        {.name = "password", .help = "Password; best as ${VAR} or ${file:...}.", .kind = CONFIG_SECRET,
         .offset = offsetof(struct kafka_sasl, password), .required = true},
        {.name = NULL},
    },
};

const struct config_table kafka_tls_table = {
    .name = "tls",
    .help = "Encryption of the connection.",
    .size = sizeof(struct kafka_tls),
    .fields = (const struct config_field[]){
        {.name = "ca", .help = "File with the certificates to trust (PEM); default: the system's.", .kind = CONFIG_STRING,
         .offset = offsetof(struct kafka_tls, ca)},
        {.name = "cert", .help = "File with the client's certificate (PEM).", .kind = CONFIG_STRING,
         .offset = offsetof(struct kafka_tls, cert)},
        {.name = "key", .help = "File with the client's private key (PEM).", .kind = CONFIG_STRING,
         .offset = offsetof(struct kafka_tls, key)},
        {.name = "key_password", .help = "Password of the private key.", .kind = CONFIG_SECRET,
         .offset = offsetof(struct kafka_tls, key_password)},
        {.name = "verify", .help = "Whether the broker's certificate and name are checked.", .kind = CONFIG_BOOL,
         .offset = offsetof(struct kafka_tls, verify), .fallback = "true"},
        {.name = NULL},
    },
};

static const char *property_value(const struct config_map *properties, uint32_t at)
{
    return ((const char *const *)properties->values)[at];
}

bool kafka_properties_have(const struct config_map *properties, const char *name)
{
    for (uint32_t i = 0; properties && i < properties->count; i++)
        if (strcmp(properties->keys[i], name) == 0)
            return true;
    return false;
}

void kafka_brokers_text(const struct kafka_connection *connection, char *text, size_t size)
{
    size_t at = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < connection->brokers.count && at < size; i++) {
        int n = snprintf(text + at, size - at, "%s%s", i ? "," : "", ((const char *const *)connection->brokers.items)[i]);
        at += n > 0 ? (size_t)n : 0;
    }
}

void kafka_check_properties(enum kafka_role role, const struct config_map *properties, struct config_report *report)
{
    for (uint32_t i = 0; i < properties->count; i++) {
        char text[640];
        const char *name = properties->keys[i];
        switch (kafka_property_check(role, name, property_value(properties, i), text, sizeof(text))) {
        case KAFKA_PROPERTY_GOOD:
            break;
        case KAFKA_PROPERTY_UNKNOWN: {
            const char *nearest = config_nearest(name, kafka_property_names());
            config_error_key(report, properties->nodes[i], "%s%s%s%s", text, nearest ? "; did you mean `" : "",
                             nearest ? nearest : "", nearest ? "`?" : "");
            break;
        }
        case KAFKA_PROPERTY_OWNED:
            config_error_key(report, properties->nodes[i], "%s", text);
            break;
        case KAFKA_PROPERTY_BAD_VALUE:
            config_error(report, properties->nodes[i], "%s", text);
            break;
        case KAFKA_PROPERTY_OTHER_ROLE:
            config_warn(report, properties->nodes[i], "%s", text);
            break;
        }
    }
}

enum status kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *error)
{
    char words[ERROR_TEXT_MAX] = "";
    if (rd_kafka_conf_set(conf, name, value, words, sizeof(words)) == RD_KAFKA_CONF_OK)
        return STATUS_OK;
    if (kafka_property_is_secret(name))
        return error_set(error, ERROR_FATAL, "librdkafka does not accept the value of %s (not shown: it is a secret)", name);
    return error_set(error, ERROR_FATAL, "librdkafka: %s", words);
}

static enum status set_all(rd_kafka_conf_t *conf, const struct kafka_setting *settings, struct error *error)
{
    for (; settings && settings->name; settings++)
        if (settings->value && kafka_conf_set(conf, settings->name, settings->value, error) != STATUS_OK)
            return STATUS_FAILED;
    return STATUS_OK;
}

static enum status set_security(rd_kafka_conf_t *conf, const struct kafka_connection *connection, struct error *error)
{
    const struct kafka_sasl *sasl = &connection->sasl;
    const struct kafka_tls *tls = &connection->tls;
    bool with_sasl = sasl->head.node != NULL, with_tls = tls->head.node != NULL;
    if (!with_sasl && !with_tls)
        return STATUS_OK;
    const struct kafka_setting settings[] = {
        {"security.protocol", with_sasl && with_tls ? "sasl_ssl" : with_sasl ? "sasl_plaintext" : "ssl"},
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

/* of_connection: only those that fit another client of the same cluster. */
static enum status set_properties(rd_kafka_conf_t *conf, const struct config_map *properties, bool of_connection, struct error *error)
{
    for (uint32_t i = 0; i < properties->count; i++) {
        if (of_connection && !kafka_property_is_of_connection(properties->keys[i]))
            continue;
        if (kafka_conf_set(conf, properties->keys[i], property_value(properties, i), error) != STATUS_OK)
            return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status set_connection(rd_kafka_conf_t *conf, const struct kafka_connection *connection, bool inherited, struct error *error)
{
    char brokers[4096];
    if (connection->brokers.count > 0) {
        kafka_brokers_text(connection, brokers, sizeof(brokers));
        if (kafka_conf_set(conf, "bootstrap.servers", brokers, error) != STATUS_OK)
            return STATUS_FAILED;
    }
    if (set_security(conf, connection, error) != STATUS_OK)
        return STATUS_FAILED;
    return set_properties(conf, &connection->properties, inherited, error);
}

rd_kafka_conf_t *kafka_conf_new(enum kafka_role role, const struct kafka_connection *base, const struct kafka_connection *own,
                                const struct kafka_setting *defaults, struct error *error)
{
    /* Names that the broker's log and metrics show. */
    static const struct kafka_setting ours[] = {{"client.id", "weir"}, {"client.software.name", NULL}, {NULL, NULL}};
    static const struct kafka_setting producers[] = {{"enable.idempotence", "true"}, {"acks", "all"}, {NULL, NULL}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum status status = set_all(conf, ours, error);
    if (status == STATUS_OK)
        status = set_all(conf, defaults, error);
    if (status == STATUS_OK && base && (!own || own->brokers.count == 0))
        status = set_connection(conf, base, true, error);
    if (status == STATUS_OK && own)
        status = set_connection(conf, own, false, error);
    if (status == STATUS_OK && role == KAFKA_PRODUCER)
        status = set_all(conf, producers, error);
    if (status == STATUS_OK)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}
