/*
 * `weir run` as a process against a real broker: what is stored, what is a dead letter, how it ends. The broker comes from scripts/run-tests.sh; every test has
 * topics of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "tests/support/kafka.h"
#include "tests/support/process.h"
#include "tests/support/scene.h"
#include "tests/support/sought.h"

static const char *const RUN[] = {"run", "weir.yaml", "--exit-at-end", "--receipt", "receipt.json", NULL};

static void a_topic_is_decoded_enriched_and_stored(void **state)
{
    (void)state;
    struct process process;
    char text[64];
    process_init(&process, "stored");
    kafka_make_topic(scene_producer, "stored", 3);
    scene_send_orders("stored", 3, 3000);
    scene_config(&process, "stored", SCENE_TO_SQLITE);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), 3000);
    assert_int_equal(scene_query(&process, "select count(distinct source) from orders", NULL, 0), 3000);
    scene_query(&process, "select name from orders where order_id = 'o-1'", text, sizeof text);
    assert_string_equal(text, "Bo, jr.");
    assert_int_equal(scene_query(&process, "select count(*) from orders where name is null", NULL, 0), 1000);
    scene_query(&process, "select total from orders where order_id = 'o-7'", text, sizeof text);
    assert_string_equal(text, "7.5");
    assert_int_equal(process_number(&process, "receipt.json", "consumed"), 3000);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 3000);
    assert_int_equal(process_number(&process, "receipt.json", "0"), 1000);

    /* Again: everything is committed, nothing comes twice. */
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "consumed"), 0);
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), 3000);
    process_fini(&process);
}

/* -- dead letters -- */

struct letters {
    unsigned count;
    char headers[1024]; /* of the first */
    char key[64], value[64];
    int64_t timestamp;
};

static void look_at_letter(const rd_kafka_message_t *message, void *arg)
{
    struct letters *letters = arg;
    rd_kafka_headers_t *headers;
    if (letters->count++ > 0)
        return;
    rd_kafka_timestamp_type_t type;
    letters->timestamp = rd_kafka_message_timestamp(message, &type);
    snprintf(letters->key, sizeof letters->key, "%.*s", (int)message->key_len, (const char *)message->key);
    snprintf(letters->value, sizeof letters->value, "%.*s", (int)message->len, (const char *)message->payload);
    assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
    const char *name;
    const void *value;
    size_t size, used = 0;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++)
        used += (size_t)snprintf(letters->headers + used, sizeof letters->headers - used, "%s=%.*s\n", name, (int)size,
                                 (const char *)value);
}

static void a_broken_record_is_a_dead_letter_with_its_origin(void **state)
{
    (void)state;
    struct process process;
    struct letters letters = {0};
    process_init(&process, "broken");
    kafka_make_topic(scene_producer, "broken", 1);
    kafka_make_topic(scene_producer, "broken.dlq", 1);
    scene_send("broken", 0, "k-0", "{\"order_id\": \"good\"}");
    scene_send("broken", 0, "k-1", "{\"order_id\": ");
    scene_send("broken", 0, "k-2", "{\"order_id\": \"x\", \"status\": \"TEST\"}");
    scene_flush();
    char rest[sizeof SCENE_TO_SQLITE + 128];
    snprintf(rest, sizeof rest, "%serrors: {dead_letter: {topic: broken.dlq}}\n", SCENE_TO_SQLITE);
    scene_config(&process, "broken", rest);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 1);
    assert_int_equal(process_number(&process, "receipt.json", "dead_lettered"), 1);
    assert_int_equal(process_number(&process, "receipt.json", "dropped"), 1);
    assert_int_equal(kafka_read_topic(scene_broker, "broken.dlq", look_at_letter, &letters), 1);
    assert_string_equal(letters.key, "k-1");
    assert_string_equal(letters.value, "{\"order_id\": ");
    assert_int_equal(letters.timestamp, 1700000000123);
    static const char *const wanted[] = {"trace=t-1\n",
                                         "weir.error.stage=decode\n",
                                         "weir.error.class=json\n",
                                         "weir.error.message=",
                                         "weir.source.topic=broken\n",
                                         "weir.source.partition=0\n",
                                         "weir.source.offset=1\n",
                                         "weir.source.timestamp=",
                                         "weir.attempts=1\n",
                                         "weir.service=broken\n"};
    for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strstr(letters.headers, wanted[i]) == NULL)
            fail_msg("no %s in the dead letter's headers:\n%s", wanted[i], letters.headers);
    process_fini(&process);
}

