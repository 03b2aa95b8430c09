/*
 * The stdout store: NDJSON to standard output, for trying things and for pipes. write only fills a buffer; flush (or a full buffer) writes.
 *
 * What went into a pipe cannot be taken back, so there is no second attempt: an output that cannot be written to is fatal, and the records that were under way come
 * again after a restart. A reader that is slow just holds the pipeline back.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/table.h"
#include "processor/clock.h"
#include "processor/connector.h"
#include "processor/line.h"

enum { BUFFER_SIZE = 256 * 1024 };

#define POLL_SLICE (50 * CLOCK_MS)

struct stdout_config {
    struct config_head head;
};

struct stdout_store {
    uint8_t *buffer;
    size_t used, room;
    bool regular; /* a file: write never waits for a reader */
};

/* Waits until a write will not block, in slices, as the context has no file descriptor to poll. */
static enum status wait_writable(struct context *context)
{
    struct pollfd fd = {.fd = STDOUT_FILENO, .events = POLLOUT};
    enum status status;
    do {
        status = context_status(context);
        if (status != STATUS_OK)
            return status;
    } while (poll(&fd, 1, (int)(POLL_SLICE / CLOCK_MS)) <= 0);
    return STATUS_OK;
}

static enum status write_failed(struct error *error)
{
    if (errno == EPIPE)
        return error_set(error, ERROR_FATAL, "standard output was closed by its reader");
    return error_set(error, ERROR_FATAL, "cannot write to standard output: %s", strerror(errno));
}

/* A pipe that polls as writable takes PIPE_BUF bytes without blocking, even when it is a blocking one (POSIX, write). */
static enum status drain(struct stdout_store *store, struct context *context, struct error *error)
{
    size_t done = 0;
    while (done < store->used) {
        size_t size = store->used - done;
        enum status status = wait_writable(context);
        ssize_t n;
        if (status != STATUS_OK) {
            store->used = 0;
            return status;
        }
        if (!store->regular && size > PIPE_BUF)
            size = PIPE_BUF;
        n = write(STDOUT_FILENO, store->buffer + done, size);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n < 0) {
            store->used = 0;
            return write_failed(error);
        }
        done += (size_t)n;
    }
    store->used = 0;
    return STATUS_OK;
}

static enum status reserve(struct stdout_store *store, size_t size, struct context *context, struct error *error)
{
    uint8_t *buffer;
    if (store->used + size > BUFFER_SIZE && store->used) {
        enum status status = drain(store, context, error);
        if (status != STATUS_OK)
            return status;
    }
    if (store->used + size <= store->room)
        return STATUS_OK;
    buffer = realloc(store->buffer, store->used + size);
    if (buffer == NULL)
        return error_set(error, ERROR_FATAL, "out of memory for a line of %zu bytes", size);
    store->buffer = buffer;
    store->room = store->used + size;
    return STATUS_OK;
}

static void reject_breaks(struct batch *batch, struct record *record)
{
    batch_reject(batch, record, "line",
                 "expected raw bytes without a line break, as each record is a line of the output");
}

static enum status stdout_write(void *arg, struct batch *batch, struct context *context, struct error *error)
{
    struct stdout_store *store = arg;
    enum status status = context_status(context);
    if (status != STATUS_OK)
        return status;
    BATCH_EACH(batch, record)
    {
        size_t size;
        status = reserve(store, line_max(record), context, error);
        if (status != STATUS_OK)
            return status;
        size = line_encode(record, store->buffer + store->used);
        if (size == 0)
            reject_breaks(batch, record);
        store->used += size;
    }
    return STATUS_OK;
}

static enum status stdout_flush(void *arg, struct context *context, struct error *error)
{
    struct stdout_store *store = arg;
    enum status status = context_status(context);
    return status == STATUS_OK ? drain(store, context, error) : status;
}

static void stdout_close(void *arg)
{
    struct stdout_store *store = arg;
    if (store == NULL)
        return;
    free(store->buffer);
    free(store);
}

/* Writing to a closed pipe would end the process: wanted is EPIPE. Whoever set a handler of their own keeps it. */
static void ignore_sigpipe(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

static enum status stdout_open(const void *config, const struct connector_env *env, struct context *context,
                               void **ret_store, struct error *error)
{
    enum status status = context_status(context);
    struct stdout_store *store;
    struct stat info;
    (void)config;
    (void)env;
    if (status != STATUS_OK)
        return status;
    if (fstat(STDOUT_FILENO, &info) != 0)
        return error_set(error, ERROR_FATAL, "standard output is not open: %s", strerror(errno));
    store = calloc(1, sizeof *store);
    if (store != NULL)
        store->buffer = malloc(BUFFER_SIZE);
    if (store == NULL || store->buffer == NULL) {
        free(store);
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    }
    store->room = BUFFER_SIZE;
    store->regular = S_ISREG(info.st_mode);
    ignore_sigpipe();
    *ret_store = store;
    return STATUS_OK;
}

static const struct config_field fields[] = {{0}};

static const struct config_table table = {
    .name = "stdout",
    .help = "Lines of JSON (NDJSON) on standard output; it has no settings.",
    .size = sizeof(struct stdout_config),
    .fields = fields,
};

static const struct config_field config_field = {
    .name = "stdout",
    .help = "Lines of JSON (NDJSON) on standard output; it has no settings.",
    .kind = CONFIG_OBJECT,
    .table = &table};

static enum status stdout_preview(const void *config, struct batch *batch, struct record *record, struct arena *arena,
                                  struct store_preview *ret)
{
    (void)config;
    (void)arena;
    (void)ret;
    if (!line_fits(record))
        reject_breaks(batch, record);
    return STATUS_OK;
}

const struct store_type stdout_store = {
    .name = "stdout",
    .help = "Lines of JSON (NDJSON) on standard output.",
    .config = &config_field,
    .open = stdout_open,
    .write = stdout_write,
    .flush = stdout_flush,
    .close = stdout_close,
    .preview = stdout_preview,
    .flush_records = 1024,
    .flush_interval = 100 * CLOCK_MS,
};
