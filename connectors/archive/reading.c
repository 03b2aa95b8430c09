#include "connectors/archive/reading.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "connectors/archive/catalog.h"
#include "processor/disk.h"
#include "processor/log.h"

void archive_reading_init(struct archive_reading *reading, const struct archive_catalog *catalog,
                          const struct stretch_part *part, int64_t from, struct archive_inflater *inflater)
{
    *reading = (struct archive_reading){
        .part = part, .catalog = catalog, .inflater = inflater, .fd = -1, .position = from, .segment = {.damaged = -1}};
    bool found = false;
    for (unsigned i = 0; i < catalog->count; i++) {
        const struct archive_name *name = &catalog->names[i];
        if (name->partition != part->partition || strcmp(name->topic, part->topic) != 0)
            continue;
        if (!found)
            reading->name = i;
        found = true;
        /* The name says where it begins: those before the last that begins in time are not needed. */
        if (name->first <= from)
            reading->name = i;
        reading->names_end = i + 1;
    }
}

static void close_segment(struct archive_reading *reading)
{
    if (reading->fd >= 0)
        close(reading->fd);
    reading->fd = -1;
    archive_segment_fini(&reading->segment);
    reading->frame = 0;
    reading->loaded = false;
}

static void end(struct archive_reading *reading)
{
    close_segment(reading);
    reading->position = reading->part->end;
}

void archive_reading_fini(struct archive_reading *reading)
{
    close_segment(reading);
}

static enum status open_segment(struct archive_reading *reading, struct error *error)
{
    const struct archive_name *name = &reading->catalog->names[reading->name];
    enum status status = archive_segment_read(name->path, &reading->segment, error);
    if (status == STATUS_OK && reading->segment.damaged >= 0)
        status = error_set(error, ERROR_FATAL, "%s is damaged at byte %lld, and has whole frames behind that",
                           name->path, (long long)reading->segment.damaged);
    if (status == STATUS_OK && archive_segment_torn(&reading->segment) > 0)
        log_warn("archive", "%s: the last %lld bytes are torn: what they had is not read", name->path,
                 (long long)archive_segment_torn(&reading->segment));
    if (status == STATUS_OK) {
        reading->path = name->path;
        reading->name++;
        reading->fd = open(name->path, O_RDONLY | O_CLOEXEC);
        if (reading->fd < 0)
            status = disk_failed("read", name->path, error);
    }
    if (status != STATUS_OK)
        archive_segment_fini(&reading->segment);
    return status;
}

static bool may_have(const struct stretch_filter *filter, const struct archive_frame *frame)
{
    if (filter->time != NULL || (filter->from_time == INT64_MIN && filter->to_time == INT64_MAX))
        return true;
    return frame->latest >= 0 && frame->latest >= filter->from_time && frame->earliest < filter->to_time;
}

/* The next frame that may have something; STATUS_EMPTY: there is none in this segment. */
static enum status load_frame(struct archive_reading *reading, const struct stretch_filter *filter, struct error *error)
{
    while (reading->frame < reading->segment.count) {
        const struct archive_frame *frame = &reading->segment.frames[reading->frame++];
        if (frame->last < reading->position)
            continue;
        if (frame->first >= reading->part->end)
            return STATUS_EMPTY;
        if (!may_have(filter, frame)) {
            reading->position = frame->last + 1 < reading->part->end ? frame->last + 1 : reading->part->end;
            continue;
        }
        enum status status = archive_inflate(reading->inflater, reading->fd, reading->path, frame, &reading->payload,
                                             error);
        if (status != STATUS_OK)
            return status;
        /* The index and the header may be written to mislead, with checksums that are right: what is outside would be read twice, or never. */
        if (!archive_frame_holds(frame, reading->payload))
            return error_set(error, ERROR_FATAL,
                             "%s: the records of the frame at byte %lld are not what its header says", reading->path,
                             (long long)frame->position);
        reading->cursor = 0;
        reading->frame_last = frame->last;
        reading->loaded = true;
        return STATUS_OK;
    }
    return STATUS_EMPTY;
}

static enum status load(struct archive_reading *reading, const struct stretch_filter *filter, struct error *error)
{
    for (;;) {
        enum status status = STATUS_EMPTY;
        if (reading->fd >= 0)
            status = load_frame(reading, filter, error);
        if (status != STATUS_EMPTY)
            return status;
        close_segment(reading);
        if (reading->position >= reading->part->end || reading->name >= reading->names_end) {
            end(reading);
            return STATUS_EMPTY;
        }
        status = open_segment(reading, error);
        if (status != STATUS_OK)
            return status;
    }
}

enum status archive_reading_peek(struct archive_reading *reading, const struct stretch_filter *filter,
                                 struct archive_record *ret, struct error *error)
{
    for (;;) {
        enum status status = reading->loaded ? STATUS_OK : load(reading, filter, error);
        if (status != STATUS_OK)
            return status;
        uint32_t cursor = reading->cursor;
        status = archive_get_record(reading->payload, &cursor, ret);
        if (status == STATUS_FAILED)
            return error_set(error, ERROR_FATAL, "%s: behind offset %lld a record is not as the format says",
                             reading->path, (long long)reading->position);
        if (status == STATUS_EMPTY) {
            if (reading->frame_last >= reading->position)
                reading->position = reading->frame_last + 1;
            reading->loaded = false;
            continue;
        }
        if (ret->offset >= reading->part->end) {
            end(reading);
            return STATUS_EMPTY;
        }
        reading->behind = cursor;
        if (ret->offset >= reading->position)
            return STATUS_OK;
        reading->cursor = cursor;
    }
}

void archive_reading_take(struct archive_reading *reading, const struct archive_record *record)
{
    reading->cursor = reading->behind;
    reading->position = record->offset + 1;
    reading->loaded = reading->cursor < reading->payload.size;
}
