/*
 * The store of memory.h. Each worker has a handle of its own (what open gives) with the batches handed over since the last flush; what is durable belongs to
 * the store. Rows are made when a batch is written, as a real store encodes them then, so that what becomes of a batch later does not change them.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/check.h"
#include "tests/support/memory_store.h"

struct memory_store *memory_store_new(void)
{
    struct memory_store *store = calloc(1, sizeof *store);
    CHECK(store != NULL);
    CHECK_CALL(pthread_mutex_init(&store->mutex, NULL));
    CHECK_CALL(pthread_cond_init(&store->changed, NULL));
    for (unsigned i = 0; i < MEMORY_POINTS; i++)
        store->points[i].permits = UINT_MAX;
    for (unsigned i = 0; i < MEMORY_KEPT; i++)
        store->kept[i] = -1;
    return store;
}

static void free_rows(struct memory_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(rows[i].text);
    free(rows);
}

void memory_store_free(struct memory_store *store)
{
    if (store == NULL)
        return;
    CHECK(store->open_now == 0);
    free_rows(store->rows, store->row_count);
    CHECK_CALL(pthread_cond_destroy(&store->changed));
    CHECK_CALL(pthread_mutex_destroy(&store->mutex));
    free(store);
}

/* -- the store's side -- */

enum status memory_store_pass(struct memory_store *store, enum memory_point at, struct context *context,
                              struct error *error)
{
    static const char *const names[] = {"open", "write", "flush", "move", "read"};
    struct point *point = &store->points[at];
    enum status status = STATUS_OK;
    memory_lock(&store->mutex);
    point->calls++;
    point->waiting++;
    CHECK_CALL(pthread_cond_broadcast(&store->changed));
    while (point->permits == 0 && status == STATUS_OK)
        status = context_wait(context, &store->changed, &store->mutex, CLOCK_NEVER);
    point->waiting--;
    if (status == STATUS_OK && point->permits != UINT_MAX)
        point->permits--;
    if (status == STATUS_OK && point->times > 0) {
        if (point->after > 0) {
            point->after--;
        } else {
            point->times--;
            status = error_set(error, point->failure, "%s fails as it was told", names[at]);
        }
    }
    memory_unlock(&store->mutex);
    return status;
}

static void forget_first(struct handle *handle)
{
    struct handed *handed = handle->first;
    handle->first = handed->next;
    if (handle->first == NULL)
        handle->last = &handle->first;
    free_rows(handed->rows, handed->count);
    free(handed);
}

void memory_store_forget(struct handle *handle)
{
    for (unsigned i = 0; i < MEMORY_KEPT; i++)
        handle->moves[i] = -1;
    handle->there_already = false;
    while (handle->first != NULL)
        forget_first(handle);
}

static void make_first_durable_locked(struct handle *handle)
{
    struct memory_store *store = handle->store;
    struct handed *handed = handle->first;
    if (store->row_room < store->row_count + handed->count) {
        store->row_room = store->row_room * 2 + handed->count;
        store->rows = realloc(store->rows, store->row_room * sizeof *store->rows);
        CHECK(store->rows != NULL);
    }
    if (handed->count > 0)
        memcpy(store->rows + store->row_count, handed->rows, handed->count * sizeof *handed->rows);
    store->row_count += handed->count;
    handed->count = 0; /* the texts are the store's now */
    forget_first(handle);
    CHECK_CALL(pthread_cond_broadcast(&store->changed));
}

static enum status store_open(const void *config, const struct connector_env *env, struct context *context,
                              void **ret_store, struct error *error)
{
    struct memory_store *store = (struct memory_store *)config;
    (void)env;
    enum status status = memory_store_pass(store, MEMORY_OPEN, context, error);
    if (status != STATUS_OK)
        return status;
    struct handle *handle = calloc(1, sizeof *handle);
    CHECK(handle != NULL);
    *handle = (struct handle){.store = store, .last = &handle->first};
    memory_store_forget(handle);
    memory_lock(&store->mutex);
    store->open_now++;
    memory_unlock(&store->mutex);
    *ret_store = handle;
    return STATUS_OK;
}

static void store_close(void *arg)
{
    struct handle *handle = arg;
    if (handle == NULL)
        return;
    memory_store_forget(handle);
    memory_lock(&handle->store->mutex);
    handle->store->open_now--;
    CHECK_CALL(pthread_cond_broadcast(&handle->store->changed));
    memory_unlock(&handle->store->mutex);
    free(handle);
}

