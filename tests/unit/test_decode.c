#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/support/pack.h"
#include "tests/support/parse.h"
#include "tests/support/staged.h"

extern const struct stage_type decode_stage;

enum { KIB = 1024, MIB = 1024 * 1024 };

/* A stage, a batch of it, and an arena for what goes in. */
struct fixture {
    struct staged staged;
    struct batch *batch;
    struct arena made;
};

static void begin(struct fixture *fixture, const char *dir, const char *yaml)
{
    staged_init(&fixture->staged, &decode_stage, dir, yaml);
    fixture->batch = records_batch(&fixture->staged.records);
    arena_init(&fixture->made, NULL);
}

static void end(struct fixture *fixture)
{
    batch_free(fixture->batch);
    staged_fini(&fixture->staged);
    arena_fini(&fixture->made);
}

/* The record's answer, or its document, after this value alone went through. */
static const char *decode(struct fixture *fixture, struct bytes value)
{
    batch_free(fixture->batch);
    fixture->batch = records_batch(&fixture->staged.records);
    struct record *record = records_add_bytes(fixture->batch, (struct bytes){0}, value);
    staged_process(&fixture->staged, fixture->batch);
    assert_int_equal(fixture->batch->cut, 0);
    return staged_answer(&fixture->staged, fixture->batch, record);
}

static void expect(struct fixture *fixture, struct bytes value, const char *expected)
{
    assert_string_equal(decode(fixture, value), expected);
}

static void expect_class(struct fixture *fixture, struct bytes value, const char *class)
{
    const char *answer = decode(fixture, value);
    const struct record *record = &fixture->batch->records[0];
    if (record->answer != STAGE_REJECT || strcmp(record->failure->class, class) != 0)
        fail_msg("expected a rejection of class %s, found %.200s", class, answer);
    assert_true(strlen(record->failure->message) > 0);
    assert_string_equal(record->failure->stage, ""); /* the framework's to fill in */
}

static void expect_kind(struct fixture *fixture, struct bytes value, enum document_kind kind, struct bytes text)
{
    decode(fixture, value);
    const struct record *record = &fixture->batch->records[0];
    assert_int_equal(record->answer, STAGE_FORWARD);
    assert_int_equal(record->document.kind, kind);
    assert_true(bytes_equal(record->document.text, text));
}

static const char JSON[] = "{\"order_id\": \"o-1\", \"total\": 12.50, \"lines\": [{\"sku\": \"a\"}]}";

static void json_becomes_a_document_with_its_members(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, NULL, "{}");
    expect_kind(&fixture, bytes_of_string(JSON), DOCUMENT_OBJECT, bytes_of_string(JSON));
    assert_int_equal(fixture.batch->records[0].document.member_count, 3);
    expect_kind(&fixture, bytes_of_string("  [1, 2] \n"), DOCUMENT_JSON, bytes_of_string("[1, 2]"));
    expect_kind(&fixture, bytes_of_string("null"), DOCUMENT_JSON, bytes_of_string("null"));
    end(&fixture);
}

static void wrong_json_is_rejected_with_class_and_place(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, NULL, "{format: json}");
    expect(&fixture, bytes_of_string("{\"order_id\": }"), "reject json: expected a value, at byte 13");
    expect(&fixture, bytes_of_string("{\"a\": \"\xff\"}"), "reject utf8: not valid UTF-8, at byte 7");
    expect(&fixture, bytes_of_string("\xef\xbb\xbf{}"), "reject json: byte order mark before the JSON text, at byte 0");
    expect(&fixture, bytes_of_string("{\"a\": \"\\ud83d\"}"), "reject json: half of a surrogate pair, at byte 7");
    expect(&fixture, bytes_of_string("   "), "reject json: the text ends where a value was expected, at byte 3");
    expect(&fixture, bytes_of_string("{} x"), "reject json: something follows the JSON text, at byte 3");
    end(&fixture);
}

