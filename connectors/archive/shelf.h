/*
 * What the archive has of one partition, so that nothing is written twice: a record whose offset is there already is passed over, whatever archived it and
 * when. One that has the offset but another time is not that record: it is refused. What a crash left is put right first.
 *
 * Threads: one at a time.
 */
#ifndef WEIR_CONNECTORS_ARCHIVE_SHELF_H
#define WEIR_CONNECTORS_ARCHIVE_SHELF_H

#include <stdbool.h>
#include <stdint.h>

#include "connectors/archive/writer.h"

struct archive_shelf;

/* Reads what is there, and finishes segments that a crash left. ERROR_FATAL: one is damaged, or of another topic that was called so. part: for the log. */
enum status archive_shelf_open(const char *dir, const struct archive_head *head, const char *part,
                               struct archive_packer *packer, struct archive_shelf **ret,
                               struct error *error) WARN_UNUSED;
void archive_shelf_free(struct archive_shelf *shelf); /* NULL is fine; what is not accepted is forgotten */
bool archive_shelf_is(const struct archive_shelf *shelf, const char *topic, int32_t partition);

/*
 * Of records in the order of their offsets. *ret_there: it is there already, and was passed over. STATUS_FAILED, ERROR_FATAL: the record can't be put between
 * those that are there, or another has its offset.
 */
enum status archive_shelf_add(struct archive_shelf *shelf, const struct record *record, bool *ret_there,
                              struct error *error) WARN_UNUSED;
enum status archive_shelf_sync(struct archive_shelf *shelf, struct error *error) WARN_UNUSED;
/* Segments of at least `size` bytes are finished; 0: all. A failure is told and tried again with the next. */
void archive_shelf_accept(struct archive_shelf *shelf, int64_t size);
void archive_shelf_rewind(struct archive_shelf *shelf);

#endif
