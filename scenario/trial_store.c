/* Stands for a store: keeps what that one would write, and refuses what the scenario declares. What was not flushed is forgotten, as by any store. */
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "processor/clock.h"
#include "scenario/trial.h"

/* One worker's. */
struct handle {
    struct trial_store *store;
    struct arena scratch;
    struct trial_output *pending; /* texts are the trial's */
    size_t count, room;
    const char *failing; /* the flush is to fail, and says this; NULL: it is not */
};

static enum status store_open(const void *config, const struct connector_env *env, struct context *context,
                              void **ret_store, struct error *error)
{
    struct handle *handle = calloc(1, sizeof *handle);
    CHECK(handle != NULL);
    (void)env;
    (void)context;
    (void)error;
    handle->store = (struct trial_store *)config;
    arena_init(&handle->scratch, NULL);
    *ret_store = handle;
    return STATUS_OK;
}

static void store_close(void *arg)
{
    struct handle *handle = arg;
    if (handle == NULL)
        return;
    arena_fini(&handle->scratch);
    free(handle->pending);
    free(handle);
}

static uint32_t index_of(const struct trial *trial, const struct batch *batch, const struct record *record)
{
    uint32_t at = trial_find(trial, batch->topic, batch->partition, record->offset);
    CHECK(at != UINT32_MAX);
    return at;
}

static const char *words(const char *message, const char *otherwise)
{
    return message != NULL ? message : otherwise;
}

/* Does any record make the whole batch fail now? Which then says why; those that are to fail at the flush are noted. */
static const struct spec_answer *find_failing(struct handle *handle, const struct batch *batch)
{
    struct trial_store *store = handle->store;
    BATCH_EACH(batch, record)
    {
        const struct spec_answer *answer = trial_answer(store->scenario->answers, batch, record, &handle->scratch);
        if (answer == NULL || !trial_fails(store->trial, answer, index_of(store->trial, batch, record)))
            continue;
        if (answer->fail.at == SPEC_WRITE)
            return answer;
        handle->failing = words(answer->fail.message, "the flush fails as it is declared");
    }
    return NULL;
}

static struct bytes encode(struct handle *handle, const struct record *record)
{
    const struct document *document = &record->document;
    if (document->kind == DOCUMENT_NONE)
        return record->value;
    if (document->kind == DOCUMENT_NULL)
        return document->text;
    uint8_t *out = arena_text(&handle->scratch, document_encoded_max(document) + 1);
    CHECK(out != NULL);
    return bytes_of(out, (uint32_t)document_encode(document, out));
}

static void keep(struct handle *handle, const struct batch *batch, const struct record *record,
                 const struct store_preview *preview)
{
    struct trial *trial = handle->store->trial;
    struct bytes text = encode(handle, record);
    struct trial_output output = {
        .record = index_of(trial, batch, record), .kind = record->document.kind, .preview = *preview};
    trial_lock(trial);
    output.text = trial_copy_locked(trial, text);
    output.preview.row.text = trial_copy_locked(trial, preview->row.text);
    output.preview.topic = trial_copy_locked(trial, preview->topic);
    output.preview.key = trial_copy_locked(trial, preview->key);
    output.preview.headers = trial_copy_locked(trial, preview->headers);
    trial_unlock(trial);
    handle->pending = trial_grow(handle->pending, handle->count, &handle->room, sizeof *handle->pending);
    handle->pending[handle->count++] = output;
}

static void write_record(struct handle *handle, struct batch *batch, struct record *record)
{
    const struct trial_store *store = handle->store;
    const struct spec_answer *answer = trial_answer(store->scenario->answers, batch, record, &handle->scratch);
    struct store_preview preview = {.row = {.type = VALUE_MISSING}};
    if (answer != NULL && answer->reject.head.node != NULL) {
        batch_reject(batch, record, answer->reject.class, "%s",
                     words(answer->reject.message, "refused as it is declared"));
        return;
    }
    if (store->real->type->preview != NULL)
        CHECK(store->real->type->preview(store->real->config, batch, record, &handle->scratch, &preview) == STATUS_OK);
    if (record->answer == STAGE_FORWARD)
        keep(handle, batch, record, &preview);
}

static enum status store_write(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    struct handle *handle = arg;
    enum status status = context_status(context);
    if (status != STATUS_OK)
        return status;
    const struct spec_answer *failing = find_failing(handle, batch);
    if (failing != NULL)
        return error_set(error, ERROR_TRANSIENT, "%s",
                         words(failing->fail.message, "the write fails as it is declared"));
    BATCH_EACH(batch, record)
    {
        write_record(handle, batch, record);
    }
    arena_reset(&handle->scratch);
    return STATUS_OK;
}

static enum status store_flush(void *arg, struct context *context, struct error *error)
{
    struct handle *handle = arg;
    struct trial_store *store = handle->store;
    enum status status = context_status(context);
    if (status == STATUS_OK && handle->failing != NULL)
        status = error_set(error, ERROR_TRANSIENT, "%s", handle->failing);
    handle->failing = NULL;
    trial_lock(store->trial);
    for (size_t i = 0; i < handle->count && status == STATUS_OK; i++) {
        store->outputs = trial_grow(store->outputs, store->count, &store->room, sizeof *store->outputs);
        store->outputs[store->count++] = handle->pending[i];
        store->trial->records[handle->pending[i].record].stored |= UINT32_C(1) << store->number;
    }
    trial_unlock(store->trial);
    handle->count = 0;
    return status;
}

const struct store_type trial_store_type = {
    .name = "scenario",
    .help = "Keeps what another store would write.",
    .open = store_open,
    .write = store_write,
    .flush = store_flush,
    .close = store_close,
    .flush_records = 16384,
    .flush_interval = 10 * CLOCK_MS,
};
