/*
 * The Kafka store with exactly-once delivery, called as the framework calls it, against a real broker: transactions that are discarded, left open, take too long or have a zombie
 * for a maker.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "processor/clock.h"
#include "tests/support/copied.h"
#include "tests/support/kafka.h"
#include "tests/support/kafka_running.h"
#include "tests/support/member.h"
#include "tests/support/records.h"
#include "tests/support/scene.h"

extern const struct store_type kafka_store;

static void make_topics(const char *name)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%s.copy", name);
    kafka_make_topic(scene_producer, name, 1);
    kafka_make_topic(scene_producer, copy, 1);
}

struct fixture {
    struct member member;
    struct records records;
    struct parsed *parsed;
    struct context *context;
    struct connector_env env;
    void *store;
    struct error error;
    const char *name;
};

/* Topics, a member of the group that has all of the first, and a store into the second. member_yaml, store_yaml: more of their config. */
static void fixture_init(struct fixture *fixture, const char *name, const char *member_yaml, const char *store_yaml)
{
    char yaml[512];
    *fixture = (struct fixture){.name = name, .env = {.service = "test", .name = "out", .exactly_once = true}};
    snprintf(yaml, sizeof yaml, "brokers: \"%s\"\ngroup: %s\ntopics: %s\n%s", scene_broker, name, name, member_yaml);
    member_init(&fixture->member, yaml, 1, &fixture->env);
    records_init(&fixture->records);
    fixture->context = context_new(NULL, CLOCK_NEVER);
    assert_non_null(fixture->context);
    snprintf(yaml, sizeof yaml, "topic: %s.copy\n%s", name, store_yaml);
    fixture->parsed = parsed_new(kafka_store.config, yaml);
    assert_string_equal(parsed_report(fixture->parsed), "");
    assert_int_equal(kafka_store.open(parsed_config(fixture->parsed), &fixture->env, fixture->context, &fixture->store,
                                      &fixture->error),
                     STATUS_OK);
}

static void fixture_fini(struct fixture *fixture)
{
    kafka_store.close(fixture->store);
    parsed_free(fixture->parsed);
    context_free(fixture->context);
    records_fini(&fixture->records);
    member_fini(&fixture->member);
}

static enum status store_write(struct fixture *fixture, struct batch *batch)
{
    enum status status;
    while ((status = kafka_store.write(fixture->store, batch, fixture->context, &fixture->error)) == STATUS_FAILED &&
           fixture->error.class == ERROR_TRANSIENT)
        assert_int_equal(context_sleep(fixture->context, 10 * CLOCK_MS), STATUS_OK);
    return status;
}

/* Moves partition 0 to `to`, and flushes. */
static enum status store_end(struct fixture *fixture, int64_t to)
{
    const struct offset_move move = {.topic = fixture->name, .partition = 0, .from = -1, .to = to};
    enum status status = kafka_store.offsets->move(fixture->store, &move, 1, fixture->context, &fixture->error);
    return status != STATUS_OK ? status : kafka_store.flush(fixture->store, fixture->context, &fixture->error);
}

static struct batch *one(struct fixture *fixture, const char *key)
{
    struct batch *batch = records_batch(&fixture->records);
    records_add(batch, key, "{}");
    return batch;
}

static void assert_copies(struct fixture *fixture, int count, const char *last)
{
    char topic[64];
    snprintf(topic, sizeof topic, "%s.copy", fixture->name);
    struct copied copied;
    copied_init(&copied, scene_broker, topic);
    assert_int_equal(copied.count, count);
    if (count > 0)
        assert_string_equal(copied.last, last);
    copied_fini(&copied);
}

static void what_was_discarded_is_never_seen(void **state)
{
    (void)state;
    struct fixture fixture;
    make_topics("eos-discard");
    fixture_init(&fixture, "eos-discard", "", "");
    struct batch *first = one(&fixture, "first"), *second = one(&fixture, "second");
    assert_int_equal(store_write(&fixture, first), STATUS_OK);
    const struct offset_move move = {.topic = "eos-discard", .partition = 0, .from = -1, .to = 7};
    assert_int_equal(kafka_store.offsets->move(fixture.store, &move, 1, fixture.context, &fixture.error), STATUS_OK);
    kafka_store.offsets->discard(fixture.store);
    assert_int_equal(scene_committed("eos-discard", "eos-discard", 0), -1);
    assert_int_equal(store_write(&fixture, second), STATUS_OK);
    assert_int_equal(store_end(&fixture, 8), STATUS_OK);
    assert_copies(&fixture, 1, "second");
    assert_int_equal(scene_committed("eos-discard", "eos-discard", 0), 8);
    batch_free(first);
    batch_free(second);
    fixture_fini(&fixture);
}