static void ten_thousand_brackets_are_rejected_as_too_deep(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, NULL, "{}");
    uint8_t *text = arena_text(&fixture.made, 20000);
    memset(text, '[', 10000);
    memset(text + 10000, ']', 10000);
    expect(&fixture, bytes_of(text, 20000), "reject depth: more than 128 brackets inside each other");
    end(&fixture);
}

static void a_wrong_record_does_not_disturb_its_neighbours(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, NULL, "{}");
    records_add(fixture.batch, NULL, "{\"a\": 1}");
    records_add(fixture.batch, NULL, "{\"a\": ");
    records_add(fixture.batch, NULL, "{\"a\": 3}");
    staged_process(&fixture.staged, fixture.batch);
    const struct record *records = fixture.batch->records;
    assert_string_equal(staged_answer(&fixture.staged, fixture.batch, &records[0]), "{\"a\": 1}");
    assert_int_equal(records[1].answer, STAGE_REJECT);
    assert_string_equal(staged_answer(&fixture.staged, fixture.batch, &records[2]), "{\"a\": 3}");
    end(&fixture);
}

static void members_of_the_same_name_stay_and_the_last_counts(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, NULL, "{}");
    expect(&fixture, bytes_of_string("{\"a\": 1, \"a\": 2}"), "{\"a\": 1, \"a\": 2}");
    struct path_step step = {.name = bytes_of_string("a")};
    const struct path path = {.text = "a", .count = 1, .steps = &step};
    struct value value = document_get(&fixture.batch->records[0].document, &path, &fixture.made);
    assert_true(bytes_equal(value.text, bytes_of_string("2")));
    end(&fixture);
}

static void raw_values_are_passed_on_as_they_are(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, NULL, "{format: raw}");
    struct bytes value = bytes_of("\x00\xff{", 3);
    expect_kind(&fixture, value, DOCUMENT_RAW, value);
    end(&fixture);
    begin(&fixture, NULL, "{format: raw, compression: gzip}");
    expect_kind(&fixture, pack_gzip(&fixture.made, value), DOCUMENT_RAW, value);
    end(&fixture);
}

static void values_are_inflated_before_they_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        packer *pack;
    } FORMS[] = {
        {"{compression: zstd}", pack_zstd},
        {"{compression: zstd}", pack_zstd_unsized},
        {"{compression: gzip}", pack_gzip},
        {"{compression: gzip}", pack_zlib},
        {"{compression: lz4}", pack_lz4},
        {"{compression: lz4}", pack_lz4_unsized},
        {"{compression: snappy}", pack_snappy},
        {"{compression: snappy}", pack_snappy_framed},
        {"{compression: snappy}", pack_snappy_xerial},
    };
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        struct fixture fixture;
        begin(&fixture, NULL, FORMS[i].yaml);
        struct bytes packed = FORMS[i].pack(&fixture.made, bytes_of_string(JSON));
        expect_kind(&fixture, packed, DOCUMENT_OBJECT, bytes_of_string(JSON));
        /* What arrived is still there: for the dead letter, should a later stage want one. */
        assert_true(bytes_equal(fixture.batch->records[0].value, packed));
        expect_class(&fixture, bytes_of(packed.data, packed.size - 1), "codec");
        expect_class(&fixture, bytes_of_string(JSON), "codec");
        expect_class(&fixture, FORMS[i].pack(&fixture.made, bytes_of_string("{\"a\":")), "json");
        end(&fixture);
    }
}

static void automatic_compression_takes_plain_values_and_all_that_have_a_magic(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, NULL, "{compression: auto}");
    packer *const packs[] = {pack_zstd, pack_gzip, pack_lz4, pack_snappy_framed, pack_snappy_xerial};
    for (size_t i = 0; i < sizeof packs / sizeof *packs; i++)
        expect(&fixture, packs[i](&fixture.made, bytes_of_string(JSON)), JSON);
    expect(&fixture, bytes_of_string(JSON), JSON);
    expect_class(&fixture, bytes_of_string("plain words"), "json");
    end(&fixture);
}

