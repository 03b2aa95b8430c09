/* A frame's payload, read and inflated. */
#ifndef WEIR_CONNECTORS_ARCHIVE_INFLATE_H
#define WEIR_CONNECTORS_ARCHIVE_INFLATE_H

#include "connectors/archive/format.h"
#include "processor/error.h"

/* Inflates frames; its buffers are kept for the next one. */
struct archive_inflater;
struct archive_inflater *archive_inflater_new(void) WARN_UNUSED;
void archive_inflater_free(struct archive_inflater *inflater); /* NULL is fine */
/* The payload of the frame at frame->position, which must be the one that is described; valid until the next call. ERROR_FATAL: it is damaged, the text says
 * where. */
enum status archive_inflate(struct archive_inflater *inflater, int fd, const char *path,
                            const struct archive_frame *frame, struct bytes *ret, struct error *error) WARN_UNUSED;

/* So many bytes at that position, or false. */
bool archive_read_at(int fd, void *data, size_t size, int64_t position) WARN_UNUSED;

#endif
