/* The archive's files: what is written is read again bit for bit, and what is damaged is told from what is good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "connectors/archive/catalog.h"
#include "connectors/archive/reading.h"
#include "connectors/archive/source.h"
#include "processor/headers.h"
#include "tests/support/archived.h"

static void records_come_back_bit_for_bit(void **state)
{
    (void)state;
    struct archived archived;
    archived_init(&archived);
    archived_put(&archived, 3, 0, 20000, 1); /* several frames */
    archived_close(&archived);
    assert_int_equal(archived_count(&archived, 3), 20000);
    archived_fini(&archived);
}

static void a_record_that_ends_too_early_is_not_good(void **state)
{
    (void)state;
    struct records records;
    records_init(&records);
    struct batch *batch = records_batch(&records);
    const struct record *record = archived_record(batch, 7, 1); /* three headers, a key and a value */
    size_t size = archive_record_size(record);
    for (size_t end = 0; end <= size; end++) {
        struct archive_record found;
        uint32_t cursor = 0;
        uint8_t *whole = malloc(size), *part = malloc(end + (end == 0));
        archive_put_record(whole, record);
        memcpy(part, whole, end);
        enum status status = archive_get_record(bytes_of(part, (uint32_t)end), &cursor, &found);
        assert_int_equal(status, end == 0 ? STATUS_EMPTY : end == size ? STATUS_OK : STATUS_FAILED);
        free(whole);
        free(part);
    }
    batch_free(batch);
    records_fini(&records);
}

