#include "tests/support/kafka.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void kafka_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

rd_kafka_t *kafka_connect(rd_kafka_type_t type, const char *brokers, const struct kafka_property *properties,
                          rd_kafka_conf_t *conf)
{
    char words[512];
    if (conf == NULL)
        conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, words, sizeof words) != RD_KAFKA_CONF_OK)
        kafka_die("%s", words);
    for (; properties->name != NULL; properties++)
        if (rd_kafka_conf_set(conf, properties->name, properties->value, words, sizeof words) != RD_KAFKA_CONF_OK)
            kafka_die("%s", words);
    rd_kafka_t *rk = rd_kafka_new(type, conf, words, sizeof words);
    if (rk == NULL)
        kafka_die("%s", words);
    return rk;
}

int kafka_partitions(rd_kafka_t *rk, const char *topic)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
    rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 0, handle, &metadata, KAFKA_WAIT_MS);
    int ready = 0;
    if (err)
        kafka_die("%s: no metadata: %s", topic, rd_kafka_err2str(err));
    for (int i = 0; metadata->topic_cnt == 1 && i < metadata->topics[0].partition_cnt; i++)
        ready += metadata->topics[0].partitions[i].err == RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return ready;
}

void kafka_make_topic(rd_kafka_t *rk, const char *topic, int partitions)
{
    char words[512];
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic, partitions, 1, words, sizeof words);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    if (wanted == NULL)
        kafka_die("%s", words);
    rd_kafka_CreateTopics(rk, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_WAIT_MS);
    if (event == NULL || rd_kafka_event_error(event))
        kafka_die("%s: could not be made: %s", topic, event == NULL ? "no answer" : rd_kafka_event_error_string(event));
    size_t count;
    const rd_kafka_topic_result_t **results = rd_kafka_CreateTopics_result_topics(
        rd_kafka_event_CreateTopics_result(event), &count);
    rd_kafka_resp_err_t err = rd_kafka_topic_result_error(results[0]);
    if (err && err != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        kafka_die("%s: could not be made: %s", topic, rd_kafka_err2str(err));
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(wanted);
    for (double until = now() + KAFKA_WAIT_MS / 1e3; kafka_partitions(rk, topic) < partitions;)
        if (now() > until)
            kafka_die("%s: its partitions have no leader", topic);
}

/* Right after a start the broker has not loaded its groups yet, or has not heard of a new topic, and says so in one of these ways. */
static bool is_passing(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR_NOT_COORDINATOR || err == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
           err == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS || err == RD_KAFKA_RESP_ERR__TIMED_OUT ||
           err == RD_KAFKA_RESP_ERR__TRANSPORT || err == RD_KAFKA_RESP_ERR__WAIT_COORD ||
           err == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
}

static void look_again(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}

void kafka_ends(rd_kafka_t *rk, const char *topic, int32_t partition, int64_t *ret_first, int64_t *ret_end)
{
    rd_kafka_resp_err_t err;
    for (double until = now() + KAFKA_WAIT_MS / 1e3;; look_again()) {
        err = rd_kafka_query_watermark_offsets(rk, topic, partition, ret_first, ret_end, KAFKA_WAIT_MS);
        if (!is_passing(err) || now() > until)
            break;
    }
    if (err)
        kafka_die("%s/%d: no offsets: %s", topic, (int)partition, rd_kafka_err2str(err));
}

int64_t kafka_committed(rd_kafka_t *rk, const char *topic, int32_t partition)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t err;
    rd_kafka_topic_partition_list_add(list, topic, partition);
    for (double until = now() + KAFKA_WAIT_MS / 1e3;; look_again()) {
        err = rd_kafka_committed(rk, list, KAFKA_WAIT_MS);
        if (!err)
            err = list->elems[0].err;
        if (!is_passing(err) || now() > until)
            break;
    }
    if (err)
        kafka_die("%s/%d: no committed offset: %s", topic, (int)partition, rd_kafka_err2str(err));
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return offset < 0 ? -1 : offset;
}

struct reading {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    const char *topic;
    void (*visit)(const rd_kafka_message_t *message, void *arg);
    void *arg;
    uint64_t count;
};

/* One message or end of partition; true: behind `end` now (control records and compaction leave gaps, so an end counts too). */
static bool take(struct reading *reading, const rd_kafka_message_t *message, int64_t end)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return message->offset >= end;
    if (message->err)
        kafka_die("%s: %s", reading->topic, rd_kafka_message_errstr(message));
    if (message->offset < end) {
        reading->visit(message, reading->arg);
        reading->count++;
    }
    return message->offset + 1 >= end;
}

static void read_partition(struct reading *reading, int32_t partition)
{
    rd_kafka_message_t *messages[1000];
    int64_t first, end;
    kafka_ends(reading->rk, reading->topic, partition, &first, &end);
    bool done = first == end;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, reading->topic, partition)->offset = first;
    if (!done && rd_kafka_assign(reading->rk, list))
        kafka_die("%s/%d: cannot be assigned", reading->topic, (int)partition);
    for (double until = now() + KAFKA_WAIT_MS / 1e3; !done;) {
        ssize_t count = rd_kafka_consume_batch_queue(reading->queue, 100, messages, 1000);
        for (ssize_t i = 0; i < count; i++) {
            done = done || take(reading, messages[i], end);
            rd_kafka_message_destroy(messages[i]);
        }
        if (count > 0)
            until = now() + KAFKA_WAIT_MS / 1e3;
        else if (now() > until)
            kafka_die("%s/%d: nothing comes any more, %lld records before its end", reading->topic, (int)partition,
                      (long long)(end - first));
    }
    rd_kafka_assign(reading->rk, NULL);
    rd_kafka_topic_partition_list_destroy(list);
}

uint64_t kafka_read_topic(const char *brokers, const char *topic,
                          void (*visit)(const rd_kafka_message_t *message, void *arg), void *arg)
{
    static const struct kafka_property PROPERTIES[] = {
        {"group.id", "weir-tests-reader"}, {"enable.auto.commit", "false"}, {"enable.partition.eof", "true"},
        {"fetch.wait.max.ms", "50"},       {"auto.offset.reset", "error"},  {NULL, NULL},
    };
    struct reading reading = {
        .rk = kafka_connect(RD_KAFKA_CONSUMER, brokers, PROPERTIES, NULL), .topic = topic, .visit = visit, .arg = arg};
    rd_kafka_poll_set_consumer(reading.rk);
    reading.queue = rd_kafka_queue_get_consumer(reading.rk);
    int partitions = kafka_partitions(reading.rk, topic);
    for (int32_t i = 0; i < partitions; i++)
        read_partition(&reading, i);
    rd_kafka_queue_destroy(reading.queue);
    rd_kafka_destroy_flags(reading.rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return reading.count;
}
