/* See writer.h. */
#include "connectors/archive/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "processor/check.h"
#include "processor/disk.h"

enum { FRAME_BYTES = 1024 * 1024, ROOM_LEAST = 64 * 1024 };

struct archive_packer {
    ZSTD_CCtx *context;
    uint8_t *out;
    size_t room;
};

struct archive_writer {
    struct archive_packer *packer;
    char path[PATH_MAX], folder[PATH_MAX];
    int fd;
    struct archive_segment segment; /* frames that are in the file */
    uint8_t *buffer;                /* of the next frame's payload */
    size_t used, room;
    struct archive_frame frame; /* what the buffer has */
    int64_t size;               /* of the file */
    int64_t accepted;           /* bytes of it */
    uint32_t accepted_frames;
    bool named; /* the folder has it for sure */
    bool dirty; /* the file may have more in it than `size` */
};

/* -- packer -- */

struct archive_packer *archive_packer_new(int level)
{
    struct archive_packer *packer = calloc(1, sizeof *packer);
    if (packer == NULL)
        return NULL;
    packer->context = ZSTD_createCCtx();
    if (packer->context == NULL ||
        ZSTD_isError(ZSTD_CCtx_setParameter(packer->context, ZSTD_c_compressionLevel, level))) {
        archive_packer_free(packer);
        return NULL;
    }
    return packer;
}

void archive_packer_free(struct archive_packer *packer)
{
    if (packer == NULL)
        return;
    ZSTD_freeCCtx(packer->context);
    free(packer->out);
    free(packer);
}

/* The frame's header and payload, one behind the other. */
static enum status pack(struct archive_packer *packer, const uint8_t *payload, struct archive_frame *frame,
                        size_t *ret_size, struct error *error)
{
    size_t room = ARCHIVE_FRAME_SIZE + ZSTD_compressBound(frame->raw);
    if (room > packer->room) {
        uint8_t *out = malloc(room);
        if (out == NULL)
            return error_set(error, ERROR_TRANSIENT, "out of memory for a frame of %u bytes", frame->raw);
        free(packer->out);
        packer->out = out;
        packer->room = room;
    }
    uint8_t *behind = packer->out + ARCHIVE_FRAME_SIZE;
    size_t n = ZSTD_compress2(packer->context, behind, packer->room - ARCHIVE_FRAME_SIZE, payload, frame->raw);
    if (ZSTD_isError(n))
        return error_set(error, ERROR_TRANSIENT, "zstd: %s", ZSTD_getErrorName(n));
    frame->codec = ARCHIVE_ZSTD;
    frame->stored = (uint32_t)n;
    frame->checksum = archive_checksum(behind, n);
    archive_put_frame(packer->out, frame);
    *ret_size = ARCHIVE_FRAME_SIZE + n;
    return STATUS_OK;
}

/* -- the file -- */

static enum status put(struct archive_writer *writer, const void *data, size_t size, struct error *error)
{
    if (writer->dirty && ftruncate(writer->fd, writer->size) != 0)
        return disk_failed("shorten", writer->path, error);
    writer->dirty = true; /* until all of it is there */
    enum status status = disk_write(writer->fd, data, size, writer->size, writer->path, error);
    if (status != STATUS_OK)
        return status;
    writer->dirty = false;
    writer->size += (int64_t)size;
    return STATUS_OK;
}

static void begin_frame(struct archive_writer *writer)
{
    writer->used = 0;
    writer->frame = (struct archive_frame){.kind = ARCHIVE_RECORDS, .earliest = -1, .latest = -1};
}

static enum status seal(struct archive_writer *writer, struct error *error)
{
    size_t size = 0;
    if (writer->frame.count == 0)
        return STATUS_OK;
    writer->frame.position = writer->size;
    writer->frame.raw = (uint32_t)writer->used;
    enum status status = pack(writer->packer, writer->buffer, &writer->frame, &size, error);
    if (status == STATUS_OK)
        status = put(writer, writer->packer->out, size, error);
    if (status != STATUS_OK)
        return status;
    if (!archive_segment_add(&writer->segment, &writer->frame))
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    begin_frame(writer);
    return STATUS_OK;
}

