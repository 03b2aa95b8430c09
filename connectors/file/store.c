/*
 * The file store: NDJSON, a line each, in frames. write fills buffers and writes full ones; flush ends the frames, writes and syncs them, and only then is
 * anything taken as good. So whatever goes wrong, cutting every file back to what was good at the last flush forgets everything since.
 *
 * Files are finished (renamed) only behind a successful flush, so that a final name always means: all of it is on the disk.
 *
 * Exactly once: a flush ends with a line in the manifest, see once.h.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/file/config.h"
#include "connectors/file/name.h"
#include "connectors/file/once.h"
#include "connectors/file/output.h"
#include "connectors/file/probe.h"
#include "connectors/file/recover.h"
#include "processor/clock.h"
#include "processor/connector.h"
#include "processor/disk.h"
#include "processor/line.h"
#include "processor/log.h"
#include "processor/lost.h"

struct file_store {
    const struct file_config *config;
    const char *name;
    bool by_partition;
    struct frame_codec *codec; /* NULL: no compression */
    struct once *once;         /* NULL: at least once */
    struct output **outputs;
    uint32_t count, room;
    unsigned batches;  /* since the last flush */
    struct error lost; /* what was handed over since the last flush is gone (lost.h) */
};

/* The partition's file; the only one without %p. */
static struct output *find_output(struct file_store *store, int32_t partition)
{
    struct output **outputs;
    if (!store->by_partition)
        partition = 0;
    for (uint32_t i = 0; i < store->count; i++)
        if (output_partition(store->outputs[i]) == partition)
            return store->outputs[i];
    if (store->count == store->room) {
        uint32_t room = store->room ? store->room * 2 : 4;
        outputs = realloc(store->outputs, room * sizeof(struct output *));
        if (outputs == NULL)
            return NULL;
        store->outputs = outputs;
        store->room = room;
    }
    store->outputs[store->count] = output_new(store->config, store->codec, partition);
    return store->outputs[store->count] != NULL ? store->outputs[store->count++] : NULL;
}

/* Everything since the last flush; not what may have come through with it. */
static void forget(struct file_store *store)
{
    bool unknown = store->once != NULL && once_is_unknown(store->once);
    for (uint32_t i = 0; i < store->count && !unknown; i++)
        output_rewind(store->outputs[i]);
    if (store->once != NULL)
        once_forget(store->once);
    store->batches = 0;
}

static enum status begin_output(struct file_store *store, struct output *output, int64_t offset,
                                struct context *context, struct error *error)
{
    struct error ignored;
    bool made = false;
    enum status status = output_begin(output, offset, &made, error);
    if (status != STATUS_OK || store->once == NULL)
        return status;
    status = once_register(store->once, output, made, context, error);
    if (status != STATUS_OK && made)
        (void)!output_finish(output, &ignored); /* it is empty: removes it */
    return status;
}

static void reject_breaks(struct batch *batch, struct record *record)
{
    batch_reject(batch, record, "line",
                 "expected raw bytes without a line break, as each record is a line of the file");
}

static enum status write_records(struct file_store *store, struct batch *batch, struct context *context,
                                 struct error *error)
{
    bool begun = false;
    struct output *output = find_output(store, batch->partition);
    enum status status = STATUS_OK;
    if (output == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    BATCH_EACH(batch, record)
    {
        uint8_t *text;
        size_t size;
        if (!begun)
            status = begin_output(store, output, record->offset, context, error);
        if (status != STATUS_OK)
            return status;
        begun = true;
        status = output_reserve(output, line_max(record), &text, error);
        if (status != STATUS_OK)
            return status;
        size = line_encode(record, text);
        if (size == 0)
            reject_breaks(batch, record);
        output_add(output, size);
    }
    return STATUS_OK;
}

static enum status settle(struct file_store *store, struct context *context, struct error *error)
{
    if (store->once == NULL)
        return STATUS_OK;
    return once_settle(store->once, store->outputs, store->count, context, error);
}

static enum status file_write(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    struct file_store *store = arg;
    enum status status = context_status(context);
    struct error why = {0};
    bool first = store->batches == 0;
    if (status != STATUS_OK || store->lost.class != ERROR_NONE)
        return status;
    status = settle(store, context, &why);
    if (status == STATUS_OK)
        status = write_records(store, batch, context, &why);
    if (status == STATUS_OK) {
        store->batches++;
        return STATUS_OK;
    }
    forget(store);
    return lost_end_write(&store->lost, first, status, &why, error);
}

/* A name that cannot be given now can be given at the next flush. */
static void rotate(void *arg)
{
    struct file_store *store = arg;
    int64_t now = clock_now();
    if (store->once != NULL && once_is_unknown(store->once))
        return;
    for (uint32_t i = 0; i < store->count; i++) {
        struct error error = {0};
        if (output_due(store->outputs[i], now) && output_finish(store->outputs[i], &error) != STATUS_OK)
            log_warn(store->name, "file not finished: %s", error.text);
    }
}

static enum status flush_all(struct file_store *store, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < store->count && status == STATUS_OK; i++)
        status = output_write(store->outputs[i], error);
    for (uint32_t i = 0; i < store->count && status == STATUS_OK; i++)
        status = output_sync(store->outputs[i], error);
    return status;
}

