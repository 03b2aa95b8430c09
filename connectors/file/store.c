/*
 * The file store: NDJSON, a line each, in frames. write fills buffers and writes full ones; flush ends the frames, writes and syncs them, and only then is anything taken as
 * good. So whatever goes wrong, cutting every file back to what was good at the last flush forgets everything since.
 *
 * When that happens in write with earlier batches since the last flush, write cannot say so: the store becomes `lost`, takes no more, and the
 * next flush fails, which makes the framework hand everything again.
 *
 * Files are finished (renamed) only behind a successful flush, so that a final name always means: all of it is on the disk.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/file/config.h"
#include "connectors/file/disk.h"
#include "connectors/file/name.h"
#include "connectors/file/output.h"
#include "connectors/file/probe.h"
#include "connectors/file/recover.h"
#include "processor/clock.h"
#include "processor/connector.h"
#include "processor/line.h"
#include "processor/log.h"

struct file_store {
    const struct file_config *config;
    const char *name;
    bool by_partition;
    struct frame_codec *codec; /* NULL: no compression */
    struct output **outputs;
    uint32_t count, room;
    unsigned batches; /* since the last flush */
    bool lost;        /* what was handed over since the last flush is gone */
    struct error why; /* of lost */
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

static void rewind_all(struct file_store *store)
{
    for (uint32_t i = 0; i < store->count; i++)
        output_rewind(store->outputs[i]);
    store->batches = 0;
}

static enum status write_records(struct file_store *store, struct batch *batch, struct error *error)
{
    struct output *output = find_output(store, batch->partition);
    enum status status;
    if (output == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    BATCH_EACH(batch, record)
    {
        uint8_t *text;
        size_t size;
        if (!begun)
            status = begin_output(store, output, record->offset, error);
        if (status != STATUS_OK)
            return status;
        begun = true;
        status = output_reserve(output, line_max(record), &text, error);
        if (status != STATUS_OK)
            return status;
        size = line_encode(record, text);
        if (size == 0)
            batch_reject(batch, record, "line",
                         "expected raw bytes without a line break, as each record is a line of the file");
        output_add(output, size);
    }
    return STATUS_OK;
}

static enum status file_write(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    struct file_store *store = arg;
    enum status status = context_status(context);
    struct error why = {0};
    bool first = store->batches == 0;
    if (status != STATUS_OK || store->lost)
        return status;
    status = write_records(store, batch, &why);
    if (status == STATUS_OK) {
        store->batches++;
        return STATUS_OK;
    }
    rewind_all(store);
    if (!first && why.class == ERROR_TRANSIENT) {
        store->lost = true;
        store->why = why;
        return STATUS_OK;
    }
    if (error != NULL)
        *error = why;
    return status;
}

/* A name that cannot be given now can be given at the next flush. */
static void rotate(void *arg)
{
    struct file_store *store = arg;
    int64_t now = clock_now();
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
    if (status != STATUS_OK)
        return status;
    if (store->lost) {
        store->lost = false;
        return error_set(error, store->why.class, "%s", store->why.text);
    }
    status = flush_all(store, error);
    if (status != STATUS_OK) {
        /* Also after a failed sync: the kernel may have dropped what it could not write, so it counts as lost. */
        rewind_all(store);
        return status;
    }
    for (uint32_t i = 0; i < store->count; i++)
        output_accept(store->outputs[i]);
    store->batches = 0;
    rotate(store);
    return STATUS_OK;
}

static void file_close(void *arg)
{
    struct file_store *store = arg;
    if (store == NULL)
        return;
    for (uint32_t i = 0; i < store->count; i++) {
        struct error error = {0};
        output_rewind(store->outputs[i]);
        if (output_finish(store->outputs[i], &error) != STATUS_OK)
            log_warn(store->name, "file not finished: %s", error.text);
        output_free(store->outputs[i]);
    }
    free(store->outputs);
    frame_codec_free(store->codec);
    free(store);
}

/* Before the first record comes: can there be files where the config wants them? */
static enum status check_folder(const struct file_store *store, struct error *error)
{
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct file_name name;
    if (file_name_expand(store->config->path, now, 0, &name) != STATUS_OK)
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
    if (status != STATUS_OK) {
        file_close(store);
        return status;
    }
    file_recover(store->config->path, store->name);
    *ret_store = store;
    return STATUS_OK;
}

const struct store_type file_store = {
    .name = "file",
    .help = "Lines of JSON (NDJSON) in files, compressed with zstd if wanted, rotated by size and age, never torn.",
    .config = &file_config_field,
    .open = file_open,
    .write = file_write,
    .flush = file_flush,
    .idle = rotate,
    .close = file_close,
    .flush_records = 16384,
    .flush_interval = 500 * CLOCK_MS,
};