static struct archive_writer *make(const char *path, struct archive_packer *packer)
{
    struct archive_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        return NULL;
    writer->packer = packer;
    snprintf(writer->path, sizeof writer->path, "%s", path);
    snprintf(writer->folder, sizeof writer->folder, "%s", path);
    char *slash = strrchr(writer->folder, '/');
    CHECK(slash != NULL);
    *slash = '\0';
    writer->segment.damaged = -1;
    begin_frame(writer);
    return writer;
}

enum status archive_writer_new(const char *folder, const struct archive_head *head, int64_t first,
                               struct archive_packer *packer, struct archive_writer **ret, struct error *error)
{
    char path[PATH_MAX];
    uint8_t header[ARCHIVE_HEADER_MAX];
    size_t size = archive_put_header(header, head);
    if (size == 0)
        return error_set(error, ERROR_FATAL, "a topic called \"%s\" can't be archived", head->topic);
    if (snprintf(path, sizeof path, "%s/%05d-%020lld.weir", folder, head->partition, (long long)first) >=
        (int)sizeof path)
        return error_set(error, ERROR_FATAL, "the name of the folder %s is too long", folder);
    struct archive_writer *writer = make(path, packer);
    if (writer == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    writer->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (writer->fd < 0) {
        enum status failed = disk_failed("make", path, error);
        free(writer);
        return failed;
    }
    writer->segment.partition = head->partition;
    enum status status = put(writer, header, size, error);
    if (status != STATUS_OK) {
        archive_writer_free(writer);
        return status;
    }
    writer->accepted = writer->size;
    *ret = writer;
    return STATUS_OK;
}

enum status archive_writer_reopen(const char *path, struct archive_segment *segment, struct archive_packer *packer,
                                  struct archive_writer **ret, struct error *error)
{
    struct archive_writer *writer = make(path, packer);
    if (writer == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    writer->fd = open(path, O_WRONLY | O_CLOEXEC);
    if (writer->fd < 0) {
        enum status failed = disk_failed("open", path, error);
        free(writer);
        return failed;
    }
    writer->size = writer->accepted = segment->whole;
    writer->accepted_frames = segment->count;
    writer->dirty = segment->size != segment->whole;
    writer->segment = *segment;
    *segment = (struct archive_segment){.damaged = -1};
    *ret = writer;
    return STATUS_OK;
}

void archive_writer_free(struct archive_writer *writer)
{
    if (writer == NULL)
        return;
    archive_writer_rewind(writer);
    /* Without a record a name would say that there is one. */
    if (writer->accepted_frames == 0)
        (void)unlink(writer->path);
    close(writer->fd);
    archive_segment_fini(&writer->segment);
    free(writer->buffer);
    free(writer);
}

/* -- records -- */

static bool make_room(struct archive_writer *writer, size_t more)
{
    size_t need = writer->used + more, room = writer->room > 0 ? writer->room : ROOM_LEAST;
    if (need <= writer->room)
        return true;
    while (room < need)
        room *= 2;
    uint8_t *buffer = realloc(writer->buffer, room);
    if (buffer == NULL)
        return false;
    writer->buffer = buffer;
    writer->room = room;
    return true;
}

static void note(struct archive_frame *frame, const struct record *record)
{
    if (frame->count++ == 0)
        frame->first = record->offset;
    frame->last = record->offset;
    if (record->timestamp < 0)
        return;
    if (frame->earliest < 0 || record->timestamp < frame->earliest)
        frame->earliest = record->timestamp;
    if (record->timestamp > frame->latest)
        frame->latest = record->timestamp;
}

enum status archive_writer_add(struct archive_writer *writer, const struct record *record, struct error *error)
{
    size_t size = archive_record_size(record);
    CHECK(size <= ARCHIVE_RAW_MAX && record->offset > archive_writer_last(writer));
    if (writer->used > 0 && writer->used + size > FRAME_BYTES) {
        enum status status = seal(writer, error);
        if (status != STATUS_OK)
            return status;
    }
    if (!make_room(writer, size))
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    archive_put_record(writer->buffer + writer->used, record);
    writer->used += size;
    note(&writer->frame, record);
    return STATUS_OK;
}

enum status archive_writer_sync(struct archive_writer *writer, struct error *error)
{
    enum status status = seal(writer, error);
    if (status != STATUS_OK)
        return status;
    if (fdatasync(writer->fd) != 0)
        return disk_failed("fdatasync", writer->path, error);
    if (!writer->named)
        status = disk_sync_folder(writer->folder, error);
    writer->named = writer->named || status == STATUS_OK;
    return status;
}

void archive_writer_accept(struct archive_writer *writer)
{
    CHECK(writer->frame.count == 0);
    writer->accepted = writer->size;
    writer->accepted_frames = writer->segment.count;
    free(writer->buffer);
    writer->buffer = NULL;
    writer->room = 0;
}

void archive_writer_rewind(struct archive_writer *writer)
{
    begin_frame(writer);
    writer->dirty = writer->dirty || writer->size != writer->accepted;
    writer->size = writer->accepted;
    writer->segment.count = writer->accepted_frames;
    if (writer->dirty && ftruncate(writer->fd, writer->size) == 0)
        writer->dirty = false;
}

/* -- the end -- */

static enum status put_index(struct archive_writer *writer, struct error *error)
{
    const struct archive_segment *segment = &writer->segment;
    struct archive_frame index = {
        .kind = ARCHIVE_INDEX,
        .position = writer->size,
        .count = segment->count,
        .raw = segment->count * ARCHIVE_ENTRY_SIZE,
        .earliest = -1,
        .latest = -1,
    };
    uint8_t trailer[ARCHIVE_TRAILER_SIZE];
    uint8_t *entries = malloc((size_t)index.raw + 1);
    size_t size = 0;
    if (entries == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    for (uint32_t i = 0; i < segment->count; i++)
        archive_put_entry(entries + (size_t)i * ARCHIVE_ENTRY_SIZE, &segment->frames[i]);
    enum status status = pack(writer->packer, entries, &index, &size, error);
    free(entries);
    if (status == STATUS_OK)
        status = put(writer, writer->packer->out, size, error);
    archive_put_trailer(trailer, index.position);
    return status == STATUS_OK ? put(writer, trailer, sizeof trailer, error) : status;
}

enum status archive_writer_finish(struct archive_writer *writer, struct error *error)
{
    CHECK(writer->size == writer->accepted && writer->frame.count == 0);
    enum status status = put_index(writer, error);
    if (status == STATUS_OK)
        status = archive_writer_sync(writer, error);
    if (status != STATUS_OK) {
        archive_writer_rewind(writer);
        return status;
    }
    writer->accepted = writer->size;
    return STATUS_OK;
}

bool archive_writer_empty(const struct archive_writer *writer)
{
    return writer->accepted_frames == 0;
}

const char *archive_writer_path(const struct archive_writer *writer)
{
    return writer->path;
}

int64_t archive_writer_size(const struct archive_writer *writer)
{
    return writer->size;
}

int64_t archive_writer_first(const struct archive_writer *writer)
{
    return writer->segment.count > 0 ? writer->segment.frames[0].first
           : writer->frame.count > 0 ? writer->frame.first
                                     : -1;
}

int64_t archive_writer_last(const struct archive_writer *writer)
{
    if (writer->frame.count > 0)
        return writer->frame.last;
    return writer->segment.count > 0 ? writer->segment.frames[writer->segment.count - 1].last : -1;
}
