/*
 * What is to be remembered of each partition over rebuilds of the group: its committed offset, for the receipt, and where it is to end (exit at end).
 * Threads: all functions from any thread.
 */
#ifndef WEIR_PROCESSOR_OFFSETS_H
#define WEIR_PROCESSOR_OFFSETS_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/status.h"

struct offsets;

struct offsets *offsets_new(void) WARN_UNUSED;
void offsets_free(struct offsets *offsets);
/* Out of memory: the partition is left out (the receipt is a report, not the record of truth). */
void offsets_set(struct offsets *offsets, const char *topic, int32_t partition, int64_t offset);
/* -1: none. */
int64_t offsets_get(struct offsets *offsets, const char *topic, int32_t partition);
/* Records that count against a limit (struct stretch's max_records), over all runs. */
void offsets_add_taken(struct offsets *offsets, int64_t records);
int64_t offsets_get_taken(struct offsets *offsets);
/* -1: not known (any more). False: out of memory. */
bool offsets_set_end(struct offsets *offsets, const char *topic, int32_t partition, int64_t end) WARN_UNUSED;
int64_t offsets_get_end(struct offsets *offsets, const char *topic, int32_t partition);
/* Visits all that have a committed offset, ordered by topic and partition, under the lock: visit must not come back here. */
void offsets_each(struct offsets *offsets,
                  void (*visit)(const char *topic, int32_t partition, int64_t offset, void *arg), void *arg);

#endif
