/* One stage by itself, configured by YAML, with one worker. */
#ifndef WEIR_TESTS_SUPPORT_STAGED_H
#define WEIR_TESTS_SUPPORT_STAGED_H

#include "processor/metrics.h"
#include "processor/stage.h"
#include "tests/support/records.h"

struct parsed;

struct staged {
    const struct stage_type *type;
    struct parsed *parsed;
    struct metrics *metrics;
    struct records records;
    void *stage, *worker;
    char answer[4096]; /* of staged_ask */
};

/* yaml: what stands under the stage's key. Relative paths in it are relative to dir. Asserts that it is good and that the stage opens. The stage's name is
 * its type's. */
void staged_init(struct staged *staged, const struct stage_type *type, const char *dir, const char *yaml);
void staged_fini(struct staged *staged); /* asserts that all batches are back */
/* The same, but the stage must not open; the error is in `answer`. Nothing to fini. */
void staged_refuse(struct staged *staged, const struct stage_type *type, const char *dir, const char *yaml);
/* The whole report of a config that must be wrong: expected stands in it. */
void staged_expect_mistake(const struct stage_type *type, const char *yaml, const char *expected);

void staged_process(struct staged *staged, struct batch *batch);
/* One record with this JSON document through the stage: its document afterwards, or its answer as "drop", "reject CLASS: MESSAGE" and so on. */
const char *staged_ask(struct staged *staged, const char *json);
/* How a record was answered, in the same words; of a forwarded one its document. Until the next call. */
const char *staged_answer(struct staged *staged, struct batch *batch, const struct record *record);

#endif
