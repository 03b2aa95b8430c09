/* The dead-letter topic against librdkafka's mock cluster. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/clock.h"
#include "processor/headers.h"
#include "processor/ledger.h"
#include "tests/support/kafka.h"
#include "tests/support/kafka_running.h"
#include "processor/health.h"
#include "tests/support/memory.h"
#include "tests/support/mock.h"
#include "tests/support/proxy.h"
#include "tests/support/records.h"
#include "tests/support/running.h"

extern const struct source_type kafka_source;

/* -- what arrived -- */

enum { HEADERS_MAX = 16 };

struct arrived {
    char *key, *value;
    size_t size; /* of the value */
    int64_t timestamp;
    size_t header_count;
    char *names[HEADERS_MAX], *values[HEADERS_MAX];
};

struct topic {
    struct arrived messages[64]; /* of the first ones */
    size_t count;
};

static char *copy(const void *bytes, size_t size)
{
    return bytes != NULL ? strndup(bytes, size) : NULL;
}

static void take(const rd_kafka_message_t *message, void *arg)
{
    struct topic *topic = arg;
    rd_kafka_headers_t *headers = NULL;
    const char *name;
    const void *value;
    size_t size;
    if (topic->count++ >= sizeof topic->messages / sizeof topic->messages[0])
        return;
    struct arrived *arrived = &topic->messages[topic->count - 1];
    *arrived = (struct arrived){.key = copy(message->key, message->key_len),
                                .value = copy(message->payload, message->len),
                                .size = message->len,
                                .timestamp = rd_kafka_message_timestamp(message, NULL)};
    (void)rd_kafka_message_headers(message, &headers);
    while (headers != NULL && arrived->header_count < HEADERS_MAX &&
           rd_kafka_header_get_all(headers, arrived->header_count, &name, &value, &size) ==
               RD_KAFKA_RESP_ERR_NO_ERROR) {
        arrived->names[arrived->header_count] = strdup(name);
        arrived->values[arrived->header_count++] = copy(value, size);
    }
}

static struct topic *read_topic(struct mock *mock)
{
    struct topic *topic = calloc(1, sizeof *topic);
    assert_non_null(topic);
    kafka_read_topic(mock->brokers, "orders.dlq", take, topic);
    return topic;
}

static void topic_free(struct topic *topic)
{
    for (size_t i = 0; i < topic->count && i < sizeof topic->messages / sizeof topic->messages[0]; i++) {
        struct arrived *arrived = &topic->messages[i];
        for (size_t j = 0; j < arrived->header_count; j++) {
            free(arrived->names[j]);
            free(arrived->values[j]);
        }
        free(arrived->key);
        free(arrived->value);
    }
    free(topic);
}

/* NULL: none, or more than one. */
static const char *header(const struct arrived *arrived, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < arrived->header_count; i++) {
        if (strcmp(arrived->names[i], name) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = arrived->values[i];
    }
    return found;
}

/* -- a sink, with a ledger that waits for it -- */

struct fixture {
    struct mock mock;
    struct records records;
    struct ledger *ledger;
    struct ledger_partition *partition;
    struct parsed *parsed;
    struct context *context;
    struct health *health;
    struct dead_letter *sink;
    struct proxy *proxy; /* NULL: nothing is between the sink and the broker */
    uint64_t passed;     /* bytes of requests that the proxy was let pass */
    unsigned too_large;  /* requests */
    struct error error;
};

static void put_proxy_before_broker(struct fixture *fixture)
{
    fixture->proxy = proxy_new(0, (unsigned)atoi(strchr(fixture->mock.brokers, ':') + 1));
    rd_kafka_mock_broker_set_host_port(fixture->mock.cluster, 1, "127.0.0.1", (int)proxy_port(fixture->proxy));
}