static enum status file_flush(void *arg, struct context *context, struct error *error)
{
    struct file_store *store = arg;
    enum status status = context_status(context);
    bool already = false;
    if (status != STATUS_OK)
        return status;
    if (store->lost.class != ERROR_NONE)
        return lost_tell(&store->lost, error);
    status = settle(store, context, error);
    if (status == STATUS_OK)
        status = flush_all(store, error);
    if (status == STATUS_OK && store->once != NULL)
        status = once_commit(store->once, store->outputs, store->count, context, &already, error);
    if (status != STATUS_OK || already) {
        /* Also after a failed sync: the kernel may have dropped what it could not write, so it counts as lost. */
        forget(store);
        return status;
    }
    for (uint32_t i = 0; i < store->count; i++)
        output_accept(store->outputs[i]);
    if (store->once != NULL)
        once_forget(store->once);
    store->batches = 0;
    rotate(store);
    return STATUS_OK;
}

static enum status file_move(void *arg, const struct offset_move *moves, unsigned count, struct context *context,
                             struct error *error)
{
    struct file_store *store = arg;
    enum status status = context_status(context);
    bool already = false;
    if (store->lost.class != ERROR_NONE)
        return lost_tell(&store->lost, error);
    if (status == STATUS_OK)
        status = settle(store, context, error);
    if (status == STATUS_OK)
        status = once_move(store->once, moves, count, context, &already, error);
    if (status != STATUS_OK || already)
        forget(store);
    return status;
}

static void file_discard(void *arg)
{
    struct file_store *store = arg;
    forget(store);
    store->lost.class = ERROR_NONE;
}

/* Files that may have more in them than was stored stay as they are, for who opens the store next. */
static void finish_all(struct file_store *store)
{
    if (store->once != NULL && once_is_unknown(store->once))
        return;
    for (uint32_t i = 0; i < store->count; i++) {
        struct error error = {0};
        output_rewind(store->outputs[i]);
        if (output_finish(store->outputs[i], &error) != STATUS_OK)
            log_warn(store->name, "file not finished: %s", error.text);
    }
}

static void file_close(void *arg)
{
    struct file_store *store = arg;
    if (store == NULL)
        return;
    finish_all(store);
    for (uint32_t i = 0; i < store->count; i++)
        output_free(store->outputs[i]);
    free(store->outputs);
    once_close(store->once);
    frame_codec_free(store->codec);
    free(store);
}

/* Before the first record comes: can there be files where the config wants them? */
static enum status check_folder(const struct file_store *store, struct error *error)
{
    const struct file_name_parts parts = {.now = (time_t)(clock_wall_ms() / 1000)};
    struct file_name name;
    if (file_name_expand(store->config->path, &parts, &name) != STATUS_OK)
        return error_set(error, ERROR_FATAL, "the name that \"%s\" makes is too long", store->config->path);
    return disk_make_folder(name.folder, error);
}

static enum status file_open(const void *config, const struct connector_env *env, struct context *context,
                             void **ret_store, struct error *error)
{
    enum status status = context_status(context);
    if (env->probe != NULL) {
        file_probe(config, env->probe);
        return status;
    }
    struct file_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    store->config = config;
    store->name = env->name;
    store->by_partition = file_pattern_has_partition(store->config->path);
    if (store->config->compression == COMPRESSION_ZSTD) {
        store->codec = frame_codec_new((int)store->config->level);
        if (store->codec == NULL && status == STATUS_OK)
            status = error_set(error, ERROR_TRANSIENT, "out of memory");
    }
    /* With %p in a folder's name the folder is made when the partition's first record comes. */
    if (status == STATUS_OK && !store->by_partition)
        status = check_folder(store, error);
    if (status == STATUS_OK && env->exactly_once)
        status = once_open(store->config->path, env->service, env->name, context, &store->once, error);
    else if (status == STATUS_OK)
        status = file_recover(store->config->path, store->name, NULL, context, error);
    if (status != STATUS_OK) {
        file_close(store);
        return status;
    }
    *ret_store = store;
    return STATUS_OK;
}

static enum status file_preview(const void *config, struct batch *batch, struct record *record, struct arena *arena,
                                struct store_preview *ret)
{
    (void)config;
    (void)arena;
    (void)ret;
    if (!line_fits(record))
        reject_breaks(batch, record);
    return STATUS_OK;
}

static const struct store_offsets offsets = {.read = once_read, .move = file_move, .discard = file_discard};

const struct store_type file_store = {
    .name = "file",
    .help = "Lines of JSON (NDJSON) in files, compressed with zstd if wanted, rotated by size and age, never torn.",
    .config = &file_config_field,
    .open = file_open,
    .write = file_write,
    .flush = file_flush,
    .idle = rotate,
    .close = file_close,
    .preview = file_preview,
    .can_stand_beside = file_can_stand_beside,
    .offsets = &offsets,
    .flush_records = 16384,
    .flush_interval = 500 * CLOCK_MS,
};
