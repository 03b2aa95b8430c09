/*
 * The Kafka source and store against a real broker, in whole pipelines of this process: what the mock cluster does not do. Groups of several members in each protocol,
 * transactions, retention, a topic's own limits. The broker comes from scripts/run-tests.sh; every test has topics of its own.
 */
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
#include "tests/support/running.h"
#include "tests/support/scene.h"

enum { PARTITIONS = 4 };

static void produce(const char *topic, int count)
{
    scene_send_orders(topic, PARTITIONS, count);
}

static void begin(struct kafka_running *running, const char *name, const char *more)
{
    char yaml[512];
    snprintf(yaml, sizeof yaml, "group: %s\ntopics: %s\n%s", name, name, more);
    kafka_running_init(running, scene_broker, yaml);
}

static int64_t end_of(const char *name, int32_t partition)
{
    int64_t first, end;
    kafka_ends(scene_producer, name, partition, &first, &end);
    return end;
}

/* -- several members -- */

struct pair {
    struct kafka_running *a, *b;
    size_t rows;
};

static bool have_rows(void *arg)
{
    struct pair *pair = arg;
    return memory_store_count(pair->a->store) + memory_store_count(pair->b->store) >= pair->rows;
}

static void assert_stored_once(struct pair *pair, const char *name)
{
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        int64_t end = end_of(name, partition);
        assert_int_equal(scene_committed(name, name, partition), end);
        for (int64_t offset = 0; offset < end; offset++)
            assert_int_equal(memory_store_times(pair->a->store, partition, offset) +
                                 memory_store_times(pair->b->store, partition, offset),
                             1);
    }
}

static void members_share(const char *name, const char *more)
{
    struct kafka_running a, b;
    struct pair pair = {&a, &b, 400};
    kafka_make_topic(scene_producer, name, PARTITIONS);
    produce(name, 400);
    begin(&a, name, more);
    begin(&b, name, more);
    kafka_running_start(&a);
    assert_true(memory_store_wait_count(a.store, 400));
    kafka_running_start(&b);
    /* B has something to do as soon as A gave partitions up. */
    while (memory_store_count(b.store) == 0) {
        produce(name, 40);
        pair.rows += 40;
        assert_true(eventually(have_rows, &pair));
    }
    kafka_running_drain(&b);
    produce(name, 400);
    pair.rows += 400;
    assert_true(eventually(have_rows, &pair));
    kafka_running_drain(&a);
    assert_stored_once(&pair, name);
    kafka_running_fini(&a);
    kafka_running_fini(&b);
}

static void a_member_joins_and_leaves_cooperatively_without_a_loss_or_duplicate(void **state)
{
    (void)state;
    members_share("share-cooperative", "properties: {heartbeat.interval.ms: 200}\n");
}

static void a_member_joins_and_leaves_eagerly_without_a_loss_or_duplicate(void **state)
{
    (void)state;
    members_share("share-eager", "properties: {partition.assignment.strategy: range, heartbeat.interval.ms: 200}\n");
}

static void a_member_joins_and_leaves_by_the_new_protocol_without_a_loss_or_duplicate(void **state)
{
    (void)state;
    members_share("share-consumer", "protocol: consumer\n");
}

static void a_revoke_waits_for_the_verdict_of_what_is_in_flight(void **state)
{
    (void)state;
    struct kafka_running a, b;
    struct pair pair = {&a, &b, 400};
    kafka_make_topic(scene_producer, "revoke", PARTITIONS);
    produce("revoke", 400);
    begin(&a, "revoke", "properties: {heartbeat.interval.ms: 200}\n");
    begin(&b, "revoke", "properties: {heartbeat.interval.ms: 200}\n");
    memory_store_block(a.store, MEMORY_WRITE);
    kafka_running_start(&a);
    assert_true(memory_store_wait_blocked(a.store, MEMORY_WRITE));
    kafka_running_start(&b);
    /* The group rebalances, A does not let go of what has no verdict; then it does. */
    assert_true(kafka_running_wait_health(&b, "waiting for the group"));
    memory_store_release(a.store, MEMORY_WRITE);
    assert_true(kafka_running_wait_health(&b, ""));
    assert_true(eventually(have_rows, &pair));
    kafka_running_stop(&b);
    kafka_running_stop(&a);
    assert_int_equal(kafka_running_wait(&b), STATUS_OK);
    assert_int_equal(kafka_running_wait(&a), STATUS_OK);
    assert_stored_once(&pair, "revoke");
    kafka_running_fini(&a);
    kafka_running_fini(&b);
}

