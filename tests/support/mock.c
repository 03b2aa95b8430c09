#include "tests/support/mock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/kafka.h"

static void check_err(rd_kafka_resp_err_t err, const char *what)
{
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        kafka_die("mock: %s: %s", what, rd_kafka_err2str(err));
}

/* -- the cluster -- */

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk, (void)opaque;
    check_err(message->err, "produce");
    if (message->_private != NULL)
        *(int64_t *)message->_private = message->offset;
}

void mock_init(struct mock *mock)
{
    char words[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    static const struct kafka_property settings[] = {
        {"test.mock.num.brokers", "1"}, {"linger.ms", "20"}, {"log_level", "2"}, {"batch.num.messages", "100000"}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (rd_kafka_conf_set(conf, settings[i].name, settings[i].value, words, sizeof words) != RD_KAFKA_CONF_OK)
            kafka_die("mock: %s", words);
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    mock->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, sizeof words);
    if (mock->rk == NULL)
        kafka_die("mock: %s", words);
    mock->cluster = rd_kafka_handle_mock_cluster(mock->rk);
    mock->brokers = rd_kafka_mock_cluster_bootstraps(mock->cluster);
    rd_kafka_mock_group_initial_rebalance_delay_ms(mock->cluster, 0);
}

void mock_fini(struct mock *mock)
{
    rd_kafka_destroy(mock->rk);
}

void mock_topic(struct mock *mock, const char *topic, int partitions)
{
    check_err(rd_kafka_mock_topic_create(mock->cluster, topic, partitions, 1), topic);
}

void mock_down(struct mock *mock, bool down)
{
    check_err(down ? rd_kafka_mock_broker_set_down(mock->cluster, 1) : rd_kafka_mock_broker_set_up(mock->cluster, 1),
              "up and down");
}

void mock_fail(struct mock *mock, int16_t api, unsigned count, rd_kafka_resp_err_t err)
{
    for (unsigned i = 0; i < count; i++)
        rd_kafka_mock_push_request_errors(mock->cluster, api, 1, err);
}

void mock_slow(struct mock *mock, int16_t api, int ms)
{
    rd_kafka_mock_broker_push_request_error_rtts(mock->cluster, 1, api, 1, RD_KAFKA_RESP_ERR_NO_ERROR, ms);
}

void mock_await(struct mock *mock, int16_t api)
{
    size_t left = 1;
    for (int ms = 0; left > 0; ms++) {
        if (ms > KAFKA_WAIT_MS)
            kafka_die("mock: request %d did not come", (int)api);
        check_err(rd_kafka_mock_broker_error_stack_cnt(mock->cluster, 1, api, &left), "what is to come");
        (void)usleep(1000);
    }
}

/* -- producing -- */

static void flush(struct mock *mock)
{
    check_err(rd_kafka_flush(mock->rk, KAFKA_WAIT_MS), "flush");
}

int64_t mock_produce(struct mock *mock, const char *topic, int32_t partition, int64_t count)
{
    int64_t offset = -1, first, end;
    kafka_ends(mock->rk, topic, partition, &first, &end);
    for (int64_t i = 0; i < count; i++) {
        char key[48], value[64];
        int key_size = snprintf(key, sizeof key, "%d-%lld", partition, (long long)(end + i));
        int value_size = snprintf(value, sizeof value, "{\"id\":\"%s\"}", key);
        check_err(rd_kafka_producev(mock->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                    RD_KAFKA_V_KEY(key, (size_t)key_size), RD_KAFKA_V_VALUE(value, (size_t)value_size),
                                    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                    RD_KAFKA_V_OPAQUE(i == 0 ? &offset : NULL), RD_KAFKA_V_END),
                  "produce");
    }
    flush(mock);
    return offset;
}

void mock_produce_one(struct mock *mock, const char *topic, int32_t partition, const char *key, const char *value,
                      rd_kafka_headers_t *headers, int64_t timestamp)
{
    rd_kafka_vu_t args[7] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)key, key != NULL ? strlen(key) : 0}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)value, value != NULL ? strlen(value) : 0}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = timestamp},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(mock->rk, args, headers != NULL ? 7 : 6);
    if (error != NULL)
        kafka_die("mock: produce: %s", rd_kafka_error_string(error));
    flush(mock);
}

/* -- a Produce request by hand: KIP-98's record batch (magic 2), Produce version 7 -- */

struct wire {
    uint8_t bytes[4096];
    size_t size;
};

static void put(struct wire *wire, const void *bytes, size_t size)
{
    if (wire->size + size > sizeof wire->bytes)
        kafka_die("mock: a batch is too large");
    memcpy(wire->bytes + wire->size, bytes, size);
    wire->size += size;
}

static void put_number(struct wire *wire, int64_t number, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((uint64_t)number >> (8 * (size - 1 - i)));
    put(wire, bytes, size);
}

static void put_string(struct wire *wire, const char *text)
{
    put_number(wire, (int64_t)strlen(text), 2);
    put(wire, text, strlen(text));
}

static void set_number(struct wire *wire, size_t at, int64_t number, size_t size)
{
    struct wire part = {.size = 0};
    put_number(&part, number, size);
    memcpy(wire->bytes + at, part.bytes, size);
}

