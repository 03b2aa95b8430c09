/* See output.h. */
#include "connectors/file/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connectors/file/name.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/disk.h"

enum { FIRST_BUFFER = 64 * 1024, NAME_ATTEMPTS = 100 };

struct output {
    const struct file_config *config;
    struct frame_codec *codec;
    int32_t partition;
    int fd; /* -1: none */
    struct file_name name;
    char path[PATH_MAX];      /* final */
    char open_path[PATH_MAX]; /* now */
    uint8_t *buffer;          /* grows up to config->frame, or to a single line that is longer */
    size_t used, room;
    int64_t size, accepted; /* of the file: written, known to be on the disk */
    int64_t offset;         /* of its first record */
    int64_t opened;         /* monotonic */
    bool torn;              /* there may be more in the file than `size` */
    bool cut;               /* ... and on the disk, since the last sync */
};

struct output *output_new(const struct file_config *config, struct frame_codec *codec, int32_t partition)
{
    struct output *output = calloc(1, sizeof *output);
    if (output == NULL)
        return NULL;
    output->config = config;
    output->codec = codec;
    output->partition = partition;
    output->fd = -1;
    return output;
}

static void close_file(struct output *output)
{
    if (output->fd >= 0)
        close(output->fd);
    output->fd = -1;
    output->size = output->accepted = 0;
    output->torn = output->cut = false;
}

void output_free(struct output *output)
{
    if (output == NULL)
        return;
    close_file(output);
    free(output->buffer);
    free(output);
}

int32_t output_partition(const struct output *output)
{
    return output->partition;
}

/* Looks for the name's next free number; sets both paths. */
static enum status choose_name(struct output *output, struct error *error)
{
    uint64_t number;
    int n;
    if (file_name_next(&output->name, &number) != STATUS_OK)
        return disk_failed("read folder", output->name.folder, error);
    if (file_name_path(&output->name, number, output->path, sizeof output->path) != STATUS_OK)
        return error_set(error, ERROR_FATAL, "the name that \"%s\" makes is too long", output->config->path);
    n = snprintf(output->open_path, sizeof output->open_path, "%s%s", output->path, FILE_OPEN_SUFFIX);
    if (n < 0 || (size_t)n >= sizeof output->open_path)
        return error_set(error, ERROR_FATAL, "the name that \"%s\" makes is too long", output->config->path);
    return STATUS_OK;
}

/* Another instance may have taken the new file for a leftover before it was locked, or just finished one of the same number. */
static bool is_ours(struct output *output, int fd)
{
    struct stat info;
    if (!disk_lock(fd) || fstat(fd, &info) != 0 || info.st_nlink == 0)
        return false;
    if (access(output->path, F_OK) != 0)
        return true;
    unlink(output->open_path);
    return false;
}