static char *text_of(const struct record *record)
{
    const struct document *document = &record->document;
    bool decoded = document->kind != DOCUMENT_NONE;
    size_t room = decoded ? document_encoded_max(document) : record->value.size;
    char *text = malloc(room + 1);
    CHECK(text != NULL);
    size_t size = decoded ? document_encode(document, (uint8_t *)text) : room;
    CHECK(size <= room);
    if (!decoded && size > 0)
        memcpy(text, record->value.data, size);
    text[size] = '\0';
    return text;
}

/* Whether the record is wrong for the store, at the point where it was told to say so. */
static bool is_wrong(struct memory_store *store, enum memory_point at, const struct batch *batch,
                     const struct record *record)
{
    memory_lock(&store->mutex);
    bool (*wrong)(void *, const struct batch *, const struct record *) = store->wrong_at == at ? store->wrong : NULL;
    void *arg = store->wrong_arg;
    memory_unlock(&store->mutex);
    return wrong != NULL && wrong(arg, batch, record);
}

static enum status store_write(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    struct handle *handle = arg;
    enum status status = memory_store_pass(handle->store, MEMORY_WRITE, context, error);
    if (status != STATUS_OK)
        return status;
    struct handed *handed = calloc(1, sizeof *handed);
    CHECK(handed != NULL);
    handed->batch = batch;
    handed->rows = calloc(batch->count + 1, sizeof *handed->rows);
    CHECK(handed->rows != NULL);
    BATCH_EACH(batch, record)
    {
        if (is_wrong(handle->store, MEMORY_WRITE, batch, record)) {
            batch_reject(batch, record, "constraint", "wrong at write");
            continue;
        }
        handed->rows[handed->count++] = (struct memory_row){
            .partition = batch->partition,
            .offset = record->offset,
            .text = handle->store->keep_text ? text_of(record) : NULL,
        };
    }
    *handle->last = handed;
    handle->last = &handed->next;
    return STATUS_OK;
}

/* True: some record of what was handed over is wrong, and has its answer now. */
static bool reject_handed(struct handle *handle)
{
    bool found = false;
    for (struct handed *handed = handle->first; handed != NULL; handed = handed->next) {
        BATCH_EACH(handed->batch, record)
        {
            if (!is_wrong(handle->store, MEMORY_FLUSH, handed->batch, record))
                continue;
            batch_reject(handed->batch, record, "constraint", "wrong at flush");
            found = true;
        }
    }
    return found;
}

static enum status store_flush(void *arg, struct context *context, struct error *error)
{
    struct handle *handle = arg;
    struct memory_store *store = handle->store;
    enum status status = memory_store_pass(store, MEMORY_FLUSH, context, error);
    if (status == STATUS_OK && reject_handed(handle))
        status = error_set(error, ERROR_RECORD, "records are wrong at flush");
    if (status != STATUS_OK) {
        memory_store_forget(handle);
        return status;
    }
    if (handle->there_already) {
        memory_store_forget(handle);
        return STATUS_OK;
    }
    memory_lock(&store->mutex);
    while (handle->first != NULL)
        make_first_durable_locked(handle);
    memory_store_move_locked(handle);
    bool lost = store->answers_lost > 0;
    store->answers_lost -= lost;
    memory_unlock(&store->mutex);
    return lost ? error_set(error, ERROR_TRANSIENT, "the answer is lost as it was told") : STATUS_OK;
}

static unsigned store_acked(void *arg)
{
    struct handle *handle = arg;
    struct memory_store *store = handle->store;
    unsigned count = 0;
    memory_lock(&store->mutex);
    for (; handle->first != NULL && store->acks > 0; count++) {
        if (store->acks != UINT_MAX)
            store->acks--;
        make_first_durable_locked(handle);
    }
    memory_unlock(&store->mutex);
    return count;
}

const struct store_type memory_store_type = {
    .name = "memory",
    .help = "A store in memory, for tests.",
    .open = store_open,
    .write = store_write,
    .flush = store_flush,
    .close = store_close,
    .flush_records = 1024,
    .flush_interval = 20 * CLOCK_MS,
};

