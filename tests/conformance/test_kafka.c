#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/conformance/servers.h"
#include "tests/support/copied.h"
#include "tests/support/kafka.h"
#include "tests/support/member.h"

extern const struct store_type kafka_store;

enum { LARGEST = 100000 };

/* With exactly-once delivery the cluster is the source's. */
static void make_config(const struct subject *subject, char *yaml, size_t size)
{
    char brokers[64] = "";
    if (!subject->wishes.exactly_once)
        snprintf(brokers, sizeof brokers, "brokers: '127.0.0.1:%u', ", subject_port(subject));
    snprintf(yaml, size,
             "{%stopic: %s, properties: {message.max.bytes: %d, reconnect.backoff.ms: 20, "
             "reconnect.backoff.max.ms: 200%s}}",
             brokers, subject->name, LARGEST, subject->wishes.patient ? "" : ", socket.timeout.ms: 3000");
}

/* The source's member of its group, by which the store shows whose offsets it moves. */
static void join_group(struct subject *subject)
{
    char yaml[256];
    struct member *member = calloc(1, sizeof *member);
    assert_non_null(member);
    snprintf(yaml, sizeof yaml, "{brokers: '127.0.0.1:%u', group: %s, topics: " CONFORMANCE_TOPIC "}",
             subject_port(subject), subject->name);
    member_init(member, yaml, CONFORMANCE_PARTITIONS, &subject->stored.env);
    subject->own = member;
}

static void prepare(struct subject *subject)
{
    static const struct kafka_property none[] = {{NULL, NULL}};
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_PRODUCER, kafka_bootstrap(), none, NULL);
    kafka_make_topic(rk, subject->name, 1);
    if (subject->wishes.exactly_once) {
        kafka_make_topic(rk, CONFORMANCE_TOPIC, CONFORMANCE_PARTITIONS);
        kafka_make_topic(rk, CONFORMANCE_OTHER_TOPIC, 1);
        join_group(subject);
    }
    rd_kafka_destroy(rk);
}

static void clean(struct subject *subject)
{
    if (subject->own == NULL)
        return;
    member_fini(subject->own);
    free(subject->own);
}

static int64_t read_offset(struct subject *subject, const char *topic, int32_t partition)
{
    const struct kafka_property properties[] = {{"group.id", subject->name}, {NULL, NULL}};
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_CONSUMER, kafka_bootstrap(), properties, NULL);
    int64_t offset = kafka_committed(rk, topic, partition);
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return offset;
}

static bool is_empty(struct subject *subject)
{
    static const struct kafka_property none[] = {{NULL, NULL}};
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_PRODUCER, kafka_bootstrap(), none, NULL);
    int64_t first, end;
    kafka_ends(rk, subject->name, 0, &first, &end);
    rd_kafka_destroy(rk);
    return end == 0;
}

static void visit(const rd_kafka_message_t *message, void *tally)
{
    tally_json(tally, message->payload, message->len);
}

static void collect(struct subject *subject, struct tally *tally)
{
    /* A transaction has ended for readers a moment later than for its producer. */
    if (subject->wishes.exactly_once && !is_empty(subject))
        assert_true(copied_wait_readable(kafka_bootstrap(), subject->name));
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

/* EndTxn: its key 26, version 1, and the first half of a correlation id that is never so high (Kafka protocol guide). */
static const struct conformance_mark end_transaction = {"\x00\x1a\x00\x01\x00\x00", 6};

static const struct conformance_store store = {
    .name = "kafka",
    .type = &kafka_store,
    .server = &kafka_server,
    .config = make_config,
    .prepare = prepare,
    .clean = clean,
    .collect = collect,
    .mistakes = mistakes,
    .add_bad = add_bad,
    .offsets_commit_mark = &end_transaction,
    .read_offset = read_offset,
    .not_made =
        {
            [CASE_UNFIT] = "a topic takes whatever bytes come; what it does not take is told message by message",
            [CASE_FULL_DISK] =
                "a broker ends itself when its disk is full (LogDirFailureChannel): a server that is killed",
            [CASE_OFFSETS_ZOMBIE] = "the group says who a zombie is: tests/integration/test_kafka_transaction_store.c",
            [CASE_OFFSETS_ALREADY] =
                "the answer to a commit comes from the broker, however late; there is nothing to compare",
            [CASE_OFFSETS_PROCESS_KILLED] =
                "it takes a source that goes on where the group is: tests/chaos/exactly-once.sh",
        },
};

int main(int argc, char **argv)
{
    return conformance_main(&store, argc, argv);
}