static enum status create(struct output *output, struct error *error)
{
    for (unsigned i = 0; i < NAME_ATTEMPTS; i++) {
        enum status status = choose_name(output, error);
        int fd;
        if (status != STATUS_OK)
            return status;
        fd = open(output->open_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            return disk_failed("make", output->open_path, error);
        if (fd >= 0 && is_ours(output, fd)) {
            output->fd = fd;
            return STATUS_OK;
        }
        if (fd >= 0)
            close(fd);
    }
    return error_set(error, ERROR_TRANSIENT,
                     "found no free name like %s after %d attempts: other writers take them all", output->path,
                     NAME_ATTEMPTS);
}

static enum status cut(struct output *output, struct error *error)
{
    if (!output->torn)
        return STATUS_OK;
    if (ftruncate(output->fd, output->size) != 0)
        return disk_failed("cut back", output->open_path, error);
    output->torn = false;
    output->cut = true;
    return STATUS_OK;
}

static enum status make(struct output *output, int64_t offset, struct error *error)
{
    const struct file_name_parts parts = {
        .now = (time_t)(clock_wall_ms() / 1000), .partition = output->partition, .offset = offset};
    enum status status;
    if (file_name_expand(output->config->path, &parts, &output->name) != STATUS_OK)
        return error_set(error, ERROR_FATAL, "the name that \"%s\" makes is too long", output->config->path);
    status = disk_make_folder(output->name.folder, error);
    if (status == STATUS_OK)
        status = create(output, error);
    if (status != STATUS_OK)
        return status;
    output->opened = clock_now();
    output->offset = offset;
    status = disk_sync_folder(output->name.folder, error);
    if (status != STATUS_OK) {
        unlink(output->open_path);
        close_file(output);
    }
    return status;
}

enum status output_begin(struct output *output, int64_t offset, bool *ret_made, struct error *error)
{
    bool empty = output->accepted == 0 && output->size == 0 && output->used == 0;
    enum status status = STATUS_OK;
    /* What the name's %o spoke of was taken back. */
    if (output->fd >= 0 && empty && output->offset != offset && file_pattern_has_offset(output->config->path))
        status = output_finish(output, error);
    if (status != STATUS_OK)
        return status;
    *ret_made = output->fd < 0;
    return output->fd < 0 ? make(output, offset, error) : cut(output, error);
}

/* A partition without records keeps no memory. */
static void release_buffer(struct output *output)
{
    free(output->buffer);
    output->buffer = NULL;
    output->room = 0;
}

static bool grow(struct output *output, size_t size)
{
    size_t room = output->room ? output->room : FIRST_BUFFER;
    size_t most = (size_t)output->config->frame;
    uint8_t *buffer;
    while (room < size)
        room *= 2;
    if (room > most && size <= most)
        room = most;
    buffer = realloc(output->buffer, room);
    if (buffer == NULL)
        return false;
    output->buffer = buffer;
    output->room = room;
    return true;
}

enum status output_reserve(struct output *output, size_t size, uint8_t **ret, struct error *error)
{
    size_t most = (size_t)output->config->frame;
    if (output->used && output->used + size > most) {
        enum status status = output_write(output, error);
        if (status != STATUS_OK)
            return status;
    }
    if (output->used + size > output->room && !grow(output, output->used + size))
        return error_set(error, ERROR_TRANSIENT, "out of memory for a line of %zu bytes", size);
    *ret = output->buffer + output->used;
    return STATUS_OK;
}

void output_add(struct output *output, size_t size)
{
    output->used += size;
    CHECK(output->used <= output->room);
}

/* A line longer than a frame made the buffer big: not for ever. */
static void shrink(struct output *output)
{
    if (output->room > (size_t)output->config->frame)
        release_buffer(output);
}

enum status output_write(struct output *output, struct error *error)
{
    const uint8_t *data = output->buffer;
    size_t size = output->used;
    enum status status;
    if (!size)
        return STATUS_OK;
    if (output->codec != NULL) {
        status = frame_compress(output->codec, output->buffer, output->used, &data, &size, error);
        if (status != STATUS_OK)
            return status;
    }
    output->torn = true;
    status = disk_write(output->fd, data, size, output->size, output->open_path, error);
    if (status != STATUS_OK)
        return status;
    output->torn = false;
    output->size += (int64_t)size;
    output->used = 0;
    shrink(output);
    return STATUS_OK;
}

enum status output_sync(struct output *output, struct error *error)
{
    if (output->fd < 0 || output->size == output->accepted)
        return STATUS_OK;
    if (fdatasync(output->fd) != 0)
        return disk_failed("fdatasync", output->open_path, error);
    output->cut = false;
    return STATUS_OK;
}

void output_accept(struct output *output)
{
    output->accepted = output->size;
}

void output_rewind(struct output *output)
{
    struct error ignored;
    output->used = 0;
    shrink(output);
    if (output->fd < 0)
        return;
    output->torn |= output->size != output->accepted;
    output->size = output->accepted;
    (void)!cut(output, &ignored);
}

int64_t output_size(const struct output *output)
{
    return output->size;
}

int64_t output_accepted(const struct output *output)
{
    return output->accepted;
}

const char *output_open_path(const struct output *output)
{
    return output->fd >= 0 ? output->open_path : "";
}

void output_accept_only(struct output *output, int64_t size)
{
    CHECK(size >= output->accepted && size <= output->size);
    output->accepted = size;
    output_rewind(output);
}

bool output_due(const struct output *output, int64_t now)
{
    if (output->fd < 0)
        return false;
    return output->accepted >= output->config->rotate.size || now - output->opened >= output->config->rotate.every;
}

enum status output_finish(struct output *output, struct error *error)
{
    enum status status = STATUS_OK;
    if (output->fd < 0)
        return STATUS_OK;
    status = cut(output, error);
    if (status != STATUS_OK)
        return status;
    if (output->accepted == 0) {
        if (unlink(output->open_path) != 0)
            return disk_failed("remove", output->open_path, error);
        close_file(output);
        return STATUS_OK;
    }
    /* What was taken back must not come back after a power failure, under a final name. */
    if (output->cut && fdatasync(output->fd) != 0)
        return disk_failed("fdatasync", output->open_path, error);
    output->cut = false;
    while ((status = disk_rename(output->open_path, output->path, error)) == STATUS_FULL) {
        char open_path[PATH_MAX];
        /* Somebody put a file of that name there meanwhile: the next number. */
        memcpy(open_path, output->open_path, sizeof open_path);
        status = choose_name(output, error);
        memcpy(output->open_path, open_path, sizeof open_path);
        if (status != STATUS_OK)
            return status;
    }
    if (status == STATUS_OK)
        status = disk_sync_folder(output->name.folder, error);
    /* Renamed, if perhaps not durably so: either name will do for what a restart finds. */
    close_file(output);
    release_buffer(output);
    return status;
}
