/*
 * What a store of batches (struct store_type) owes the framework when a write goes wrong: it cannot speak for batches that earlier writes since the last
 * flush have answered for. So where trying again helps, the store keeps the error (class ERROR_NONE: nothing is lost), takes no more meanwhile, and the next
 * flush fails with it, which makes the framework hand everything again.
 */
#ifndef WEIR_PROCESSOR_LOST_H
#define WEIR_PROCESSOR_LOST_H

#include <stdbool.h>

#include "processor/error.h"

/* What a write answers that was ended by status and `why`, with all forgotten since the last flush. first: no batch was handed over before it. */
enum status lost_end_write(struct error *lost, bool first, enum status status, const struct error *why,
                           struct error *error) WARN_UNUSED;
/* What the flush answers of something lost; nothing is, from then on. */
enum status lost_tell(struct error *lost, struct error *error) WARN_UNUSED;

#endif
