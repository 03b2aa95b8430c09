/* A record as one JSON object with all that it has: what `weir archive --format ndjson` writes a line of. For the command line; no config names it. */
#ifndef WEIR_STAGES_ENVELOPE_H
#define WEIR_STAGES_ENVELOPE_H

#include "processor/stage.h"

extern const struct stage_type envelope_stage;

#endif