static void a_static_member_has_its_partitions_back_at_once_and_a_second_one_is_told(void **state)
{
    (void)state;
    struct kafka_running a, b;
    kafka_make_topic(scene_producer, "static-member", PARTITIONS);
    produce("static-member", 40);
    begin(&a, "static-member", "instance: one\n");
    begin(&b, "static-member", "instance: one\n");
    assert_int_equal(kafka_running_run(&a), STATUS_OK); /* leaves its place in the group taken */
    produce("static-member", 40);
    int64_t began = clock_now();
    kafka_running_start(&b);
    assert_true(memory_store_wait_count(b.store, 40));
    assert_true(clock_now() - began < 5 * CLOCK_SECOND);
    /* A third process by the same name takes over, and B says why it ends. */
    kafka_running_fini(&a);
    begin(&a, "static-member", "instance: one\n");
    kafka_running_start(&a);
    assert_int_equal(kafka_running_wait(&b), STATUS_FAILED);
    assert_int_equal(b.error.class, ERROR_FATAL);
    assert_non_null(strstr(b.error.text, "same `instance`"));
    produce("static-member", 40);
    assert_true(memory_store_wait_count(a.store, 40));
    kafka_running_drain(&a);
    kafka_running_fini(&a);
    kafka_running_fini(&b);
}

/* -- topics -- */

static void a_pattern_finds_topics(const char *first, const char *later, const char *yaml)
{
    struct kafka_running running;
    kafka_make_topic(scene_producer, first, PARTITIONS);
    produce(first, 40);
    kafka_running_init(&running, scene_broker, yaml);
    kafka_running_start(&running);
    assert_true(memory_store_wait_count(running.store, 40));
    kafka_make_topic(scene_producer, later, PARTITIONS);
    produce(later, 40);
    assert_true(memory_store_wait_count(running.store, 80));
    kafka_running_drain(&running);
    kafka_running_fini(&running);
}

static void a_pattern_finds_topics_that_come_later_in_both_protocols(void **state)
{
    (void)state;
    a_pattern_finds_topics("pattern-a.1", "pattern-a.2",
                           "group: pattern-a\ntopics: ^pattern-a[.].*\n"
                           "properties: {topic.metadata.refresh.interval.ms: 500}\n");
    a_pattern_finds_topics("pattern-b.1", "pattern-b.2",
                           "group: pattern-b\ntopics: ^pattern-b[.].*\nprotocol: consumer\n"
                           "properties: {topic.metadata.refresh.interval.ms: 500}\n");
}

static void check_error(rd_kafka_error_t *error)
{
    if (error != NULL)
        fail_msg("%s", rd_kafka_error_string(error));
}

static rd_kafka_t *transactional(const char *name)
{
    const struct kafka_property properties[] = {{"transactional.id", name}, {NULL, NULL}};
    rd_kafka_t *rk = kafka_connect(RD_KAFKA_PRODUCER, scene_broker, properties, NULL);
    check_error(rd_kafka_init_transactions(rk, KAFKA_WAIT_MS));
    return rk;
}

