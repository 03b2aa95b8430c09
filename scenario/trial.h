/*
 * One run of a scenario: the very pipeline of its config, with a source that hands over the scenario's records, stores that keep what they would write, dead
 * letters that are kept too, and every step watched (trial_step.c), or answered for as the scenario declares.
 *
 * Threads: the pipeline's while it runs, under the mutex; afterwards only whoever started it.
 */
#ifndef WEIR_SCENARIO_TRIAL_H
#define WEIR_SCENARIO_TRIAL_H

#include <pthread.h>

#include "processor/pipeline.h"
#include "processor/stage.h"
#include "scenario/suite.h"

/* A record of the input and what became of it. */
struct trial_record {
    const struct spec_record *given;
    bool issued;                        /* the source got that far */
    const char *drop_stage, *drop_step; /* who dropped it; NULL: nobody did */
    uint32_t stored, refused;           /* by which stores: a bit each */
    bool rejected;                      /* before the stores */
};

struct trial_output {
    uint32_t record;   /* index */
    uint8_t kind;      /* enum document_kind */
    struct bytes text; /* the document as it is encoded; data NULL: null */
    struct store_preview preview;
};

struct trial_letter {
    uint32_t record;
    const char *stage, *class, *message;
};

struct trial_store {
    struct trial *trial;
    unsigned number;
    const struct pipeline_store *real;
    const struct scenario_store *scenario;
    struct trial_output *outputs; /* in the order in which they became durable */
    size_t count, room;
};

struct trial_step {
    struct trial *trial;
    const char *stage; /* its name */
    struct transform_step real;
    struct stage_type type; /* trial_stage_type by the name of the real one, for errors */
    const struct scenario_step *scenario;
};

struct trial {
    const struct scenario *scenario;
    struct pipeline_config pipeline;
    struct pipeline_stage *stages;
    struct transform_step *transform_steps;
    struct pipeline_store *pipeline_stores;
    struct trial_step *steps;
    struct trial_store *stores;
    struct trial_record *records; /* as many as the input has */
    uint32_t record_count;
    uint32_t *by_place; /* their indexes, by topic, partition and offset */

    pthread_mutex_t mutex; /* guards what follows, and all that becomes of records */
    struct arena arena;
    struct trial_letter *letters;
    size_t letter_count, letter_room;
    struct trial_failures *failures; /* how often an answer has failed for a record */

    /* After the run. */
    enum status status;
    struct error error;
    struct ledger_counts counts;
    int64_t ns;
};

/* pipeline: as the scenario's config is run. Both live longer. Aborts when there is no memory. */
struct trial *trial_new(const struct scenario *scenario, const struct pipeline_config *pipeline) WARN_UNUSED;
void trial_free(struct trial *trial);
/* Once. Blocks, no longer than the scenario's timeout and some. */
void trial_run(struct trial *trial);

/* -- for its parts -- */

extern const struct source_type trial_source; /* its config is the trial */
extern const struct store_type trial_store_type;
extern const struct stage_type trial_stage_type;

/* The index of a record; UINT32_MAX: it is none of ours. */
uint32_t trial_find(const struct trial *trial, const char *topic, int32_t partition, int64_t offset);
/* The first answer that is for the record, NULL: none is. */
const struct spec_answer *trial_answer(const struct config_list *answers, const struct batch *batch,
                                       const struct record *record, struct arena *arena);
/* Is the answer to fail (once more) for this record? Counts it. */
bool trial_fails(struct trial *trial, const struct spec_answer *answer, uint32_t record);
void trial_lock(struct trial *trial);
void trial_unlock(struct trial *trial);
struct bytes trial_copy_locked(struct trial *trial, struct bytes bytes);
/* items with room for one more, of `size` each. */
void *trial_grow(void *items, size_t count, size_t *room, size_t size);

#endif