const struct store_type memory_acking_store_type = {
    .name = "memory_acking",
    .help = "A store in memory that acknowledges by itself, for tests.",
    .open = store_open,
    .write = store_write,
    .flush = store_flush,
    .acked = store_acked,
    .close = store_close,
    .flush_records = 1024,
    .flush_interval = 20 * CLOCK_MS,
};

const struct store_type memory_keeping_store_type = {
    .name = "memory_keeping",
    .help = "A store in memory that keeps offsets, for tests.",
    .open = store_open,
    .write = store_write,
    .flush = store_flush,
    .close = store_close,
    .offsets = &memory_store_offsets,
    .flush_records = 1024,
    .flush_interval = 20 * CLOCK_MS,
};

/* -- the tests' side -- */

void memory_store_keep_text(struct memory_store *store)
{
    store->keep_text = true;
}

static void set_permits(struct memory_store *store, enum memory_point point, unsigned permits, bool more)
{
    memory_lock(&store->mutex);
    store->points[point].permits = more ? store->points[point].permits + permits : permits;
    CHECK_CALL(pthread_cond_broadcast(&store->changed));
    memory_unlock(&store->mutex);
}

void memory_store_block(struct memory_store *store, enum memory_point point)
{
    set_permits(store, point, 0, false);
}

void memory_store_allow(struct memory_store *store, enum memory_point point, unsigned calls)
{
    CHECK(store->points[point].permits != UINT_MAX);
    set_permits(store, point, calls, true);
}

void memory_store_release(struct memory_store *store, enum memory_point point)
{
    set_permits(store, point, UINT_MAX, false);
}

void memory_store_fail(struct memory_store *store, enum memory_point at, enum error_class class, unsigned after,
                       unsigned times)
{
    memory_lock(&store->mutex);
    struct point *point = &store->points[at];
    point->failure = class;
    point->after = after;
    point->times = times;
    memory_unlock(&store->mutex);
}

void memory_store_reject(struct memory_store *store, enum memory_point point,
                         bool (*wrong)(void *arg, const struct batch *batch, const struct record *record), void *arg)
{
    memory_lock(&store->mutex);
    store->wrong = wrong;
    store->wrong_arg = arg;
    store->wrong_at = point;
    memory_unlock(&store->mutex);
}

void memory_store_ack(struct memory_store *store, unsigned count)
{
    memory_lock(&store->mutex);
    store->acks = count == UINT_MAX ? UINT_MAX : store->acks + count;
    memory_unlock(&store->mutex);
}

unsigned memory_store_calls(struct memory_store *store, enum memory_point point)
{
    memory_lock(&store->mutex);
    unsigned calls = store->points[point].calls;
    memory_unlock(&store->mutex);
    return calls;
}

unsigned memory_store_open_now(struct memory_store *store)
{
    memory_lock(&store->mutex);
    unsigned open_now = store->open_now;
    memory_unlock(&store->mutex);
    return open_now;
}

size_t memory_store_count(struct memory_store *store)
{
    memory_lock(&store->mutex);
    size_t count = store->row_count;
    memory_unlock(&store->mutex);
    return count;
}

struct memory_row memory_store_row(struct memory_store *store, size_t at)
{
    memory_lock(&store->mutex);
    CHECK(at < store->row_count);
    struct memory_row row = store->rows[at];
    memory_unlock(&store->mutex);
    return row;
}

bool memory_store_wait_count(struct memory_store *store, size_t rows)
{
    int64_t until = 0;
    memory_lock(&store->mutex);
    while (store->row_count < rows && memory_wait(&store->changed, &store->mutex, &until)) {
    }
    bool holds = store->row_count >= rows;
    memory_unlock(&store->mutex);
    return holds;
}

bool memory_store_wait_calls(struct memory_store *store, enum memory_point point, unsigned calls)
{
    int64_t until = 0;
    memory_lock(&store->mutex);
    while (store->points[point].calls < calls && memory_wait(&store->changed, &store->mutex, &until)) {
    }
    bool holds = store->points[point].calls >= calls;
    memory_unlock(&store->mutex);
    return holds;
}

bool memory_store_wait_blocked(struct memory_store *store, enum memory_point at)
{
    const struct point *point = &store->points[at];
    int64_t until = 0;
    memory_lock(&store->mutex);
    while ((point->waiting == 0 || point->permits > 0) && memory_wait(&store->changed, &store->mutex, &until)) {
    }
    bool holds = point->waiting > 0 && point->permits == 0;
    memory_unlock(&store->mutex);
    return holds;
}