static void what_a_store_leaves_open_when_it_is_closed_is_never_seen(void **state)
{
    (void)state;
    struct fixture fixture;
    make_topics("eos-close");
    fixture_init(&fixture, "eos-close", "", "");
    struct batch *batch = one(&fixture, "first");
    assert_int_equal(store_write(&fixture, batch), STATUS_OK);
    assert_int_equal(kafka_store.flush(fixture.store, fixture.context, &fixture.error), STATUS_OK);
    struct batch *next = one(&fixture, "next");
    assert_int_equal(store_write(&fixture, next), STATUS_OK);
    int64_t began = clock_now();
    batch_free(batch);
    batch_free(next);
    fixture_fini(&fixture);
    assert_true(copied_wait_readable(scene_broker, "eos-close.copy"));
    assert_true(clock_now() - began < 8 * CLOCK_SECOND); /* and not by its timeout */
    assert_copies(&fixture, 1, "first");
}

static void takes_over(const char *name, const char *mine, const char *others, const char *word)
{
    struct fixture fixture;
    struct member heir;
    struct connector_env env = {0};
    char yaml[256];
    make_topics(name);
    fixture_init(&fixture, name, mine, "");
    struct batch *batch = one(&fixture, "first"), *next = one(&fixture, "next");
    assert_int_equal(store_write(&fixture, batch), STATUS_OK);
    assert_int_equal(store_end(&fixture, 5), STATUS_OK);
    assert_int_equal(store_write(&fixture, next), STATUS_OK);
    snprintf(yaml, sizeof yaml, "brokers: \"%s\"\ngroup: %s\ntopics: %s\n%s", scene_broker, name, name, others);
    member_init(&heir, yaml, 1, &env); /* returns when it has the partition */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(store_end(&fixture, 6), STATUS_FAILED);
        assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
        assert_non_null(strstr(fixture.error.text, word));
        assert_int_equal(store_write(&fixture, next), STATUS_OK);
    }
    assert_copies(&fixture, 1, "first");
    assert_int_equal(scene_committed(name, name, 0), 5);
    member_fini(&heir);
    batch_free(batch);
    batch_free(next);
    fixture_fini(&fixture);
}

static void a_member_that_the_group_has_put_out_stores_nothing(void **state)
{
    (void)state;
    takes_over("eos-out", "properties: {session.timeout.ms: 1000, heartbeat.interval.ms: 60000}\n", "",
               "member"); /* the coordinator's "Unknown member", or our own word */
}

/* It asks the group so seldom that it does not know of its successor: the coordinator refuses it. */
static void a_zombie_stores_nothing(void **state)
{
    (void)state;
    takes_over("eos-zombie", "instance: one\nproperties: {session.timeout.ms: 45000, heartbeat.interval.ms: 40000}\n",
               "instance: one\n", "fenced");
}

