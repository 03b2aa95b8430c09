/*
 * Reading a segment: what frames it has, and what is in one. Nothing in the file is trusted: a damaged one is never a crash, and never more memory than a
 * frame may have.
 *
 * Threads: one at a time.
 */
#ifndef WEIR_CONNECTORS_ARCHIVE_SEGMENT_H
#define WEIR_CONNECTORS_ARCHIVE_SEGMENT_H

#include "connectors/archive/format.h"
#include "processor/error.h"

struct archive_segment {
    char topic[ARCHIVE_TOPIC_MAX + 1]; /* "": not even the header is whole */
    int32_t partition;
    struct topic_id id;
    struct archive_frame *frames; /* of records, as the index has them */
    uint32_t count, room;
    int64_t size;    /* of the file */
    int64_t whole;   /* behind the last whole frame of records; 0: not even the header is */
    bool finished;   /* has its index */
    int64_t damaged; /* where a frame is no good that has whole ones behind it; -1: none */
};

/* Reads the index; where there is none, all of the file. STATUS_FAILED: it cannot be read, or is no segment of ours; damage inside is not that. */
enum status archive_segment_read(const char *path, struct archive_segment *ret, struct error *error) WARN_UNUSED;
void archive_segment_fini(struct archive_segment *segment);
/* False: out of memory. */
bool archive_segment_add(struct archive_segment *segment, const struct archive_frame *frame) WARN_UNUSED;
/* What is behind the last whole frame and no index: a torn tail. */
int64_t archive_segment_torn(const struct archive_segment *segment);
uint64_t archive_segment_records(const struct archive_segment *segment);

#endif
