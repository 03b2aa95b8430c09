/*
 * One segment that is being written. Like the file store's files: what was added since the last accept can be forgotten, whatever went wrong.
 *
 * Threads: one at a time.
 */
#ifndef WEIR_CONNECTORS_ARCHIVE_WRITER_H
#define WEIR_CONNECTORS_ARCHIVE_WRITER_H

#include "connectors/archive/segment.h"
#include "processor/batch.h"
#include "processor/error.h"

/* What writers share: zstd's context, and its room. */
struct archive_packer;
struct archive_packer *archive_packer_new(int level) WARN_UNUSED;
void archive_packer_free(struct archive_packer *packer); /* NULL is fine */

struct archive_writer;

/* A new file in the folder, which is there. */
enum status archive_writer_new(const char *folder, const struct archive_head *head, int64_t first,
                               struct archive_packer *packer, struct archive_writer **ret,
                               struct error *error) WARN_UNUSED;
/* A file that a crash left: what is torn is cut off, the rest counts as accepted. Takes the segment's frames. */
enum status archive_writer_reopen(const char *path, struct archive_segment *segment, struct archive_packer *packer,
                                  struct archive_writer **ret, struct error *error) WARN_UNUSED;
/* Closes it as it is. A file in which nothing was ever accepted is removed. NULL is fine. */
void archive_writer_free(struct archive_writer *writer);

/* The record's offset is behind all before it, its size at most ARCHIVE_RAW_MAX. Writes a frame when there is enough for one. */
enum status archive_writer_add(struct archive_writer *writer, const struct record *record,
                               struct error *error) WARN_UNUSED;
/* All of it to the disk, for sure. */
enum status archive_writer_sync(struct archive_writer *writer, struct error *error) WARN_UNUSED;
/* What was synced stays. */
void archive_writer_accept(struct archive_writer *writer);
/* Forgets what was not accepted. Where nothing ever was, the file is of no use any more: a sync that failed may have lost its beginning too. */
void archive_writer_rewind(struct archive_writer *writer);
/* Writes the index, durably; nothing is added any more. Everything is accepted. After a failure it may be tried again. */
enum status archive_writer_finish(struct archive_writer *writer, struct error *error) WARN_UNUSED;

bool archive_writer_empty(const struct archive_writer *writer); /* nothing was accepted */
const char *archive_writer_path(const struct archive_writer *writer);
int64_t archive_writer_size(const struct archive_writer *writer); /* of the file */
int64_t archive_writer_first(const struct archive_writer *writer);
int64_t archive_writer_last(const struct archive_writer *writer); /* offset, accepted or not; -1: none */

#endif
