#include "cli/dry_run.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "processor/ledger.h"
#include "processor/log.h"
#include "processor/pipeline.h"

/* -- the store -- */

struct dry_store {
    const struct pipeline_store *real;
    struct arena arena;
};

static enum status dry_open(const void *config, const struct connector_env *env, struct context *context,
                            void **ret_store, struct error *error)
{
    (void)env;
    (void)context;
    struct dry_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    store->real = config;
    arena_init(&store->arena, NULL);
    *ret_store = store;
    return STATUS_OK;
}

static enum status dry_write(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    struct dry_store *store = arg;
    const struct store_type *type = store->real->type;
    (void)context;
    if (type->preview == NULL)
        return STATUS_OK;
    BATCH_EACH(batch, record)
    {
        struct store_preview preview = {0};
        enum status status = type->preview(store->real->config, batch, record, &store->arena, &preview);
        arena_reset(&store->arena);
        if (status != STATUS_OK)
            return error_set(error, ERROR_TRANSIENT, "out of memory");
    }
    return STATUS_OK;
}

static enum status dry_flush(void *store, struct context *context, struct error *error)
{
    (void)store;
    (void)context;
    (void)error;
    return STATUS_OK;
}

static void dry_close(void *arg)
{
    struct dry_store *store = arg;
    if (store != NULL)
        arena_fini(&store->arena);
    free(store);
}

const struct store_type dry_store_type = {
    .name = "dry run",
    .help = "Counts what would be stored.",
    .open = dry_open,
    .write = dry_write,
    .flush = dry_flush,
    .close = dry_close,
};

/* -- dead letters -- */

enum { LETTERS_TOLD = 10 };

struct dry_letters {
    struct dead_letter base;
    _Atomic unsigned count;
};

static enum status write_letter(struct dead_letter *sink, const struct batch *batch, const struct record *record,
                                bool all_branches, struct context *context, struct error *error)
{
    struct dry_letters *letters = (struct dry_letters *)sink;
    (void)context;
    (void)error;
    if (atomic_fetch_add_explicit(&letters->count, 1, memory_order_relaxed) < LETTERS_TOLD) {
        log_warn("dry run", "%s/%d@%" PRId64 " would be a dead letter: %s: %s: %s", batch->topic, (int)batch->partition,
                 record->offset, record->failure->stage, record->failure->class, record->failure->message);
        /* They are what a dry run is for: each is said, and before what comes of it. */
        log_flush();
    }
    if (all_branches)
        ticket_settle_all_branches(batch->ticket, record->index, 1, VERDICT_DEAD_LETTERED);
    else
        ticket_settle(batch->ticket, record->index, 1, VERDICT_DEAD_LETTERED);
    return STATUS_OK;
}

static enum status flush_letters(struct dead_letter *sink, struct context *context, struct error *error)
{
    (void)sink;
    (void)context;
    (void)error;
    return STATUS_OK;
}

static void close_letters(struct dead_letter *sink)
{
    struct dry_letters *letters = (struct dry_letters *)sink;
    unsigned count = atomic_load_explicit(&letters->count, memory_order_relaxed);
    if (count > LETTERS_TOLD)
        log_warn("dry run", "%u more would be dead letters", count - LETTERS_TOLD);
    free(letters);
}

enum status dry_open_dead_letter(const struct dead_letter_config *config, const struct connector_env *env,
                                 struct context *context, struct dead_letter **ret, struct error *error)
{
    (void)config;
    (void)env;
    (void)context;
    struct dry_letters *letters = calloc(1, sizeof *letters);
    if (letters == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    letters->base = (struct dead_letter){.write = write_letter, .flush = flush_letters, .close = close_letters};
    *ret = &letters->base;
    return STATUS_OK;
}
