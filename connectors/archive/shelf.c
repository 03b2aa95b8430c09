/*
 * See shelf.h. Segments of a partition have no offsets in common, so a record that belongs behind one that is there and before another needs a segment of
 * its own; the one before it is `retired` then: finished with the next accept.
 */
#include "connectors/archive/shelf.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/archive/catalog.h"
#include "connectors/archive/lookup.h"
#include "connectors/archive/order.h"
#include "connectors/archive/segment.h"
#include "processor/disk.h"
#include "processor/log.h"
#include "processor/timestamp.h"

/* A finished segment. */
struct span {
    char *path;
    int64_t first, last;
};

struct archive_shelf {
    struct archive_head head; /* its topic is ours */
    const char *part;
    char folder[PATH_MAX];
    struct archive_packer *packer;
    struct span *spans; /* by offset */
    unsigned count, room;
    struct archive_lookup lookup;
    struct archive_writer *writer; /* NULL: none is open */
    struct archive_writer **retired;
    unsigned retired_count;
};

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_TRANSIENT, "out of memory");
}

/* -- what is there -- */

static bool add_span(struct archive_shelf *shelf, const char *path, int64_t first, int64_t last)
{
    if (shelf->count == shelf->room) {
        unsigned room = shelf->room > 0 ? shelf->room * 2 : 8;
        struct span *spans = realloc(shelf->spans, room * sizeof *spans);
        if (spans == NULL)
            return false;
        shelf->spans = spans;
        shelf->room = room;
    }
    char *copy = strdup(path);
    if (copy == NULL)
        return false;
    unsigned at = shelf->count++;
    for (; at > 0 && shelf->spans[at - 1].first > first; at--)
        shelf->spans[at] = shelf->spans[at - 1];
    shelf->spans[at] = (struct span){.path = copy, .first = first, .last = last};
    return true;
}

/* Cuts off what is torn, and writes the index. */
static enum status put_right(struct archive_shelf *shelf, const char *path, struct archive_segment *segment,
                             struct error *error)
{
    struct archive_writer *writer;
    int64_t torn = archive_segment_torn(segment);
    if (segment->damaged >= 0)
        return error_set(error, ERROR_FATAL,
                         "%s is damaged at byte %lld, and has whole frames behind that: move it away, and archive its "
                         "records again",
                         path, (long long)segment->damaged);
    if (torn > 0)
        log_warn(shelf->part, "%s: %lld bytes behind offset %lld are torn, and cut off", path, (long long)torn,
                 segment->count > 0 ? (long long)segment->frames[segment->count - 1].last : -1);
    enum status status = archive_writer_reopen(path, segment, shelf->packer, &writer, error);
    if (status != STATUS_OK)
        return status;
    if (!archive_writer_empty(writer))
        status = archive_writer_finish(writer, error);
    if (status == STATUS_OK && !archive_writer_empty(writer) &&
        !add_span(shelf, path, archive_writer_first(writer), archive_writer_last(writer)))
        status = no_memory(error);
    archive_writer_free(writer);
    return status;
}

/* Whoever wrote it may have been killed before it was on the disk for sure, and what we pass over counts as stored. */
static enum status make_sure(const char *path, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum status status = STATUS_OK;
    if (fd < 0 || fdatasync(fd) != 0)
        status = disk_failed("fdatasync", path, error);
    if (fd >= 0)
        close(fd);
    return status;
}

static enum status take_up(struct archive_shelf *shelf, const struct archive_name *name, struct error *error)
{
    struct archive_segment segment;
    enum status status = archive_segment_read(name->path, &segment, error);
    if (status != STATUS_OK)
        return status;
    if (segment.topic[0] != '\0' &&
        (strcmp(segment.topic, shelf->head.topic) != 0 || segment.partition != shelf->head.partition))
        status = error_set(error, ERROR_FATAL, "%s has records of %s/%d in it", name->path, segment.topic,
                           segment.partition);
    else if (archive_is_another(&segment.id, &shelf->head.id))
        status = error_set(error, ERROR_FATAL,
                           "%s has records of an earlier topic %s: it was deleted and made anew since; archive into "
                           "another folder",
                           name->path, shelf->head.topic);
    else if (!segment.finished || segment.count == 0)
        status = put_right(shelf, name->path, &segment, error);
    else {
        status = make_sure(name->path, error);
        if (status == STATUS_OK &&
            !add_span(shelf, name->path, segment.frames[0].first, segment.frames[segment.count - 1].last))
            status = no_memory(error);
    }
    archive_segment_fini(&segment);
    return status;
}

