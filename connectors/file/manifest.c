/* See manifest.h. */
#include "connectors/file/manifest.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connectors/file/manifest_line.h"
#include "connectors/file/manifest_state.h"
#include "connectors/file/name.h"
#include "processor/check.h"
#include "processor/clock.h"
#include "processor/disk.h"
#include "processor/log.h"

#define LOCK_PATIENCE (5 * CLOCK_SECOND)
#define LOCK_PAUSE_MAX (20 * CLOCK_MS)

enum { COMPACT_LEAST = 256 * 1024 };

struct manifest {
    char folder[PATH_MAX], path[PATH_MAX], new_path[PATH_MAX];
    int fd; /* -1: none */
    bool locked;
    bool suspect;       /* what the file shows may not be on the disk */
    int64_t end;        /* of the lines that are in the state */
    int64_t compact_at; /* when it is that long */
    struct manifest_state state;
    struct manifest_lines lines; /* the one that is being put together, or a snapshot */
};

/* -- names -- */

/* A service may be called anything: what a file's name cannot have, or a shell would stumble over, becomes %XX. */
static bool encode_service(const char *service, char *out, size_t room)
{
    size_t used = 0;
    for (; *service != 0; service++) {
        bool plain = isalnum((unsigned char)*service) || strchr("._-", *service) != NULL;
        if (used + 4 > room)
            return false;
        used += (size_t)sprintf(out + used, plain ? "%c" : "%%%02X", (unsigned char)*service);
    }
    out[used] = 0;
    return true;
}

