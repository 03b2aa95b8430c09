#include "tests/support/archived.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "connectors/archive/catalog.h"
#include "connectors/archive/inflate.h"
#include "processor/clock.h"
#include "processor/headers.h"

void archived_init(struct archived *archived)
{
    const char *tmp = getenv("TMPDIR");
    *archived = (struct archived){0};
    snprintf(archived->dir, sizeof archived->dir, "%s/archived.XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(archived->dir));
    archived->config = (struct archive_store_config){.dir = archived->dir, .segment = 1 << 20, .level = 1};
    archived->env = (struct connector_env){.service = "test", .name = "archive"};
    archived->context = context_new(NULL, CLOCK_NEVER);
    records_init(&archived->records);
}

void archived_fini(struct archived *archived)
{
    char command[700];
    archived_close(archived);
    records_fini(&archived->records);
    context_free(archived->context);
    snprintf(command, sizeof command, "chmod -R u+w %s && rm -rf %s", archived->dir, archived->dir);
    assert_int_equal(system(command), 0);
}

/* -- records -- */

struct parts {
    struct bytes key, value;
    struct bytes names[3], values[3];
    unsigned headers;
};

static struct parts parts_of(int64_t offset, char text[64])
{
    static const uint8_t BYTES[] = {0x00, 0xff, 0xfe, '\n', 0x80};
    const struct bytes null = {0}, empty = bytes_of("", 0), bytes = bytes_of(BYTES, sizeof BYTES);
    struct parts parts = {.headers = (unsigned)(offset % 4)};
    snprintf(text, 64, "{\"id\":%lld,\"words\":\"one and another\"}", (long long)offset);
    const struct bytes json = bytes_of_string(text);
    const struct bytes choice[] = {null, empty, bytes, json};
    parts.key = choice[offset % 4];
    parts.value = choice[(offset / 4 + 3) % 4];
    parts.names[0] = parts.names[1] = bytes_of_string("same");
    parts.names[2] = empty;
    parts.values[0] = null;
    parts.values[1] = choice[1 + offset % 3];
    parts.values[2] = bytes;
    return parts;
}

struct record *archived_record(struct batch *batch, int64_t offset, int64_t time)
{
    char text[64];
    struct parts parts = parts_of(offset, text);
    struct record *record = records_add_bytes(batch, parts.key, parts.value);
    record->offset = offset;
    record->timestamp = time;
    size_t size = 0;
    for (unsigned i = 0; i < parts.headers; i++)
        size += headers_packed_size(parts.names[i], parts.values[i]);
    uint8_t *at = arena_text(&batch->arena, size);
    assert_non_null(at);
    record->headers = bytes_of(at, (uint32_t)size);
    for (unsigned i = 0; i < parts.headers; i++)
        at = headers_pack(at, parts.names[i], parts.values[i]);
    return record;
}

static void assert_same(struct bytes found, struct bytes expected)
{
    assert_true((found.data == NULL) == (expected.data == NULL));
    assert_true(bytes_equal(found, expected));
}

void archived_assert(const struct record *record, int64_t offset, int64_t time)
{
    char text[64];
    struct parts parts = parts_of(offset, text);
    struct bytes name, value;
    size_t cursor = 0;
    assert_int_equal(record->offset, offset);
    assert_int_equal(record->timestamp, time);
    assert_same(record->key, parts.key);
    assert_same(record->value, parts.value);
    for (unsigned i = 0; i < parts.headers; i++) {
        assert_true(headers_next(record->headers, &cursor, &name, &value));
        assert_same(name, parts.names[i]);
        assert_same(value, parts.values[i]);
    }
    assert_false(headers_next(record->headers, &cursor, &name, &value));
}

/* -- the store -- */

struct batch *archived_batch(struct archived *archived, int32_t partition, int64_t from, int64_t to, int64_t step)
{
    struct batch *batch = records_batch(&archived->records);
    batch->partition = partition;
    for (int64_t offset = from; offset < to; offset += step)
        archived_record(batch, offset, 1000 * offset);
    return batch;
}

enum status archived_open(struct archived *archived)
{
    return archive_store.open(&archived->config, &archived->env, archived->context, &archived->store, &archived->error);
}

void archived_close(struct archived *archived)
{
    archive_store.close(archived->store);
    archived->store = NULL;
}

void archived_put(struct archived *archived, int32_t partition, int64_t from, int64_t to, int64_t step)
{
    if (archived->store == NULL && archived_open(archived) != STATUS_OK)
        fail_msg("open: %s", archived->error.text);
    struct batch *batch = archived_batch(archived, partition, from, to, step);
    if (archive_store.write(archived->store, batch, archived->context, &archived->error) != STATUS_OK ||
        archive_store.flush(archived->store, archived->context, &archived->error) != STATUS_OK)
        fail_msg("write or flush: %s", archived->error.text);
    batch_free(batch);
}

/* -- what is there -- */

const char *archived_files(const struct archived *archived, int32_t partition)
{
    static char text[16384];
    struct archive_catalog catalog;
    struct error error;
    text[0] = '\0';
    assert_int_equal(archive_catalog_read(archived->dir, NULL, partition, &catalog, &error), STATUS_OK);
    for (unsigned i = 0; i < catalog.count; i++) {
        assert_true(strlen(text) + strlen(catalog.names[i].path) + 2 < sizeof text);
        strcat(strcat(text, catalog.names[i].path), "\n");
    }
    archive_catalog_fini(&catalog);
    return text;
}

const char *archived_file(const struct archived *archived, int32_t partition)
{
    static char path[512];
    const char *files = archived_files(archived, partition);
    size_t size = strcspn(files, "\n");
    assert_true(size > 0 && files[size + 1] == '\0');
    snprintf(path, sizeof path, "%.*s", (int)size, files);
    return path;
}

static int64_t read_payload(struct archived *archived, struct bytes payload, int64_t *last)
{
    struct archive_record found;
    uint32_t cursor = 0;
    int64_t count = 0;
    enum status status;
    struct batch *batch = records_batch(&archived->records);
    while ((status = archive_get_record(payload, &cursor, &found)) == STATUS_OK) {
        struct record *record = batch_add(batch);
        assert_non_null(record);
        assert_true(archive_copy_record(&found, record, &batch->arena));
        archived_assert(record, found.offset, 1000 * found.offset);
        assert_true(found.offset > *last);
        *last = found.offset;
        count++;
    }
    assert_int_equal(status, STATUS_EMPTY);
    batch_free(batch);
    return count;
}

int64_t archived_count(const struct archived *archived, int32_t partition)
{
    struct archive_catalog catalog;
    struct archive_segment segment;
    struct error error;
    int64_t count = 0, last = -1;
    struct archive_inflater *inflater = archive_inflater_new();
    assert_int_equal(archive_catalog_read(archived->dir, "orders", partition, &catalog, &error), STATUS_OK);
    for (unsigned i = 0; i < catalog.count; i++) {
        assert_int_equal(archive_segment_read(catalog.names[i].path, &segment, &error), STATUS_OK);
        int fd = open(catalog.names[i].path, O_RDONLY);
        for (uint32_t j = 0; j < segment.count; j++) {
            struct bytes payload;
            if (archive_inflate(inflater, fd, catalog.names[i].path, &segment.frames[j], &payload, &error) != STATUS_OK)
                fail_msg("%s", error.text);
            assert_int_equal(read_payload((struct archived *)archived, payload, &last), segment.frames[j].count);
            assert_int_equal(last, segment.frames[j].last);
            count += segment.frames[j].count;
        }
        close(fd);
        archive_segment_fini(&segment);
    }
    archive_catalog_fini(&catalog);
    archive_inflater_free(inflater);
    return count;
}

uint8_t *archived_load(const char *path, size_t *ret_size)
{
    struct stat info;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &info) == 0);
    uint8_t *data = malloc((size_t)info.st_size + 1);
    assert_int_equal(read(fd, data, (size_t)info.st_size), info.st_size);
    close(fd);
    *ret_size = (size_t)info.st_size;
    return data;
}

void archived_save(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

int64_t archived_read(const char *path, unsigned *ret_bad)
{
    struct archive_segment segment;
    struct error error;
    int64_t count = 0;
    *ret_bad = 0;
    if (archive_segment_read(path, &segment, &error) != STATUS_OK)
        return -1;
    struct archive_inflater *inflater = archive_inflater_new();
    int fd = open(path, O_RDONLY);
    for (uint32_t i = 0; i < segment.count; i++) {
        struct archive_record record;
        struct bytes payload;
        uint32_t cursor = 0;
        enum status status = archive_inflate(inflater, fd, path, &segment.frames[i], &payload, &error);
        *ret_bad += status != STATUS_OK;
        while (status == STATUS_OK && (status = archive_get_record(payload, &cursor, &record)) == STATUS_OK)
            count++;
    }
    close(fd);
    archive_inflater_free(inflater);
    archive_segment_fini(&segment);
    return count;
}
