/*
 * librdkafka's properties as weir sees them: which there are, which are weir's own business, and whether a value is good. All of it without a
 * broker, for `weir check`. The list comes out of librdkafka itself, so it always fits the version that is linked.
 *
 * Threads: all functions from any thread.
 */
#ifndef WEIR_CONNECTORS_KAFKA_PROPERTIES_H
#define WEIR_CONNECTORS_KAFKA_PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>

enum kafka_role { KAFKA_CONSUMER, KAFKA_PRODUCER };

enum kafka_property_verdict {
    KAFKA_PROPERTY_GOOD,
    KAFKA_PROPERTY_UNKNOWN,    /* no such property */
    KAFKA_PROPERTY_OWNED,      /* weir sets it itself; the text says what to use instead */
    KAFKA_PROPERTY_BAD_VALUE,  /* the text has librdkafka's own words */
    KAFKA_PROPERTY_OTHER_ROLE, /* good, but of no effect here: a producer's property in a consumer, or the reverse */
};

/* The names of all properties, NULL-terminated: for "did you mean". */
const char *const *kafka_property_names(void);
/* Is the value of this property a secret by its name (sasl.password, ssl.key.pem ...)? */
bool kafka_property_is_secret(const char *name);
/* A property that concerns the connection only (security, sockets, names), and so fits every client of the same cluster. */
bool kafka_property_is_of_connection(const char *name);
/* Judges one property. text is filled unless it is good; it never has the value of a secret in it. */
enum kafka_property_verdict kafka_property_check(enum kafka_role role, const char *name, const char *value, char *text,
                                                 size_t size);

#endif