static void values_past_max_size_are_rejected_however_they_are_packed(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, NULL, "{format: raw, compression: auto, max_size: 1000}");
    packer *const packs[] = {pack_zstd, pack_zstd_unsized, pack_gzip, pack_lz4, pack_lz4_unsized, pack_snappy_framed};
    struct bytes fits = pack_text(&fixture.made, 1000), over = pack_text(&fixture.made, 1001);
    for (size_t i = 0; i < sizeof packs / sizeof *packs; i++) {
        expect_kind(&fixture, packs[i](&fixture.made, fits), DOCUMENT_RAW, fits);
        expect(&fixture, packs[i](&fixture.made, over),
               "reject size: the value inflates to more bytes than max_size allows: 1000");
    }
    expect_kind(&fixture, fits, DOCUMENT_RAW, fits);
    expect(&fixture, over, "reject size: the value has more bytes than max_size allows: 1000");
    end(&fixture);
}

static void bombs_are_rejected_and_take_no_more_than_max_size(void **state)
{
    (void)state;
    packer *const packs[] = {pack_zstd, pack_zstd_unsized, pack_gzip, pack_lz4, pack_lz4_unsized};
    for (size_t i = 0; i < sizeof packs / sizeof *packs; i++) {
        struct fixture fixture;
        begin(&fixture, NULL, "{compression: auto, max_size: 1MiB}");
        uint8_t *zeros = memset(arena_text(&fixture.made, 16 * MIB), 0, 16 * MIB);
        struct bytes packed = packs[i](&fixture.made, bytes_of(zeros, 16 * MIB));
        struct bytes bomb = packed;
        for (int k = 0; k < 6; k++) /* 64 members: 1 GiB */
            bomb = pack_join(&fixture.made, bomb, bomb);
        records_add_bytes(fixture.batch, (struct bytes){0}, packed);
        size_t before = fixture.batch->arena.held;
        staged_process(&fixture.staged, fixture.batch);
        assert_int_equal(fixture.batch->records[0].answer, STAGE_REJECT);
        assert_true(fixture.batch->arena.held <= before + 2 * MIB);
        expect_class(&fixture, bomb, "size");
        assert_true(budget_peak(fixture.staged.records.budget) < 8 * MIB);
        end(&fixture);
    }
}

static void write_file(const char *path, struct bytes bytes)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    assert_int_equal(fclose(file), 0);
}

static void a_dictionary_is_read_beside_the_config(void **state)
{
    (void)state;
    char dir[] = "/tmp/weir-decode-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/orders.dict", dir);
    struct arena arena;
    arena_init(&arena, NULL);
    struct bytes dictionary = pack_dictionary(&arena, "{\"order_id\": \"o-%u\", \"total\": %u, \"currency\": \"EUR\"}");
    write_file(path, dictionary);
    struct bytes plain = bytes_of_string("{\"order_id\": \"o-1\", \"total\": 2, \"currency\": \"EUR\"}");
    struct fixture fixture;
    const char *const yamls[] = {"{compression: zstd, dictionary: orders.dict}",
                                 "{compression: auto, dictionary: orders.dict}"};
    for (size_t i = 0; i < 2; i++) {
        begin(&fixture, dir, yamls[i]);
        expect_kind(&fixture, pack_zstd_with(&fixture.made, plain, dictionary), DOCUMENT_OBJECT, plain);
        expect_kind(&fixture, pack_zstd(&fixture.made, plain), DOCUMENT_OBJECT, plain);
        end(&fixture);
    }
    begin(&fixture, dir, "{compression: zstd}");
    expect(&fixture, pack_zstd_with(&fixture.made, plain, dictionary),
           "reject codec: zstd: it was compressed with a different dictionary");
    end(&fixture);
    arena_fini(&arena);
    unlink(path);
    rmdir(dir);
}

