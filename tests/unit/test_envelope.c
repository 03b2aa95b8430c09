/* Records as JSON objects with all that they have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "stages/envelope.h"
#include "tests/support/records.h"

static void assert_line(struct batch *batch, const struct record *record, const char *expected)
{
    struct error error;
    void *worker;
    assert_int_equal(envelope_stage.start(NULL, &worker, &error), STATUS_OK);
    envelope_stage.process(NULL, worker, batch);
    assert_int_equal(record->answer, STAGE_FORWARD);
    assert_string_equal(records_encode(batch, record), expected);
    envelope_stage.stop(worker);
    batch_free(batch);
}

static void json_stands_as_it_is(void **state)
{
    (void)state;
    struct records records;
    records_init(&records);
    struct batch *batch = records_batch(&records);
    struct record *record = records_add(batch, "k", "{\"a\": [1, 2.50]}");
    record->offset = 17;
    record->timestamp = 1764064800123;
    records_header(batch, record, "tenant", "acme");
    records_header(batch, record, "tenant", NULL);
    assert_line(
        batch, record,
        "{\"topic\":\"orders\",\"partition\":0,\"offset\":17,\"timestamp\":\"2025-11-25T10:00:00.123Z\",\"key\":\"k\","
        "\"value\":{\"a\": [1, 2.50]},\"headers\":[{\"name\":\"tenant\",\"value\":\"acme\"},"
        "{\"name\":\"tenant\",\"value\":null}]}");
    records_fini(&records);
}

static void text_is_a_string_and_bytes_are_base64(void **state)
{
    (void)state;
    static const char *const EXPECTED[] = {"AA==", "AP8=", "AP+A", "AP+A/g=="};
    struct records records;
    records_init(&records);
    struct batch *batch = records_batch(&records);
    assert_line(batch, records_add(batch, NULL, "no \"JSON\"\n"),
                "{\"topic\":\"orders\",\"partition\":0,\"offset\":0,\"timestamp\":null,\"key\":null,\"value\":\"no "
                "\\\"JSON\\\"\\n\",\"headers\":[]}");
    for (uint32_t size = 1; size <= 4; size++) {
        char expected[256];
        batch = records_batch(&records);
        snprintf(expected, sizeof expected,
                 "{\"topic\":\"orders\",\"partition\":0,\"offset\":0,\"timestamp\":null,%s,%s\"%s\",\"headers\":[]}",
                 size == 1 ? "\"key\":\"\\u0000\"" : "\"key\":null",
                 size == 1 ? "\"value\":" : "\"value_base64\":", size == 1 ? "\\u0000" : EXPECTED[size - 1]);
        /* One zero byte is text. */
        struct bytes value = bytes_of("\x00\xff\x80\xfe", size), key = size == 1 ? value : bytes_of(NULL, 0);
        assert_line(batch, records_add_bytes(batch, key, value), expected);
    }
    records_fini(&records);
}

static void null_and_empty_are_told_apart(void **state)
{
    (void)state;
    struct records records;
    records_init(&records);
    struct batch *batch = records_batch(&records);
    assert_line(batch, records_add(batch, "", NULL),
                "{\"topic\":\"orders\",\"partition\":0,\"offset\":0,\"timestamp\":null,\"key\":\"\",\"value\":null,"
                "\"headers\":[]}");
    batch = records_batch(&records);
    assert_line(batch, records_add(batch, NULL, ""),
                "{\"topic\":\"orders\",\"partition\":0,\"offset\":0,\"timestamp\":null,\"key\":null,\"value\":\"\","
                "\"headers\":[]}");
    records_fini(&records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_stands_as_it_is),
        cmocka_unit_test(text_is_a_string_and_bytes_are_base64),
        cmocka_unit_test(null_and_empty_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
