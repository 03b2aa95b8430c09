/*
 * librdkafka's mock cluster, for tests of the Kafka source, store and dead letters in one process. It is not a broker: see the traps where they matter
 * (5 MiB a partition, an empty fetch is held for the whole fetch.wait.max.ms). What goes wrong here ends the program: a test without its broker has nothing to say.
 */
#ifndef WEIR_TESTS_SUPPORT_MOCK_H
#define WEIR_TESTS_SUPPORT_MOCK_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdbool.h>
#include <stdint.h>

struct mock {
    rd_kafka_t *rk; /* whose thread runs the cluster; produces too */
    rd_kafka_mock_cluster_t *cluster;
    const char *brokers;
};

/* One broker; groups form at once. */
void mock_init(struct mock *mock);
void mock_fini(struct mock *mock);
void mock_topic(struct mock *mock, const char *topic, int partitions);
/* The broker goes away, or comes back on its port. */
void mock_down(struct mock *mock, bool down);
/* The next `count` requests of this kind (Kafka's API key: 0 Produce, 1 Fetch, 8 OffsetCommit, 9 OffsetFetch, 11 JoinGroup) fail so. */
void mock_fail(struct mock *mock, int16_t api, unsigned count, rd_kafka_resp_err_t err);
/* The next request of this kind is answered after so many milliseconds; again: the one after it. */
void mock_slow(struct mock *mock, int16_t api, int ms);
/* Waits until all requests of this kind have come that were to fail or to be slow. */
void mock_await(struct mock *mock, int16_t api);

/* `count` records, one batch: record P@O has the key "P-O" and the value {"id":"P-O"}. Returns the first offset. */
int64_t mock_produce(struct mock *mock, const char *topic, int32_t partition, int64_t count);
/* One message; NULL stands for a null key or value, headers (may be NULL) are taken. */
void mock_produce_one(struct mock *mock, const char *topic, int32_t partition, const char *key, const char *value,
                      rd_kafka_headers_t *headers, int64_t timestamp);

/* A batch of `count` records that no consumer can read: its zstd is none (right checksum), or its checksum is wrong. Returns the first offset. */
enum mock_broken { MOCK_BAD_ZSTD, MOCK_BAD_CRC };
int64_t mock_produce_broken(struct mock *mock, const char *topic, int32_t partition, int32_t count,
                            enum mock_broken how);
/* `count` offsets (64 at most) that no consumer gets a record of: marks of transactions. Returns the first. */
int64_t mock_produce_gap(struct mock *mock, const char *topic, int32_t partition, int32_t count);

/* What the group committed; -1: nothing. */
int64_t mock_committed(struct mock *mock, const char *group, const char *topic, int32_t partition);

#endif