/* property: of librdkafka's, for the sink; NULL: none. */
static void begin_with(struct fixture *fixture, const char *property, const char *value, bool proxied)
{
    char text[256];
    const struct config_map properties = {
        .count = property != NULL, .keys = &property, .values = (void *)(const char *[]){value}};
    const struct dead_letter_config config = {.topic = "orders.dlq", .properties = &properties};
    *fixture = (struct fixture){0};
    mock_init(&fixture->mock);
    mock_topic(&fixture->mock, "orders.dlq", 1);
    if (proxied)
        put_proxy_before_broker(fixture);
    records_init(&fixture->records);
    fixture->ledger = ledger_new(1, NULL);
    fixture->partition = ledger_assign(fixture->ledger, "orders", 0);
    fixture->context = context_new(NULL, CLOCK_NEVER);
    fixture->health = health_new();
    assert_non_null(fixture->context);
    assert_non_null(fixture->health);
    snprintf(text, sizeof text, "brokers: %s\ngroup: g\ntopics: orders\nproperties: {reconnect.backoff.max.ms: 200}\n",
             fixture->mock.brokers);
    fixture->parsed = parsed_new(kafka_source.config, text);
    assert_string_equal(parsed_report(fixture->parsed), "");
    const struct connector_env env = {.service = "orders-store",
                                      .name = "kafka",
                                      .health = fixture->health,
                                      .config_dir = ".",
                                      .source_name = "kafka",
                                      .source_config = parsed_config(fixture->parsed)};
    assert_int_equal(kafka_source.open_dead_letter(&config, &env, fixture->context, &fixture->sink, &fixture->error),
                     STATUS_OK);
}

static void begin(struct fixture *fixture)
{
    begin_with(fixture, NULL, NULL, false);
}

static void end(struct fixture *fixture)
{
    fixture->sink->close(fixture->sink);
    parsed_free(fixture->parsed);
    context_free(fixture->context);
    health_free(fixture->health);
    ledger_free(fixture->ledger); /* asserts that no ticket is left */
    records_fini(&fixture->records);
    mock_fini(&fixture->mock);
    proxy_free(fixture->proxy);
}

static struct batch *issue(struct fixture *fixture, struct batch *batch)
{
    assert_int_equal(ledger_issue(fixture->partition, batch), STATUS_OK);
    return batch;
}

/* Rejects the record and writes its letter. */
static enum status reject(struct fixture *fixture, struct batch *batch, struct record *record)
{
    batch_reject(batch, record, "json", "no JSON at byte %d", 3);
    record->failure->stage = "decode";
    record->attempts = 2;
    return fixture->sink->write(fixture->sink, batch, record, true, fixture->context, &fixture->error);
}

static void assert_settled(struct fixture *fixture, int64_t committable)
{
    assert_int_equal(fixture->sink->flush(fixture->sink, fixture->context, &fixture->error), STATUS_OK);
    assert_int_equal(ledger_committable(fixture->partition), committable);
    assert_int_equal(ledger_partition_in_flight(fixture->partition), 0);
}

static void a_letter_has_the_whole_record_and_says_why(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct batch *batch = records_batch(&fixture.records);
    struct record *record = records_add(batch, "key", "{broken");
    record->timestamp = 1700000000123;
    records_header(batch, record, "trace", "t1");
    records_header(batch, record, "weir.error.class", "of the last time");
    record = records_add(batch, NULL, NULL);
    record->timestamp = 1700000000124;
    issue(&fixture, batch);
    assert_int_equal(reject(&fixture, batch, &batch->records[0]), STATUS_OK);
    assert_int_equal(reject(&fixture, batch, &batch->records[1]), STATUS_OK);
    assert_settled(&fixture, 2);
    batch_free(batch);
    struct topic *topic = read_topic(&fixture.mock);
    assert_int_equal(topic->count, 2);
    const struct arrived *letter = &topic->messages[0];
    assert_string_equal(letter->key, "key");
    assert_string_equal(letter->value, "{broken");
    assert_int_equal(letter->timestamp, 1700000000123);
    assert_string_equal(header(letter, "trace"), "t1");
    assert_string_equal(header(letter, "weir.error.stage"), "decode");
    assert_string_equal(header(letter, "weir.error.class"), "json");
    assert_string_equal(header(letter, "weir.error.message"), "no JSON at byte 3");
    assert_string_equal(header(letter, "weir.source.topic"), "orders");
    assert_string_equal(header(letter, "weir.source.partition"), "0");
    assert_string_equal(header(letter, "weir.source.offset"), "0");
    assert_string_equal(header(letter, "weir.source.timestamp"), "1700000000123");
    assert_string_equal(header(letter, "weir.attempts"), "1");
    assert_string_equal(header(letter, "weir.retries"), "2");
    assert_string_equal(header(letter, "weir.service"), "orders-store");
    assert_int_equal(letter->header_count, 11);
    assert_null(topic->messages[1].key);
    assert_null(topic->messages[1].value);
    assert_string_equal(header(&topic->messages[1], "weir.source.offset"), "1");
    topic_free(topic);
    end(&fixture);
}

