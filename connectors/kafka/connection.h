/*
 * The part of the config that all Kafka clients share: brokers, SASL, TLS and librdkafka's own properties; and the rd_kafka_conf_t made of it.
 * The order of precedence, last wins: librdkafka's defaults, ours (`struct kafka_setting`), sasl and tls, `properties`, what weir owns.
 *
 * Threads: all functions from any thread.
 */
#ifndef WEIR_CONNECTORS_KAFKA_CONNECTION_H
#define WEIR_CONNECTORS_KAFKA_CONNECTION_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/table.h"
#include "connectors/kafka/properties.h"
#include "processor/error.h"

struct kafka_sasl {
    struct config_head head;
    int mechanism; /* index into kafka_sasl_mechanisms */
    const char *username, *password;
};

struct kafka_tls {
    struct config_head head;
    const char *ca, *cert, *key, *key_password;
    bool verify;
};

struct kafka_connection {
    struct config_list brokers; /* const char *; each may be a comma-separated list itself */
    struct kafka_sasl sasl;     /* head.node NULL: none */
    struct kafka_tls tls;
    struct config_map properties; /* const char * */
};

extern const struct config_table kafka_sasl_table, kafka_tls_table;
extern const struct config_field kafka_string_item, kafka_property_item;

/* The rows of a table whose struct `type` has a `struct kafka_connection connection`. */
#define KAFKA_CONNECTION_FIELDS(type, brokers_required, brokers_help)                                                  \
    {.name = "brokers",                                                                                                \
     .help = brokers_help,                                                                                             \
     .kind = CONFIG_LIST,                                                                                              \
     .offset = offsetof(type, connection.brokers),                                                                     \
     .required = brokers_required,                                                                                     \
     .item = &kafka_string_item},                                                                                      \
        {.name = "sasl",                                                                                               \
         .help = "Authentication by user name and password.",                                                          \
         .kind = CONFIG_OBJECT,                                                                                        \
         .offset = offsetof(type, connection.sasl),                                                                    \
         .table = &kafka_sasl_table},                                                                                  \
        {.name = "tls",                                                                                                \
         .help = "Encryption; `tls: {}` uses the system's certificates.",                                              \
         .kind = CONFIG_OBJECT,                                                                                        \
         .offset = offsetof(type, connection.tls),                                                                     \
         .table = &kafka_tls_table},                                                                                   \
    {                                                                                                                  \
        .name = "properties",                                                                                          \
        .help = "Any librdkafka property by its name; checked by `weir check` without a broker.", .kind = CONFIG_MAP,  \
        .offset = offsetof(type, connection.properties), .item = &kafka_property_item                                  \
    }

struct kafka_setting {
    const char *name, *value; /* value NULL: left alone */
};

/* Judges `properties` one by one into the report. True: none is wrong. */
bool kafka_check_properties(enum kafka_role role, const struct config_map *properties, struct config_report *report);

/* base: whose brokers, sasl, tls and properties of the connection are used when `own` has no brokers; may be NULL. own may be NULL.
 * defaults: NULL-terminated by name; weaker than `properties`. NULL: see error (fatal). The caller owns the result until rd_kafka_new took it. */
rd_kafka_conf_t *kafka_conf_new(enum kafka_role role, const struct kafka_connection *base,
                                const struct kafka_connection *own, const struct kafka_setting *defaults,
                                struct error *error) WARN_UNUSED;
/* Sets one of weir's own; an error of ours, or of a value out of the config. */
enum status kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *error) WARN_UNUSED;
/* Sets all of own, NULL-terminated by name; takes conf, which may be NULL, and answers it, or NULL. */
rd_kafka_conf_t *kafka_conf_with(rd_kafka_conf_t *conf, const struct kafka_setting *own,
                                 struct error *error) WARN_UNUSED;
/* The value of a number among conf's properties; `otherwise` when it has none. */
int64_t kafka_conf_number(const rd_kafka_conf_t *conf, const char *name, int64_t otherwise);
/* What librdkafka says to all of it together, without a broker: takes conf, made of a connection that is offline. */
enum status kafka_conf_try(enum kafka_role role, rd_kafka_conf_t *conf, struct error *error) WARN_UNUSED;
/* Takes out of a copy of the connection what reaches outside: brokers, and the files of certificates and keys, which the machine that checks need not have.
 * What it allocates is freed by the second. */
void kafka_connection_offline(struct kafka_connection *connection);
void kafka_connection_offline_free(struct kafka_connection *connection);

/* Was the property given in the map? */
bool kafka_properties_have(const struct config_map *properties, const char *name);

#endif
