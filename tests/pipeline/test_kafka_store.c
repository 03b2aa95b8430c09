/* The Kafka store against librdkafka's mock cluster: called as the framework calls it, and in a whole pipeline. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/clock.h"
#include "tests/support/kafka.h"
#include "tests/support/kafka_running.h"
#include "tests/support/mock.h"
#include "tests/support/records.h"
#include "tests/support/running.h"

extern const struct store_type kafka_store;

/* -- what arrived -- */

struct arrived {
    char *key, *value; /* NULL: null */
    char *header;      /* of "h"; NULL: none */
    int64_t timestamp;
    int32_t partition;
};

struct topic {
    struct arrived *messages;
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
    const void *header = NULL;
    size_t header_size = 0;
    topic->messages = realloc(topic->messages, (topic->count + 1) * sizeof *topic->messages);
    assert_non_null(topic->messages);
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
        (void)rd_kafka_header_get_last(headers, "h", &header, &header_size);
    topic->messages[topic->count++] = (struct arrived){
        .key = copy(message->key, message->key_len),
        .value = copy(message->payload, message->len),
        .header = copy(header, header_size),
        .timestamp = rd_kafka_message_timestamp(message, NULL),
        .partition = message->partition,
    };
}

static struct topic read_topic(struct mock *mock, const char *name)
{
    struct topic topic = {0};
    kafka_read_topic(mock->brokers, name, take, &topic);
    return topic;
}

static void topic_fini(struct topic *topic)
{
    for (size_t i = 0; i < topic->count; i++) {
        free(topic->messages[i].key);
        free(topic->messages[i].value);
        free(topic->messages[i].header);
    }
    free(topic->messages);
}

/* -- a store -- */

struct fixture {
    struct mock mock;
    struct records records;
    struct parsed *parsed;
    struct context *context;
    struct connector_env env;
    void *store;
    struct error error;
};

static void begin_with(struct fixture *fixture, int partitions, const char *yaml)
{
    char text[2048];
    *fixture = (struct fixture){.env = {.service = "test", .name = "out", .config_dir = "."}};
    mock_init(&fixture->mock);
    mock_topic(&fixture->mock, "out", partitions);
    records_init(&fixture->records);
    fixture->context = context_new(NULL, CLOCK_NEVER);
    assert_non_null(fixture->context);
    snprintf(text, sizeof text, "brokers: %s\n%s", fixture->mock.brokers, yaml);
    fixture->parsed = parsed_new(kafka_store.config, text);
    assert_string_equal(parsed_report(fixture->parsed), "");
    assert_int_equal(kafka_store.open(parsed_config(fixture->parsed), &fixture->env, fixture->context, &fixture->store,
                                      &fixture->error),
                     STATUS_OK);
}

static void begin(struct fixture *fixture, const char *yaml)
{
    begin_with(fixture, 1, yaml);
}

static void end(struct fixture *fixture)
{
    kafka_store.close(fixture->store);
    parsed_free(fixture->parsed);
    context_free(fixture->context);
    records_fini(&fixture->records);
    mock_fini(&fixture->mock);
}

static enum status write_batch(struct fixture *fixture, struct batch *batch)
{
    return kafka_store.write(fixture->store, batch, fixture->context, &fixture->error);
}

static enum status flush(struct fixture *fixture)
{
    return kafka_store.flush(fixture->store, fixture->context, &fixture->error);
}

/* {"n":0} and so on. */
static struct batch *numbers(struct fixture *fixture, int from, int count)
{
    struct batch *batch = records_batch(&fixture->records);
    for (int i = from; i < from + count; i++) {
        char json[32];
        snprintf(json, sizeof json, "{\"n\":%d}", i);
        records_add_json(batch, json);
    }
    return batch;
}

static void assert_numbers(struct topic *topic, size_t first, int from, int count)
{
    assert_true(topic->count >= first + (size_t)count);
    for (int i = 0; i < count; i++) {
        char json[32];
        snprintf(json, sizeof json, "{\"n\":%d}", from + i);
        assert_string_equal(topic->messages[first + (size_t)i].value, json);
    }
}

struct acks {
    struct fixture *fixture;
    unsigned count;
};

static bool ack(void *arg)
{
    struct acks *acks = arg;
    unsigned now = kafka_store.acked(acks->fixture->store);
    assert_true(now <= acks->count);
    acks->count -= now;
    return acks->count == 0;
}

static void wait_acked(struct fixture *fixture, unsigned count)
{
    struct acks acks = {fixture, count};
    assert_true(eventually(ack, &acks));
}

