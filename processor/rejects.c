#include "processor/rejects.h"

#include <stdio.h>

#include "processor/check.h"
#include "processor/ledger.h"
#include "processor/log.h"
#include "processor/metrics.h"

static struct metric *answers(struct metrics *metrics, const char *stage, const char *answer)
{
    char labels[200] = "";
    metrics_label(labels, sizeof labels, "stage", stage);
    metrics_label(labels, sizeof labels, "answer", answer);
    return metrics_get(metrics, METRIC_COUNTER, "weir_stage_answers_total",
                       "Records that the stage did not send on, by what it answered.", labels);
}

void rejects_init(struct rejects *rejects, const char *stage, struct dead_letter *dead_letter, bool all_branches,
                  struct metrics *metrics)
{
    *rejects = (struct rejects){
        .stage = stage,
        .dead_letter = dead_letter,
        .all_branches = all_branches,
        .metrics = metrics,
        .dropped = answers(metrics, stage, "drop"),
        .rejected = answers(metrics, stage, "reject"),
    };
}

static void count_error(struct rejects *rejects, const char *class)
{
    char labels[200] = "";
    metrics_label(labels, sizeof labels, "stage", rejects->stage);
    metrics_label(labels, sizeof labels, "class", class);
    metric_add(metrics_get(rejects->metrics, METRIC_COUNTER, "weir_stage_errors_total",
                           "Records that the stage rejected, by class of error.", labels),
               1);
}

static void settle(const struct rejects *rejects, struct batch *batch, const struct record *record,
                   enum verdict verdict)
{
    if (batch->ticket == NULL)
        return;
    if (rejects->all_branches)
        ticket_settle_all_branches(batch->ticket, record->index, 1, verdict);
    else
        ticket_settle(batch->ticket, record->index, 1, verdict);
}

static enum status stop_at(const struct rejects *rejects, const struct batch *batch, const struct record *record,
                           struct error *error)
{
    const char *hint = record->answer == STAGE_REJECT
                           ? " (no errors.dead_letter.topic is configured, so the service stops at this record)"
                           : "";
    char letter[200] = "";
    if (record_origin(batch, record) != NULL)
        snprintf(letter, sizeof letter, " (dead letter %s/%d@%lld)", batch->topic, batch->partition,
                 (long long)record->offset);
    return error_set(error, ERROR_FATAL, "%s: record %s/%d@%lld%s: %s: %s%s", rejects->stage,
                     record_topic(batch, record), record_partition(batch, record),
                     (long long)record_offset(batch, record), letter, record->failure->class, record->failure->message,
                     hint);
}

static enum status settle_one(struct rejects *rejects, struct batch *batch, struct record *record,
                              struct context *context, struct error *error)
{
    if (record->answer == STAGE_DROP) {
        settle(rejects, batch, record, VERDICT_DROPPED);
        metric_add(rejects->dropped, 1);
        record->answer = STAGE_SETTLED;
        return STATUS_OK;
    }
    CHECK(record->failure != NULL && record->answer != STAGE_RETRY);
    if (record->failure->stage[0] == '\0')
        record->failure->stage = rejects->stage;
    if (record->answer == STAGE_FATAL || rejects->dead_letter == NULL)
        return stop_at(rejects, batch, record, error);
    enum status status = rejects->dead_letter->write(rejects->dead_letter, batch, record, rejects->all_branches,
                                                     context, error);
    if (status != STATUS_OK)
        return status;
    metric_add(rejects->rejected, 1);
    count_error(rejects, record->failure->class);
    record->answer = STAGE_SETTLED;
    return STATUS_OK;
}

/* One a batch is enough for who looks at what goes wrong: the last. */
static void remember(const struct rejects *rejects, const struct batch *batch, const struct record *record)
{
    if (record != NULL)
        log_remember(rejects->stage, "record %s/%d@%lld rejected: %s: %s", record_topic(batch, record),
                     (int)record_partition(batch, record), (long long)record_offset(batch, record),
                     record->failure->class, record->failure->message);
}

enum status rejects_settle(struct rejects *rejects, struct batch *batch, struct context *context, struct error *error)
{
    const struct record *rejected = NULL;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct record *record = &batch->records[i];
        if (record->answer == STAGE_FORWARD || record->answer == STAGE_SETTLED)
            continue;
        if (record->answer == STAGE_REJECT)
            rejected = record;
        enum status status = settle_one(rejects, batch, record, context, error);
        if (status != STATUS_OK)
            return status;
    }
    remember(rejects, batch, rejected);
    return STATUS_OK;
}