static enum status check_spans(const struct archive_shelf *shelf, struct error *error)
{
    for (unsigned i = 1; i < shelf->count; i++)
        if (shelf->spans[i].first <= shelf->spans[i - 1].last)
            return error_set(error, ERROR_FATAL, "%s and %s have offsets in common: move one of them away",
                             shelf->spans[i - 1].path, shelf->spans[i].path);
    return STATUS_OK;
}

enum status archive_shelf_open(const char *dir, const struct archive_head *head, const char *part,
                               struct archive_packer *packer, struct archive_shelf **ret, struct error *error)
{
    const char *topic = head->topic;
    struct archive_catalog catalog;
    struct archive_shelf *shelf = calloc(1, sizeof *shelf);
    char *copy = strdup(topic);
    if (shelf == NULL || copy == NULL) {
        free(copy);
        free(shelf);
        return no_memory(error);
    }
    shelf->head = *head;
    shelf->head.topic = copy;
    shelf->part = part;
    shelf->packer = packer;
    enum status status = STATUS_OK;
    if (!archive_topic_good(topic) ||
        snprintf(shelf->folder, sizeof shelf->folder, "%s/%s", dir, topic) >= (int)sizeof shelf->folder)
        status = error_set(error, ERROR_FATAL, "there can be no folder %s/%s", dir, topic);
    if (status == STATUS_OK)
        status = disk_make_folder(shelf->folder, error);
    if (status == STATUS_OK)
        status = archive_catalog_read(dir, topic, head->partition, &catalog, error);
    if (status == STATUS_OK) {
        for (unsigned i = 0; i < catalog.count && status == STATUS_OK; i++)
            status = take_up(shelf, &catalog.names[i], error);
        archive_catalog_fini(&catalog);
    }
    if (status == STATUS_OK)
        status = check_spans(shelf, error);
    if (status == STATUS_OK && shelf->count > 0)
        status = disk_sync_folder(shelf->folder, error);
    if (status != STATUS_OK) {
        archive_shelf_free(shelf);
        return status;
    }
    *ret = shelf;
    return STATUS_OK;
}

void archive_shelf_free(struct archive_shelf *shelf)
{
    if (shelf == NULL)
        return;
    archive_writer_free(shelf->writer);
    for (unsigned i = 0; i < shelf->retired_count; i++)
        archive_writer_free(shelf->retired[i]);
    free(shelf->retired);
    archive_lookup_fini(&shelf->lookup);
    for (unsigned i = 0; i < shelf->count; i++)
        free(shelf->spans[i].path);
    free(shelf->spans);
    free((char *)shelf->head.topic);
    free(shelf);
}

bool archive_shelf_is(const struct archive_shelf *shelf, const char *topic, int32_t partition)
{
    return shelf->head.partition == partition && strcmp(shelf->head.topic, topic) == 0;
}

/* -- is it there? -- */