/* One that was redriven, through the pipeline and through its topic: the letter tells of the record, and attempts count on. */
static void a_letter_of_what_was_a_letter_before_counts_on(void **state)
{
    (void)state;
    static const struct origin ORIGIN = {.topic = "orders.eu", .partition = 3, .attempts = 2, .offset = 17};
    struct fixture fixture;
    begin(&fixture);
    struct batch *batch = records_batch(&fixture.records);
    records_add(batch, "key", "{broken");
    struct record *record = records_add(batch, "key", "{broken");
    records_header(batch, record, "weir.attempts", "4");
    issue(&fixture, batch);
    assert_true(batch_make_origins(batch));
    batch->origins[batch->records[0].index] = ORIGIN;
    assert_int_equal(reject(&fixture, batch, &batch->records[0]), STATUS_OK);
    assert_int_equal(reject(&fixture, batch, &batch->records[1]), STATUS_OK);
    assert_settled(&fixture, 2);
    batch_free(batch);
    struct topic *topic = read_topic(&fixture.mock);
    assert_string_equal(header(&topic->messages[0], "weir.source.topic"), "orders.eu");
    assert_string_equal(header(&topic->messages[0], "weir.source.partition"), "3");
    assert_string_equal(header(&topic->messages[0], "weir.source.offset"), "17");
    assert_string_equal(header(&topic->messages[0], "weir.attempts"), "3");
    assert_string_equal(header(&topic->messages[1], "weir.source.topic"), "orders");
    assert_string_equal(header(&topic->messages[1], "weir.attempts"), "5");
    assert_int_equal(topic->messages[1].header_count, 10);
    topic_free(topic);
    end(&fixture);
}

static void a_record_counts_only_when_the_broker_acknowledged_its_letter(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    mock_down(&fixture.mock, true);
    struct batch *batch = records_batch(&fixture.records);
    records_add(batch, "k", "v");
    issue(&fixture, batch);
    assert_int_equal(reject(&fixture, batch, &batch->records[0]), STATUS_OK);
    batch_free(batch);
    struct context *patience = context_new(fixture.context, clock_now() + CLOCK_SECOND);
    assert_non_null(patience);
    assert_int_equal(fixture.sink->flush(fixture.sink, patience, &fixture.error), STATUS_DEADLINE);
    context_free(patience);
    assert_int_equal(ledger_committable(fixture.partition), -1);
    mock_down(&fixture.mock, false);
    assert_settled(&fixture, 1);
    end(&fixture);
}

static bool is_not_ready(void *arg)
{
    return !health_ready(arg, NULL, 0);
}