static void records_arrive_in_order_with_key_headers_and_timestamp(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "topic: out\n");
    struct batch *batch = records_batch(&fixture.records);
    struct record *record = records_add(batch, "k1", "one");
    record->timestamp = 1700000000123;
    records_header(batch, record, "h", "header");
    records_add(batch, NULL, "two");
    records_add(batch, "k3", NULL); /* a tombstone */
    records_add(batch, "k4", "");
    assert_int_equal(write_batch(&fixture, batch), STATUS_OK);
    assert_int_equal(flush(&fixture), STATUS_OK);
    struct topic topic = read_topic(&fixture.mock, "out");
    assert_int_equal(topic.count, 4);
    assert_string_equal(topic.messages[0].key, "k1");
    assert_string_equal(topic.messages[0].value, "one");
    assert_string_equal(topic.messages[0].header, "header");
    assert_int_equal(topic.messages[0].timestamp, 1700000000123);
    assert_null(topic.messages[1].key);
    assert_string_equal(topic.messages[1].value, "two");
    assert_null(topic.messages[1].header);
    assert_null(topic.messages[2].value);
    assert_string_equal(topic.messages[3].value, "");
    topic_fini(&topic);
    batch_free(batch);
    end(&fixture);
}

static void a_changed_document_goes_out_as_it_is_now(void **state)
{
    (void)state;
    struct fixture fixture;
    struct path path;
    unsigned at;
    const char *why;
    begin(&fixture, "topic: out\n");
    struct batch *batch = records_batch(&fixture.records);
    struct record *record = records_add_json(batch, "{\"id\":1}");
    assert_int_equal(path_compile("name", &batch->arena, &path, &at, &why), STATUS_OK);
    assert_int_equal(document_set(&record->document, &path, bytes_of_string("\"n\""), &batch->arena), STATUS_OK);
    record = records_add_json(batch, "{\"id\":2}");
    record->document = (struct document){.kind = DOCUMENT_NULL};
    assert_int_equal(write_batch(&fixture, batch), STATUS_OK);
    assert_int_equal(flush(&fixture), STATUS_OK);
    struct topic topic = read_topic(&fixture.mock, "out");
    assert_int_equal(topic.count, 2);
    assert_string_equal(topic.messages[0].value, "{\"id\":1,\"name\":\"n\"}");
    assert_null(topic.messages[1].value);
    topic_fini(&topic);
    batch_free(batch);
    end(&fixture);
}

/* Not decoded, as decode's `empty: forward` lets it pass, and as raw bytes; key and header, too. */
static void what_has_no_bytes_arrives_as_that_and_not_as_null(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "topic: out\nkey: \"{{key}}\"\n");
    struct batch *batch = records_batch(&fixture.records);
    records_header(batch, records_add(batch, "", ""), "h", "");
    struct record *record = records_add(batch, "", "");
    record->document = (struct document){.kind = DOCUMENT_NULL, .text = record->value};
    record = records_add(batch, "", "");
    record->document = (struct document){.kind = DOCUMENT_RAW, .text = record->value};
    record = records_add(batch, NULL, NULL);
    record->document = (struct document){.kind = DOCUMENT_NULL, .text = record->value};
    records_header(batch, record, "h", NULL);
    assert_int_equal(write_batch(&fixture, batch), STATUS_OK);
    assert_int_equal(flush(&fixture), STATUS_OK);
    struct topic topic = read_topic(&fixture.mock, "out");
    assert_int_equal(topic.count, 4);
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(topic.messages[i].value);
        assert_string_equal(topic.messages[i].value, "");
        assert_non_null(topic.messages[i].key);
        assert_string_equal(topic.messages[i].key, "");
    }
    assert_non_null(topic.messages[0].header);
    assert_string_equal(topic.messages[0].header, "");
    assert_null(topic.messages[3].value);
    assert_null(topic.messages[3].key);
    assert_null(topic.messages[3].header);
    topic_fini(&topic);
    batch_free(batch);
    end(&fixture);
}

