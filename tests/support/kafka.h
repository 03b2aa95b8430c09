/*
 * A Kafka client for the programs of tests/bench and tests/chaos: connecting, making topics, reading offsets, reading a topic from one end to the other.
 * What goes wrong ends the program with a message: a tool without its broker has nothing to say.
 */
#ifndef WEIR_TESTS_SUPPORT_KAFKA_H
#define WEIR_TESTS_SUPPORT_KAFKA_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

enum { KAFKA_WAIT_MS = 30000 };

struct kafka_property {
    const char *name, *value;
};

/* properties: name NULL ends them. conf: NULL, or one with callbacks in it, which is taken. */
rd_kafka_t *kafka_connect(rd_kafka_type_t type, const char *brokers, const struct kafka_property *properties,
                          rd_kafka_conf_t *conf);
_Noreturn void kafka_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes the topic when it is missing, and waits until its partitions have a leader. */
void kafka_make_topic(rd_kafka_t *rk, const char *topic, int partitions);
int kafka_partitions(rd_kafka_t *rk, const char *topic); /* those that have a leader; 0: no such topic */
/* The offsets of the first and behind the last record. */
void kafka_ends(rd_kafka_t *rk, const char *topic, int32_t partition, int64_t *ret_first, int64_t *ret_end);
/* What the group of `rk` (a consumer with group.id) has committed; -1: nothing. */
int64_t kafka_committed(rd_kafka_t *rk, const char *topic, int32_t partition);

/* Reads every record that the topic has when it is called, partition by partition, with a consumer of its own. Returns how many. */
uint64_t kafka_read_topic(const char *brokers, const char *topic,
                          void (*visit)(const rd_kafka_message_t *message, void *arg), void *arg);

#endif
