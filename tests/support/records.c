#include "tests/support/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "processor/headers.h"
#include "stages/json_document.h"
#include "stages/simdjson.h"

enum { BUDGET = 64 * 1024 * 1024, KEEP = 4 };

void records_init(struct records *records)
{
    records->budget = budget_new(BUDGET);
    assert_non_null(records->budget);
    records->pool = batch_pool_new(records->budget, KEEP);
    assert_non_null(records->pool);
}

void records_fini(struct records *records)
{
    assert_int_equal(batch_pool_out(records->pool), 0);
    batch_pool_free(records->pool);
    assert_int_equal(budget_used(records->budget), 0);
    budget_free(records->budget);
}

struct batch *records_batch(struct records *records)
{
    struct batch *batch = batch_new(records->pool, "orders", 0);
    assert_non_null(batch);
    return batch;
}

static struct bytes copy(struct batch *batch, struct bytes bytes)
{
    struct bytes result = arena_copy(&batch->arena, bytes);
    assert_true((result.data == NULL) == (bytes.data == NULL));
    return result;
}

struct record *records_add_bytes(struct batch *batch, struct bytes key, struct bytes value)
{
    int64_t offset = batch->count > 0 ? batch->records[batch->count - 1].offset + 1 : 0;
    struct record *record = batch_add(batch);
    assert_non_null(record);
    record->key = copy(batch, key);
    record->value = copy(batch, value);
    record->offset = offset;
    record->timestamp = -1;
    return record;
}

static struct bytes bytes_or_null(const char *text)
{
    return text != NULL ? bytes_of_string(text) : (struct bytes){0};
}

struct record *records_add(struct batch *batch, const char *key, const char *value)
{
    return records_add_bytes(batch, bytes_or_null(key), bytes_or_null(value));
}

struct record *records_add_json(struct batch *batch, const char *json)
{
    struct record *record = records_add(batch, NULL, json);
    struct simdjson_parser *parser = simdjson_new();
    assert_non_null(parser);
    struct json_fault fault = {0};
    enum status status = json_document(parser, record->value, &batch->arena, &record->document, &fault);
    simdjson_free(parser);
    if (status != STATUS_OK)
        fail_msg("%s: %s: %s", json, fault.class, fault.words);
    return record;
}

const char *records_encode(struct batch *batch, const struct record *record)
{
    size_t room = document_encoded_max(&record->document);
    uint8_t *text = arena_text(&batch->arena, room + 1);
    assert_non_null(text);
    size_t size = document_encode(&record->document, text);
    assert_true(size <= room);
    text[size] = '\0';
    return (const char *)text;
}

void records_header(struct batch *batch, struct record *record, const char *name, const char *value)
{
    struct bytes name_bytes = bytes_of_string(name), value_bytes = bytes_or_null(value);
    size_t before = record->headers.size;
    size_t size = before + headers_packed_size(name_bytes, value_bytes);
    uint8_t *packed = arena_text(&batch->arena, size);
    assert_non_null(packed);
    if (before > 0)
        memcpy(packed, record->headers.data, before);
    assert_ptr_equal(headers_pack(packed + before, name_bytes, value_bytes), packed + size);
    record->headers = bytes_of(packed, (uint32_t)size);
}
