/* What brings a record back to where it came from, and the source that reads a dead-letter topic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "cli/back.h"
#include "connectors/kafka/source.h"
#include "tests/support/parse.h"
#include "tests/support/records.h"

extern const struct source_type kafka_source;

static void records_go_back_to_the_topic_that_they_came_from_as_they_are(void **state)
{
    (void)state;
    static const struct origin ORIGIN = {.topic = "orders.eu", .partition = 3, .offset = 17};
    struct pipeline_store store;
    struct records records;
    struct arena arena;
    struct store_preview preview = {0};
    struct back *back = back_new(&kafka_source, &store);
    assert_non_null(back);
    assert_string_equal(store.name, "source");
    assert_string_equal(store.type->name, "kafka");
    assert_int_equal(store.workers, 1);
    records_init(&records);
    arena_init(&arena, NULL);
    struct batch *batch = records_batch(&records);
    struct record *record = records_add(batch, "k", "v");
    records_header(batch, record, "trace", "t");
    assert_true(batch_make_origins(batch));
    batch->origins[record->index] = ORIGIN;
    assert_int_equal(store.type->preview(store.config, batch, record, &arena, &preview), STATUS_OK);
    assert_int_equal(record->answer, STAGE_FORWARD);
    assert_true(bytes_equal(preview.topic, bytes_of_string("orders.eu")));
    assert_true(bytes_equal(preview.key, bytes_of_string("k")));
    assert_true(bytes_equal(preview.headers, record->headers));
    batch_free(batch);
    arena_fini(&arena);
    records_fini(&records);
    back_free(back);
}

static void a_source_without_a_way_back_has_none(void **state)
{
    (void)state;
    static const struct source_type NOWHERE = {.name = "nowhere"};
    struct pipeline_store store;
    assert_null(back_new(&NOWHERE, &store));
    back_free(NULL);
}

static void the_letters_topic_is_read_by_the_same_cluster_as_nobody(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(kafka_source.config, "brokers: h:1\ngroup: g\ntopics: [orders, returns]\n"
                                                            "instance: one\nproperties: {fetch.min.bytes: 7}\n");
    const struct kafka_source_config *config = parsed_config(parsed);
    assert_non_null(config);
    const struct dead_letter_config letters = {.topic = "orders.dlq"};
    struct kafka_source_config *own = kafka_source.read_dead_letters(&letters, config);
    assert_non_null(own);
    assert_true(kafka_source_consumes(own, "orders.dlq"));
    assert_false(kafka_source_consumes(own, "orders"));
    assert_null(own->instance);
    assert_string_equal(own->group, "g");
    assert_int_equal(own->connection.properties.count, 1);
    assert_true(kafka_source_consumes(config, "returns"));
    assert_string_equal(config->instance, "one");
    free(own);
    parsed_free(parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_go_back_to_the_topic_that_they_came_from_as_they_are),
        cmocka_unit_test(a_source_without_a_way_back_has_none),
        cmocka_unit_test(the_letters_topic_is_read_by_the_same_cluster_as_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
