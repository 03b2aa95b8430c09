/* Records into another topic of the source's cluster just as they are: key, value, headers, timestamp, and the partition they came from. */
#ifndef WEIR_CONNECTORS_KAFKA_INTO_H
#define WEIR_CONNECTORS_KAFKA_INTO_H

#include <stdbool.h>

#include "processor/context.h"
#include "processor/error.h"

struct stretch;

struct kafka_into;
/* NULL: no memory. */
struct kafka_into *kafka_into_new(const char *topic) WARN_UNUSED;
void kafka_into_free(struct kafka_into *into); /* NULL is fine */
/* For kafka_store. */
const void *kafka_into_config(const struct kafka_into *into);

/* Is the topic there, with all partitions that the stretch has, and only one topic in that? source_config: of a kafka_source, in whose cluster it is. Makes
 * nothing. ERROR_FATAL: no, ERROR_TRANSIENT: the brokers do not say. */
enum status kafka_into_check(const void *source_config, const char *topic, const struct stretch *stretch,
                             struct context *context, struct error *error) WARN_UNUSED;

#endif