static void a_dictionary_that_is_none_keeps_the_stage_from_opening(void **state)
{
    (void)state;
    char dir[] = "/tmp/weir-decode-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/orders.dict", dir);
    struct staged staged;
    static const char YAML[] = "{compression: zstd, dictionary: orders.dict}";
    staged_refuse(&staged, &decode_stage, dir, YAML);
    assert_non_null(strstr(staged.answer, "orders.dict: can't be opened: No such file or directory"));
    write_file(path, bytes_of("", 0));
    staged_refuse(&staged, &decode_stage, dir, YAML);
    assert_non_null(
        strstr(staged.answer, "orders.dict: expected a zstd dictionary (zstd --train makes one), found none"));
    /* A dictionary's magic, and nothing behind it that makes sense. */
    write_file(path, bytes_of("\x37\xa4\x30\xec garbage garbage garbage", 28));
    staged_refuse(&staged, &decode_stage, dir, YAML);
    assert_non_null(strstr(staged.answer, "expected a zstd dictionary"));
    unlink(path);
    rmdir(dir);
}

static void an_empty_value_is_rejected_dropped_or_forwarded_as_configured(void **state)
{
    (void)state;
    struct fixture fixture;
    struct bytes null = {0}, empty = bytes_of("", 0);
    begin(&fixture, NULL, "{}");
    expect(&fixture, null,
           "reject empty: expected a value, found null (a tombstone); `empty: drop` or `empty: forward` lets it pass");
    expect(&fixture, empty,
           "reject empty: expected a value, found no bytes; `empty: drop` or `empty: forward` lets it pass");
    end(&fixture);
    begin(&fixture, NULL, "{empty: drop, compression: zstd}");
    expect(&fixture, null, "drop");
    expect(&fixture, empty, "drop");
    expect(&fixture, pack_zstd(&fixture.made, empty), "drop");
    end(&fixture);
    begin(&fixture, NULL, "{empty: forward}");
    expect_kind(&fixture, null, DOCUMENT_NULL, null);
    assert_null(fixture.batch->records[0].document.text.data);
    expect_kind(&fixture, empty, DOCUMENT_NULL, empty);
    end(&fixture);
}

static void a_record_of_twenty_megabytes_passes_when_max_size_allows_it(void **state)
{
    (void)state;
    struct fixture fixture;
    enum { SIZE = 20 * MIB };
    uint8_t *text = malloc(SIZE);
    memset(text, ' ', SIZE);
    memcpy(text, "{\"a\": \"", 7);
    memset(text + 7, 'x', SIZE - 7 - 2);
    memcpy(text + SIZE - 2, "\"}", 2);
    struct bytes value = bytes_of(text, SIZE);
    begin(&fixture, NULL, "{max_size: 32MiB}");
    expect_kind(&fixture, value, DOCUMENT_OBJECT, value);
    assert_int_equal(fixture.batch->records[0].document.member_count, 1);
    end(&fixture);
    begin(&fixture, NULL, "{}"); /* 16 MiB */
    expect_class(&fixture, value, "size");
    end(&fixture);
    free(text);
}

static void a_batch_that_grows_too_large_is_cut_and_goes_on_where_it_was(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, NULL, "{compression: zstd}");
    enum { RECORDS = 40 };
    /* 40 values of 512 KiB that compress well: 20 MiB out of a few KiB. */
    uint8_t *text = arena_text(&fixture.made, 512 * KIB);
    memset(text, ' ', 512 * KIB);
    for (int i = 0; i < RECORDS; i++) {
        int used = sprintf((char *)text, "{\"n\": %d}", i);
        text[used] = ' ';
        struct bytes packed = pack_zstd(&fixture.made, bytes_of(text, 512 * KIB));
        records_add_bytes(fixture.batch, (struct bytes){0}, packed);
    }
    unsigned parts = 0;
    int next = 0;
    for (struct batch *batch = fixture.batch; batch != NULL; parts++) {
        staged_process(&fixture.staged, batch);
        struct batch *rest = batch->cut != 0 ? batch_split(batch, batch->cut) : NULL;
        assert_true(batch_bytes(batch) < BATCH_LIMIT + 2 * MIB);
        for (uint32_t i = 0; i < batch->count; i++) {
            char expected[32];
            snprintf(expected, sizeof expected, "{\"n\": %d}", next++);
            assert_string_equal(staged_answer(&fixture.staged, batch, &batch->records[i]), expected);
        }
        batch_free(batch);
        batch = rest;
    }
    assert_int_equal(next, RECORDS);
    assert_true(parts >= 4 && parts <= 12);
    fixture.batch = NULL;
    end(&fixture);
}

