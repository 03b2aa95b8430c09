/*
 * Exactly-once delivery into files. A flush writes and syncs the files, then appends one line to the manifest with where the partitions stand now and how big
 * each file is that it touched: that line is the commit. The offsets in it are moved by compare-and-swap under the manifest's lock.
 *
 * Where that line could not be synced, nobody knows whether it came through, and until the manifest was looked at again the files keep what it speaks of:
 * `unknown`.
 */
#ifndef WEIR_CONNECTORS_FILE_ONCE_H
#define WEIR_CONNECTORS_FILE_ONCE_H

#include "connectors/file/output.h"
#include "processor/connector.h"

struct once;

/* Makes the pattern's constant folder and the manifest in it, and finishes what a crash left, as far as it was stored. Logs as `part`. */
enum status once_open(const char *pattern, const char *service, const char *part, struct context *context,
                      struct once **ret, struct error *error) WARN_UNUSED;
void once_close(struct once *once); /* after the outputs; NULL is fine */

/* Tells the manifest of the output's file: before anything is written to it when it was made just now. */
enum status once_register(struct once *once, const struct output *output, bool made, struct context *context,
                          struct error *error) WARN_UNUSED;
bool once_is_unknown(const struct once *once);
/* Looks whether the last commit came through, when that is unknown, and takes what it speaks of as good, or back. */
enum status once_settle(struct once *once, struct output *const *outputs, uint32_t count, struct context *context,
                        struct error *error) WARN_UNUSED;
/* Takes the moves for the commit that follows; looks whether they can be made (ERROR_RESTART: fenced) or are made already. */
enum status once_move(struct once *once, const struct offset_move *moves, unsigned count, struct context *context,
                      bool *ret_already, struct error *error) WARN_UNUSED;
void once_forget(struct once *once); /* the moves */
/* Commits the moves and what the outputs have on the disk beyond what was accepted. Not `already`: the outputs are to be accepted. */
enum status once_commit(struct once *once, struct output *const *outputs, uint32_t count, struct context *context,
                        bool *ret_already, struct error *error) WARN_UNUSED;

/* As struct store_offsets says. */
enum status once_read(const void *config, const struct connector_env *env, struct offset_start *starts, unsigned count,
                      struct context *context, struct error *error);

#endif
