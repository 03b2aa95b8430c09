/* See segment.h. */
#include "connectors/archive/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY /* its state on the stack */
#include <xxhash.h>

#include "connectors/archive/inflate.h"
#include "processor/disk.h"

enum { CHUNK = 64 * 1024 };

struct scan {
    int fd;
    const char *path;
    struct archive_segment *segment;
    uint8_t chunk[CHUNK];
};

bool archive_segment_add(struct archive_segment *segment, const struct archive_frame *frame)
{
    if (segment->count == segment->room) {
        uint32_t room = segment->room > 0 ? segment->room * 2 : 16;
        struct archive_frame *frames = realloc(segment->frames, room * sizeof *frames);
        if (frames == NULL)
            return false;
        segment->frames = frames;
        segment->room = room;
    }
    segment->frames[segment->count++] = *frame;
    return true;
}

void archive_segment_fini(struct archive_segment *segment)
{
    free(segment->frames);
    *segment = (struct archive_segment){.damaged = -1};
}

int64_t archive_segment_torn(const struct archive_segment *segment)
{
    return segment->finished ? 0 : segment->size - segment->whole;
}

uint64_t archive_segment_records(const struct archive_segment *segment)
{
    uint64_t records = 0;
    for (uint32_t i = 0; i < segment->count; i++)
        records += segment->frames[i].count;
    return records;
}

/* -- the whole file -- */

/* The payload, piece by piece: what a header says of its size is not believed. */
static bool payload_good(struct scan *scan, const struct archive_frame *frame)
{
    XXH64_state_t state;
    int64_t at = frame->position + ARCHIVE_FRAME_SIZE;
    XXH64_reset(&state, 0);
    for (uint32_t left = frame->stored; left > 0;) {
        uint32_t part = left < CHUNK ? left : CHUNK;
        if (!archive_read_at(scan->fd, scan->chunk, part, at))
            return false;
        XXH64_update(&state, scan->chunk, part);
        at += part;
        left -= part;
    }
    return XXH64_digest(&state) == frame->checksum;
}

/* A frame at that position, all of it. */
static bool frame_at(struct scan *scan, int64_t position, struct archive_frame *ret)
{
    uint8_t head[ARCHIVE_FRAME_SIZE];
    struct archive_frame frame = {.position = position};
    if (!archive_read_at(scan->fd, head, sizeof head, position) || !archive_get_frame(head, &frame) ||
        frame.stored > scan->segment->size - position - ARCHIVE_FRAME_SIZE || !payload_good(scan, &frame))
        return false;
    *ret = frame;
    return true;
}

/* Behind a place where there is no whole frame: is there one further on? */
static bool any_frame_behind(struct scan *scan, int64_t position)
{
    uint8_t *window = malloc(CHUNK);
    bool found = false;
    struct archive_frame frame;
    while (window != NULL && !found && position + ARCHIVE_FRAME_SIZE <= scan->segment->size) {
        int64_t left = scan->segment->size - position;
        size_t size = left < CHUNK ? (size_t)left : CHUNK;
        if (!archive_read_at(scan->fd, window, size, position))
            break;
        for (const uint8_t *at = window; !found && (at = memmem(at, size - (size_t)(at - window), "WErF", 4)) != NULL;
             at++)
            found = frame_at(scan, position + (at - window), &frame);
        position += size < CHUNK ? (int64_t)size : CHUNK - 3; /* the mark may lie across */
    }
    free(window);
    return found;
}

static enum status scan_frames(struct scan *scan, struct error *error)
{
    struct archive_segment *segment = scan->segment;
    struct archive_frame frame;
    int64_t last = -1;
    segment->count = 0;
    while (frame_at(scan, segment->whole, &frame) && frame.kind == ARCHIVE_RECORDS && frame.first > last) {
        if (!archive_segment_add(segment, &frame))
            return error_set(error, ERROR_TRANSIENT, "out of memory");
        last = frame.last;
        segment->whole += ARCHIVE_FRAME_SIZE + (int64_t)frame.stored;
    }
    /* An index that has lost its trailer is part of the tail. */
    bool index = frame_at(scan, segment->whole, &frame) && frame.kind == ARCHIVE_INDEX;
    int64_t behind = segment->whole + (index ? ARCHIVE_FRAME_SIZE + (int64_t)frame.stored : 1);
    if (segment->whole < segment->size && any_frame_behind(scan, behind))
        segment->damaged = segment->whole;
    return STATUS_OK;
}

