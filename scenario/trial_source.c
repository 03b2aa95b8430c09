/* Where a trial's records come from, and where its dead letters go. Records that stand side by side and are of one partition travel in one batch. */
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "processor/headers.h"
#include "processor/intake.h"
#include "processor/ledger.h"
#include "scenario/trial.h"

struct assigned {
    const char *topic;
    int32_t partition;
    struct intake_partition *intake;
};

struct source {
    struct trial *trial;
    struct intake *intake;
    struct context *context;
    struct assigned *assigned; /* at most as many as there are records */
    uint32_t count;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool woken; /* mutex */
};

static enum status source_open(const void *config, const struct connector_env *env, struct context *context,
                               void **ret_source, struct error *error)
{
    struct source *source = calloc(1, sizeof *source);
    CHECK(source != NULL);
    (void)env;
    (void)context;
    (void)error;
    source->trial = (struct trial *)config;
    source->assigned = calloc(source->trial->record_count + 1, sizeof *source->assigned);
    CHECK(source->assigned != NULL);
    CHECK_CALL(pthread_mutex_init(&source->mutex, NULL));
    CHECK_CALL(pthread_cond_init(&source->changed, NULL));
    *ret_source = source;
    return STATUS_OK;
}

static void source_close(void *arg)
{
    struct source *source = arg;
    if (source == NULL)
        return;
    CHECK_CALL(pthread_cond_destroy(&source->changed));
    CHECK_CALL(pthread_mutex_destroy(&source->mutex));
    free(source->assigned);
    free(source);
}

static void wake(void *arg)
{
    struct source *source = arg;
    CHECK_CALL(pthread_mutex_lock(&source->mutex));
    source->woken = true;
    CHECK_CALL(pthread_cond_broadcast(&source->changed));
    CHECK_CALL(pthread_mutex_unlock(&source->mutex));
}

static struct assigned *find(struct source *source, const struct spec_record *record)
{
    struct assigned *assigned = source->assigned;
    while (assigned->intake != NULL &&
           (assigned->partition != record->partition || strcmp(assigned->topic, record->topic) != 0))
        assigned++;
    return assigned;
}

static void assign_all(struct source *source)
{
    for (uint32_t i = 0; i < source->trial->record_count; i++) {
        const struct spec_record *record = source->trial->records[i].given;
        struct assigned *assigned = find(source, record);
        if (assigned->intake != NULL)
            continue;
        *assigned = (struct assigned){.topic = record->topic, .partition = (int32_t)record->partition};
        assigned->intake = intake_assign(source->intake, assigned->topic, assigned->partition, record->offset);
        CHECK(assigned->intake != NULL);
        source->count++;
    }
    intake_state(source->intake, true, (int)source->count, NULL);
}

/* -- records -- */

static struct bytes copy(struct batch *batch, struct bytes bytes)
{
    struct bytes copied = arena_copy(&batch->arena, bytes);
    CHECK(copied.data != NULL || bytes.data == NULL);
    return copied;
}

static struct bytes pack_headers(struct batch *batch, const struct config_map *headers)
{
    const struct given *values = headers->values;
    size_t size = 0;
    for (uint32_t i = 0; i < headers->count; i++)
        size += headers_packed_size(bytes_of_string(headers->keys[i]), values[i].bytes);
    if (size == 0)
        return (struct bytes){0};
    uint8_t *out = arena_text(&batch->arena, size), *at = out;
    CHECK(out != NULL);
    for (uint32_t i = 0; i < headers->count; i++)
        at = headers_pack(at, bytes_of_string(headers->keys[i]), values[i].bytes);
    return bytes_of(out, (uint32_t)size);
}

static void add(struct batch *batch, const struct spec_record *given)
{
    struct record *record = batch_add(batch);
    CHECK(record != NULL);
    record->offset = given->offset;
    record->timestamp = given->timestamp;
    record->key = copy(batch, given->key.bytes);
    record->value = copy(batch, given->value.bytes);
    record->headers = pack_headers(batch, &given->headers);
}

/* The intake is never called under our mutex: its wake takes that. False: the run ends. */
static bool wait_for_room(struct source *source)
{
    enum status status = context_status(source->context);
    while (status == STATUS_OK && !intake_draining(source->intake) && !intake_has_room(source->intake, NULL)) {
        CHECK_CALL(pthread_mutex_lock(&source->mutex));
        if (!source->woken)
            (void)context_wait(source->context, &source->changed, &source->mutex, clock_now() + 50 * CLOCK_MS);
        source->woken = false;
        CHECK_CALL(pthread_mutex_unlock(&source->mutex));
        status = context_status(source->context);
    }
    return status == STATUS_OK && !intake_draining(source->intake);
}