/* A topic takes what another one refuses: it bounds how far a timestamp may be ahead of the broker's clock, an hour if nothing is said. */
static void a_letter_of_a_record_from_the_future_is_taken_all_the_same(void **state)
{
    (void)state;
    struct process process;
    int64_t now = clock_wall_ms();
    process_init(&process, "future");
    scene_make_topic("future", 1,
                     (const struct kafka_property[]){{"message.timestamp.after.max.ms", "9223372036854775807"}, {0}});
    kafka_make_topic(scene_producer, "future.dlq", 1);
    for (int i = 0; i < 20; i++)
        sought_send("future", 0, "k", i % 7 == 0 ? now + 40 * (int64_t)86400000 : now);
    scene_flush();
    scene_config(&process, "future",
                 "stages:\n  - decode: {compression: zstd}\n  - store: {stdout: {}}\n"
                 "errors: {dead_letter: {topic: future.dlq}}\n");
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "dead_lettered"), 20);
    assert_int_equal(scene_committed("future", "future", 0), 20);
    process_fini(&process);
}

static void without_dead_letters_it_stops_at_the_record_and_goes_on_there_when_they_are_configured(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "stops");
    kafka_make_topic(scene_producer, "stops", 1);
    kafka_make_topic(scene_producer, "stops.dlq", 1);
    scene_send_orders("stops", 1, 500);
    scene_send("stops", 0, "k", "no JSON");
    scene_send_orders("stops", 1, 500);
    scene_config(&process, "stops", SCENE_TO_SQLITE);
    assert_int_equal(process_run(&process, RUN), 1);
    assert_true(process_said(&process, "stops/0@500"));
    assert_true(process_said(&process, "dead_letter"));
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), 500);

    char rest[sizeof SCENE_TO_SQLITE + 128];
    snprintf(rest, sizeof rest, "%serrors: {dead_letter: {topic: stops.dlq}}\n", SCENE_TO_SQLITE);
    scene_config(&process, "stops", rest);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), 1000);
    assert_int_equal(process_number(&process, "receipt.json", "dead_lettered"), 1);
    process_fini(&process);
}

/* Each of these values must become a dead letter, and the records around it be stored. */
static void hostile_values_are_dead_letters_and_nothing_else_is_lost(void **state)
{
    (void)state;
    struct process process;
    struct letters letters = {0};
    enum { DEEP = 10000 };
    static char deep[2 * DEEP + 1], wide[900 * 1000];
    memset(deep, '[', DEEP);
    memset(deep + DEEP, ']', DEEP);
    memset(wide, '1', sizeof wide);
    process_init(&process, "hostile");
    kafka_make_topic(scene_producer, "hostile", 1);
    kafka_make_topic(scene_producer, "hostile.dlq", 1);
    scene_send("hostile", 0, "ok", "{\"order_id\": \"first\"}");
    scene_send_bytes("hostile", 0, "utf8", "{\"order_id\": \"\xff\xfe\"}", 18);
    scene_send_bytes("hostile", 0, "deep", deep, 2 * DEEP);
    scene_send_bytes("hostile", 0, "number", wide, sizeof wide);
    scene_send_bytes("hostile", 0, "nul", "{\"a\": 1}\0", 9);
    scene_send("hostile", 0, "surrogate", "{\"a\": \"\\ud800\"}");
    scene_send("hostile", 0, "bom", "\xef\xbb\xbf{}");
    scene_send("hostile", 0, "infinity", "{\"a\": 1e400}");
    scene_send("hostile", 0, "array", "[1, 2]");
    scene_send("hostile", 0, "tombstone", NULL);
    scene_send("hostile", 0, "empty", "");
    scene_send("hostile", 0, "ok", "{\"order_id\": \"last\"}");
    scene_flush();
    char rest[sizeof SCENE_TO_SQLITE + 128];
    snprintf(rest, sizeof rest, "%serrors: {dead_letter: {topic: hostile.dlq}}\n", SCENE_TO_SQLITE);
    scene_config(&process, "hostile", rest);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "consumed"), 12);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 2);
    assert_int_equal(process_number(&process, "receipt.json", "dead_lettered"), 10);
    assert_int_equal(kafka_read_topic(scene_broker, "hostile.dlq", look_at_letter, &letters), 10);
    assert_int_equal(scene_query(&process, "select count(*) from orders", NULL, 0), 2);
    process_fini(&process);
}

