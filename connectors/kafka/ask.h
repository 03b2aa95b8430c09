/*
 * Questions to a cluster by who takes no part in anything: `weir check --live`, `weir lag`. Each is asked again until the context's deadline.
 */
#ifndef WEIR_CONNECTORS_KAFKA_ASK_H
#define WEIR_CONNECTORS_KAFKA_ASK_H

#include "connectors/kafka/client.h"

/* How long the next question may take; 0: the time is over. */
int kafka_ask_patience(const struct context *context);
/* rkt NULL and not all: only whether somebody answers (and only before a topic was asked for: librdkafka then asks for those that it knows, and lets the broker
 * make them). The caller destroys *ret; NULL: see the result. */
rd_kafka_resp_err_t kafka_ask_metadata(struct kafka_client *client, struct context *context, bool all,
                                       rd_kafka_topic_t *rkt, const struct rd_kafka_metadata **ret);
/* The words for an answer that did not come. */
const char *kafka_ask_why(const struct kafka_client *client, rd_kafka_resp_err_t err);
bool kafka_ask_is_missing(rd_kafka_resp_err_t err); /* the topic is */

#endif
