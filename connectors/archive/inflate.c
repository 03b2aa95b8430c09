/* See inflate.h. The checksums come before any size is believed; then what zstd says of its content must be what the frame says. */
#include "connectors/archive/inflate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "processor/disk.h"

/* A record that is bigger than others should not be paid for by all frames behind it. */
enum { KEEP = 16 * 1024 * 1024 };

struct buffer {
    uint8_t *data;
    size_t room;
};

struct archive_inflater {
    ZSTD_DCtx *context;
    struct buffer stored, raw;
};

bool archive_read_at(int fd, void *data, size_t size, int64_t position)
{
    uint8_t *at = data;
    while (size > 0) {
        ssize_t n = pread(fd, at, size, position);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = ENODATA;
            return false;
        }
        at += n;
        size -= (size_t)n;
        position += n;
    }
    return true;
}

struct archive_inflater *archive_inflater_new(void)
{
    struct archive_inflater *inflater = calloc(1, sizeof *inflater);
    if (inflater == NULL)
        return NULL;
    inflater->context = ZSTD_createDCtx();
    if (inflater->context == NULL) {
        free(inflater);
        return NULL;
    }
    return inflater;
}

void archive_inflater_free(struct archive_inflater *inflater)
{
    if (inflater == NULL)
        return;
    ZSTD_freeDCtx(inflater->context);
    free(inflater->stored.data);
    free(inflater->raw.data);
    free(inflater);
}

static bool make_room(struct buffer *buffer, size_t size)
{
    if (size <= buffer->room && buffer->data != NULL && (buffer->room <= KEEP || size > KEEP))
        return true;
    free(buffer->data);
    buffer->data = malloc(size + 1);
    buffer->room = buffer->data != NULL ? size : 0;
    return buffer->data != NULL;
}

static enum status damaged(const char *path, const struct archive_frame *frame, const char *what, struct error *error)
{
    return error_set(error, ERROR_FATAL, "%s: the frame at byte %lld (offsets %lld to %lld) is damaged: %s", path,
                     (long long)frame->position, (long long)frame->first, (long long)frame->last, what);
}

static bool same(const struct archive_frame *found, const struct archive_frame *wanted)
{
    return found->kind == wanted->kind && found->stored == wanted->stored && found->raw == wanted->raw &&
           found->count == wanted->count && found->first == wanted->first && found->last == wanted->last;
}

static enum status inflate_stored(struct archive_inflater *inflater, const char *path,
                                  const struct archive_frame *frame, struct bytes *ret, struct error *error)
{
    if (ZSTD_getFrameContentSize(inflater->stored.data, frame->stored) != frame->raw)
        return damaged(path, frame, "zstd has another size in it", error);
    if (!make_room(&inflater->raw, frame->raw))
        return error_set(error, ERROR_TRANSIENT, "out of memory for a frame of %u bytes", frame->raw);
    size_t n = ZSTD_decompressDCtx(inflater->context, inflater->raw.data, frame->raw, inflater->stored.data,
                                   frame->stored);
    if (ZSTD_isError(n) || n != frame->raw)
        return damaged(path, frame, ZSTD_isError(n) ? ZSTD_getErrorName(n) : "it is too short", error);
    *ret = bytes_of(inflater->raw.data, frame->raw);
    return STATUS_OK;
}

enum status archive_inflate(struct archive_inflater *inflater, int fd, const char *path,
                            const struct archive_frame *frame, struct bytes *ret, struct error *error)
{
    uint8_t head[ARCHIVE_FRAME_SIZE];
    struct archive_frame found = {.position = frame->position};
    if (!archive_read_at(fd, head, sizeof head, frame->position))
        return errno == ENODATA ? damaged(path, frame, "the file ends there", error) : disk_failed("read", path, error);
    if (!archive_get_frame(head, &found) || !same(&found, frame))
        return damaged(path, frame, "its header is wrong", error);
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < found.position + ARCHIVE_FRAME_SIZE + (int64_t)found.stored)
        return damaged(path, frame, "the file ends there", error);
    if (!make_room(&inflater->stored, found.stored))
        return error_set(error, ERROR_TRANSIENT, "out of memory for a frame of %u bytes", found.stored);
    if (!archive_read_at(fd, inflater->stored.data, found.stored, frame->position + ARCHIVE_FRAME_SIZE))
        return disk_failed("read", path, error);
    if (archive_checksum(inflater->stored.data, found.stored) != found.checksum)
        return damaged(path, frame, "the checksum is wrong", error);
    if (found.codec == ARCHIVE_PLAIN) {
        *ret = bytes_of(inflater->stored.data, found.stored);
        return STATUS_OK;
    }
    return inflate_stored(inflater, path, &found, ret, error);
}
