/*
 * Questions to a cluster by who takes no part in anything: `weir check --live`, `weir lag`, the plan of a replay. Each is asked again until the context's deadline.
 */
#ifndef WEIR_CONNECTORS_KAFKA_ASK_H
#define WEIR_CONNECTORS_KAFKA_ASK_H

#include "config/table.h"
#include "connectors/kafka/client.h"
#include "processor/stretch.h"

/* How long the next question may take; 0: the time is over. */
int kafka_ask_patience(const struct context *context);
/* rkt NULL and not all: only whether somebody answers (and only before a topic was asked for: librdkafka then asks for those that it knows, and lets the broker
 * make them). The caller destroys *ret; NULL: see the result. */
rd_kafka_resp_err_t kafka_ask_metadata(struct kafka_client *client, struct context *context, bool all,
                                       rd_kafka_topic_t *rkt, const struct rd_kafka_metadata **ret);
/* The words for an answer that did not come. */
const char *kafka_ask_why(const struct kafka_client *client, rd_kafka_resp_err_t err);
/* "expected `what`": ERROR_FATAL for a right that is missing, else ERROR_TRANSIENT. */
enum status kafka_ask_judge(const struct kafka_client *client, rd_kafka_resp_err_t err, const char *what,
                            struct error *error);
bool kafka_ask_is_missing(rd_kafka_resp_err_t err); /* the topic is */
/* Adds the partitions of these topics, names and patterns, to the list, each once; tells what is wrong with a topic in words. */
rd_kafka_resp_err_t kafka_ask_partitions(struct kafka_client *client, struct context *context,
                                         const struct config_list *topics, rd_kafka_topic_partition_list_t *list,
                                         void (*tell)(void *arg, const char *topic, const char *words), void *arg);
/* Each partition's `offset` says what is asked for: RD_KAFKA_OFFSET_SPEC_EARLIEST or _LATEST, or a time (ms): the first record that is not older. Then it is the
 * answer: -1 for a time when there is none, RD_KAFKA_OFFSET_INVALID when its leader did not answer; err when it refused. One request to each broker, and
 * again while a leader is another one than was thought. */
rd_kafka_resp_err_t kafka_ask_offsets(struct kafka_client *client, struct context *context,
                                      rd_kafka_topic_partition_list_t *list, rd_kafka_IsolationLevel_t isolation);

/*
 * What the client's group has committed. Blocks up to the context's deadline, asking again where an offset is in a transaction that is not over yet, and where a coordinator
 * is not ready or has moved. RD_KAFKA_RESP_ERR__TIMED_OUT also when there was no time left to ask. Partitions may have an err of their own all the same. Serves the
 * client's main queue, its callbacks: no partition may be assigned, as in kafka_ask_wait.
 */
rd_kafka_resp_err_t kafka_ask_committed(struct kafka_client *client, struct context *context,
                                        rd_kafka_topic_partition_list_t *list);

/* What this group has committed and nothing takes back: an offset in a transaction that is not over does not count yet, and nobody waits for it (rd_kafka_committed does, and
 * then says that the time is over). RD_KAFKA_OFFSET_INVALID: nothing. Asked for again as above. No partition is in the list twice. */
rd_kafka_resp_err_t kafka_ask_unsettled(struct kafka_client *client, struct context *context, const char *group,
                                        rd_kafka_topic_partition_list_t *list);

/*
 * The ids of the topics, as many as there are names; those of brokers before 2.8, which have none, are 0. Blocks and serves as kafka_ask_committed does. An error: it was
 * not answered by the deadline, or was refused for a topic, and the ids that are 0 tell nothing.
 */
rd_kafka_resp_err_t kafka_ask_topic_ids(struct kafka_client *client, struct context *context, const char **topics,
                                        size_t count, struct topic_id *ret);

/* -- for other questions that are answered by an event -- */

int kafka_ask_left(const struct context *context); /* ms until its deadline; 0: none */
/*
 * What is asked for is to be answered by the context's deadline. But not what a group's coordinator is asked for: librdkafka (2.15.1) ends the process (the assertion
 * eonce->refcnt > 0) when a coordinator that could not be reached is there again, and the time of a question to it was over. So such a question has the longest time there is, an
 * hour. Who asks need not wait so long (kafka_ask_wait does not), and uses the handle no longer than that with a question left: see kafka_client.left_asking.
 */
rd_kafka_AdminOptions_t *kafka_ask_options(struct kafka_client *client, struct context *context,
                                           rd_kafka_admin_op_t op);
/* The event that answers what was asked on `queue`; NULL: none came by the deadline. The caller destroys it. No partition may be assigned: librdkafka ends the process when it is to serve
 * a record where it serves its own events. */
rd_kafka_event_t *kafka_ask_wait(struct kafka_client *client, struct context *context, rd_kafka_queue_t *queue,
                                 rd_kafka_resp_err_t *ret);

#endif
