/*
 * Fills a topic with records of every kind: keys and values that are null, empty, text and bytes; headers with the same name twice, without a value, with an
 * empty one; timestamps a step apart, some of them out of order.
 *
 *   oddities BROKERS TOPIC PARTITIONS RECORDS FIRST_MS STEP_MS
 *
 * Record i goes to partition i % PARTITIONS and has the timestamp FIRST_MS + (i / PARTITIONS) * STEP_MS, give or take two steps.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/kafka.h"

enum { FLUSH_MS = 120000 };

struct data {
    const void *data;
    size_t size;
};

static uint64_t failures;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk, (void)opaque;
    failures += message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static struct data data_of(uint64_t number, char text[64])
{
    static const unsigned char BYTES[] = {0, 255, '\n', 0x80, 'x'};
    switch (number % 5) {
    case 0:
        return (struct data){NULL, 0};
    case 1:
        return (struct data){"", 0};
    case 2:
        return (struct data){BYTES, sizeof BYTES};
    default:
        return (struct data){text, (size_t)snprintf(text, 64, "{\"id\": %llu}", (unsigned long long)number)};
    }
}

static rd_kafka_headers_t *headers_of(uint64_t i)
{
    char text[64];
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    for (uint64_t j = 0; j < i % 4; j++) {
        struct data value = data_of(i / 4 + j, text);
        (void)rd_kafka_header_add(headers, j < 2 ? "same" : "other", -1, value.data, (ssize_t)value.size);
    }
    return headers;
}

static void produce(rd_kafka_t *rk, const char *topic, uint64_t i, int32_t partition, int64_t timestamp)
{
    char key_text[64], value_text[64];
    struct data key = data_of(i / 5, key_text), value = data_of(i / 3 + 3, value_text);
    for (;;) {
        rd_kafka_headers_t *headers = headers_of(i);
        rd_kafka_resp_err_t err = rd_kafka_producev(
            rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY(key.data, key.size), RD_KAFKA_V_VALUE((void *)value.data, value.size),
            RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
            return;
        rd_kafka_headers_destroy(headers);
        if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            kafka_die("oddities: %s", rd_kafka_err2str(err));
        rd_kafka_poll(rk, 100);
    }
}

int main(int argc, char **argv)
{
    const struct kafka_property properties[] = {{"enable.idempotence", "true"}, {"linger.ms", "20"}, {NULL, NULL}};
    if (argc != 7)
        kafka_die("usage: oddities BROKERS TOPIC PARTITIONS RECORDS FIRST_MS STEP_MS");
    const char *topic = argv[2];
    uint64_t partitions = strtoull(argv[3], NULL, 10), records = strtoull(argv[4], NULL, 10);
    int64_t first = strtoll(argv[5], NULL, 10), step = strtoll(argv[6], NULL, 10);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_PRODUCER, argv[1], properties, conf);
    kafka_make_topic(rk, topic, (int)partitions);
    for (uint64_t i = 0; i < records; i++) {
        int64_t late = (int64_t)(i * 2654435761u % 5) - 2;
        produce(rk, topic, i, (int32_t)(i % partitions), first + ((int64_t)(i / partitions) + late) * step);
        if (i % 256 == 0)
            rd_kafka_poll(rk, 0);
    }
    rd_kafka_flush(rk, FLUSH_MS);
    rd_kafka_destroy(rk);
    if (failures > 0)
        kafka_die("oddities: %llu were not delivered", (unsigned long long)failures);
    return 0;
}
