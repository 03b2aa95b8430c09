#include "connectors/archive/lookup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "connectors/archive/inflate.h"
#include "processor/disk.h"

void archive_lookup_fini(struct archive_lookup *lookup)
{
    if (lookup->path != NULL)
        archive_segment_fini(&lookup->segment);
    free(lookup->records);
    *lookup = (struct archive_lookup){0};
}

static enum status read_records(struct archive_lookup *lookup, struct archive_inflater *inflater, int fd,
                                struct error *error)
{
    struct archive_record record;
    struct bytes payload = {0};
    uint32_t cursor = 0, count = 0;
    enum status status = archive_inflate(inflater, fd, lookup->path, lookup->frame, &payload, error);
    if (status != STATUS_OK)
        return status;
    if (!archive_frame_holds(lookup->frame, payload))
        return error_set(error, ERROR_FATAL, "%s: the records of the frame at byte %lld are not what its header says",
                         lookup->path, (long long)lookup->frame->position);
    while (count < lookup->frame->count && archive_get_record(payload, &cursor, &record) == STATUS_OK)
        lookup->records[count++] = (struct archive_known){.offset = record.offset, .timestamp = record.timestamp};
    return STATUS_OK;
}

static enum status list_records(struct archive_lookup *lookup, struct error *error)
{
    struct archive_inflater *inflater = archive_inflater_new();
    lookup->records = malloc(lookup->frame->count * sizeof *lookup->records);
    enum status status = STATUS_OK;
    int fd = -1;
    if (inflater == NULL || lookup->records == NULL)
        status = error_set(error, ERROR_TRANSIENT, "out of memory");
    else if ((fd = open(lookup->path, O_RDONLY | O_CLOEXEC)) < 0)
        status = disk_failed("read", lookup->path, error);
    else
        status = read_records(lookup, inflater, fd, error);
    if (fd >= 0)
        close(fd);
    archive_inflater_free(inflater);
    if (status != STATUS_OK) {
        free(lookup->records);
        lookup->records = NULL;
    }
    return status;
}

static bool spans_offset(const struct archive_frame *frame, int64_t offset)
{
    return frame->first <= offset && offset <= frame->last;
}

/* Finds the frame of the file in which the offset would be. */
static enum status look(struct archive_lookup *lookup, const char *path, int64_t offset, struct error *error)
{
    if (lookup->path != path) {
        archive_lookup_fini(lookup);
        enum status status = archive_segment_read(path, &lookup->segment, error);
        if (status != STATUS_OK)
            return status;
        lookup->path = path;
    }
    if (lookup->frame != NULL && spans_offset(lookup->frame, offset))
        return STATUS_OK;
    free(lookup->records);
    lookup->records = NULL;
    lookup->frame = NULL;
    for (uint32_t i = 0; i < lookup->segment.count && lookup->frame == NULL; i++)
        if (spans_offset(&lookup->segment.frames[i], offset))
            lookup->frame = &lookup->segment.frames[i];
    return STATUS_OK;
}

/* Has the frame every offset, and is the record's time one of its times? Then that is not looked at record by record. */
static bool fits(const struct archive_frame *frame, const struct record *record)
{
    if (frame->count != (uint64_t)(frame->last - frame->first) + 1)
        return false;
    if (record->timestamp < 0)
        return frame->latest < 0;
    return frame->earliest >= 0 && frame->earliest <= record->timestamp && record->timestamp <= frame->latest;
}

static int compare(const void *left, const void *right)
{
    const struct archive_known *a = left, *b = right;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

enum status archive_lookup(struct archive_lookup *lookup, const char *path, const struct record *record,
                           int64_t *ret_timestamp, struct error *error)
{
    const struct archive_known wanted = {.offset = record->offset};
    enum status status = look(lookup, path, record->offset, error);
    if (status != STATUS_OK)
        return status;
    if (lookup->frame == NULL)
        return STATUS_EMPTY;
    *ret_timestamp = record->timestamp;
    if (fits(lookup->frame, record))
        return STATUS_OK;
    if (lookup->records == NULL)
        status = list_records(lookup, error);
    if (status != STATUS_OK)
        return status;
    const struct archive_known *known = bsearch(&wanted, lookup->records, lookup->frame->count, sizeof wanted, compare);
    if (known == NULL)
        return STATUS_EMPTY;
    *ret_timestamp = known->timestamp;
    return STATUS_OK;
}