static void topic_and_key_may_be_templates_and_headers_and_time_left_out(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "topic: \"{{.to}}\"\nkey: \"{{.id}}\"\nheaders: false\ntimestamp: now\n");
    mock_topic(&fixture.mock, "a", 1);
    mock_topic(&fixture.mock, "b", 1);
    struct batch *batch = records_batch(&fixture.records);
    struct record *record = records_add_json(batch, "{\"to\":\"a\",\"id\":7}");
    record->timestamp = 1000;
    records_header(batch, record, "h", "header");
    records_add_json(batch, "{\"to\":\"b\",\"id\":\"x\"}");
    record = records_add_json(batch, "{\"id\":\"nowhere\"}");
    assert_int_equal(write_batch(&fixture, batch), STATUS_OK);
    assert_int_equal(record->answer, STAGE_REJECT);
    assert_string_equal(record->failure->class, "topic");
    assert_int_equal(flush(&fixture), STATUS_OK);
    struct topic a = read_topic(&fixture.mock, "a"), b = read_topic(&fixture.mock, "b");
    assert_int_equal(a.count, 1);
    assert_string_equal(a.messages[0].key, "7");
    assert_null(a.messages[0].header);
    assert_true(a.messages[0].timestamp > 1700000000000);
    assert_int_equal(b.count, 1);
    assert_string_equal(b.messages[0].key, "x");
    topic_fini(&a);
    topic_fini(&b);
    batch_free(batch);
    end(&fixture);
}

static void keys_go_to_the_partitions_that_kafkas_own_client_chooses(void **state)
{
    (void)state;
    struct fixture fixture;
    begin_with(&fixture, 6, "topic: out\n");
    struct batch *batch = records_batch(&fixture.records);
    records_add(batch, "foobar", "1"); /* murmur2 -790332482 (librdkafka's and Java's own test vectors) */
    records_add(batch, "21", "2");     /* -973932308 */
    assert_int_equal(write_batch(&fixture, batch), STATUS_OK);
    assert_int_equal(flush(&fixture), STATUS_OK);
    struct topic topic = read_topic(&fixture.mock, "out");
    assert_int_equal(topic.count, 2);
    for (size_t i = 0; i < 2; i++) {
        uint32_t hash = (uint32_t)(strcmp(topic.messages[i].key, "foobar") == 0 ? -790332482 : -973932308);
        assert_int_equal(topic.messages[i].partition, (hash & 0x7fffffff) % 6);
    }
    topic_fini(&topic);
    batch_free(batch);
    end(&fixture);
}

static void a_partition_may_be_a_template_and_one_that_is_not_there_is_rejected(void **state)
{
    (void)state;
    static const char *const VALUES[] = {"{\"to\":2}",  "{\"to\":0}",     "{\"to\":3}",
                                         "{\"to\":-1}", "{\"to\":\"2\"}", "{}"};
    struct fixture fixture;
    begin_with(&fixture, 3, "topic: out\npartition: '{{.to}}'\n");
    struct batch *batch = records_batch(&fixture.records);
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++)
        records_add_json(batch, VALUES[i]);
    assert_int_equal(write_batch(&fixture, batch), STATUS_OK);
    assert_int_equal(flush(&fixture), STATUS_OK);
    static const enum stage_answer ANSWERS[] = {STAGE_FORWARD, STAGE_FORWARD, STAGE_REJECT,
                                                STAGE_REJECT,  STAGE_FORWARD, STAGE_REJECT};
    for (uint32_t i = 0; i < batch->count; i++)
        assert_int_equal(batch->records[i].answer, ANSWERS[i]);
    assert_string_equal(batch->records[2].failure->class, "partition");
    assert_string_equal(batch->records[2].failure->message, "the topic out has no partition 3");
    batch_free(batch);
    struct topic topic = read_topic(&fixture.mock, "out");
    assert_int_equal(topic.count, 3);
    assert_int_equal(topic.messages[0].partition, 0);
    assert_int_equal(topic.messages[1].partition, 2);
    assert_int_equal(topic.messages[2].partition, 2);
    topic_fini(&topic);
    end(&fixture);
}

static void batches_are_acknowledged_oldest_first_without_a_flush(void **state)
{
    (void)state;
    struct fixture fixture;
    struct batch *batches[5];
    begin(&fixture, "topic: out\n");
    for (int i = 0; i < 5; i++) {
        batches[i] = numbers(&fixture, i * 10, 10);
        assert_int_equal(write_batch(&fixture, batches[i]), STATUS_OK);
    }
    wait_acked(&fixture, 5);
    assert_int_equal(kafka_store.acked(fixture.store), 0);
    struct topic topic = read_topic(&fixture.mock, "out");
    assert_int_equal(topic.count, 50);
    assert_numbers(&topic, 0, 0, 50);
    topic_fini(&topic);
    for (int i = 0; i < 5; i++)
        batch_free(batches[i]);
    end(&fixture);
}

static void a_full_queue_is_waited_for(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "topic: out\nproperties: {queue.buffering.max.messages: 10}\n");
    struct batch *batch = numbers(&fixture, 0, 1000);
    assert_int_equal(write_batch(&fixture, batch), STATUS_OK);
    assert_int_equal(flush(&fixture), STATUS_OK);
    struct topic topic = read_topic(&fixture.mock, "out");
    assert_int_equal(topic.count, 1000);
    assert_numbers(&topic, 0, 0, 1000);
    topic_fini(&topic);
    batch_free(batch);
    end(&fixture);
}

