/*
 * Exactly-once delivery from a topic into another one of the same cluster, against a real broker (the mock cluster keeps no offsets of transactions, shows aborted messages, and fences
 * nobody): what a reader with read_committed sees, and where the group stands, after members came and went, after crashes, and with records that the topic does not take.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "processor/clock.h"
#include "tests/support/copied.h"
#include "tests/support/kafka.h"
#include "tests/support/kafka_running.h"
#include "tests/support/running.h"
#include "tests/support/scene.h"

enum { PARTITIONS = 4 };

static void make_topics(const char *name)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%s.copy", name);
    kafka_make_topic(scene_producer, name, PARTITIONS);
    kafka_make_topic(scene_producer, copy, PARTITIONS);
}

static void assert_committed_to_ends(const char *name)
{
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        int64_t first, end;
        kafka_ends(scene_producer, name, partition, &first, &end);
        assert_int_equal(scene_committed(name, name, partition), end);
    }
}

/* Every order of the topic is in its copy once, and those of each partition in their order. */
static void assert_copied_once(const char *name, int count)
{
    char topic[64];
    snprintf(topic, sizeof topic, "%s.copy", name);
    struct copied copied;
    copied_init(&copied, scene_broker, topic);
    assert_int_equal(copied.count, count);
    assert_int_equal(copied.distinct, count);
    assert_true(copied.in_order);
    copied_fini(&copied);
}

/* -- whole pipelines in this process -- */

static void begin(struct kafka_running *running, const char *name, const char *service, const char *more)
{
    char yaml[512], store[128];
    snprintf(yaml, sizeof yaml, "group: %s\ntopics: %s\n%s", name, name, more);
    snprintf(store, sizeof store, "topic: %s.copy\n", name);
    kafka_running_init(running, scene_broker, yaml);
    kafka_running_store(running, store);
    running->config.service = service;
    running->config.exactly_once = true;
    running->stores[0].flush_interval = 100 * CLOCK_MS;
}

static void a_topic_is_copied_once_and_its_offsets_move_with_the_copies(void **state)
{
    (void)state;
    struct kafka_running running;
    make_topics("eos-copy");
    copied_send("eos-copy", PARTITIONS, 0, 1000);
    begin(&running, "eos-copy", "a", "");
    assert_int_equal(kafka_running_run(&running), STATUS_OK);
    assert_int_equal(running.result.counts.stored, 1000);
    kafka_running_fini(&running);
    /* The coordinator has the commit; its markers, behind which readers see the copies, may come a moment later. */
    assert_true(copied_wait_count(scene_broker, "eos-copy.copy", 1000));
    assert_copied_once("eos-copy", 1000);
    assert_committed_to_ends("eos-copy");
    /* And the next run goes on behind them. */
    copied_send("eos-copy", PARTITIONS, 1000, 100);
    begin(&running, "eos-copy", "a", "");
    assert_int_equal(kafka_running_run(&running), STATUS_OK);
    assert_int_equal(running.result.counts.stored, 100);
    kafka_running_fini(&running);
    assert_committed_to_ends("eos-copy");
}

static void records_that_are_dropped_or_dead_letters_move_the_offsets_too(void **state)
{
    (void)state;
    struct kafka_running running;
    make_topics("eos-drop");
    kafka_make_topic(scene_producer, "eos-drop.dlq", 1);
    scene_send("eos-drop", 0, "k", "{\"order_id\": \"o-0\"}");
    scene_send("eos-drop", 0, "k", "drop");
    scene_send("eos-drop", 1, "k", "drop");
    scene_send("eos-drop", 2, "k", "bad");
    scene_flush();
    begin(&running, "eos-drop", "a", "");
    kafka_running_stage(&running);
    running.config.dead_letter.topic = "eos-drop.dlq";
    assert_int_equal(kafka_running_run(&running), STATUS_OK);
    assert_int_equal(running.result.counts.stored, 1);
    assert_int_equal(running.result.counts.dropped, 2);
    assert_int_equal(running.result.counts.dead_lettered, 1);
    kafka_running_fini(&running);
    assert_int_equal(scene_committed("eos-drop", "eos-drop", 0), 2);
    assert_int_equal(scene_committed("eos-drop", "eos-drop", 1), 1);
    assert_int_equal(scene_committed("eos-drop", "eos-drop", 2), 1);
}

struct stores {
    struct kafka_running *running[2];
    int64_t least;
};

static int64_t stored(struct kafka_running *running)
{
    return kafka_running_metric(running, METRIC_COUNTER, "weir_stage_records_out_total", "stage=\"out\"");
}

static bool have_stored(void *arg)
{
    struct stores *stores = arg;
    return stored(stores->running[0]) + stored(stores->running[1]) >= stores->least;
}

static void members_share(const char *name, const char *more)
{
    struct kafka_running a, b;
    struct stores stores = {{&a, &b}, 400};
    make_topics(name);
    copied_send(name, PARTITIONS, 0, 400);
    begin(&a, name, "a", more);
    begin(&b, name, "b", more);
    kafka_running_start(&a);
    assert_true(kafka_running_wait_metric(&a, METRIC_COUNTER, "weir_stage_records_out_total", "stage=\"out\"", 400));
    kafka_running_start(&b);
    int sent = 400;
    while (stored(&b) == 0) {
        copied_send(name, PARTITIONS, sent, 40);
        sent += 40;
        stores.least = sent;
        assert_true(eventually(have_stored, &stores));
    }
    kafka_running_drain(&b);
    copied_send(name, PARTITIONS, sent, 400);
    sent += 400;
    stores.least = sent;
    assert_true(eventually(have_stored, &stores));
    kafka_running_drain(&a);
    kafka_running_fini(&a);
    kafka_running_fini(&b);
    assert_copied_once(name, sent);
    assert_committed_to_ends(name);
}

