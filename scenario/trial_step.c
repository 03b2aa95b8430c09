/*
 * Stands around a step: runs it and notes whom it dropped, or answers in its place. What it needs is made by the step's own functions, so to the step nothing is
 * different; in the place of one that is answered for nothing is opened at all.
 */
#include <stdlib.h>

#include "processor/check.h"
#include "scenario/trial.h"
#include "stages/json_document.h"
#include "stages/member.h"
#include "stages/simdjson.h"

struct opened {
    const struct trial_step *step;
    void *stage; /* of the step itself */
};

struct worker {
    const struct trial_step *step;
    void *worker; /* of the step itself */
    struct simdjson_parser *parser;
};

static bool is_answered(const struct trial_step *step)
{
    return step->scenario->answers != NULL;
}

static enum status step_init(const void *config, const struct stage_env *env, void **ret_stage, struct error *error)
{
    const struct trial_step *step = config;
    struct opened *opened = calloc(1, sizeof *opened);
    CHECK(opened != NULL);
    opened->step = step;
    enum status status = STATUS_OK;
    if (!is_answered(step) && step->real.type->init != NULL)
        status = step->real.type->init(step->real.config, env, &opened->stage, error);
    if (status == STATUS_OK) {
        *ret_stage = opened;
        return STATUS_OK;
    }
    free(opened);
    return status;
}

static void step_close(void *arg)
{
    struct opened *opened = arg;
    if (opened == NULL)
        return;
    const struct trial_step *step = opened->step;
    if (!is_answered(step) && step->real.type->close != NULL)
        step->real.type->close(opened->stage);
    free(opened);
}

static enum status step_start(void *stage, void **ret_worker, struct error *error)
{
    struct opened *opened = stage;
    const struct trial_step *step = opened->step;
    struct worker *worker = calloc(1, sizeof *worker);
    CHECK(worker != NULL);
    worker->step = step;
    enum status status = STATUS_OK;
    if (is_answered(step)) {
        worker->parser = simdjson_new();
        CHECK(worker->parser != NULL);
    } else if (step->real.type->start != NULL) {
        status = step->real.type->start(opened->stage, &worker->worker, error);
    }
    if (status == STATUS_OK)
        *ret_worker = worker;
    else
        free(worker);
    return status;
}

static void step_stop(void *arg)
{
    struct worker *worker = arg;
    if (worker->worker != NULL && worker->step->real.type->stop != NULL)
        worker->step->real.type->stop(worker->worker);
    simdjson_free(worker->parser);
    free(worker);
}

/* -- answers -- */

/* False: the record is answered. */
static bool set_document(struct simdjson_parser *parser, const struct given *given, struct batch *batch,
                         struct record *record)
{
    struct json_fault fault;
    if (given->node == NULL)
        return true;
    enum status status = json_document(parser, given->bytes, &batch->arena, &record->document, &fault);
    CHECK(status != STATUS_NO_MEMORY);
    if (status == STATUS_OK)
        return true;
    batch_reject(batch, record, fault.class, "%s", fault.words);
    return false;
}

static void set_members(const struct spec_set *set, struct batch *batch, struct record *record)
{
    if (set->count == 0 || !member_wanted(batch, record))
        return;
    for (uint32_t i = 0; i < set->count; i++) {
        if (!member_set(batch, record, &set->paths[i], set->values[i].bytes))
            return;
    }
}

static void answer_record(const struct worker *worker, struct batch *batch, struct record *record)
{
    const struct trial_step *step = worker->step;
    uint32_t at = trial_find(step->trial, batch->topic, batch->partition, record->offset);
    const struct spec_answer *answer = trial_answer(step->scenario->answers, batch, record, &batch->arena);
    CHECK(at != UINT32_MAX);
    if (answer == NULL) {
        batch_reject(batch, record, "scenario", "`stages.%s` declares no answer for this record", step->scenario->name);
    } else if (trial_fails(step->trial, answer, at)) {
        batch_retry(batch, record, answer->fail.class, "%s",
                    answer->fail.message != NULL ? answer->fail.message : "fails as it is declared");
    } else if (answer->reject.head.node != NULL) {
        batch_reject(batch, record, answer->reject.class, "%s",
                     answer->reject.message != NULL ? answer->reject.message : "refused as it is declared");
    } else if (answer->drop) {
        batch_drop(record);
    } else if (set_document(worker->parser, &answer->document, batch, record)) {
        set_members(&answer->set, batch, record);
    }
}

static void note_drops(const struct trial_step *step, const struct batch *batch)
{
    trial_lock(step->trial);
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->records[i].answer != STAGE_DROP)
            continue;
        uint32_t at = trial_find(step->trial, batch->topic, batch->partition, batch->records[i].offset);
        CHECK(at != UINT32_MAX);
        struct trial_record *record = &step->trial->records[at];
        if (record->drop_stage != NULL)
            continue;
        record->drop_stage = step->stage;
        record->drop_step = step->real.type->name;
    }
    trial_unlock(step->trial);
}

static void step_process(void *stage, void *state, struct batch *batch)
{
    const struct opened *opened = stage;
    const struct worker *worker = state;
    if (is_answered(opened->step)) {
        BATCH_EACH(batch, record)
        {
            answer_record(worker, batch, record);
        }
    } else {
        opened->step->real.type->process(opened->stage, worker->worker, batch);
    }
    note_drops(opened->step, batch);
}

const struct stage_type trial_stage_type = {
    .name = "scenario",
    .help = "Runs another step and watches it.",
    .init = step_init,
    .start = step_start,
    .process = step_process,
    .stop = step_stop,
    .close = step_close,
};