static void wrong_sizes_in_a_record_are_not_believed(void **state)
{
    (void)state;
    struct records records;
    records_init(&records);
    struct batch *batch = records_batch(&records);
    const struct record *record = archived_record(batch, 7, 1);
    size_t size = archive_record_size(record);
    uint8_t *data = malloc(size);
    static const uint8_t ODD[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
    for (size_t at = 16; at < size; at++) {
        for (unsigned i = 0; i < sizeof ODD; i++) {
            struct archive_record found;
            struct bytes name, value;
            uint32_t cursor = 0;
            size_t header = 0;
            archive_put_record(data, record);
            data[at] = ODD[i];
            enum status status = archive_get_record(bytes_of(data, (uint32_t)size), &cursor, &found);
            if (status != STATUS_OK)
                continue;
            uint8_t *packed = malloc(found.headers.size + 1);
            struct bytes headers = bytes_of(packed, (uint32_t)archive_pack_headers(packed, found.headers));
            assert_int_equal(headers.size, found.headers.size);
            while (headers_next(headers, &header, &name, &value))
                assert_true(value.data == NULL || value.data + value.size <= packed + headers.size);
            free(packed);
        }
    }
    free(data);
    batch_free(batch);
    records_fini(&records);
}

static void a_file_torn_anywhere_is_read_up_to_its_last_whole_frame(void **state)
{
    (void)state;
    struct archived archived;
    size_t size;
    archived_init(&archived);
    for (int i = 0; i < 4; i++)
        archived_put(&archived, 0, i * 25, i * 25 + 25, 1); /* a frame each */
    archived_close(&archived);
    const char *path = archived_file(&archived, 0);
    uint8_t *data = archived_load(path, &size);
    int64_t before = 0;
    for (size_t end = 0; end <= size; end++) {
        struct archive_segment segment;
        struct error error = {0};
        archived_save(path, data, end);
        if (archive_segment_read(path, &segment, &error) != STATUS_OK)
            fail_msg("%zu of %zu bytes: %s", end, size, error.text);
        int64_t records = (int64_t)archive_segment_records(&segment);
        assert_true(records % 25 == 0 && records >= before && records <= 100);
        assert_int_equal(segment.finished, end == size);
        assert_int_equal(segment.damaged, -1);
        assert_true(end == size || archive_segment_torn(&segment) == (int64_t)end - segment.whole);
        archive_segment_fini(&segment);
        assert_int_equal(archived_count(&archived, 0), records);
        before = records;
    }
    assert_int_equal(before, 100);
    free(data);
    archived_fini(&archived);
}

/* Where its frames are. */
static struct archive_segment segment_of(const char *path)
{
    struct archive_segment segment;
    struct error error;
    assert_int_equal(archive_segment_read(path, &segment, &error), STATUS_OK);
    return segment;
}

static void a_flipped_bit_anywhere_is_noticed_and_costs_no_other_frame(void **state)
{
    (void)state;
    struct archived archived;
    size_t size;
    archived_init(&archived);
    for (int i = 0; i < 3; i++)
        archived_put(&archived, 0, i * 10, i * 10 + 10, 1);
    archived_close(&archived);
    const char *path = archived_file(&archived, 0);
    uint8_t *data = archived_load(path, &size);
    struct archive_segment good = segment_of(path);
    for (size_t at = 0; at < size; at++) {
        unsigned bad;
        data[at] ^= (uint8_t)(1 << at % 8);
        archived_save(path, data, size);
        int64_t records = archived_read(path, &bad);
        bool in_header = (int64_t)at < good.frames[0].position, in_frames = !in_header && (int64_t)at < good.whole;
        if (in_header)
            assert_int_equal(records, -1);
        else if (in_frames)
            assert_true(records == 20 && bad == 1); /* the index is good: the others can be read */
        else
            assert_true(records == 30 && bad == 0); /* the index is made anew */
        data[at] ^= (uint8_t)(1 << at % 8);
    }
    archive_segment_fini(&good);
    free(data);
    archived_fini(&archived);
}

static void damage_in_the_middle_is_no_torn_tail(void **state)
{
    (void)state;
    struct archived archived;
    struct archive_segment segment;
    struct error error;
    size_t size;
    archived_init(&archived);
    for (int i = 0; i < 3; i++)
        archived_put(&archived, 0, i * 10, i * 10 + 10, 1);
    archived_close(&archived);
    const char *path = archived_file(&archived, 0);
    uint8_t *data = archived_load(path, &size);
    struct archive_segment good = segment_of(path);
    data[good.frames[1].position + 30] ^= 1;
    archived_save(path, data, (size_t)good.whole); /* and without the index */
    assert_int_equal(archive_segment_read(path, &segment, &error), STATUS_OK);
    assert_int_equal(segment.count, 1);
    assert_int_equal(segment.damaged, good.frames[1].position);
    archive_segment_fini(&segment);
    /* It is not cut: nothing is written into this partition. */
    assert_int_equal(archived_open(&archived), STATUS_OK);
    struct batch *batch = archived_batch(&archived, 0, 30, 40, 1);
    assert_int_equal(archive_store.write(archived.store, batch, archived.context, &archived.error), STATUS_FAILED);
    assert_int_equal(archived.error.class, ERROR_FATAL);
    assert_non_null(strstr(archived.error.text, "is damaged at byte"));
    batch_free(batch);
    archived_close(&archived);
    struct archive_segment after = segment_of(path);
    assert_int_equal(after.size, good.whole);
    archive_segment_fini(&after);
    archive_segment_fini(&good);
    free(data);
    archived_fini(&archived);
}

static void a_frame_that_lies_about_its_size_is_not_inflated(void **state)
{
    (void)state;
    struct archive_frame frame = {
        .kind = ARCHIVE_RECORDS, .codec = ARCHIVE_ZSTD, .raw = ARCHIVE_RAW_MAX, .count = 1, .last = 5, .stored = 10};
    struct archive_frame found;
    uint8_t data[ARCHIVE_FRAME_SIZE];
    archive_put_frame(data, &frame);
    assert_true(archive_get_frame(data, &found));
    frame.raw = ARCHIVE_RAW_MAX + 1u;
    archive_put_frame(data, &frame);
    assert_false(archive_get_frame(data, &found));
    frame.raw = 64;
    frame.count = 3; /* that many records do not go into 64 bytes */
    archive_put_frame(data, &frame);
    assert_false(archive_get_frame(data, &found));
    frame.count = 2;
    frame.first = 6; /* behind the last */
    archive_put_frame(data, &frame);
    assert_false(archive_get_frame(data, &found));
    frame.first = 5; /* two records, one offset */
    archive_put_frame(data, &frame);
    assert_false(archive_get_frame(data, &found));
}

/* A file of "orders" 0 with one frame, whose header is this one, and records with these offsets; what reading it comes to. */
static enum status read_forged(struct archive_frame frame, const int64_t *offsets, unsigned count, struct error *error)
{
    struct archived archived;
    struct archive_catalog catalog;
    struct archive_reading reading;
    struct archive_record record;
    const struct stretch_filter all = {.from_time = INT64_MIN, .to_time = INT64_MAX};
    const struct stretch_part part = {.topic = "orders", .end = 1000};
    static uint8_t file[8192];
    uint8_t payload[4096];
    char path[512];
    archived_init(&archived);
    struct batch *batch = records_batch(&archived.records);
    for (unsigned i = 0; i < count; i++) {
        const struct record *made = archived_record(batch, offsets[i], 0);
        archive_put_record(payload + frame.raw, made);
        frame.raw += (uint32_t)archive_record_size(made);
    }
    batch_free(batch);
    frame.kind = ARCHIVE_RECORDS;
    frame.stored = frame.raw;
    frame.checksum = archive_checksum(payload, frame.raw);
    size_t size = archive_put_header(file, &(struct archive_head){.topic = "orders"});
    archive_put_frame(file + size, &frame);
    memcpy(file + size + ARCHIVE_FRAME_SIZE, payload, frame.raw);
    snprintf(path, sizeof path, "%s/orders", archived.dir);
    assert_int_equal(mkdir(path, 0777), 0);
    strcat(path, "/00000-00000000000000000000.weir");
    archived_save(path, file, size + ARCHIVE_FRAME_SIZE + frame.raw);
    assert_int_equal(archive_catalog_read(archived.dir, NULL, -1, &catalog, error), STATUS_OK);
    struct archive_inflater *inflater = archive_inflater_new();
    archive_reading_init(&reading, &catalog, &part, 0, inflater);
    enum status status;
    while ((status = archive_reading_peek(&reading, &all, &record, error)) == STATUS_OK)
        archive_reading_take(&reading, &record);
    archive_reading_fini(&reading);
    archive_inflater_free(inflater);
    archive_catalog_fini(&catalog);
    archived_fini(&archived);
    return status;
}

static void a_frame_with_other_records_than_its_header_says_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct archive_frame frame;
        int64_t offsets[3];
        bool good;
    } CASES[] = {
        {{.first = 5, .last = 9, .count = 3}, {5, 7, 9}, true},
        {{.first = 6, .last = 9, .count = 3}, {5, 7, 9}, false},
        {{.first = 4, .last = 9, .count = 3}, {5, 7, 9}, false},
        {{.first = 5, .last = 8, .count = 3}, {5, 7, 9}, false},
        {{.first = 5, .last = 10, .count = 3}, {5, 7, 9}, false},
        {{.first = 5, .last = 9, .count = 2}, {5, 7, 9}, false},
        {{.first = 5, .last = 9, .count = 4}, {5, 7, 9}, false},
        {{.first = 5, .last = 9, .count = 3}, {5, 5, 9}, false},
        {{.first = 5, .last = 9, .count = 3}, {5, 10, 9}, false},
        {{.first = 5, .last = 9, .count = 3}, {5, 4, 9}, false},
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct error error = {0};
        enum status status = read_forged(CASES[i].frame, CASES[i].offsets, 3, &error);
        assert_int_equal(status, CASES[i].good ? STATUS_EMPTY : STATUS_FAILED);
        if (!CASES[i].good && strstr(error.text, "not what its header says") == NULL)
            fail_msg("case %u: %s", i, error.text);
    }
}