static void members_come_and_go_cooperatively_and_all_is_copied_once(void **state)
{
    (void)state;
    members_share("eos-cooperative", "properties: {heartbeat.interval.ms: 200}\n");
}

static void members_come_and_go_eagerly_and_all_is_copied_once(void **state)
{
    (void)state;
    members_share("eos-eager", "properties: {partition.assignment.strategy: range, heartbeat.interval.ms: 200}\n");
}

static void members_come_and_go_by_the_new_protocol_and_all_is_copied_once(void **state)
{
    (void)state;
    members_share("eos-consumer", "protocol: consumer\n");
}

static void a_record_that_the_topic_refuses_is_a_dead_letter_and_the_others_are_copied_once(void **state)
{
    (void)state;
    struct kafka_running running;
    static char large[5001];
    memset(large, 'x', 5000);
    kafka_make_topic(scene_producer, "eos-sizes", 1);
    kafka_make_topic(scene_producer, "eos-sizes.dlq", 1);
    scene_make_topic("eos-sizes.copy", 1, (const struct kafka_property[]){{"max.message.bytes", "3000"}, {NULL, NULL}});
    copied_send("eos-sizes", 1, 0, 100);
    scene_send("eos-sizes", 0, "large", large);
    scene_flush();
    copied_send("eos-sizes", 1, 100, 100);
    begin(&running, "eos-sizes", "a", "");
    running.config.dead_letter.topic = "eos-sizes.dlq";
    assert_int_equal(kafka_running_run(&running), STATUS_OK);
    assert_int_equal(running.result.counts.stored, 200);
    assert_int_equal(running.result.counts.dead_lettered, 1);
    kafka_running_fini(&running);
    assert_copied_once("eos-sizes", 200);
    struct copied letters;
    copied_init(&letters, scene_broker, "eos-sizes.dlq");
    assert_int_equal(letters.count, 1);
    copied_fini(&letters);
    assert_int_equal(scene_committed("eos-sizes", "eos-sizes", 0), 201);
}

/* -- the program, killed -- */

static void kill_and_run_again(const char *name, const char *more, int kills)
{
    struct process process;
    char yaml[1024], copy[64];
    int sent = 0;
    snprintf(copy, sizeof copy, "%s.copy", name);
    make_topics(name);
    process_init(&process, name);
    snprintf(yaml, sizeof yaml,
             "service: %s\ndelivery: exactly_once\nmemory: 64MiB\n"
             "source:\n  kafka: {brokers: \"%s\", group: %s, topics: [%s], start: earliest%s}\n"
             "stages:\n  - store:\n      kafka: {topic: %s.copy, properties: {transaction.timeout.ms: 10000}}\n      "
             "flush: {every: 100ms}\n",
             name, scene_broker, name, name, more, name);
    process_file(&process, "weir.yaml", "%s", yaml);
    for (int i = 0; i < kills; i++) {
        process_start(&process, (const char *const[]){"run", "weir.yaml", NULL});
        /* Some of it goes through, and some of it is under way when the kill comes. */
        for (int round = 0; round < 4; round++) {
            copied_send(name, PARTITIONS, sent, 500);
            sent += 500;
            assert_true(copied_wait_count(scene_broker, copy, sent / 2));
        }
        process_signal(&process, SIGKILL);
        assert_int_equal(process_wait(&process), -SIGKILL);
    }
    assert_int_equal(process_run(&process, (const char *const[]){"run", "--exit-at-end", "weir.yaml", NULL}), 0);
    process_fini(&process);
    assert_copied_once(name, sent);
    assert_committed_to_ends(name);
}

static void a_static_member_is_killed_again_and_again_and_all_is_copied_once(void **state)
{
    (void)state;
    kill_and_run_again("eos-kill-static", ", instance: one, properties: {session.timeout.ms: 30000}", 5);
}

static void a_member_is_killed_and_what_it_left_open_is_waited_for(void **state)
{
    (void)state;
    kill_and_run_again("eos-kill", ", properties: {session.timeout.ms: 3000}", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_topic_is_copied_once_and_its_offsets_move_with_the_copies),
        cmocka_unit_test(records_that_are_dropped_or_dead_letters_move_the_offsets_too),
        cmocka_unit_test(members_come_and_go_cooperatively_and_all_is_copied_once),
        cmocka_unit_test(members_come_and_go_eagerly_and_all_is_copied_once),
        cmocka_unit_test(members_come_and_go_by_the_new_protocol_and_all_is_copied_once),
        cmocka_unit_test(a_record_that_the_topic_refuses_is_a_dead_letter_and_the_others_are_copied_once),
        cmocka_unit_test(a_static_member_is_killed_again_and_again_and_all_is_copied_once),
        cmocka_unit_test(a_member_is_killed_and_what_it_left_open_is_waited_for),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
