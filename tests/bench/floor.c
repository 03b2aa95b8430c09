/*
 * The floor that weir is measured against: a bare librdkafka consumer of the same topic that only counts. It joins a group as weir does, takes batches off the
 * consumer's queue (the cheapest way for one queue), and ends at the ends of all partitions.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/support/kafka.h"

enum { BATCH = 1024 };

/* Small fetch queues that are looked at again soon: many times faster than the defaults for small records. */
static rd_kafka_t *join(const char *brokers, const char *group, const char *topic)
{
    const struct kafka_property properties[] = {
        {"group.id", group},
        {"partition.assignment.strategy", "cooperative-sticky"},
        {"auto.offset.reset", "earliest"},
        {"enable.partition.eof", "true"},
        {"fetch.wait.max.ms", "50"},
        {"fetch.queue.backoff.ms", "10"},
        {"queued.min.messages", "20000"},
        {"queued.max.messages.kbytes", "16384"},
        {NULL, NULL},
    };
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_CONSUMER, brokers, properties, NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_poll_set_consumer(rk);
    if (rd_kafka_subscribe(rk, list))
        kafka_die("floor: cannot subscribe to %s", topic);
    rd_kafka_topic_partition_list_destroy(list);
    return rk;
}

int main(int argc, char **argv)
{
    static rd_kafka_message_t *messages[BATCH];
    if (argc != 4)
        kafka_die("usage: floor HOST:PORT GROUP TOPIC");
    rd_kafka_t *rk = join(argv[1], argv[2], argv[3]);
    int partitions = kafka_partitions(rk, argv[3]), ended = 0;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    uint64_t count = 0;
    if (partitions == 0)
        kafka_die("floor: there is no topic %s", argv[3]);
    while (ended < partitions) {
        ssize_t got = rd_kafka_consume_batch_queue(queue, 100, messages, BATCH);
        for (ssize_t i = 0; i < got; i++) {
            if (messages[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
                ended++;
            else if (messages[i]->err)
                kafka_die("floor: %s", rd_kafka_message_errstr(messages[i]));
            else
                count++;
            rd_kafka_message_destroy(messages[i]);
        }
    }
    printf("%llu\n", (unsigned long long)count);
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return 0;
}