static void a_transaction_that_took_too_long_is_made_again_by_a_new_producer(void **state)
{
    (void)state;
    struct fixture fixture;
    make_topics("eos-slow");
    fixture_init(&fixture, "eos-slow", "", "properties: {transaction.timeout.ms: 1000, message.timeout.ms: 1000}\n");
    struct batch *batch = one(&fixture, "first");
    assert_int_equal(store_write(&fixture, batch), STATUS_OK);
    /* The broker looks for such transactions every ten seconds: then a reader gets past it. */
    assert_true(copied_wait_readable(scene_broker, "eos-slow.copy"));
    assert_int_equal(store_end(&fixture, 5), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
    assert_int_equal(scene_committed("eos-slow", "eos-slow", 0), -1);
    assert_int_equal(store_write(&fixture, batch), STATUS_OK);
    assert_int_equal(store_end(&fixture, 5), STATUS_OK);
    assert_copies(&fixture, 1, "first");
    assert_int_equal(scene_committed("eos-slow", "eos-slow", 0), 5);
    batch_free(batch);
    fixture_fini(&fixture);
}

static void a_process_ends_at_once_what_its_predecessor_of_the_same_instance_left_open(void **state)
{
    (void)state;
    struct fixture fixture;
    void *other;
    make_topics("eos-instance");
    fixture_init(&fixture, "eos-instance", "instance: one\n", "");
    struct batch *batch = one(&fixture, "first"), *next = one(&fixture, "next");
    assert_int_equal(store_write(&fixture, batch), STATUS_OK);
    const struct offset_move move = {.topic = "eos-instance", .partition = 0, .from = -1, .to = 5};
    assert_int_equal(kafka_store.offsets->move(fixture.store, &move, 1, fixture.context, &fixture.error), STATUS_OK);
    int64_t began = clock_now();
    assert_int_equal(
        kafka_store.open(parsed_config(fixture.parsed), &fixture.env, fixture.context, &other, &fixture.error),
        STATUS_OK);
    assert_copies(&fixture, 0, NULL);
    assert_int_equal(scene_committed("eos-instance", "eos-instance", 0), -1);
    assert_true(clock_now() - began < 8 * CLOCK_SECOND);
    /* The predecessor, should it live, does not get its transaction through: what was asked for at the end may have been answered, or not. */
    assert_int_equal(kafka_store.flush(fixture.store, fixture.context, &fixture.error), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_RESTART);
    assert_copies(&fixture, 0, NULL);
    kafka_store.close(fixture.store);
    fixture.store = other;
    assert_int_equal(store_write(&fixture, next), STATUS_OK);
    assert_int_equal(store_end(&fixture, 6), STATUS_OK);
    assert_copies(&fixture, 1, "next");
    assert_int_equal(scene_committed("eos-instance", "eos-instance", 0), 6);
    batch_free(batch);
    batch_free(next);
    fixture_fini(&fixture);
}

static void begin_pipeline(struct kafka_running *running)
{
    kafka_running_init(running, scene_broker, "group: eos-unstable\ntopics: eos-unstable\n");
    kafka_running_store(running, "topic: eos-unstable.copy\n");
    running->config.exactly_once = true;
    running->config.service = "heir"; /* another process would have another transactional.id as well */
    kafka_running_start(running);
    assert_true(kafka_running_wait_health(running, "not over yet"));
}

/* Nobody knows what the group has committed until the broker ends the transaction of a producer that is gone. */
static void offsets_in_a_transaction_that_nobody_ends_are_waited_for(void **state)
{
    (void)state;
    struct fixture fixture;
    struct kafka_running running;
    make_topics("eos-unstable");
    copied_send("eos-unstable", 1, 0, 10);
    fixture_init(&fixture, "eos-unstable", "", "properties: {transaction.timeout.ms: 10000}\n");
    struct batch *batch = one(&fixture, "lost");
    assert_int_equal(store_write(&fixture, batch), STATUS_OK);
    const struct offset_move move = {.topic = "eos-unstable", .partition = 0, .from = -1, .to = 5};
    assert_int_equal(kafka_store.offsets->move(fixture.store, &move, 1, fixture.context, &fixture.error), STATUS_OK);
    kafka_member_set(&fixture.member.source, NULL);
    assert_int_equal(rd_kafka_consumer_close(fixture.member.rk), RD_KAFKA_RESP_ERR_NO_ERROR);
    /* A stop does not wait with it. */
    begin_pipeline(&running);
    int64_t began = clock_now();
    kafka_running_drain(&running);
    assert_true(clock_now() - began < 8 * CLOCK_SECOND);
    kafka_running_fini(&running);
    begin_pipeline(&running);
    assert_true(
        kafka_running_wait_metric(&running, METRIC_COUNTER, "weir_stage_records_out_total", "stage=\"out\"", 10));
    kafka_running_drain(&running);
    assert_int_equal(running.result.restarts, 0);
    kafka_running_fini(&running);
    assert_copies(&fixture, 10, "k-9");
    batch_free(batch);
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_discarded_is_never_seen),
        cmocka_unit_test(what_a_store_leaves_open_when_it_is_closed_is_never_seen),
        cmocka_unit_test(a_member_that_the_group_has_put_out_stores_nothing),
        cmocka_unit_test(a_zombie_stores_nothing),
        cmocka_unit_test(a_transaction_that_took_too_long_is_made_again_by_a_new_producer),
        cmocka_unit_test(a_process_ends_at_once_what_its_predecessor_of_the_same_instance_left_open),
        cmocka_unit_test(offsets_in_a_transaction_that_nobody_ends_are_waited_for),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
