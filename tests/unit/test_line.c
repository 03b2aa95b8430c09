#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "processor/line.h"
#include "processor/path.h"
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

/* The line with its end, in the batch's arena; NULL: there is none. */
static const char *line_of(struct batch *batch, const struct record *record)
{
    size_t room = line_max(record);
    uint8_t *out = arena_text(&batch->arena, room + 1);
    assert_non_null(out);
    memset(out, '#', room + 1);
    size_t size = line_encode(record, out);
    assert_true(size <= room);
    assert_int_equal(line_fits(record), size > 0);
    assert_int_equal(out[room], '#');
    out[size] = '\0';
    return size == 0 ? NULL : (const char *)out;
}

static void a_document_is_written_as_it_is(void **state)
{
    (void)state;
    struct batch *batch = records_batch(&records);
    assert_string_equal(line_of(batch, records_add_json(batch, "{\"a\": 1,\"b\":[1, 2]}")),
                        "{\"a\": 1,\"b\":[1, 2]}\n");
    assert_string_equal(line_of(batch, records_add_json(batch, "[]")), "[]\n");
    assert_string_equal(line_of(batch, records_add_json(batch, "\"a\\nb\"")), "\"a\\nb\"\n");
    batch_free(batch);
}

static void line_breaks_between_tokens_become_blanks(void **state)
{
    (void)state;
    struct batch *batch = records_batch(&records);
    assert_string_equal(line_of(batch, records_add_json(batch, "{\n  \"a\": \"x\\ny\",\n  \"b\": 2\r\n}")),
                        "{   \"a\": \"x\\ny\",   \"b\": 2\r }\n");
    batch_free(batch);
}

static void changes_are_in_the_line(void **state)
{
    (void)state;
    struct batch *batch = records_batch(&records);
    struct record *record = records_add_json(batch, "{\n\"a\":1}");
    struct path path;
    unsigned at;
    const char *why;
    assert_int_equal(path_compile(".b", &batch->arena, &path, &at, &why), STATUS_OK);
    assert_int_equal(document_set(&record->document, &path, bytes_of_string("[1,\n2]"), &batch->arena), STATUS_OK);
    assert_string_equal(line_of(batch, record), "{ \"a\":1,\"b\":[1, 2]}\n");
    batch_free(batch);
}

static void a_tombstone_is_null(void **state)
{
    (void)state;
    struct batch *batch = records_batch(&records);
    assert_string_equal(line_of(batch, records_add(batch, "k", NULL)), "null\n");
    struct record *record = records_add(batch, "k", NULL);
    record->document.kind = DOCUMENT_NULL;
    assert_string_equal(line_of(batch, record), "null\n");
    batch_free(batch);
}

static void what_was_not_decoded_is_written_as_received(void **state)
{
    (void)state;
    struct batch *batch = records_batch(&records);
    assert_string_equal(line_of(batch, records_add(batch, NULL, "free text")), "free text\n");
    assert_string_equal(line_of(batch, records_add(batch, NULL, "")), "\n");
    batch_free(batch);
}

static void raw_bytes_with_a_line_break_are_no_line(void **state)
{
    (void)state;
    struct batch *batch = records_batch(&records);
    assert_null(line_of(batch, records_add(batch, NULL, "two\nlines")));
    assert_null(line_of(batch, records_add(batch, NULL, "\n")));
    struct record *record = records_add(batch, NULL, "two\nlines");
    record->document = (struct document){.kind = DOCUMENT_RAW, .text = record->value};
    assert_null(line_of(batch, record));
    record = records_add(batch, NULL, "one line\r");
    record->document = (struct document){.kind = DOCUMENT_RAW, .text = record->value};
    assert_string_equal(line_of(batch, record), "one line\r\n");
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_written_as_it_is),
        cmocka_unit_test(line_breaks_between_tokens_become_blanks),
        cmocka_unit_test(changes_are_in_the_line),
        cmocka_unit_test(a_tombstone_is_null),
        cmocka_unit_test(what_was_not_decoded_is_written_as_received),
        cmocka_unit_test(raw_bytes_with_a_line_break_are_no_line),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
