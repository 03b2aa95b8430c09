#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/conformance/servers.h"
#include "tests/support/kafka.h"

extern const struct store_type kafka_store;

enum { LARGEST = 100000 };

static void make_config(const struct subject *subject, char *yaml, size_t size)
{
    snprintf(yaml, size,
             "{brokers: '127.0.0.1:%u', topic: %s, properties: {message.max.bytes: %d, reconnect.backoff.ms: 20, "
             "reconnect.backoff.max.ms: 200%s}}",
             subject_port(subject), subject->name, LARGEST,
             subject->wishes.patient ? "" : ", socket.timeout.ms: 3000, request.timeout.ms: 2000");
}

static void make_topic(struct subject *subject)
{
    static const struct kafka_property none[] = {{NULL, NULL}};
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_PRODUCER, kafka_bootstrap(), none, NULL);
    kafka_make_topic(rk, subject->name, 1);
    rd_kafka_destroy(rk);
}

static void visit(const rd_kafka_message_t *message, void *tally)
{
    tally_json(tally, message->payload, message->len);
}

static void collect(struct subject *subject, struct tally *tally)
{
    (void)kafka_read_topic(kafka_bootstrap(), subject->name, visit, tally);
}

/* More than the producer may send. */
static struct record *add_bad(struct subject *subject, struct batch *batch, unsigned kind)
{
    size_t size = LARGEST + 1000 * (kind + 1);
    char *json = malloc(size + 1);
    (void)subject;
    assert_non_null(json);
    int head = sprintf(json, "{\"large\":\"");
    memset(json + head, 'x', size - (size_t)head - 2);
    memcpy(json + size - 2, "\"}", 3);
    struct record *record = records_add_json(batch, json);
    free(json);
    return record;
}

static const struct conformance_mistake mistakes[] = {
    {"{brokers: 'localhost:9092', topic: 'x-{{offset'}", "1:39", "expected }}"},
    {"brokers: localhost:9092\ntopic: x\nproperties:\n  compresion.codec: lz4\n", "4:3", "compression.codec"},
    {"brokers: localhost:9092\ntopic: x\nproperties:\n  linger.ms: soon\n", "4:14", "soon"},
    {"{brokers: 'localhost:9092', topic: x, timestamp: then}", "1:50", "record"},
    {"{brokers: 'localhost:9092', topi: x}", "1:29", "did you mean `topic`"},
    {NULL},
};

static const struct conformance_store store = {
    .name = "kafka",
    .type = &kafka_store,
    .server = &kafka_server,
    .config = make_config,
    .prepare = make_topic,
    .collect = collect,
    .mistakes = mistakes,
    .add_bad = add_bad,
    .no_offsets = "it keeps none",
    .not_made =
        {
            [CASE_UNFIT] = "a topic takes whatever bytes come; what it does not take is told message by message",
            [CASE_FULL_DISK] =
                "a broker ends itself when its disk is full (LogDirFailureChannel): a server that is killed",
        },
};

int main(int argc, char **argv)
{
    return conformance_main(&store, argc, argv);
}
