/* Has a segment a record with an offset, and is it that record? What was read for one is kept for the next, as they come in their order. */
#ifndef WEIR_CONNECTORS_ARCHIVE_LOOKUP_H
#define WEIR_CONNECTORS_ARCHIVE_LOOKUP_H

#include "connectors/archive/segment.h"

struct archive_known {
    int64_t offset, timestamp;
};

/* All 0 at first. */
struct archive_lookup {
    const char *path; /* NULL: none */
    struct archive_segment segment;
    const struct archive_frame *frame; /* of the segment: where the last one would be; NULL: none has the offset */
    struct archive_known *records;     /* of the frame; NULL: not read */
};

void archive_lookup_fini(struct archive_lookup *lookup);
/*
 * STATUS_OK: there is one with its offset, *ret_timestamp says of what time: when all offsets are in the frame and the time is within the frame's, the
 * record's own, as that needs no reading. STATUS_EMPTY: there is none. path lives as long as the lookup, and what is in the file does not change.
 */
enum status archive_lookup(struct archive_lookup *lookup, const char *path, const struct record *record,
                           int64_t *ret_timestamp, struct error *error) WARN_UNUSED;

#endif
