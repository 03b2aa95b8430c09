/* A stretch of a topic on a real broker, found as the program finds it, for tests; and what such topics need: records with timestamps of their own. */
#ifndef WEIR_TESTS_SUPPORT_SOUGHT_H
#define WEIR_TESTS_SUPPORT_SOUGHT_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "processor/stretch.h"

/* The record's value is {"n": "P-TIMESTAMP"}; flush with scene_flush. */
void sought_send(const char *topic, int32_t partition, const char *key, int64_t timestamp);
/* `count` records of one transaction, with these timestamps, each 1 ms later; aborted or committed. */
void sought_transaction(const char *topic, int32_t partition, int64_t timestamp, unsigned count, bool commit);
/* What the group keeps: an offset and a text. -1: nothing. */
int64_t sought_committed(const char *group, const char *topic, int32_t partition, char *ret_text, size_t size);

/* yaml: of the source, without brokers. NULL: see error. Freed by stretch_free. */
struct stretch *sought_find(const char *yaml, const struct stretch_request *request, struct error *error);

#endif
