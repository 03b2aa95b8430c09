/*
 * Do the segments of a partition fit their names, and each other? What makes a replay refuse them is what `weir archive --verify` has to tell: who deletes a topic after it
 * relies on the archive.
 */
#ifndef WEIR_CONNECTORS_ARCHIVE_ORDER_H
#define WEIR_CONNECTORS_ARCHIVE_ORDER_H

#include "connectors/archive/catalog.h"
#include "connectors/archive/segment.h"

/* What is known of those before; all zero: none yet. */
struct archive_order {
    const char *path; /* of the last that has records */
    int64_t last;     /* its last offset */
    struct topic_id id;
    const char *id_path; /* of the first that has an id */
};

/* Both ids are known, and they are not the same. */
bool archive_is_another(const struct topic_id *a, const struct topic_id *b);

/*
 * The next segment of a partition, in the order of a catalog, whose paths are kept. STATUS_FAILED, ERROR_FATAL: it's of another partition or topic than its name says, or
 * begins at another offset, has offsets in common with the one before, or is of another topic that was called so. The order goes on with it all the same. Damage is not
 * looked for.
 */
enum status archive_order_add(struct archive_order *order, const struct archive_name *name,
                              const struct archive_segment *segment, struct error *error) WARN_UNUSED;

#endif