enum status manifest_new(const char *pattern, const char *service, struct manifest **ret, struct error *error)
{
    struct manifest *manifest = calloc(1, sizeof *manifest);
    char name[NAME_MAX - 32];
    if (manifest == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory");
    manifest->fd = -1;
    manifest->compact_at = COMPACT_LEAST;
    bool fits = encode_service(service, name, sizeof name) &&
                file_pattern_folder(pattern, manifest->folder, sizeof manifest->folder) == STATUS_OK;
    int n = fits ? snprintf(manifest->path, sizeof manifest->path, "%s/.weir-%s.manifest", manifest->folder, name) : -1;
    int m = fits ? snprintf(manifest->new_path, sizeof manifest->new_path, "%s.new", manifest->path) : -1;
    if (n < 0 || m < 0 || (size_t)m >= sizeof manifest->new_path) {
        manifest_free(manifest);
        return error_set(error, ERROR_FATAL, "the manifest's name for service \"%s\" beside \"%s\" is too long",
                         service, pattern);
    }
    *ret = manifest;
    return STATUS_OK;
}

static void close_file(struct manifest *manifest)
{
    if (manifest->fd >= 0)
        close(manifest->fd);
    manifest->fd = -1;
    manifest->locked = false;
    manifest->end = 0;
    manifest_state_fini(&manifest->state);
}

void manifest_free(struct manifest *manifest)
{
    if (manifest == NULL)
        return;
    close_file(manifest);
    manifest_lines_fini(&manifest->lines);
    free(manifest);
}

const char *manifest_path(const struct manifest *manifest)
{
    return manifest->path;
}

const char *manifest_folder(const struct manifest *manifest)
{
    return manifest->folder;
}

static const char *skip_here(const char *path)
{
    while (path[0] == '.' && path[1] == '/')
        path += 2 + strspn(path + 2, "/");
    return path;
}

/* The path below the folder, so that it is the same from wherever the folder is looked at. */
static const char *below(const struct manifest *manifest, const char *path)
{
    const char *folder = skip_here(manifest->folder);
    size_t size = strlen(folder);
    path = skip_here(path);
    if (strncmp(path, folder, size) == 0 && (path[size] == '/' || folder[size - 1] == '/'))
        path += size;
    return path + strspn(path, "/");
}

int64_t manifest_offset(const struct manifest *manifest, const char *topic, int32_t partition)
{
    return manifest_state_offset(&manifest->state, topic, partition);
}

int64_t manifest_size(const struct manifest *manifest, const char *path)
{
    return manifest_state_size(&manifest->state, below(manifest, path));
}

/* -- writing -- */

/* The line under way begins with the first thing put in. */
static void begin_line(struct manifest *manifest)
{
    if (manifest->lines.used == 0)
        manifest_line_begin(&manifest->lines);
}

void manifest_put_offset(struct manifest *manifest, const char *topic, int32_t partition, int64_t offset)
{
    begin_line(manifest);
    manifest_line_add(&manifest->lines, "o %" PRId32 " %" PRId64 " %s", partition, offset, topic);
}

void manifest_put_size(struct manifest *manifest, const char *path, int64_t size)
{
    begin_line(manifest);
    manifest_line_add(&manifest->lines, "f %" PRId64 " %s", size, below(manifest, path));
}

/* What was appended is taken over; when that fails, all of it is read anew at the next lock. */
static void take_line(struct manifest *manifest)
{
    struct manifest_lines *lines = &manifest->lines;
    manifest->end += (int64_t)lines->used;
    if (manifest_state_apply(&manifest->state, lines->text, lines->used) != STATUS_OK) {
        manifest_state_fini(&manifest->state);
        manifest->end = 0;
    }
}

static enum status append_line(struct manifest *manifest, bool *ret_unknown, struct error *error)
{
    struct manifest_lines *lines = &manifest->lines;
    if (lines->failed)
        return error_set(error, ERROR_TRANSIENT, "out of memory for a line of %s", manifest->path);
    if (disk_write(manifest->fd, lines->text, lines->used, manifest->end, manifest->path, error) != STATUS_OK) {
        /* It is not whole. Where it cannot be taken back now, it is the torn tail that the next lock cuts. */
        (void)!ftruncate(manifest->fd, manifest->end);
        return STATUS_FAILED;
    }
    if (fdatasync(manifest->fd) != 0) {
        *ret_unknown = manifest->suspect = true;
        return disk_failed("fdatasync", manifest->path, error);
    }
    take_line(manifest);
    return STATUS_OK;
}

enum status manifest_commit(struct manifest *manifest, bool *ret_unknown, struct error *error)
{
    struct error ignored = {0};
    enum status status = STATUS_OK;
    CHECK(manifest->locked);
    if (manifest->lines.used > 0 || manifest->lines.failed) {
        manifest_line_end(&manifest->lines);
        status = append_line(manifest, ret_unknown, error);
        manifest_lines_reset(&manifest->lines);
    }
    /* Not being able to make it smaller is no failure: it can wait. */
    if (status == STATUS_OK && manifest->end >= manifest->compact_at &&
        manifest_compact(manifest, &ignored) != STATUS_OK) {
        manifest->compact_at = manifest->end * 2;
        log_warn("file", "the manifest stays as long as it is: %s", ignored.text);
    }
    return status;
}

static void put_version(struct manifest *manifest)
{
    manifest_line_begin(&manifest->lines);
    manifest_line_add(&manifest->lines, "v 1");
    manifest_line_end(&manifest->lines);
}

/* A file that has another name by now is finished, or was empty: its size says no more. */
static void drop_finished(struct manifest *manifest)
{
    struct manifest_state *state = &manifest->state;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < state->file_count; i++) {
        char path[2 * PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", manifest->folder, state->files[i].path);
        if (access(path, F_OK) != 0 && errno == ENOENT)
            free(state->files[i].path);
        else
            state->files[kept++] = state->files[i];
    }
    state->file_count = kept;
}

static void put_snapshot(struct manifest *manifest)
{
    const struct manifest_state *state = &manifest->state;
    struct manifest_lines *lines = &manifest->lines;
    manifest_lines_reset(lines);
    put_version(manifest);
    for (uint32_t i = 0; i < state->offset_count; i++) {
        const struct manifest_offset *offset = &state->offsets[i];
        manifest_line_begin(lines);
        manifest_line_add(lines, "o %" PRId32 " %" PRId64 " %s", offset->partition, offset->offset, offset->topic);
        manifest_line_end(lines);
    }
    for (uint32_t i = 0; i < state->file_count; i++) {
        manifest_line_begin(lines);
        manifest_line_add(lines, "f %" PRId64 " %s", state->files[i].size, state->files[i].path);
        manifest_line_end(lines);
    }
}

/* The new file is locked before it has the name, so that nobody is in it before us. */
static enum status write_snapshot(struct manifest *manifest, int fd, struct error *error)
{
    const struct manifest_lines *lines = &manifest->lines;
    if (!disk_lock(fd))
        return disk_failed("lock", manifest->new_path, error);
    if (disk_write(fd, lines->text, lines->used, 0, manifest->new_path, error) != STATUS_OK)
        return STATUS_FAILED;
    if (fsync(fd) != 0)
        return disk_failed("fsync", manifest->new_path, error);
    if (rename(manifest->new_path, manifest->path) != 0)
        return disk_failed("rename", manifest->new_path, error);
    return STATUS_OK;
}

/* Of a new file. While the folder does not have it for sure, a power failure may bring the one before back. */
static enum status sync_name(struct manifest *manifest, struct error *error)
{
    enum status status = disk_sync_folder(manifest->folder, error);
    manifest->suspect = status != STATUS_OK;
    return status;
}

enum status manifest_compact(struct manifest *manifest, struct error *error)
{
    CHECK(manifest->locked);
    drop_finished(manifest);
    put_snapshot(manifest);
    int64_t size = (int64_t)manifest->lines.used;
    int fd = -1;
    enum status status = STATUS_OK;
    if (manifest->lines.failed)
        status = error_set(error, ERROR_TRANSIENT, "out of memory for the lines of %s", manifest->path);
    if (status == STATUS_OK && (fd = open(manifest->new_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) < 0)
        status = disk_failed("make", manifest->new_path, error);
    if (status == STATUS_OK)
        status = write_snapshot(manifest, fd, error);
    manifest_lines_reset(&manifest->lines);
    if (status != STATUS_OK) {
        if (fd >= 0)
            close(fd);
        return status;
    }
    close(manifest->fd);
    manifest->fd = fd;
    manifest->end = size;
    manifest->compact_at = size * 2 > COMPACT_LEAST ? size * 2 : COMPACT_LEAST;
    return sync_name(manifest, error);
}

/* -- reading -- */

static void forget_state(struct manifest *manifest)
{
    manifest_state_fini(&manifest->state);
    manifest->end = 0;
}

static enum status take_text(struct manifest *manifest, char *text, size_t size, struct error *error)
{
    size_t line;
    for (; (line = manifest_line_size(text, size)) > 0; text += line, size -= line) {
        enum status status = manifest_state_apply(&manifest->state, text, line);
        if (status == STATUS_NO_MEMORY)
            return error_set(error, ERROR_TRANSIENT, "out of memory for what %s says", manifest->path);
        if (status != STATUS_OK)
            return error_set(error, ERROR_FATAL, "%s: the line at byte %" PRId64 " is of a newer version of weir",
                             manifest->path, manifest->end);
        manifest->end += (int64_t)line;
    }
    if (size == 0)
        return STATUS_OK;
    /* At the very end that is a line whose writer crashed; with whole ones behind it, it is not. */
    if (manifest_line_follows(text, size))
        return error_set(error, ERROR_FATAL,
                         "%s is damaged at byte %" PRId64 ": what is stored cannot be told; look at the disk, and take "
                         "the file back from a copy or begin in another folder",
                         manifest->path, manifest->end);
    log_info("file", "%s: %zu bytes of a line that a crash tore cut off", manifest->path, size);
    return ftruncate(manifest->fd, manifest->end) == 0 ? STATUS_OK : disk_failed("cut back", manifest->path, error);
}

static enum status read_text(struct manifest *manifest, char *text, size_t size, struct error *error)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(manifest->fd, text + done, size - done, manifest->end + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO; /* nobody shortens it while we hold the lock */
        if (n <= 0)
            return disk_failed("read", manifest->path, error);
        done += (size_t)n;
    }
    return STATUS_OK;
}

/* Others' lines may be in memory only: nobody acts on what a power failure could take back. */
static enum status read_new(struct manifest *manifest, struct error *error)
{
    struct stat info;
    if (fstat(manifest->fd, &info) != 0)
        return disk_failed("read", manifest->path, error);
    if (info.st_size < manifest->end)
        forget_state(manifest);
    size_t size = (size_t)(info.st_size - manifest->end);
    if (size == 0)
        return STATUS_OK;
    char *text = malloc(size);
    if (text == NULL)
        return error_set(error, ERROR_TRANSIENT, "out of memory for %s", manifest->path);
    enum status status = read_text(manifest, text, size, error);
    if (status == STATUS_OK)
        status = take_text(manifest, text, size, error);
    free(text);
    if (status != STATUS_OK) {
        forget_state(manifest);
        return status;
    }
    if (fdatasync(manifest->fd) == 0)
        return STATUS_OK;
    manifest->suspect = true;
    return disk_failed("fdatasync", manifest->path, error);
}

/* -- the lock -- */

static enum status wait_lock(struct manifest *manifest, struct context *context, struct error *error)
{
    int64_t until = clock_now() + LOCK_PATIENCE, pause = CLOCK_MS;
    while (flock(manifest->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return disk_failed("lock", manifest->path, error);
        if (clock_now() >= until)
            return error_set(error, ERROR_TRANSIENT, "another process holds the lock on %s and does not let go of it",
                             manifest->path);
        enum status status = context_sleep(context, pause);
        if (status != STATUS_OK)
            return status;
        pause = pause * 2 < LOCK_PAUSE_MAX ? pause * 2 : LOCK_PAUSE_MAX;
    }
    return STATUS_OK;
}

/* Is what we have open and locked still what has the name? */
static bool is_current(const struct manifest *manifest)
{
    struct stat ours, named;
    return fstat(manifest->fd, &ours) == 0 && stat(manifest->path, &named) == 0 && ours.st_ino == named.st_ino &&
           ours.st_dev == named.st_dev;
}

static enum status lock_current(struct manifest *manifest, bool make, struct context *context, struct error *error)
{
    for (;;) {
        if (manifest->fd < 0)
            manifest->fd = open(manifest->path, O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0666);
        if (manifest->fd < 0)
            return errno == ENOENT && !make ? STATUS_EMPTY : disk_failed("open", manifest->path, error);
        enum status status = wait_lock(manifest, context, error);
        if (status != STATUS_OK)
            return status;
        if (is_current(manifest))
            return STATUS_OK;
        close_file(manifest);
    }
}

static enum status begin_file(struct manifest *manifest, struct error *error)
{
    bool unknown;
    put_version(manifest);
    enum status status = append_line(manifest, &unknown, error);
    manifest_lines_reset(&manifest->lines);
    return status == STATUS_OK ? sync_name(manifest, error) : status;
}

enum status manifest_lock(struct manifest *manifest, bool make, struct context *context, struct error *error)
{
    CHECK(!manifest->locked);
    enum status status = lock_current(manifest, make, context, error);
    if (status != STATUS_OK)
        return status;
    manifest->locked = true;
    status = read_new(manifest, error);
    if (status == STATUS_OK && manifest->suspect)
        status = manifest_compact(manifest, error);
    if (status == STATUS_OK && manifest->end == 0 && make)
        status = begin_file(manifest, error);
    if (status != STATUS_OK)
        manifest_unlock(manifest);
    return status;
}

void manifest_unlock(struct manifest *manifest)
{
    CHECK(manifest->locked);
    manifest_lines_reset(&manifest->lines);
    manifest->locked = false;
    flock(manifest->fd, LOCK_UN);
}
