/* How a record is shown to who taps: as a line that is valid JSON and fits, whatever is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "processor/tap_line.h"
#include "tests/support/records.h"

static struct records records;

static int set_up(void **state)
{
    (void)state;
    records_init(&records);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    records_fini(&records);
    return 0;
}

/* Of all records, one behind the other; each is asserted to be valid JSON. */
static const char *lines(struct batch *batch)
{
    static char text[8 * TAP_LINE_MAX];
    size_t used = 0;
    struct batch *parsed = records_batch(&records);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct record *record = &batch->records[i];
        enum tap_answer answer = record->answer == STAGE_FORWARD ? TAP_FORWARDED : TAP_REJECTED;
        char line[TAP_LINE_MAX + 1];
        size_t size = tap_line("decode", answer, batch, record, line);
        assert_in_range(size, 2, TAP_LINE_MAX);
        line[size] = '\0';
        assert_ptr_equal(strchr(line, '\n'), line + size - 1);
        records_add_json(parsed, line);
        memcpy(text + used, line, size + 1);
        used += size;
    }
    batch_free(parsed);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no %s in: %s", part, text);
}

static void what_is_no_text_is_shown_as_hex_and_null_as_null(void **state)
{
    (void)state;
    struct batch *batch = records_batch(&records);
    records_add_bytes(batch, bytes_of("\x00\xff", 2), bytes_of("\x01\x02", 2));
    records_add(batch, "", "plain\ttext\n\xc3\xa9");
    records_add(batch, NULL, NULL);
    struct record *record = records_add_json(batch, "{\n  \"a\": \"x\\ny\"\r\n}");
    record->key = bytes_of("cut \xc3", 5);
    const char *text = lines(batch);
    batch_free(batch);
    assert_has(text, "\"key\":{\"hex\":\"00ff\"},\"value_hex\":\"0102\"}\n");
    assert_has(text, "\"key\":\"\",\"value\":\"plain\\ttext\\n\xc3\xa9\"}\n");
    assert_has(text, "\"key\":null,\"value\":null}\n");
    assert_has(text, "\"key\":{\"hex\":\"63757420c3\"},\"document\":{   \"a\": \"x\\ny\"  }}\n");
}

/* Everything is as long as it can be, and nothing overflows. */
static void what_is_long_is_cut_and_says_how_long_it_is(void **state)
{
    (void)state;
    struct batch *batch = records_batch(&records);
    static char big[100000];
    memset(big, '\\', sizeof big - 1);
    struct record *record = records_add(batch, big, big);
    for (int i = 0; i < 40; i++)
        records_header(batch, record, "a name of a header", "and a value of it that is long");
    batch_reject(batch, record, "size", "%.400s", big);
    record = records_add_bytes(batch, bytes_of("\xff", 1), bytes_of("\xff", 1));
    record->key.size = record->value.size = 1;
    record->value = bytes_of(memset(big, 0xfe, sizeof big), sizeof big);
    record->key = record->value;
    records_header(batch, record, "big", "x");
    memset(big, 'x', sizeof big - 1);
    memcpy(big, "{\"e\": \"", 7);
    memcpy(big + sizeof big - 3, "\"}", 3);
    records_add_json(batch, big);
    big[6001] = '\0';
    memcpy(big + 5999, "\"}", 2);
    records_add_json(batch, big);
    memset(big, 0xfe, sizeof big);
    const char *text = lines(batch);
    batch_free(batch);
    assert_has(text, "\"key_bytes\":99999,");
    assert_has(text, "\"headers_cut\":true,");
    assert_has(text, "\"value_bytes\":99999}\n");
    assert_has(text, "\"value_hex\":\"fefefe");
    assert_has(text, "\"value_bytes\":100000}\n");
    assert_has(text, "\"document_cut\":\"{\\\"e\\\": \\\"xxx");
    assert_has(text, "\"value_bytes\":6001}\n");
}

static void a_dead_letter_is_shown_as_what_it_is_a_letter_of(void **state)
{
    (void)state;
    struct batch *batch = records_batch(&records);
    records_add(batch, "k", "v");
    records_add(batch, "k", "v");
    batch->records[1].index = 1;
    assert_true(batch_make_origins(batch));
    batch->origins[1] = (struct origin){.topic = "payments", .partition = 7, .offset = 4711};
    const char *text = lines(batch);
    assert_has(text, "\"topic\":\"payments\",\"partition\":7,\"offset\":4711,");
    assert_has(text, "\"topic\":\"orders\"");
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_no_text_is_shown_as_hex_and_null_as_null, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_letter_is_shown_as_what_it_is_a_letter_of, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_long_is_cut_and_says_how_long_it_is, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