static void a_record_that_is_asked_again_cuts_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, NULL, "{compression: zstd}");
    uint8_t *text = arena_text(&fixture.made, 6 * MIB);
    memset(text, ' ', 6 * MIB);
    text[0] = '1';
    records_add_bytes(fixture.batch, (struct bytes){0}, pack_zstd(&fixture.made, bytes_of(text, 6 * MIB)));
    records_add(fixture.batch, NULL, "decoded before");
    fixture.batch->records[0].attempts = 1;
    fixture.batch->records[1].answer = STAGE_SETTLED;
    staged_process(&fixture.staged, fixture.batch);
    assert_int_equal(fixture.batch->cut, 0);
    fixture.batch->records[0].attempts = 0;
    staged_process(&fixture.staged, fixture.batch);
    assert_int_equal(fixture.batch->cut, 1);
    end(&fixture);
}

static void records_with_a_verdict_are_left_alone(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, NULL, "{}");
    records_add(fixture.batch, NULL, "broken");
    fixture.batch->records[0].answer = STAGE_SETTLED;
    staged_process(&fixture.staged, fixture.batch);
    assert_int_equal(fixture.batch->records[0].answer, STAGE_SETTLED);
    assert_int_equal(fixture.batch->records[0].document.kind, DOCUMENT_NONE);
    end(&fixture);
}

static void mistakes_in_its_config_are_told(void **state)
{
    (void)state;
    staged_expect_mistake(&decode_stage, "{format: jsn}", "json");
    staged_expect_mistake(&decode_stage, "{compression: gz}", "gzip");
    staged_expect_mistake(&decode_stage, "{compress: gzip}", "compression");
    staged_expect_mistake(&decode_stage, "{max_size: 0}", "max_size");
    staged_expect_mistake(&decode_stage, "{max_size: 2GiB}", "max_size");
    staged_expect_mistake(&decode_stage, "{compression: gzip, dictionary: x}",
                          "a dictionary is for `compression: zstd` or `auto`, found `compression: gzip`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_becomes_a_document_with_its_members),
        cmocka_unit_test(wrong_json_is_rejected_with_class_and_place),
        cmocka_unit_test(ten_thousand_brackets_are_rejected_as_too_deep),
        cmocka_unit_test(a_wrong_record_does_not_disturb_its_neighbours),
        cmocka_unit_test(members_of_the_same_name_stay_and_the_last_counts),
        cmocka_unit_test(raw_values_are_passed_on_as_they_are),
        cmocka_unit_test(values_are_inflated_before_they_are_parsed),
        cmocka_unit_test(automatic_compression_takes_plain_values_and_all_that_have_a_magic),
        cmocka_unit_test(values_past_max_size_are_rejected_however_they_are_packed),
        cmocka_unit_test(bombs_are_rejected_and_take_no_more_than_max_size),
        cmocka_unit_test(a_dictionary_is_read_beside_the_config),
        cmocka_unit_test(a_dictionary_that_is_none_keeps_the_stage_from_opening),
        cmocka_unit_test(an_empty_value_is_rejected_dropped_or_forwarded_as_configured),
        cmocka_unit_test(a_record_of_twenty_megabytes_passes_when_max_size_allows_it),
        cmocka_unit_test(a_batch_that_grows_too_large_is_cut_and_goes_on_where_it_was),
        cmocka_unit_test(a_record_that_is_asked_again_cuts_nothing),
        cmocka_unit_test(records_with_a_verdict_are_left_alone),
        cmocka_unit_test(mistakes_in_its_config_are_told),
    };
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