/* -- other ways in and out -- */

static void topics_by_pattern_go_into_another_topic_and_files(void **state)
{
    (void)state;
    struct process process;
    struct letters records = {0};
    process_init(&process, "pattern");
    kafka_make_topic(scene_producer, "matched-a", 1);
    kafka_make_topic(scene_producer, "matched-b", 2);
    kafka_make_topic(scene_producer, "matched.out", 2);
    scene_send_orders("matched-a", 1, 100);
    scene_send_orders("matched-b", 2, 100);
    scene_config(&process, "^matched-", "");
    process_file(&process, "weir.yaml",
                 "service: pattern\n"
                 "source: {kafka: {brokers: \"%s\", group: pattern, topics: [\"^matched-.*\"], protocol: consumer}}\n"
                 "stages:\n"
                 "  - decode: {format: json}\n"
                 "  - enrich: {set: {from: \"{{topic}}\"}}\n"
                 "  - store:\n"
                 "      - kafka: {topic: matched.out, key: \"{{key}}\"}\n"
                 "      - file: {path: \"out/%%Y-%%i.ndjson\"}\n",
                 scene_broker);
    assert_int_equal(process_run(&process, RUN), 0);
    assert_int_equal(process_number(&process, "receipt.json", "stored"), 200);
    assert_int_equal(kafka_read_topic(scene_broker, "matched.out", look_at_letter, &records), 200);
    assert_memory_equal(records.key, "k-", 2);
    assert_non_null(strstr(records.value, "order_id"));
    char command[400];
    snprintf(command, sizeof command, "test \"$(cat %s/out/*.ndjson | grep -c '\"from\":\"matched-')\" = 200",
             process.dir);
    assert_int_equal(system(command), 0);
    process_fini(&process);
}

static void standard_output_gets_one_line_a_record(void **state)
{
    (void)state;
    struct process process;
    process_init(&process, "lines");
    kafka_make_topic(scene_producer, "lines", 1);
    scene_send_orders("lines", 1, 10);
    scene_config(&process, "lines", "stages:\n  - decode: {format: json}\n  - store: {stdout: {}}\n");
    assert_int_equal(process_run(&process, RUN), 0);
    char *text = process_read(&process, "stdout");
    unsigned lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 10);
    assert_memory_equal(text, "{\"order_id\": \"o-0\"", 18);
    free(text);
    process_fini(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_topic_is_decoded_enriched_and_stored),
        cmocka_unit_test(a_broken_record_is_a_dead_letter_with_its_origin),
        cmocka_unit_test(a_letter_of_a_record_from_the_future_is_taken_all_the_same),
        cmocka_unit_test(without_dead_letters_it_stops_at_the_record_and_goes_on_there_when_they_are_configured),
        cmocka_unit_test(hostile_values_are_dead_letters_and_nothing_else_is_lost),
        cmocka_unit_test(topics_by_pattern_go_into_another_topic_and_files),
        cmocka_unit_test(standard_output_gets_one_line_a_record),
    };
    return cmocka_run_group_tests(tests, scene_connect, scene_disconnect);
}
