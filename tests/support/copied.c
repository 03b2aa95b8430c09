#include "tests/support/copied.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "tests/support/kafka.h"
#include "tests/support/scene.h"

#define PATIENCE (60 * CLOCK_SECOND)

static void note(struct copied *copied, int32_t partition, int number)
{
    if (number >= copied->room) {
        int room = number * 2 + 1024;
        copied->times = realloc(copied->times, (size_t)room);
        assert_non_null(copied->times);
        memset(copied->times + copied->room, 0, (size_t)(room - copied->room));
        copied->room = room;
    }
    if (copied->times[number]++ > 0)
        return;
    copied->distinct++;
    int *highest = &copied->highest[partition % 64][number % 4];
    copied->in_order = copied->in_order && number >= *highest;
    *highest = number;
}

static void visit(const rd_kafka_message_t *message, void *arg)
{
    struct copied *copied = arg;
    int number = -1;
    copied->count++;
    snprintf(copied->last, sizeof copied->last, "%.*s", (int)message->key_len, (const char *)message->key);
    if (sscanf(copied->last, "k-%d", &number) == 1 && number >= 0)
        note(copied, message->partition, number);
}

void copied_init(struct copied *copied, const char *brokers, const char *topic)
{
    *copied = (struct copied){.in_order = true};
    (void)kafka_read_topic(brokers, topic, visit, copied);
}

void copied_fini(struct copied *copied)
{
    free(copied->times);
}

void copied_send(const char *topic, int partitions, int from, int count)
{
    for (int i = from; i < from + count; i++) {
        char key[32], value[64];
        snprintf(key, sizeof key, "k-%d", i);
        snprintf(value, sizeof value, "{\"order_id\": \"o-%d\", \"total\": %d.5}", i, i);
        scene_send(topic, i % partitions, key, value);
    }
    scene_flush();
}

static void look_again(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

bool copied_wait_count(const char *brokers, const char *topic, int count)
{
    struct copied copied;
    for (int64_t until = clock_now() + PATIENCE; clock_now() < until; look_again()) {
        copied_init(&copied, brokers, topic);
        copied_fini(&copied);
        if (copied.count >= count)
            return true;
    }
    return false;
}

/* What a reader of one isolation may read up to, over all partitions. */
static int64_t sum_of_ends(rd_kafka_t *rk, const char *topic)
{
    int64_t sum = 0;
    for (int32_t i = 0, partitions = kafka_partitions(rk, topic); i < partitions; i++) {
        int64_t first, end;
        kafka_ends(rk, topic, i, &first, &end);
        sum += end;
    }
    return sum;
}

bool copied_wait_readable(const char *brokers, const char *topic)
{
    const struct kafka_property all[] = {{"isolation.level", "read_uncommitted"}, {NULL, NULL}},
                                none[] = {{NULL, NULL}};
    rd_kafka_t *uncommitted = kafka_connect(RD_KAFKA_CONSUMER, brokers, all, NULL);
    rd_kafka_t *committed = kafka_connect(RD_KAFKA_CONSUMER, brokers, none, NULL);
    bool readable = false;
    for (int64_t until = clock_now() + PATIENCE; clock_now() < until && !readable; look_again()) {
        int64_t end = sum_of_ends(committed, topic);
        readable = end > 0 && end == sum_of_ends(uncommitted, topic);
    }
    rd_kafka_destroy(uncommitted);
    rd_kafka_destroy(committed);
    return readable;
}