static void a_record_that_is_too_large_is_rejected_and_the_others_are_stored(void **state)
{
    (void)state;
    struct fixture fixture;
    static char large[3000];
    begin(&fixture, "topic: out\nproperties: {message.max.bytes: 2000}\n");
    memset(large, 'x', sizeof large - 1);
    struct batch *batch = records_batch(&fixture.records);
    records_add(batch, "a", "1");
    records_add(batch, "b", large);
    records_add(batch, "c", "3");
    assert_int_equal(write_batch(&fixture, batch), STATUS_OK);
    assert_int_equal(batch->records[1].answer, STAGE_REJECT);
    assert_string_equal(batch->records[1].failure->class, "size");
    wait_acked(&fixture, 1);
    struct topic topic = read_topic(&fixture.mock, "out");
    assert_int_equal(topic.count, 2);
    topic_fini(&topic);
    batch_free(batch);
    end(&fixture);
}

/* A request fails for one of its records: all are handed over again, and sent one by one; the first of them is the one. */
static void a_record_that_the_broker_refuses_is_found_and_rejected(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "topic: out\n");
    struct batch *batch = numbers(&fixture, 0, 10);
    mock_fail(&fixture.mock, 0, 2, RD_KAFKA_RESP_ERR_INVALID_RECORD);
    assert_int_equal(write_batch(&fixture, batch), STATUS_OK);
    assert_int_equal(flush(&fixture), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
    assert_int_equal(kafka_store.acked(fixture.store), 0);
    enum status status;
    while ((status = write_batch(&fixture, batch)) == STATUS_FAILED && fixture.error.class == ERROR_TRANSIENT)
        assert_int_equal(context_sleep(fixture.context, 10 * CLOCK_MS), STATUS_OK);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(batch->records[0].answer, STAGE_REJECT);
    assert_string_equal(batch->records[0].failure->class, "broker");
    assert_int_equal(flush(&fixture), STATUS_OK);
    struct topic topic = read_topic(&fixture.mock, "out");
    assert_int_equal(topic.count, 9);
    assert_numbers(&topic, 0, 1, 9);
    topic_fini(&topic);
    batch_free(batch);
    end(&fixture);
}

