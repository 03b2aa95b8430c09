/*
 * What the tests of the program against a real broker share: a producer, orders, a config, a look into the database. The broker comes from
 * scripts/run-tests.sh; every test has topics of its own.
 */
#ifndef WEIR_TESTS_SUPPORT_SCENE_H
#define WEIR_TESTS_SUPPORT_SCENE_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/kafka.h"
#include "tests/support/process.h"

extern const char *scene_broker; /* HOST:PORT */
extern rd_kafka_t *scene_producer;

/* A cmocka group's set-up and tear-down. */
int scene_connect(void **state);
int scene_disconnect(void **state);

/* With the header trace=t-1 and the timestamp 1700000000123. NULL: null. */
void scene_send(const char *topic, int32_t partition, const char *key, const char *value);
void scene_send_bytes(const char *topic, int32_t partition, const char *key, const void *value, size_t size);
void scene_flush(void);
/* count orders {"order_id": "o-I", "customer_id": "c-(I mod 3)", "total": I.5} in turn over the partitions; flushes. */
void scene_send_orders(const char *topic, int partitions, int count);

/* Makes a topic with properties of its own ("retention.ms"); a name NULL ends them. */
void scene_make_topic(const char *topic, int partitions, const struct kafka_property *properties);
/* Deletes the topic, and waits until it is gone. */
void scene_delete_topic(const char *topic);
/* Deletes what is before this offset, as retention does. */
void scene_delete_before(const char *topic, int32_t partition, int64_t offset);
/* What the group has committed; -1: nothing. */
int64_t scene_committed(const char *group, const char *topic, int32_t partition);
void scene_commit(const char *group, const char *topic, int32_t partition, int64_t offset);
/* As a broker forgets one that was idle for offsets.retention.minutes. */
void scene_delete_group(const char *group);

/* weir.yaml with service, group and topic of that name, and what `rest` adds; customers.csv with c-0 and c-1. */
void scene_config(const struct process *process, const char *name, const char *rest);
/* stages for it: decode, set, lookup, filter, and a store into orders.db (append). */
extern const char SCENE_TO_SQLITE[1024];
/* Starts the service of that name, group and topic, as the static member `one`; and beside it a process that has the same config, and starts nothing. */
void scene_start_beside(struct process *service, struct process *beside, const char *name);
/* The first column of the first row from orders.db as a number and, when wanted, as text; -1 when the statement does not compile (no table yet). */
int64_t scene_query(const struct process *process, const char *sql, char *text, size_t size);
/* Waits until orders.db has so many orders; the test fails as with process_look_again. */
void scene_await_orders(const struct process *process, int64_t count);

#endif
