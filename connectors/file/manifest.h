/*
 * The manifest: what makes files and offsets one. For each service a file .weir-SERVICE.manifest in the folder that all names of the pattern have in common,
 * of lines that are only ever appended, each with a checksum: where each partition stands, and how much of each open file is stored. A line that is whole and
 * on the disk is the commit of all it says; what is in a file beyond its size here was never stored.
 *
 * Several instances share it. Whoever reads or appends holds a lock on it (flock) and has read what the others appended before; a torn tail is cut then. When
 * it has grown, a new one with what still counts takes its place (rename), which the others notice by its inode.
 *
 * What the file shows need not be on the disk: after a sync that failed (the kernel drops what it could not write and shows it still). Then its contents are
 * written anew, as a new file, before anybody acts on them.
 *
 * Threads: one at a time; each thread that wants to read has a manifest of its own.
 */
#ifndef WEIR_CONNECTORS_FILE_MANIFEST_H
#define WEIR_CONNECTORS_FILE_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/context.h"
#include "processor/error.h"

struct manifest;

/* Touches nothing yet. */
enum status manifest_new(const char *pattern, const char *service, struct manifest **ret, struct error *error);
void manifest_free(struct manifest *manifest); /* NULL is fine */
const char *manifest_path(const struct manifest *manifest);
const char *manifest_folder(const struct manifest *manifest);

/* Locks it and reads what is new. STATUS_EMPTY: there is none, and `make` is false. Waits some seconds at most (ERROR_TRANSIENT), or until the context ends. */
enum status manifest_lock(struct manifest *manifest, bool make, struct context *context,
                          struct error *error) WARN_UNUSED;
void manifest_unlock(struct manifest *manifest);

/* -- what it says: as of the last lock -- */

int64_t manifest_offset(const struct manifest *manifest, const char *topic, int32_t partition); /* -1: none */
/* How much of the file with this path is stored; -1: it is not in the manifest. */
int64_t manifest_size(const struct manifest *manifest, const char *path);

/* -- under the lock -- */

/* Puts into the line that the next commit appends. */
void manifest_put_offset(struct manifest *manifest, const char *topic, int32_t partition, int64_t offset);
void manifest_put_size(struct manifest *manifest, const char *path, int64_t size);
/* Appends the line (none when nothing was put) and makes it durable. On failure *ret_unknown tells whether it may have come through all the same. */
enum status manifest_commit(struct manifest *manifest, bool *ret_unknown, struct error *error) WARN_UNUSED;
/* Leaves out files that are finished or gone. */
enum status manifest_compact(struct manifest *manifest, struct error *error) WARN_UNUSED;

#endif
