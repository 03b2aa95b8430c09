/* A record's packed headers (processor/headers.h) as librdkafka's. */
#ifndef WEIR_CONNECTORS_KAFKA_HEADERS_H
#define WEIR_CONNECTORS_KAFKA_HEADERS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

#include "processor/arena.h"
#include "processor/bytes.h"

/* extra: how many more will be added. leave_out: NULL, or which are not copied. The caller owns the result until a produce call took it. */
rd_kafka_headers_t *kafka_headers_new(struct bytes packed, size_t extra, bool (*leave_out)(struct bytes name));
/* A message's headers, packed, in the arena; none: empty. False: out of memory. */
bool kafka_headers_pack(const rd_kafka_message_t *message, struct arena *arena, struct bytes *ret);
void kafka_headers_add(rd_kafka_headers_t *headers, const char *name, const char *value);

#endif
