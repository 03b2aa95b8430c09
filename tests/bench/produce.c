/*
 * Preloads a topic on a real broker with orders (tests/support/orders.h): idempotent, acks=all, every delivery checked. Exits 0 only when the broker has
 * acknowledged each of them, so that who reads them later knows exactly what must be there.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "tests/support/kafka.h"
#include "tests/support/options.h"
#include "tests/support/orders.h"

static const char USAGE[] =
    "usage: produce --brokers HOST:PORT --topic TOPIC [option...]\n"
    "  --records N        how many orders (1000000)\n"
    "  --first ID         the id of the first one (0)\n"
    "  --partitions N     of the topic, which is made when it is missing; orders go to them in turn (6)\n"
    "  --compression C    of the Kafka batches: none, lz4, zstd, gzip, snappy (none)\n"
    "  --payload P        of each value by itself: none, zstd (none)\n"
    "  --broken PPM       orders in a million that are broken JSON (0)\n"
    "  --rate N           orders a second at most (as fast as it goes)\n"
    "  --begin MS         their timestamps: that of order 0, since 1970 (the time when they are sent)\n"
    "  --every US         from one order's timestamp to the next one's\n"
    "  --jitter MS        each is up to so much earlier than its turn: out of order, and known by its id\n"
    "  --list-from MS --list-to MS   produce nothing, but print the ids of the orders with timestamps between the two\n"
    "                     (the second not among them), each with `good` or `broken`\n"
    "  --customers FILE   write the table of all customers as CSV; alone, that is all it does\n";

enum { FLUSH_MS = 300000 };

struct producer {
    const char *brokers, *topic, *compression, *payload, *customers;
    uint64_t records, first, partitions, ppm, rate, begin, every, jitter, list_from, list_to;
    ZSTD_CCtx *zstd; /* NULL: values go out as they are */
    rd_kafka_t *rk;
    rd_kafka_topic_t *handle;
    uint64_t delivered, failed, bytes;
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct producer *producer = opaque;
    (void)rk;
    if (!message->err) {
        producer->delivered++;
        return;
    }
    if (producer->failed++ == 0)
        fprintf(stderr, "produce: %.*s was not delivered: %s\n", (int)message->key_len, (const char *)message->key,
                rd_kafka_err2str(message->err));
}

static void connect_producer(struct producer *producer)
{
    const struct kafka_property properties[] = {
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {"compression.codec", producer->compression},
        {"linger.ms", "20"},
        {"queue.buffering.max.messages", "500000"},
        {"queue.buffering.max.kbytes", "262144"},
        {"message.timeout.ms", "300000"},
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, producer);
    producer->rk = kafka_connect(RD_KAFKA_PRODUCER, producer->brokers, properties, conf);
    kafka_make_topic(producer->rk, producer->topic, (int)producer->partitions);
    producer->handle = rd_kafka_topic_new(producer->rk, producer->topic, NULL);
}

/* 0: now. The jitter's steps are a prime away from each other, so that neighbours are mixed. */
static int64_t timestamp_of(const struct producer *producer, uint64_t id)
{
    if (producer->begin == 0)
        return 0;
    uint64_t late = producer->jitter > 0 ? id * 7919 % producer->jitter : 0;
    return (int64_t)(producer->begin + id * producer->every / 1000 - late);
}

static rd_kafka_resp_err_t send_order(const struct producer *producer, uint64_t id, const void *value, size_t size,
                                      const char *key)
{
    return rd_kafka_producev(
        producer->rk, RD_KAFKA_V_RKT(producer->handle), RD_KAFKA_V_PARTITION((int32_t)(id % producer->partitions)),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE((void *)value, size),
        RD_KAFKA_V_KEY(key, ORDER_ID_SIZE), RD_KAFKA_V_TIMESTAMP(timestamp_of(producer, id)), RD_KAFKA_V_END);
}

