/*
 * Looks into topics for the scripts here.
 *
 *   read_topic ends BROKERS TOPIC              partition, first offset, end offset
 *   read_topic offsets BROKERS TOPIC GROUP     partition, end offset, committed offset (-1: none), lag
 *   read_topic count BROKERS TOPIC             how many records there are, without those of aborted transactions
 *   read_topic dump BROKERS TOPIC              partition, offset, key, name=value of each header, value
 *   read_topic exact BROKERS TOPIC [FROM TO]   partition, timestamp, key, value, name=value of each header, all but the offset; null is (null). With
 *                                              times: only records with a timestamp (ms) from FROM on and before TO
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/kafka.h"

static rd_kafka_t *connect_reader(const char *brokers, const char *group)
{
    const struct kafka_property properties[] = {{"group.id", group}, {NULL, NULL}};
    return kafka_connect(RD_KAFKA_CONSUMER, brokers, properties, NULL);
}

static void print_ends(const char *brokers, const char *topic)
{
    rd_kafka_t *rk = connect_reader(brokers, "weir-tests-reader");
    int partitions = kafka_partitions(rk, topic);
    for (int32_t i = 0; i < partitions; i++) {
        int64_t first, end;
        kafka_ends(rk, topic, i, &first, &end);
        printf("%d %lld %lld\n", (int)i, (long long)first, (long long)end);
    }
    rd_kafka_destroy(rk);
}

static void print_offsets(const char *brokers, const char *topic, const char *group)
{
    rd_kafka_t *rk = connect_reader(brokers, group);
    int partitions = kafka_partitions(rk, topic);
    for (int32_t i = 0; i < partitions; i++) {
        int64_t first, end, committed = kafka_committed(rk, topic, i);
        kafka_ends(rk, topic, i, &first, &end);
        printf("%d %lld %lld %lld\n", (int)i, (long long)end, (long long)committed,
               (long long)(end - (committed < first ? first : committed)));
    }
    rd_kafka_destroy(rk);
}

static void print_text(const void *data, size_t size)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < size; i++) {
        if (at[i] < ' ' || at[i] > '~')
            printf("\\x%02x", at[i]);
        else
            putchar(at[i]);
    }
}

static void print_record(const rd_kafka_message_t *message, void *arg)
{
    rd_kafka_headers_t *headers;
    (void)arg;
    printf("%d %lld ", (int)message->partition, (long long)message->offset);
    print_text(message->key, message->key_len);
    if (!rd_kafka_message_headers(message, &headers)) {
        const char *name;
        const void *value;
        size_t size;
        for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++) {
            printf(" %s=", name);
            print_text(value, size);
        }
    }
    putchar(' ');
    print_text(message->payload, message->len);
    putchar('\n');
}

struct window {
    int64_t from, to;
};

static void print_or_null(const void *data, size_t size)
{
    if (data == NULL)
        printf("(null)");
    else
        print_text(data, size);
}

static void print_exact(const rd_kafka_message_t *message, void *arg)
{
    const struct window *window = arg;
    rd_kafka_headers_t *headers;
    rd_kafka_timestamp_type_t type;
    int64_t timestamp = rd_kafka_message_timestamp(message, &type);
    const char *name;
    const void *value;
    size_t size;
    if (timestamp < window->from || timestamp >= window->to)
        return;
    printf("%d %lld/%d [", (int)message->partition, (long long)timestamp, (int)type);
    print_or_null(message->key, message->key_len);
    printf("] [");
    print_or_null(message->payload, message->len);
    printf("]");
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
        for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++) {
            printf(" %s=[", name);
            print_or_null(value, size);
            printf("]");
        }
    putchar('\n');
}

static void count_record(const rd_kafka_message_t *message, void *arg)
{
    (void)message;
    (*(uint64_t *)arg)++;
}

static void print_count(const char *brokers, const char *topic)
{
    uint64_t count = 0;
    kafka_read_topic(brokers, topic, count_record, &count);
    printf("%llu\n", (unsigned long long)count);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "ends") == 0)
        print_ends(argv[2], argv[3]);
    else if (argc == 5 && strcmp(argv[1], "offsets") == 0)
        print_offsets(argv[2], argv[3], argv[4]);
    else if (argc == 4 && strcmp(argv[1], "count") == 0)
        print_count(argv[2], argv[3]);
    else if (argc == 4 && strcmp(argv[1], "dump") == 0)
        kafka_read_topic(argv[2], argv[3], print_record, NULL);
    else if ((argc == 4 || argc == 6) && strcmp(argv[1], "exact") == 0) {
        struct window window = {argc == 6 ? strtoll(argv[4], NULL, 10) : INT64_MIN,
                                argc == 6 ? strtoll(argv[5], NULL, 10) : INT64_MAX};
        kafka_read_topic(argv[2], argv[3], print_exact, &window);
    } else
        kafka_die("usage: read_topic ends|count|dump BROKERS TOPIC, read_topic offsets BROKERS TOPIC GROUP, or "
                  "read_topic exact "
                  "BROKERS TOPIC [FROM TO]");
    return 0;
}
