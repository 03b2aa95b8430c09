/* The committed offset of each partition, kept over rebuilds of the group: for the receipt. Threads: all functions from any thread. */
#ifndef WEIR_PROCESSOR_OFFSETS_H
#define WEIR_PROCESSOR_OFFSETS_H

#include <stdint.h>

#include "processor/status.h"

struct offsets;

struct offsets *offsets_new(void) WARN_UNUSED;
void offsets_free(struct offsets *offsets);
/* Out of memory: the partition is left out (the receipt is a report, not the record of truth). */
void offsets_set(struct offsets *offsets, const char *topic, int32_t partition, int64_t offset);
/* Visits all, ordered by topic and partition, under the lock: visit must not come back here. */
void offsets_each(struct offsets *offsets,
                  void (*visit)(const char *topic, int32_t partition, int64_t offset, void *arg), void *arg);

#endif