/* The records from `first` on that make one batch; returns the first behind it. */
static uint32_t batch_end(const struct trial *trial, uint32_t first)
{
    const struct spec_record *begin = trial->records[first].given;
    int64_t most = trial->scenario->spec->batch != 0 ? trial->scenario->spec->batch : BATCH_RECORDS;
    size_t bytes = 0;
    uint32_t end = first;
    for (; end < trial->record_count && end - first < most && bytes < BATCH_BYTES; end++) {
        const struct spec_record *given = trial->records[end].given;
        if (given->partition != begin->partition || strcmp(given->topic, begin->topic) != 0)
            break;
        bytes += (size_t)given->key.bytes.size + given->value.bytes.size;
    }
    return end;
}

static enum status hand_over(struct source *source)
{
    struct trial *trial = source->trial;
    enum status status = STATUS_OK;
    for (uint32_t next = 0, end; next < trial->record_count && status == STATUS_OK; next = end) {
        if (!wait_for_room(source))
            return context_status(source->context);
        struct assigned *assigned = find(source, trial->records[next].given);
        struct batch *batch = intake_begin(assigned->intake);
        CHECK(batch != NULL);
        end = batch_end(trial, next);
        for (uint32_t i = next; i < end; i++) {
            add(batch, trial->records[i].given);
            trial->records[i].issued = true;
        }
        status = intake_push(assigned->intake, batch, source->context);
    }
    return status;
}

static enum status source_run(void *arg, struct intake *intake, struct context *context, struct error *error)
{
    struct source *source = arg;
    (void)error;
    source->intake = intake;
    source->context = context;
    intake_on_wake(intake, wake, source);
    assign_all(source);
    enum status status = hand_over(source);
    if (status == STATUS_OK) {
        intake_finish(intake);
        status = intake_settle(intake, NULL, context, intake_drain_deadline(intake));
    }
    intake_on_wake(intake, NULL, NULL);
    for (uint32_t i = 0; i < source->count; i++)
        intake_revoke(source->assigned[i].intake);
    return status;
}

/* -- dead letters -- */

struct letters {
    struct dead_letter contract;
    struct trial *trial;
};

static const char *copy_text_locked(struct trial *trial, const char *text)
{
    const char *copied = arena_string(&trial->arena, text, strlen(text));
    CHECK(copied != NULL);
    return copied;
}

static void keep_letter(struct trial *trial, const struct batch *batch, const struct record *record, bool all_branches)
{
    const struct failure *failure = record->failure;
    uint32_t at = trial_find(trial, batch->topic, batch->partition, record->offset);
    CHECK(at != UINT32_MAX);
    trial_lock(trial);
    trial->letters = trial_grow(trial->letters, trial->letter_count, &trial->letter_room, sizeof *trial->letters);
    trial->letters[trial->letter_count++] = (struct trial_letter){
        .record = at,
        .stage = copy_text_locked(trial, failure->stage),
        .class = copy_text_locked(trial, failure->class),
        .message = copy_text_locked(trial, failure->message),
    };
    trial->records[at].rejected |= all_branches;
    for (unsigned i = 0; i < trial->pipeline.store_count && !all_branches; i++) {
        if (strcmp(trial->pipeline.stores[i].name, failure->stage) == 0)
            trial->records[at].refused |= UINT32_C(1) << i;
    }
    trial_unlock(trial);
}

static enum status letters_write(struct dead_letter *contract, const struct batch *batch, const struct record *record,
                                 bool all_branches, struct context *context, struct error *error)
{
    (void)context;
    (void)error;
    keep_letter(((struct letters *)contract)->trial, batch, record, all_branches);
    if (all_branches)
        ticket_settle_all_branches(batch->ticket, record->index, 1, VERDICT_DEAD_LETTERED);
    else
        ticket_settle(batch->ticket, record->index, 1, VERDICT_DEAD_LETTERED);
    return STATUS_OK;
}

static enum status letters_flush(struct dead_letter *contract, struct context *context, struct error *error)
{
    (void)contract;
    (void)context;
    (void)error;
    return STATUS_OK;
}

static void letters_close(struct dead_letter *contract)
{
    free(contract);
}

static enum status letters_open(const struct dead_letter_config *config, const struct connector_env *env,
                                struct context *context, struct dead_letter **ret, struct error *error)
{
    struct letters *letters = calloc(1, sizeof *letters);
    CHECK(letters != NULL);
    (void)config;
    (void)context;
    (void)error;
    *letters = (struct letters){
        .contract = {.write = letters_write, .flush = letters_flush, .close = letters_close},
        .trial = (struct trial *)env->source_config,
    };
    *ret = &letters->contract;
    return STATUS_OK;
}

const struct source_type trial_source = {
    .name = "scenario",
    .help = "The records of a scenario.",
    .open = source_open,
    .run = source_run,
    .close = source_close,
    .open_dead_letter = letters_open,
};