static void what_fails_is_taken_again_and_what_was_acknowledged_before_is_not_lost(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "topic: out\n");
    struct batch *first = numbers(&fixture, 0, 10), *second = numbers(&fixture, 10, 10);
    assert_int_equal(write_batch(&fixture, first), STATUS_OK);
    wait_acked(&fixture, 1);
    mock_fail(&fixture.mock, 0, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_int_equal(write_batch(&fixture, second), STATUS_OK);
    assert_int_equal(flush(&fixture), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
    assert_non_null(strstr(fixture.error.text, "authorization"));
    enum status status;
    while ((status = write_batch(&fixture, second)) == STATUS_FAILED && fixture.error.class == ERROR_TRANSIENT)
        assert_int_equal(context_sleep(fixture.context, 10 * CLOCK_MS), STATUS_OK);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(flush(&fixture), STATUS_OK);
    struct topic topic = read_topic(&fixture.mock, "out");
    assert_int_equal(topic.count, 20);
    assert_numbers(&topic, 0, 0, 20);
    topic_fini(&topic);
    batch_free(first);
    batch_free(second);
    end(&fixture);
}

static void a_broker_that_is_away_is_a_transient_error_and_nothing_is_lost(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "topic: out\nproperties: {reconnect.backoff.max.ms: 200, linger.ms: 10000}\n");
    struct batch *batch = numbers(&fixture, 0, 10);
    assert_int_equal(write_batch(&fixture, batch), STATUS_OK);
    mock_down(&fixture.mock, true);
    assert_int_equal(flush(&fixture), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
    assert_int_equal(write_batch(&fixture, batch), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
    mock_down(&fixture.mock, false);
    enum status status;
    while ((status = write_batch(&fixture, batch)) == STATUS_FAILED && fixture.error.class == ERROR_TRANSIENT)
        assert_int_equal(context_sleep(fixture.context, 10 * CLOCK_MS), STATUS_OK);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(flush(&fixture), STATUS_OK);
    struct topic topic = read_topic(&fixture.mock, "out");
    assert_int_equal(topic.count, 10);
    topic_fini(&topic);
    batch_free(batch);
    end(&fixture);
}

static void a_cancelled_flush_and_a_close_end_soon_with_the_broker_away(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "topic: out\nproperties: {linger.ms: 10000}\n");
    struct batch *batch = numbers(&fixture, 0, 10);
    assert_int_equal(write_batch(&fixture, batch), STATUS_OK);
    mock_down(&fixture.mock, true);
    context_cancel(fixture.context);
    int64_t began = clock_now();
    assert_int_equal(flush(&fixture), STATUS_CANCELLED);
    batch_free(batch);
    end(&fixture);
    assert_true(clock_now() - began < 5 * CLOCK_SECOND);
}

static void a_store_without_brokers_uses_the_sources(void **state)
{
    (void)state;
    struct mock mock;
    struct kafka_running running;
    mock_init(&mock);
    mock_topic(&mock, "orders", 2);
    mock_topic(&mock, "copies", 1);
    mock_produce(&mock, "orders", 0, 3000);
    mock_produce(&mock, "orders", 1, 2000);
    kafka_running_init(&running, mock.brokers, "group: g\ntopics: orders\n");
    kafka_running_store(&running, "topic: copies\nproperties: {compression.codec: lz4}\n");
    assert_int_equal(kafka_running_run(&running), STATUS_OK);
    assert_int_equal(running.result.counts.stored, 5000);
    for (int i = 0; i < 2; i++)
        assert_int_equal(mock_committed(&mock, "g", "orders", i), i == 0 ? 3000 : 2000);
    struct topic topic = read_topic(&mock, "copies");
    assert_int_equal(topic.count, 5000);
    topic_fini(&topic);
    kafka_running_fini(&running);
    mock_fini(&mock);
}

static void delivery_that_fails_in_a_quiet_topic_is_noticed_and_made_up_for(void **state)
{
    (void)state;
    struct mock mock;
    struct kafka_running running;
    mock_init(&mock);
    mock_topic(&mock, "orders", 1);
    mock_topic(&mock, "copies", 1);
    mock_produce(&mock, "orders", 0, 100);
    kafka_running_init(&running, mock.brokers, "group: g\ntopics: orders\n");
    kafka_running_store(&running, "topic: copies\n");
    mock_fail(&mock, 0, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    kafka_running_start(&running);
    assert_true(kafka_running_wait_metric(&running, METRIC_GAUGE, "weir_kafka_committed",
                                          "topic=\"orders\",partition=\"0\"", 100));
    kafka_running_drain(&running);
    struct topic topic = read_topic(&mock, "copies");
    assert_int_equal(topic.count, 100);
    topic_fini(&topic);
    kafka_running_fini(&running);
    mock_fini(&mock);
}

static void what_would_go_round_for_ever_is_refused(void **state)
{
    (void)state;
    struct mock mock;
    struct kafka_running running;
    mock_init(&mock);
    mock_topic(&mock, "orders", 1);
    kafka_running_init(&running, mock.brokers, "group: g\ntopics: ^ord\n");
    kafka_running_store(&running, "topic: orders.clean\n");
    assert_int_equal(kafka_running_run(&running), STATUS_FAILED);
    assert_int_equal(running.error.class, ERROR_FATAL);
    assert_non_null(strstr(running.error.text, "orders.clean"));
    kafka_running_fini(&running);
    mock_fini(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_arrive_in_order_with_key_headers_and_timestamp),
        cmocka_unit_test(a_changed_document_goes_out_as_it_is_now),
        cmocka_unit_test(what_has_no_bytes_arrives_as_that_and_not_as_null),
        cmocka_unit_test(topic_and_key_may_be_templates_and_headers_and_time_left_out),
        cmocka_unit_test(keys_go_to_the_partitions_that_kafkas_own_client_chooses),
        cmocka_unit_test(a_partition_may_be_a_template_and_one_that_is_not_there_is_rejected),
        cmocka_unit_test(batches_are_acknowledged_oldest_first_without_a_flush),
        cmocka_unit_test(a_full_queue_is_waited_for),
        cmocka_unit_test(a_record_that_is_too_large_is_rejected_and_the_others_are_stored),
        cmocka_unit_test(a_record_that_the_broker_refuses_is_found_and_rejected),
        cmocka_unit_test(what_fails_is_taken_again_and_what_was_acknowledged_before_is_not_lost),
        cmocka_unit_test(a_broker_that_is_away_is_a_transient_error_and_nothing_is_lost),
        cmocka_unit_test(a_cancelled_flush_and_a_close_end_soon_with_the_broker_away),
        cmocka_unit_test(a_store_without_brokers_uses_the_sources),
        cmocka_unit_test(delivery_that_fails_in_a_quiet_topic_is_noticed_and_made_up_for),
        cmocka_unit_test(what_would_go_round_for_ever_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