static uint32_t crc32c(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (UINT32_C(0x82f63b78) & -(crc & 1));
    }
    return ~crc;
}

enum { LENGTH_AT = 8, CRC_AT = 17, ATTRIBUTES_AT = 21, ZSTD = 4, CONTROL = 32 };

/* All but what is in it. */
static void make_batch(struct wire *wire, int32_t count)
{
    wire->size = 0;
    put_number(wire, 0, 8);         /* base offset: the broker's */
    put_number(wire, 0, 4);         /* length: below */
    put_number(wire, 0, 4);         /* leader epoch: the broker's */
    put_number(wire, 2, 1);         /* magic */
    put_number(wire, 0, 4);         /* checksum: below */
    put_number(wire, 0, 2);         /* attributes */
    put_number(wire, count - 1, 4); /* last offset delta */
    put_number(wire, 1700000000000, 8);
    put_number(wire, 1700000000000, 8);
    put_number(wire, -1, 8); /* producer */
    put_number(wire, -1, 2);
    put_number(wire, -1, 4);
    put_number(wire, count, 4);
}

static void finish_batch(struct wire *wire, bool bad_crc)
{
    set_number(wire, LENGTH_AT, (int64_t)wire->size - LENGTH_AT - 4, 4);
    uint32_t crc = crc32c(wire->bytes + ATTRIBUTES_AT, wire->size - ATTRIBUTES_AT);
    set_number(wire, CRC_AT, bad_crc ? crc ^ 1 : crc, 4);
}

static int dial(const char *brokers)
{
    const char *colon = strchr(brokers, ':');
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(colon + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        kafka_die("mock: could not connect: %s", strerror(errno));
    return fd;
}

static int64_t number_at(const uint8_t *bytes, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | bytes[i];
    return (int64_t)number;
}

static void read_all(int fd, uint8_t *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, bytes + done, size - done);
        if (got <= 0)
            kafka_die("mock: no answer to a Produce request");
        done += (size_t)got;
    }
}

static int64_t send_batch(struct mock *mock, const char *topic, int32_t partition, const struct wire *batch)
{
    struct wire request = {.size = 0};
    uint8_t answer[512], size_bytes[4];
    put_number(&request, 0, 4); /* size: below */
    put_number(&request, 0, 2); /* Produce */
    put_number(&request, 7, 2);
    put_number(&request, 1, 4); /* correlation */
    put_string(&request, "test");
    put_number(&request, -1, 2); /* no transaction */
    put_number(&request, -1, 2); /* acks: all */
    put_number(&request, 5000, 4);
    put_number(&request, 1, 4);
    put_string(&request, topic);
    put_number(&request, 1, 4);
    put_number(&request, partition, 4);
    put_number(&request, (int64_t)batch->size, 4);
    put(&request, batch->bytes, batch->size);
    set_number(&request, 0, (int64_t)request.size - 4, 4);
    int fd = dial(mock->brokers);
    if (write(fd, request.bytes, request.size) != (ssize_t)request.size)
        kafka_die("mock: could not send a Produce request");
    read_all(fd, size_bytes, sizeof size_bytes);
    size_t size = (size_t)number_at(size_bytes, 4), at = 4 + 4 + 2 + strlen(topic) + 4 + 4;
    if (size > sizeof answer || size < at + 10)
        kafka_die("mock: a strange answer to a Produce request");
    read_all(fd, answer, size);
    close(fd);
    check_err((rd_kafka_resp_err_t)number_at(answer + at, 2), "a batch");
    return number_at(answer + at + 2, 8);
}

int64_t mock_produce_broken(struct mock *mock, const char *topic, int32_t partition, int32_t count,
                            enum mock_broken how)
{
    struct wire batch;
    make_batch(&batch, count);
    set_number(&batch, ATTRIBUTES_AT, ZSTD, 2);
    for (int i = 0; i < 8; i++)
        put(&batch, "this is no zstd frame ", 22);
    finish_batch(&batch, how == MOCK_BAD_CRC);
    return send_batch(mock, topic, partition, &batch);
}

int64_t mock_produce_gap(struct mock *mock, const char *topic, int32_t partition, int32_t count)
{
    /* Length, attributes, differences of time and offset; the key (version 0, type 1: a commit), the value (version 0, coordinator's epoch), no headers. Signed
     * numbers are zigzag varints: twice the number. */
    uint8_t mark[] = {32, 0, 0, 0, 8, 0, 0, 0, 1, 12, 0, 0, 0, 0, 0, 0, 0};
    struct wire batch;
    make_batch(&batch, count);
    set_number(&batch, ATTRIBUTES_AT, CONTROL, 2);
    for (int32_t i = 0; i < count; i++) {
        mark[3] = (uint8_t)(2 * i);
        put(&batch, mark, sizeof mark);
    }
    finish_batch(&batch, false);
    return send_batch(mock, topic, partition, &batch);
}

/* -- looking -- */

int64_t mock_committed(struct mock *mock, const char *group, const char *topic, int32_t partition)
{
    const struct kafka_property properties[] = {{"group.id", group}, {NULL, NULL}};
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_CONSUMER, mock->brokers, properties, NULL);
    int64_t offset = kafka_committed(rk, topic, partition);
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return offset;
}