static void a_file_of_which_no_frame_is_whole_is_not_left_out_of_a_replay_in_silence(void **state)
{
    (void)state;
    struct archived archived;
    struct archive_segment segment;
    struct stretch *stretch = NULL;
    const struct stretch_request request = {.to.kind = STRETCH_NOW};
    char path[512];
    size_t size;
    archived_init(&archived);
    archived_put(&archived, 0, 0, 100, 1);
    archived_close(&archived);
    snprintf(path, sizeof path, "%s", archived_file(&archived, 0));
    archived_put(&archived, 0, 100, 200, 1); /* another file, which is good */
    archived_close(&archived);
    segment = segment_of(path);
    uint8_t *data = archived_load(path, &size);
    const struct archive_source_config source = {.dir = archived.dir};
    const size_t first = (size_t)segment.frames[0].position, ends[] = {0, 1, first, first + 100};
    for (unsigned i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        archived_save(path, data, ends[i]);
        assert_int_equal(
            archive_source.stretch->find(&source, &archived.env, &request, &stretch, archived.context, &archived.error),
            STATUS_FAILED);
        assert_int_equal(archived.error.class, ERROR_FATAL);
        assert_non_null(strstr(archived.error.text, path));
        assert_non_null(strstr(archived.error.text, "not one frame of it is whole"));
    }
    free(data);
    archive_segment_fini(&segment);
    archived_fini(&archived);
}