/* How many segments begin at the offset or before it. */
static unsigned begun_before(const struct archive_shelf *shelf, int64_t offset)
{
    unsigned low = 0, high = shelf->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (shelf->spans[middle].first <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void time_text(int64_t ms, char text[TIMESTAMP_MAX + 1])
{
    size_t size = ms >= 0 ? timestamp_write((uint8_t *)text, ms) : (size_t)snprintf(text, TIMESTAMP_MAX, "none");
    text[size] = '\0';
}

/* Offsets begin anew in a topic that was deleted and made again: to pass its records over would be to lose them. */
static enum status refuse_another(const struct archive_shelf *shelf, const struct record *record, const char *path,
                                  int64_t there, struct error *error)
{
    char times[2][TIMESTAMP_MAX + 1];
    time_text(record->timestamp, times[0]);
    time_text(there, times[1]);
    return error_set(error, ERROR_FATAL,
                     "%s/%d@%lld (time: %s) is another record than the one that is archived in %s (time: %s): was the "
                     "topic deleted and made again? Archive into another --dir",
                     shelf->head.topic, shelf->head.partition, (long long)record->offset, times[0], path, times[1]);
}

/* STATUS_OK: it is there. STATUS_EMPTY: nothing of the kind. */
static enum status find(struct archive_shelf *shelf, const struct record *record, struct error *error)
{
    int64_t there = -1;
    unsigned begun = begun_before(shelf, record->offset);
    const struct span *span = begun > 0 ? &shelf->spans[begun - 1] : NULL;
    if (span == NULL || record->offset > span->last)
        return STATUS_EMPTY;
    enum status status = archive_lookup(&shelf->lookup, span->path, record, &there, error);
    if (status == STATUS_OK && there != record->timestamp)
        return refuse_another(shelf, record, span->path, there, error);
    if (status != STATUS_EMPTY)
        return status;
    return error_set(
        error, ERROR_FATAL,
        "%s has offsets %lld to %lld of %s/%d, but not %lld, which can't be put between them: archive into "
        "another folder",
        span->path, (long long)span->first, (long long)span->last, shelf->head.topic, shelf->head.partition,
        (long long)record->offset);
}

/* -- writing -- */

/* Is there a segment between what the writer has and this offset? */
static bool stands_between(const struct archive_shelf *shelf, int64_t last, int64_t offset)
{
    unsigned begun = begun_before(shelf, offset);
    return begun > 0 && shelf->spans[begun - 1].first > last;
}

static enum status retire(struct archive_shelf *shelf, struct error *error)
{
    struct archive_writer **retired = realloc(shelf->retired,
                                              (shelf->retired_count + 1) * sizeof(struct archive_writer *));
    if (retired == NULL)
        return no_memory(error);
    shelf->retired = retired;
    shelf->retired[shelf->retired_count++] = shelf->writer;
    shelf->writer = NULL;
    return STATUS_OK;
}

/* By a retired writer, or the open one: a batch that comes again. */
static bool is_being_written(const struct archive_shelf *shelf, int64_t offset)
{
    for (unsigned i = 0; i < shelf->retired_count; i++)
        if (archive_writer_last(shelf->retired[i]) >= offset)
            return true;
    return shelf->writer != NULL && archive_writer_last(shelf->writer) >= offset;
}

enum status archive_shelf_add(struct archive_shelf *shelf, const struct record *record, bool *ret_there,
                              struct error *error)
{
    enum status status = is_being_written(shelf, record->offset) ? STATUS_OK : find(shelf, record, error);
    *ret_there = status == STATUS_OK;
    if (status != STATUS_EMPTY)
        return status;
    status = STATUS_OK;
    if (shelf->writer != NULL && stands_between(shelf, archive_writer_last(shelf->writer), record->offset))
        status = retire(shelf, error);
    if (status == STATUS_OK && shelf->writer == NULL)
        status = archive_writer_new(shelf->folder, &shelf->head, record->offset, shelf->packer, &shelf->writer, error);
    return status == STATUS_OK ? archive_writer_add(shelf->writer, record, error) : status;
}

enum status archive_shelf_sync(struct archive_shelf *shelf, struct error *error)
{
    enum status status = shelf->writer != NULL ? archive_writer_sync(shelf->writer, error) : STATUS_OK;
    for (unsigned i = 0; i < shelf->retired_count && status == STATUS_OK; i++)
        status = archive_writer_sync(shelf->retired[i], error);
    return status;
}

static bool finish(struct archive_shelf *shelf, struct archive_writer *writer)
{
    struct error error = {0};
    if (archive_writer_finish(writer, &error) != STATUS_OK) {
        log_warn(shelf->part, "segment not finished: %s", error.text);
        return false;
    }
    if (!add_span(shelf, archive_writer_path(writer), archive_writer_first(writer), archive_writer_last(writer)))
        log_warn(shelf->part, "out of memory: %s is not remembered", archive_writer_path(writer));
    archive_writer_free(writer);
    return true;
}

void archive_shelf_accept(struct archive_shelf *shelf, int64_t size)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < shelf->retired_count; i++) {
        archive_writer_accept(shelf->retired[i]);
        if (!finish(shelf, shelf->retired[i]))
            shelf->retired[kept++] = shelf->retired[i];
    }
    shelf->retired_count = kept;
    if (shelf->writer == NULL)
        return;
    archive_writer_accept(shelf->writer);
    if (archive_writer_size(shelf->writer) >= size && !archive_writer_empty(shelf->writer) &&
        finish(shelf, shelf->writer))
        shelf->writer = NULL;
}

/* NULL: there is nothing good in it. */
static struct archive_writer *rewound(struct archive_writer *writer)
{
    archive_writer_rewind(writer);
    if (!archive_writer_empty(writer))
        return writer;
    archive_writer_free(writer);
    return NULL;
}

void archive_shelf_rewind(struct archive_shelf *shelf)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < shelf->retired_count; i++) {
        struct archive_writer *writer = rewound(shelf->retired[i]);
        if (writer != NULL)
            shelf->retired[kept++] = writer;
    }
    shelf->retired_count = kept;
    if (shelf->writer != NULL)
        shelf->writer = rewound(shelf->writer);
}
