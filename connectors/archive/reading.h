/*
 * One partition's part of a stretch, read record by record out of its segments.
 *
 * Threads: one at a time.
 */
#ifndef WEIR_CONNECTORS_ARCHIVE_READING_H
#define WEIR_CONNECTORS_ARCHIVE_READING_H

#include "connectors/archive/inflate.h"
#include "connectors/archive/segment.h"
#include "processor/stretch.h"

struct archive_catalog;

struct archive_reading {
    const struct stretch_part *part;
    const struct archive_catalog *catalog;
    unsigned name, names_end;          /* the next segment's name in the catalog */
    struct archive_inflater *inflater; /* its payload is ours as long as `loaded` */
    const char *path;
    int fd; /* -1: no segment is open */
    struct archive_segment segment;
    uint32_t frame; /* the next one of the segment */
    bool loaded;    /* payload has more */
    struct bytes payload;
    uint32_t cursor, behind; /* of the next record: where it is, and where the one after it is */
    int64_t frame_last;
    int64_t position; /* the next record is there or behind */
};

/* From that offset on. catalog, part and inflater live longer; a shared inflater serves one reading at a time, until its frame is used up. */
void archive_reading_init(struct archive_reading *reading, const struct archive_catalog *catalog,
                          const struct stretch_part *part, int64_t from, struct archive_inflater *inflater);
void archive_reading_fini(struct archive_reading *reading);
/*
 * The next record of the part; it stays the next one until archive_reading_take. STATUS_EMPTY: there is none any more. STATUS_FAILED: what is there can't
 * be read. filter: frames that have nothing in its window are passed over.
 */
enum status archive_reading_peek(struct archive_reading *reading, const struct stretch_filter *filter,
                                 struct archive_record *ret, struct error *error) WARN_UNUSED;
void archive_reading_take(struct archive_reading *reading, const struct archive_record *record);

#endif
