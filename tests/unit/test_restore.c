/* A dead letter becomes the record that it is a letter of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "processor/arena.h"
#include "processor/headers.h"
#include "processor/template.h"
#include "stages/restore.h"
#include "tests/support/records.h"

struct fixture {
    struct records records;
    struct batch *batch;
};

static void begin(struct fixture *fixture)
{
    records_init(&fixture->records);
    fixture->batch = records_batch(&fixture->records);
}

static void end(struct fixture *fixture)
{
    batch_free(fixture->batch);
    records_fini(&fixture->records);
}

static struct record *letter_of(struct fixture *fixture, const char *topic, const char *partition, const char *offset)
{
    struct record *record = records_add(fixture->batch, "k", "{}");
    record->index = fixture->batch->count - 1;
    record->timestamp = 5;
    records_header(fixture->batch, record, "trace", "t1");
    records_header(fixture->batch, record, "weir.error.class", "json");
    records_header(fixture->batch, record, "weir.source.topic", topic);
    records_header(fixture->batch, record, "weir.source.partition", partition);
    records_header(fixture->batch, record, "empty", NULL);
    records_header(fixture->batch, record, "weir.source.offset", offset);
    records_header(fixture->batch, record, "weir.source.timestamp", "1700000000123");
    records_header(fixture->batch, record, "weir.attempts", "2");
    return record;
}

static void restore(struct fixture *fixture, bool keep_attempts)
{
    const struct restore_config config = {.keep_attempts = keep_attempts};
    const struct stage_env env = {.name = "restore"};
    struct error error;
    void *stage;
    assert_int_equal(restore_stage.init(&config, &env, &stage, &error), STATUS_OK);
    restore_stage.process(stage, NULL, fixture->batch);
}

static void assert_headers(const struct record *record, const char *const *expected)
{
    size_t cursor = 0;
    struct bytes name, value;
    for (; expected[0] != NULL; expected += 2) {
        assert_true(headers_next(record->headers, &cursor, &name, &value));
        assert_true(bytes_equal(name, bytes_of_string(expected[0])));
        if (expected[1] != NULL)
            assert_true(value.data != NULL && bytes_equal(value, bytes_of_string(expected[1])));
        else
            assert_null(value.data);
    }
    assert_false(headers_next(record->headers, &cursor, &name, &value));
}

static void it_has_its_own_headers_its_timestamp_and_its_place(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    (void)letter_of(&fixture, "orders.eu", "3", "17");
    (void)letter_of(&fixture, "orders.eu", "4", "18");
    (void)letter_of(&fixture, "orders.us", "0", "19");
    restore(&fixture, false);
    const struct record *records = fixture.batch->records;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(records[i].answer, STAGE_FORWARD);
        assert_int_equal(records[i].timestamp, 1700000000123);
        assert_int_equal(record_origin(fixture.batch, &records[i])->attempts, 2);
        assert_headers(&records[i], (const char *const[]){"trace", "t1", "empty", NULL, NULL});
    }
    assert_string_equal(record_topic(fixture.batch, &records[0]), "orders.eu");
    assert_int_equal(record_partition(fixture.batch, &records[0]), 3);
    assert_int_equal(record_offset(fixture.batch, &records[0]), 17);
    assert_ptr_equal(record_topic(fixture.batch, &records[0]), record_topic(fixture.batch, &records[1]));
    assert_int_equal(record_partition(fixture.batch, &records[1]), 4);
    assert_string_equal(record_topic(fixture.batch, &records[2]), "orders.us");
    /* The ledger's place stays. */
    assert_int_equal(records[2].offset, 2);
    end(&fixture);
}

static void on_its_way_to_a_topic_it_keeps_how_often_it_was_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    (void)letter_of(&fixture, "orders", "3", "17");
    restore(&fixture, true);
    assert_headers(&fixture.batch->records[0],
                   (const char *const[]){"trace", "t1", "empty", NULL, "weir.attempts", "2", NULL});
    end(&fixture);
}

static void what_is_no_letter_or_was_cut_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    (void)records_add(fixture.batch, "k", "v"); /* index 0 */
    struct record *cut = letter_of(&fixture, "orders", "3", "17");
    records_header(fixture.batch, cut, "weir.value.truncated", "70000");
    (void)letter_of(&fixture, "orders", "3", "18");
    restore(&fixture, false);
    const struct record *records = fixture.batch->records;
    assert_int_equal(records[0].answer, STAGE_REJECT);
    assert_string_equal(records[0].failure->class, "letter");
    assert_int_equal(records[1].answer, STAGE_REJECT);
    assert_string_equal(records[1].failure->message, "the value was cut: it had 70000 bytes");
    assert_int_equal(records[2].answer, STAGE_FORWARD);
    /* Of what is no letter nothing else is known. */
    assert_null(record_origin(fixture.batch, &records[0]));
    assert_string_equal(record_topic(fixture.batch, &records[0]), "orders");
    assert_string_equal(record_topic(fixture.batch, &records[2]), "orders");
    assert_int_equal(record_offset(fixture.batch, &records[0]), 0);
    assert_int_equal(record_offset(fixture.batch, &records[2]), 18);
    end(&fixture);
}

static void templates_and_a_split_part_tell_of_where_it_came_from(void **state)
{
    (void)state;
    struct fixture fixture;
    struct template *template;
    struct bytes text;
    struct arena arena;
    unsigned at;
    char why[200];
    begin(&fixture);
    (void)letter_of(&fixture, "orders.us", "3", "17");
    (void)letter_of(&fixture, "orders.eu", "3", "18");
    restore(&fixture, false);
    struct batch *rest = batch_split(fixture.batch, 1);
    assert_non_null(rest);
    batch_free(fixture.batch);
    fixture.batch = rest;
    arena_init(&arena, NULL);
    assert_int_equal(template_compile("{{topic}}/{{partition}}@{{offset}}", &arena, &template, &at, why, sizeof why),
                     STATUS_OK);
    assert_int_equal(template_text(template, rest, &rest->records[0], &arena, &text), STATUS_OK);
    assert_true(bytes_equal(text, bytes_of_string("orders.eu/3@18")));
    arena_fini(&arena);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_its_own_headers_its_timestamp_and_its_place),
        cmocka_unit_test(on_its_way_to_a_topic_it_keeps_how_often_it_was_refused),
        cmocka_unit_test(what_is_no_letter_or_was_cut_is_refused),
        cmocka_unit_test(templates_and_a_split_part_tell_of_where_it_came_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