/* -- the index -- */

static bool take_entries(struct archive_segment *segment, struct bytes payload, int64_t index_at)
{
    int64_t at = segment->whole, last = -1;
    for (uint32_t i = 0; i < payload.size / ARCHIVE_ENTRY_SIZE; i++) {
        struct archive_frame frame;
        if (!archive_get_entry(payload.data + (size_t)i * ARCHIVE_ENTRY_SIZE, &frame) || frame.position != at ||
            frame.first <= last || !archive_segment_add(segment, &frame))
            return false;
        at += ARCHIVE_FRAME_SIZE + (int64_t)frame.stored;
        last = frame.last;
    }
    segment->whole = at;
    return at == index_at;
}

/* False: there is no good one; the frames tell. */
static bool read_index(struct scan *scan)
{
    struct archive_segment *segment = scan->segment;
    uint8_t trailer[ARCHIVE_TRAILER_SIZE];
    struct archive_frame frame = {0};
    struct bytes payload;
    int64_t position, begin = segment->whole;
    if (segment->size < begin + ARCHIVE_FRAME_SIZE + ARCHIVE_TRAILER_SIZE ||
        !archive_read_at(scan->fd, trailer, sizeof trailer, segment->size - ARCHIVE_TRAILER_SIZE) ||
        !archive_get_trailer(trailer, &position) || position < begin ||
        position > segment->size - ARCHIVE_FRAME_SIZE - ARCHIVE_TRAILER_SIZE || !frame_at(scan, position, &frame) ||
        frame.kind != ARCHIVE_INDEX ||
        position + ARCHIVE_FRAME_SIZE + (int64_t)frame.stored + ARCHIVE_TRAILER_SIZE != segment->size)
        return false;
    struct archive_inflater *inflater = archive_inflater_new();
    bool good = inflater != NULL &&
                archive_inflate(inflater, scan->fd, scan->path, &frame, &payload, NULL) == STATUS_OK &&
                take_entries(segment, payload, position);
    archive_inflater_free(inflater);
    if (!good) {
        segment->count = 0;
        segment->whole = begin;
    }
    return good;
}

static enum status read_file(struct scan *scan, struct error *error)
{
    struct archive_segment *segment = scan->segment;
    uint8_t head[ARCHIVE_HEADER_MAX];
    size_t size = segment->size < ARCHIVE_HEADER_MAX ? (size_t)segment->size : ARCHIVE_HEADER_MAX, header;
    if (!archive_read_at(scan->fd, head, size, 0))
        return disk_failed("read", scan->path, error);
    struct archive_head whose;
    if (!archive_get_header(head, size, segment->topic, &whose, &header)) {
        /* A crash may leave a file with part of a header, or with none. */
        if (!any_frame_behind(scan, 0))
            return STATUS_OK;
        return error_set(error, ERROR_FATAL, "%s: this is no archive of version %d, or its beginning is damaged",
                         scan->path, ARCHIVE_VERSION);
    }
    segment->partition = whose.partition;
    segment->id = whose.id;
    segment->whole = (int64_t)header;
    segment->finished = read_index(scan);
    return segment->finished ? STATUS_OK : scan_frames(scan, error);
}

enum status archive_segment_read(const char *path, struct archive_segment *ret, struct error *error)
{
    struct scan *scan = malloc(sizeof *scan);
    struct stat info = {0};
    *ret = (struct archive_segment){.damaged = -1};
    if (scan == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    scan->path = path;
    scan->segment = ret;
    scan->fd = open(path, O_RDONLY | O_CLOEXEC);
    enum status status = STATUS_OK;
    if (scan->fd < 0 || fstat(scan->fd, &info) != 0)
        status = disk_failed("read", path, error);
    if (status == STATUS_OK) {
        ret->size = info.st_size;
        status = read_file(scan, error);
    }
    if (scan->fd >= 0)
        close(scan->fd);
    free(scan);
    if (status != STATUS_OK)
        archive_segment_fini(ret);
    return status;
}
