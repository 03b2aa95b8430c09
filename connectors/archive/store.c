/*
 * The archive's store. write fills frames and writes full ones; flush writes the rest, syncs, and only then is anything taken as good; whatever goes wrong,
 * the files are cut back to that.
 */
#include "connectors/archive/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "connectors/archive/shelf.h"
#include "processor/clock.h"
#include "processor/disk.h"
#include "processor/log.h"
#include "processor/lost.h"

struct store {
    const struct archive_store_config *config;
    const char *name;
    int lock; /* the folder: one writer at a time */
    struct archive_packer *packer;
    struct archive_shelf **shelves;
    uint32_t count, room;
    unsigned batches;     /* since the last flush */
    uint64_t passed_over; /* likewise */
    struct error lost;    /* what was handed over since the last flush is gone (lost.h) */
};

static enum status find_shelf(struct store *store, const struct batch *batch, struct archive_shelf **ret,
                              struct error *error)
{
    for (uint32_t i = 0; i < store->count; i++) {
        *ret = store->shelves[i];
        if (archive_shelf_is(*ret, batch->topic, batch->partition))
            return STATUS_OK;
    }
    if (store->count == store->room) {
        uint32_t room = store->room > 0 ? store->room * 2 : 8;
        struct archive_shelf **shelves = realloc(store->shelves, room * sizeof(struct archive_shelf *));
        if (shelves == NULL)
            return error_set(error, ERROR_TRANSIENT, "out of memory");
        store->shelves = shelves;
        store->room = room;
    }
    const struct stretch *stretch = store->config->stretch;
    const struct stretch_part *part = stretch != NULL ? stretch_part(stretch, batch->topic, batch->partition) : NULL;
    struct archive_head head = {.topic = batch->topic, .partition = batch->partition};
    if (part != NULL)
        head.id = part->id;
    enum status status = archive_shelf_open(store->config->dir, &head, store->name, store->packer, ret, error);
    if (status == STATUS_OK)
        store->shelves[store->count++] = *ret;
    return status;
}

static enum status write_records(struct store *store, struct batch *batch, struct error *error)
{
    struct archive_shelf *shelf = NULL;
    enum status status = find_shelf(store, batch, &shelf, error);
    if (status != STATUS_OK)
        return status;
    BATCH_EACH(batch, record)
    {
        if (archive_record_size(record) > ARCHIVE_RAW_MAX) {
            batch_reject(batch, record, "size", "a record of an archive has at most %d bytes", ARCHIVE_RAW_MAX);
            continue;
        }
        bool there = false;
        status = archive_shelf_add(shelf, record, &there, error);
        if (status != STATUS_OK)
            return status;
        store->passed_over += there;
    }
    return STATUS_OK;
}

static void forget(struct store *store)
{
    for (uint32_t i = 0; i < store->count; i++)
        archive_shelf_rewind(store->shelves[i]);
    store->batches = 0;
    store->passed_over = 0;
}

static enum status store_write(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    struct store *store = arg;
    struct error why = {0};
    enum status status = context_status(context);
    bool first = store->batches == 0;
    if (status != STATUS_OK || store->lost.class != ERROR_NONE)
        return status;
    status = write_records(store, batch, &why);
    if (status == STATUS_OK) {
        store->batches++;
        return STATUS_OK;
    }
    forget(store);
    return lost_end_write(&store->lost, first, status, &why, error);
}

static enum status store_flush(void *arg, struct context *context, struct error *error)
{
    struct store *store = arg;
    enum status status = context_status(context);
    if (status != STATUS_OK)
        return status;
    if (store->lost.class != ERROR_NONE)
        return lost_tell(&store->lost, error);
    for (uint32_t i = 0; i < store->count && status == STATUS_OK; i++)
        status = archive_shelf_sync(store->shelves[i], error);
    if (status != STATUS_OK) {
        /* Also after a failed sync: the kernel may have dropped what it could not write. */
        forget(store);
        return status;
    }
    for (uint32_t i = 0; i < store->count; i++)
        archive_shelf_accept(store->shelves[i], store->config->segment);
    if (store->config->passed_over != NULL)
        atomic_fetch_add(store->config->passed_over, store->passed_over);
    store->batches = 0;
    store->passed_over = 0;
    return STATUS_OK;
}

static void store_close(void *arg)
{
    struct store *store = arg;
    if (store == NULL)
        return;
    for (uint32_t i = 0; i < store->count; i++) {
        archive_shelf_rewind(store->shelves[i]);
        archive_shelf_accept(store->shelves[i], 0);
        archive_shelf_free(store->shelves[i]);
    }
    free(store->shelves);
    archive_packer_free(store->packer);
    if (store->lock >= 0)
        close(store->lock);
    free(store);
}

static enum status lock_folder(struct store *store, struct error *error)
{
    const char *dir = store->config->dir;
    enum status status = disk_make_folder(dir, error);
    if (status != STATUS_OK)
        return status;
    store->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->lock < 0)
        return disk_failed("open folder", dir, error);
    if (!disk_lock(store->lock))
        return error_set(error, ERROR_FATAL, "another process archives into %s", dir);
    return STATUS_OK;
}

static enum status store_open(const void *config, const struct connector_env *env, struct context *context,
                              void **ret_store, struct error *error)
{
    struct store *store = calloc(1, sizeof *store);
    (void)context;
    if (store == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    store->config = config;
    store->name = env->name;
    store->lock = -1;
    enum status status = lock_folder(store, error);
    if (status == STATUS_OK && (store->packer = archive_packer_new(store->config->level)) == NULL)
        status = error_set(error, ERROR_TRANSIENT, "out of memory");
    if (status != STATUS_OK) {
        store_close(store);
        return status;
    }
    *ret_store = store;
    return STATUS_OK;
}

const struct store_type archive_store = {
    .name = "archive",
    .help = "Records bit for bit, in segments of compressed frames.",
    .open = store_open,
    .write = store_write,
    .flush = store_flush,
    .close = store_close,
    .flush_records = 1000000,
    .flush_interval = 2 * CLOCK_SECOND,
};