static void a_topic_that_would_leave_the_folder_has_no_archive(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"orders", "a.b-C_9", "..."};
    static const char *const BAD[] = {"", ".", "..", "a/b", "../x", "a b", "\xc3\xa9"};
    uint8_t header[ARCHIVE_HEADER_MAX];
    char topic[ARCHIVE_TOPIC_MAX + 1];
    struct archive_head head;
    size_t size;
    for (unsigned i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
        const struct archive_head good = {.topic = GOOD[i], .partition = 7, .id = {.high = UINT64_MAX - 5, .low = 6}};
        assert_true(archive_put_header(header, &good) > 0);
        assert_true(archive_get_header(header, sizeof header, topic, &head, &size));
        assert_string_equal(head.topic, GOOD[i]);
        assert_int_equal(head.partition, 7);
        assert_int_equal(head.id.high, UINT64_MAX - 5);
        assert_int_equal(head.id.low, 6);
    }
    for (unsigned i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_int_equal(archive_put_header(header, &(struct archive_head){.topic = BAD[i]}), 0);
}

static void a_segment_that_was_given_another_name_is_not_read(void **state)
{
    (void)state;
    struct archived archived;
    struct stretch *stretch = NULL;
    const struct stretch_request request = {.to = {.kind = STRETCH_NOW}};
    char other[400];
    archived_init(&archived);
    archived_put(&archived, 0, 0, 100, 1);
    archived_close(&archived);
    archived_put(&archived, 0, 100, 200, 1);
    archived_close(&archived);
    /* Behind the other still: but who begins at offset 60 would open this one, and miss 40 records. */
    snprintf(other, sizeof other, "%s/orders/00000-%020d.weir", archived.dir, 50);
    char *last = strchr(archived_files(&archived, 0), '\n') + 1;
    last[strcspn(last, "\n")] = '\0';
    assert_int_equal(rename(last, other), 0);
    const struct archive_source_config source = {.dir = archived.dir};
    assert_int_equal(
        archive_source.stretch->find(&source, &archived.env, &request, &stretch, archived.context, &archived.error),
        STATUS_FAILED);
    assert_int_equal(archived.error.class, ERROR_FATAL);
    assert_non_null(strstr(archived.error.text, "begins at offset 100, which its name does not say"));
    archived_fini(&archived);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_bit_for_bit),
        cmocka_unit_test(a_record_that_ends_too_early_is_not_good),
        cmocka_unit_test(wrong_sizes_in_a_record_are_not_believed),
        cmocka_unit_test(a_file_torn_anywhere_is_read_up_to_its_last_whole_frame),
        cmocka_unit_test(a_flipped_bit_anywhere_is_noticed_and_costs_no_other_frame),
        cmocka_unit_test(damage_in_the_middle_is_no_torn_tail),
        cmocka_unit_test(a_segment_that_was_given_another_name_is_not_read),
        cmocka_unit_test(a_frame_that_lies_about_its_size_is_not_inflated),
        cmocka_unit_test(a_frame_with_other_records_than_its_header_says_is_refused),
        cmocka_unit_test(a_file_of_which_no_frame_is_whole_is_not_left_out_of_a_replay_in_silence),
        cmocka_unit_test(a_topic_that_would_leave_the_folder_has_no_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
