/*
 * Fan-in in order: workers took batches with consecutive sequence numbers (queue_pop) and hand their results on in that order. A worker waits for its turn; as many batches
 * as there are workers are in hand at most, and the one whose turn it is never waits.
 */
#ifndef WEIR_PROCESSOR_SEQUENCER_H
#define WEIR_PROCESSOR_SEQUENCER_H

#include <stdint.h>

#include "processor/context.h"

struct sequencer;

struct sequencer *sequencer_new(void) WARN_UNUSED;
void sequencer_free(struct sequencer *sequencer);
/* Until all before `sequence` are done. */
enum status sequencer_wait(struct sequencer *sequencer, uint64_t sequence, struct context *context) WARN_UNUSED;
/* Every number must be done once, in its turn. */
void sequencer_done(struct sequencer *sequencer, uint64_t sequence);

#endif