static void a_topic_that_refuses_is_tried_again_until_it_takes_the_letter(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    mock_fail(&fixture.mock, 0, 4, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    struct batch *batch = records_batch(&fixture.records);
    for (int i = 0; i < 10; i++)
        records_add(batch, "k", "v");
    issue(&fixture, batch);
    for (int i = 0; i < 10; i++)
        assert_int_equal(reject(&fixture, batch, &batch->records[i]), STATUS_OK);
    batch_free(batch);
    assert_true(eventually(is_not_ready, fixture.health));
    assert_settled(&fixture, 10);
    assert_true(health_ready(fixture.health, NULL, 0));
    struct topic *topic = read_topic(&fixture.mock);
    assert_int_equal(topic->count, 10);
    assert_string_equal(header(&topic->messages[9], "weir.error.stage"), "decode");
    topic_free(topic);
    end(&fixture);
}

static void a_value_larger_than_a_message_may_be_is_cut(void **state)
{
    (void)state;
    struct fixture fixture;
    static char large[5001];
    begin_with(&fixture, "message.max.bytes", "2000", false);
    memset(large, 'x', 5000);
    struct batch *batch = records_batch(&fixture.records);
    records_add(batch, "k", large);
    issue(&fixture, batch);
    assert_int_equal(reject(&fixture, batch, &batch->records[0]), STATUS_OK);
    batch_free(batch);
    assert_settled(&fixture, 1);
    struct topic *topic = read_topic(&fixture.mock);
    assert_int_equal(topic->count, 1);
    assert_string_equal(header(&topic->messages[0], "weir.value.truncated"), "5000");
    assert_in_range(topic->messages[0].size, 1000, 2000);
    assert_string_equal(topic->messages[0].key, "k");
    topic_free(topic);
    end(&fixture);
}

/* All messages of a request fail for one; which one shows when each is sent alone. */
static void a_value_that_the_broker_finds_too_large_is_cut_and_its_neighbours_are_not(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct batch *batch = records_batch(&fixture.records);
    records_add(batch, "a", "0123456789");
    records_add(batch, "b", "0123456789");
    issue(&fixture, batch);
    mock_fail(&fixture.mock, 0, 2, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    assert_int_equal(reject(&fixture, batch, &batch->records[0]), STATUS_OK);
    assert_int_equal(reject(&fixture, batch, &batch->records[1]), STATUS_OK);
    batch_free(batch);
    assert_settled(&fixture, 2);
    struct topic *topic = read_topic(&fixture.mock);
    assert_int_equal(topic->count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct arrived *letter = &topic->messages[i];
        bool first = strcmp(letter->key, "a") == 0;
        assert_int_equal(letter->size, first ? 5 : 10);
        if (first)
            assert_string_equal(header(letter, "weir.value.truncated"), "10");
        else
            assert_null(header(letter, "weir.value.truncated"));
    }
    topic_free(topic);
    end(&fixture);
}

enum { VALUE_SIZE = 1000, BATCH_MAX = 2000 };

/*
 * Plays a topic with max.message.bytes, which limits a batch, not a record: requests are held in the proxy until their size is seen. It's one piece, as
 * librdkafka hands it to the kernel in one call; what else it asks for is small.
 */
static void judge_request(struct fixture *fixture)
{
    struct proxy *proxy = fixture->proxy;
    uint64_t read = proxy_count(proxy, PROXY_READ_UP), size = read - fixture->passed;
    if (size == 0)
        return;
    if (size > BATCH_MAX) {
        mock_fail(&fixture->mock, 0, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
        fixture->too_large++;
    }
    proxy_rule(proxy, PROXY_DOWN, (struct proxy_rules){.held = true}); /* no answer, no next request meanwhile */
    proxy_rule(proxy, PROXY_UP, (struct proxy_rules){0});
    assert_true(proxy_wait(proxy, PROXY_PASSED_UP, read));
    proxy_rule(proxy, PROXY_UP, (struct proxy_rules){.held = true});
    fixture->passed = read;
    proxy_rule(proxy, PROXY_DOWN, (struct proxy_rules){0});
}

static bool one_was_too_large(void *arg)
{
    judge_request(arg);
    return ((struct fixture *)arg)->too_large > 0;
}

static bool three_are_settled(void *arg)
{
    struct fixture *fixture = arg;
    judge_request(fixture);
    return ledger_committable(fixture->partition) == 3;
}

/* Two are too large together. While the first one's turn is to be sent alone, a third is written. */
static void letters_that_fit_are_not_cut_because_their_batch_did_not(void **state)
{
    (void)state;
    struct fixture fixture;
    char value[VALUE_SIZE + 1];
    begin_with(&fixture, "linger.ms", "300", true);
    memset(value, 'x', VALUE_SIZE);
    value[VALUE_SIZE] = '\0';
    struct batch *batch = records_batch(&fixture.records);
    for (int i = 0; i < 3; i++)
        records_add(batch, "k", value);
    issue(&fixture, batch);
    proxy_rule(fixture.proxy, PROXY_UP, (struct proxy_rules){.held = true});
    assert_int_equal(reject(&fixture, batch, &batch->records[0]), STATUS_OK);
    assert_int_equal(reject(&fixture, batch, &batch->records[1]), STATUS_OK);
    assert_true(eventually(one_was_too_large, &fixture));
    assert_int_equal(reject(&fixture, batch, &batch->records[2]), STATUS_OK);
    batch_free(batch);
    assert_true(eventually(three_are_settled, &fixture));
    proxy_pass(fixture.proxy);
    assert_int_equal(fixture.too_large, 1);
    struct topic *topic = read_topic(&fixture.mock);
    assert_int_equal(topic->count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(topic->messages[i].size, VALUE_SIZE);
        assert_null(header(&topic->messages[i], "weir.value.truncated"));
    }
    topic_free(topic);
    end(&fixture);
}

/* Brokers compare it with their clock (message.timestamp.after.max.ms). */
static void a_timestamp_that_the_broker_refuses_is_left_out_and_those_of_its_neighbours_are_not(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct batch *batch = records_batch(&fixture.records);
    records_add(batch, "a", "v");
    records_add(batch, "b", "v");
    batch->records[0].timestamp = batch->records[1].timestamp = 1764000000000;
    issue(&fixture, batch);
    mock_fail(&fixture.mock, 0, 2, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP);
    assert_int_equal(reject(&fixture, batch, &batch->records[0]), STATUS_OK);
    assert_int_equal(reject(&fixture, batch, &batch->records[1]), STATUS_OK);
    batch_free(batch);
    assert_settled(&fixture, 2);
    struct topic *topic = read_topic(&fixture.mock);
    assert_int_equal(topic->count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct arrived *letter = &topic->messages[i];
        assert_true((letter->timestamp == 1764000000000) == (strcmp(letter->key, "b") == 0));
        assert_string_equal(header(letter, "weir.source.timestamp"), "1764000000000");
    }
    topic_free(topic);
    end(&fixture);
}

static void a_producer_beyond_repair_is_made_anew(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    /* Without a producer's id librdkafka gives the handle up for good. */
    mock_down(&fixture.mock, true);
    mock_fail(&fixture.mock, 22, 1, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    mock_down(&fixture.mock, false);
    struct batch *batch = records_batch(&fixture.records);
    for (int i = 0; i < 10; i++)
        records_add(batch, "k", "v");
    issue(&fixture, batch);
    for (int i = 0; i < 10; i++)
        assert_int_equal(reject(&fixture, batch, &batch->records[i]), STATUS_OK);
    batch_free(batch);
    assert_settled(&fixture, 10);
    struct topic *topic = read_topic(&fixture.mock);
    assert_int_equal(topic->count, 10);
    assert_string_equal(header(&topic->messages[0], "weir.error.stage"), "decode");
    topic_free(topic);
    end(&fixture);
}

static void letters_without_an_answer_hold_the_writer_back_within_its_context(void **state)
{
    (void)state;
    struct fixture fixture;
    char *large = malloc(900001);
    uint8_t *packed = malloc(901000);
    begin(&fixture);
    mock_down(&fixture.mock, true);
    memset(large, 'x', 900000);
    large[900000] = '\0';
    struct batch *batch = records_batch(&fixture.records);
    uint8_t *end_of_packed = headers_pack(packed, bytes_of_string("trace"), bytes_of_string(large));
    for (int i = 0; i < 12; i++) {
        struct record *record = records_add(batch, "k", i % 2 == 0 ? large : "v");
        if (i % 2 != 0)
            record->headers = bytes_of(packed, (uint32_t)(end_of_packed - packed));
    }
    issue(&fixture, batch);
    struct context *patience = context_new(fixture.context, clock_now() + CLOCK_SECOND);
    assert_non_null(patience);
    struct context *context = fixture.context;
    fixture.context = patience;
    enum status status = STATUS_OK;
    int written = 0;
    while (written < 12 && (status = reject(&fixture, batch, &batch->records[written])) == STATUS_OK)
        written++;
    assert_int_equal(status, STATUS_DEADLINE);
    assert_in_range(written, 5, 11);
    fixture.context = context;
    context_free(patience);
    batch_free(batch);
    free(large);
    free(packed);
    end(&fixture); /* with letters under way: nothing is left of them */
}

enum { THREADS = 4, EACH = 1000 };

struct writer {
    struct fixture *fixture;
    struct batch *batch;
    int first;
    enum status status;
};

static void *write_some(void *arg)
{
    struct writer *writer = arg;
    struct fixture *fixture = writer->fixture;
    for (int i = 0; i < EACH && writer->status == STATUS_OK; i++)
        writer->status = fixture->sink->write(fixture->sink, writer->batch, &writer->batch->records[writer->first + i],
                                              false, fixture->context, NULL);
    return NULL;
}

static void several_threads_write_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    struct writer writers[THREADS];
    pthread_t threads[THREADS];
    begin(&fixture);
    struct batch *batch = records_batch(&fixture.records);
    for (int i = 0; i < THREADS * EACH; i++)
        records_add(batch, "k", "v");
    issue(&fixture, batch);
    for (uint32_t i = 0; i < batch->count; i++) {
        batch_reject(batch, &batch->records[i], "json", "wrong");
        batch->records[i].failure->stage = "decode";
    }
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){&fixture, batch, i * EACH, STATUS_OK};
        assert_int_equal(pthread_create(&threads[i], NULL, write_some, &writers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(writers[i].status, STATUS_OK);
    }
    assert_settled(&fixture, THREADS * EACH);
    batch_free(batch);
    struct topic *topic = read_topic(&fixture.mock);
    assert_int_equal(topic->count, THREADS * EACH);
    topic_free(topic);
    end(&fixture);
}

static void bad_records_of_a_pipeline_become_dead_letters_and_all_is_committed(void **state)
{
    (void)state;
    struct mock mock;
    struct kafka_running running;
    mock_init(&mock);
    mock_topic(&mock, "orders", 1);
    mock_topic(&mock, "orders.dlq", 1);
    for (int i = 0; i < 20; i++)
        mock_produce_one(&mock, "orders", 0, "k", i % 5 == 0 ? "bad" : "good", NULL, 1700000000000 + i);
    kafka_running_init(&running, mock.brokers, "group: g\ntopics: orders\n");
    kafka_running_stage(&running);
    running.config.dead_letter.topic = "orders.dlq";
    assert_int_equal(kafka_running_run(&running), STATUS_OK);
    assert_int_equal(running.result.counts.stored, 16);
    assert_int_equal(running.result.counts.dead_lettered, 4);
    assert_int_equal(mock_committed(&mock, "g", "orders", 0), 20);
    struct topic *topic = read_topic(&mock);
    assert_int_equal(topic->count, 4);
    assert_string_equal(header(&topic->messages[3], "weir.error.stage"), "words");
    assert_string_equal(header(&topic->messages[3], "weir.source.offset"), "15");
    topic_free(topic);
    kafka_running_fini(&running);
    mock_fini(&mock);
}

static void a_topic_that_the_source_consumes_is_refused(void **state)
{
    (void)state;
    struct mock mock;
    struct kafka_running running;
    mock_init(&mock);
    mock_topic(&mock, "orders", 1);
    kafka_running_init(&running, mock.brokers, "group: g\ntopics: ^orders\n");
    running.config.dead_letter.topic = "orders.dlq";
    assert_int_equal(kafka_running_run(&running), STATUS_FAILED);
    assert_int_equal(running.error.class, ERROR_FATAL);
    assert_non_null(strstr(running.error.text, "orders.dlq"));
    kafka_running_fini(&running);
    mock_fini(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_has_the_whole_record_and_says_why),
        cmocka_unit_test(a_letter_of_what_was_a_letter_before_counts_on),
        cmocka_unit_test(a_record_counts_only_when_the_broker_acknowledged_its_letter),
        cmocka_unit_test(a_topic_that_refuses_is_tried_again_until_it_takes_the_letter),
        cmocka_unit_test(a_value_larger_than_a_message_may_be_is_cut),
        cmocka_unit_test(a_value_that_the_broker_finds_too_large_is_cut_and_its_neighbours_are_not),
        cmocka_unit_test(letters_that_fit_are_not_cut_because_their_batch_did_not),
        cmocka_unit_test(a_timestamp_that_the_broker_refuses_is_left_out_and_those_of_its_neighbours_are_not),
        cmocka_unit_test(a_producer_beyond_repair_is_made_anew),
        cmocka_unit_test(letters_without_an_answer_hold_the_writer_back_within_its_context),
        cmocka_unit_test(several_threads_write_at_once),
        cmocka_unit_test(bad_records_of_a_pipeline_become_dead_letters_and_all_is_committed),
        cmocka_unit_test(a_topic_that_the_source_consumes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