static void send_transaction(rd_kafka_t *rk, const char *topic, int count)
{
    check_error(rd_kafka_begin_transaction(rk));
    for (int i = 0; i < count; i++)
        assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                                           RD_KAFKA_V_VALUE("{}", 2), RD_KAFKA_V_END),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(rk, KAFKA_WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void aborted_transactions_are_not_seen_and_the_end_behind_their_markers_is_committed(void **state)
{
    (void)state;
    struct kafka_running running;
    kafka_make_topic(scene_producer, "transactions", 1);
    rd_kafka_t *rk = transactional("transactions");
    send_transaction(rk, "transactions", 5);
    check_error(rd_kafka_commit_transaction(rk, KAFKA_WAIT_MS));
    send_transaction(rk, "transactions", 5);
    check_error(rd_kafka_abort_transaction(rk, KAFKA_WAIT_MS));
    begin(&running, "transactions", "");
    assert_int_equal(kafka_running_run(&running), STATUS_OK);
    assert_int_equal(memory_store_count(running.store), 5);
    assert_int_equal(end_of("transactions", 0), 12);
    assert_int_equal(scene_committed("transactions", "transactions", 0), 12);
    kafka_running_fini(&running);
    rd_kafka_destroy(rk);
}

static void exit_at_end_ends_before_a_transaction_that_is_open_and_the_next_run_has_it(void **state)
{
    (void)state;
    struct kafka_running running;
    kafka_make_topic(scene_producer, "open", 1);
    rd_kafka_t *rk = transactional("open");
    send_transaction(rk, "open", 5);
    check_error(rd_kafka_commit_transaction(rk, KAFKA_WAIT_MS));
    send_transaction(rk, "open", 5);
    begin(&running, "open", "");
    assert_int_equal(kafka_running_run(&running), STATUS_OK);
    assert_int_equal(memory_store_count(running.store), 5);
    kafka_running_fini(&running);
    check_error(rd_kafka_commit_transaction(rk, KAFKA_WAIT_MS));
    begin(&running, "open", "");
    assert_int_equal(kafka_running_run(&running), STATUS_OK);
    assert_int_equal(memory_store_count(running.store), 5);
    assert_int_equal(scene_committed("open", "open", 0), end_of("open", 0));
    kafka_running_fini(&running);
    rd_kafka_destroy(rk);
}

static void what_retention_takes_is_counted_whatever_the_group_starts_at(void **state)
{
    (void)state;
    struct kafka_running running;
    kafka_make_topic(scene_producer, "retention", 1);
    scene_send_orders("retention", 1, 10);
    begin(&running, "retention", "start: latest\n");
    kafka_running_start(&running);
    assert_true(kafka_running_wait_metric(&running, METRIC_GAUGE, "weir_kafka_committed",
                                          "topic=\"retention\",partition=\"0\"", 10));
    kafka_running_drain(&running);
    kafka_running_fini(&running);
    scene_send_orders("retention", 1, 30);
    scene_delete_before("retention", 0, 25);
    begin(&running, "retention", "start: latest\n");
    assert_int_equal(kafka_running_run(&running), STATUS_OK);
    assert_int_equal(memory_store_count(running.store), 15);
    assert_int_equal(kafka_running_metric(&running, METRIC_COUNTER, "weir_lost_offsets_total", NULL), 15);
    kafka_running_fini(&running);
}

/* -- the store -- */

static void count_message(const rd_kafka_message_t *message, void *arg)
{
    (void)message;
    ++*(int *)arg;
}

static void records_go_into_a_topic_that_takes_only_small_requests_and_the_large_one_is_a_dead_letter(void **state)
{
    (void)state;
    struct kafka_running running;
    static char large[5001];
    int stored = 0, letters = 0;
    memset(large, 'x', 5000);
    kafka_make_topic(scene_producer, "sizes", 1);
    kafka_make_topic(scene_producer, "sizes.dlq", 1);
    scene_make_topic("sizes.small", 1, (const struct kafka_property[]){{"max.message.bytes", "3000"}, {NULL, NULL}});
    scene_send_orders("sizes", 1, 100);
    scene_send("sizes", 0, "large", large);
    scene_send_orders("sizes", 1, 100);
    begin(&running, "sizes", "");
    kafka_running_store(&running, "topic: sizes.small\n");
    running.config.dead_letter.topic = "sizes.dlq";
    assert_int_equal(kafka_running_run(&running), STATUS_OK);
    assert_int_equal(running.result.counts.stored, 200);
    assert_int_equal(running.result.counts.dead_lettered, 1);
    kafka_read_topic(scene_broker, "sizes.small", count_message, &stored);
    kafka_read_topic(scene_broker, "sizes.dlq", count_message, &letters);
    assert_true(stored >= 200); /* what was sent before the first failure may be there twice */
    assert_int_equal(letters, 1);
    assert_int_equal(scene_committed("sizes", "sizes", 0), 201);
    kafka_running_fini(&running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_joins_and_leaves_cooperatively_without_a_loss_or_duplicate),
        cmocka_unit_test(a_member_joins_and_leaves_eagerly_without_a_loss_or_duplicate),
        cmocka_unit_test(a_member_joins_and_leaves_by_the_new_protocol_without_a_loss_or_duplicate),
        cmocka_unit_test(a_revoke_waits_for_the_verdict_of_what_is_in_flight),
        cmocka_unit_test(a_static_member_has_its_partitions_back_at_once_and_a_second_one_is_told),
        cmocka_unit_test(a_pattern_finds_topics_that_come_later_in_both_protocols),
        cmocka_unit_test(aborted_transactions_are_not_seen_and_the_end_behind_their_markers_is_committed),
        cmocka_unit_test(exit_at_end_ends_before_a_transaction_that_is_open_and_the_next_run_has_it),
        cmocka_unit_test(what_retention_takes_is_counted_whatever_the_group_starts_at),
        cmocka_unit_test(records_go_into_a_topic_that_takes_only_small_requests_and_the_large_one_is_a_dead_letter),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
