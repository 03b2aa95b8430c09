/*
 * What becomes of records that do not go forward: the one place where a stage's answer turns into a verdict. Shared by transform and storing.
 */
#ifndef WEIR_PROCESSOR_REJECTS_H
#define WEIR_PROCESSOR_REJECTS_H

#include <stdbool.h>

#include "processor/batch.h"
#include "processor/connector.h"
#include "processor/context.h"
#include "processor/error.h"

struct metric;
struct metrics;

struct rejects {
    const char *stage;               /* name, for dead letters and metrics */
    struct dead_letter *dead_letter; /* NULL: none configured: a rejected record stops the service */
    bool all_branches;               /* before the stores */
    struct metrics *metrics;
    struct metric *dropped, *rejected;
};

void rejects_init(struct rejects *rejects, const char *stage, struct dead_letter *dead_letter, bool all_branches,
                  struct metrics *metrics);

/* Goes through the records that are neither FORWARD nor SETTLED: DROP is settled, REJECT is handed to the dead-letter sink (which settles it), and both become SETTLED.
 * RETRY is no answer here: whoever asks the stage has turned it into REJECT.
 * STATUS_FAILED/ERROR_FATAL: a record that stops the service (STAGE_FATAL, or rejected with no dead-letter topic), with its place in the text; it stays as it is. */
enum status rejects_settle(struct rejects *rejects, struct batch *batch, struct context *context,
                           struct error *error) WARN_UNUSED;

#endif