static void produce_one(struct producer *producer, uint64_t id)
{
    char key[ORDER_ID_SIZE + 1];
    uint8_t text[ORDER_SIZE], packed[2 * ORDER_SIZE];
    size_t size = orders_write(id, orders_is_broken(id, (unsigned)producer->ppm), text);
    void *value = text;
    memcpy(key, text + ORDER_ID_AT, ORDER_ID_SIZE);
    if (producer->zstd != NULL) {
        size = ZSTD_compressCCtx(producer->zstd, packed, sizeof packed, text, size, 1);
        if (ZSTD_isError(size))
            kafka_die("produce: zstd: %s", ZSTD_getErrorName(size));
        value = packed;
    }
    rd_kafka_resp_err_t err;
    while ((err = send_order(producer, id, value, size, key)) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            kafka_die("produce: %s", rd_kafka_err2str(err));
        rd_kafka_poll(producer->rk, 100);
    }
    producer->bytes += size;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Waits until so many orders are due. */
static void keep_pace(const struct producer *producer, uint64_t done, double began)
{
    for (double ahead; (ahead = began + (double)done / (double)producer->rate - now()) > 0;)
        rd_kafka_poll(producer->rk, (int)(ahead * 1000) + 1);
}

static void produce_all(struct producer *producer)
{
    double began = now();
    for (uint64_t i = 0; i < producer->records && producer->failed == 0; i++) {
        produce_one(producer, producer->first + i);
        if (i % 256 == 0)
            rd_kafka_poll(producer->rk, 0);
        if (producer->rate > 0 && (i + 1) % (1 + producer->rate / 100) == 0)
            keep_pace(producer, i + 1, began);
    }
    rd_kafka_flush(producer->rk, FLUSH_MS);
    double seconds = now() - began;
    printf("produced %llu orders (%.1f MB) to %s in %.1f s, %.0f a second\n", (unsigned long long)producer->delivered,
           (double)producer->bytes / 1e6, producer->topic, seconds, (double)producer->delivered / seconds);
}

static void parse(int argc, char **argv, struct producer *producer)
{
    const struct option_target targets[] = {
        {"brokers", &producer->brokers, NULL},
        {"topic", &producer->topic, NULL},
        {"records", NULL, &producer->records},
        {"first", NULL, &producer->first},
        {"partitions", NULL, &producer->partitions},
        {"compression", &producer->compression, NULL},
        {"payload", &producer->payload, NULL},
        {"broken", NULL, &producer->ppm},
        {"rate", NULL, &producer->rate},
        {"begin", NULL, &producer->begin},
        {"every", NULL, &producer->every},
        {"jitter", NULL, &producer->jitter},
        {"list-from", NULL, &producer->list_from},
        {"list-to", NULL, &producer->list_to},
        {"customers", &producer->customers, NULL},
        {NULL, NULL, NULL},
    };
    int rest = options_parse(argc, argv, targets, USAGE);
    bool produces = producer->brokers != NULL && producer->topic != NULL;
    if (rest < argc || producer->partitions < 1 || (!produces && producer->customers == NULL && producer->list_to == 0))
        kafka_die("%s", USAGE);
    if (strcmp(producer->payload, "none") != 0 && strcmp(producer->payload, "zstd") != 0)
        kafka_die("produce: --payload: expected none or zstd, found %s", producer->payload);
}

static void list(const struct producer *producer)
{
    for (uint64_t id = producer->first; id < producer->first + producer->records; id++) {
        uint8_t text[ORDER_SIZE];
        int64_t timestamp = timestamp_of(producer, id);
        bool broken = orders_is_broken(id, (unsigned)producer->ppm);
        if (timestamp < (int64_t)producer->list_from || timestamp >= (int64_t)producer->list_to)
            continue;
        orders_write(id, broken, text);
        printf("%.*s %s\n", ORDER_ID_SIZE, (const char *)text + ORDER_ID_AT, broken ? "broken" : "good");
    }
}

static void write_customers(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        kafka_die("produce: %s: %m", path);
    orders_write_customers(file);
    if (fclose(file) != 0)
        kafka_die("produce: %s: %m", path);
}

int main(int argc, char **argv)
{
    struct producer producer = {.records = 1000000, .partitions = 6, .compression = "none", .payload = "none"};
    parse(argc, argv, &producer);
    if (producer.customers != NULL)
        write_customers(producer.customers);
    if (producer.list_to > 0)
        list(&producer);
    if (producer.topic == NULL || producer.list_to > 0)
        return 0;
    if (strcmp(producer.payload, "zstd") == 0)
        producer.zstd = ZSTD_createCCtx();
    connect_producer(&producer);
    produce_all(&producer);
    rd_kafka_topic_destroy(producer.handle);
    rd_kafka_destroy(producer.rk);
    ZSTD_freeCCtx(producer.zstd);
    if (producer.delivered != producer.records) {
        fprintf(stderr, "produce: %llu of %llu orders were not delivered\n",
                (unsigned long long)(producer.records - producer.delivered), (unsigned long long)producer.records);
        return 1;
    }
    return 0;
}
