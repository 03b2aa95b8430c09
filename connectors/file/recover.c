/* See recover.h. The writer's lock on the file tells a crash from another instance at work. */
#include "connectors/file/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connectors/file/frame.h"
#include "connectors/file/name.h"
#include "processor/disk.h"
#include "processor/log.h"

/* How much of the file is whole; -1: it could not be read. */
static int64_t measure(int fd, size_t size)
{
    void *data;
    size_t good;
    if (size == 0)
        return 0;
    data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return -1;
    good = frame_whole(data, size);
    munmap(data, size);
    return (int64_t)good;
}

static enum status rename_final(const char *path, struct error *error)
{
    char final[PATH_MAX], folder[PATH_MAX];
    char *slash;
    enum status status;
    snprintf(final, sizeof final, "%.*s", (int)(strlen(path) - strlen(FILE_OPEN_SUFFIX)), path);
    snprintf(folder, sizeof folder, "%s", final);
    slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder] = 0;
    status = disk_rename(path, final, error);
    if (status == STATUS_FULL)
        return error_set(error, ERROR_TRANSIENT, "%s is there already", final);
    return status == STATUS_OK ? disk_sync_folder(slash != NULL ? folder : ".", error) : status;
}

/* Somebody was faster: the file that we have locked has its final name by now, or none. */
static bool is_there(const struct stat *ours, const char *path)
{
    struct stat named;
    return stat(path, &named) == 0 && named.st_ino == ours->st_ino && named.st_dev == ours->st_dev;
}

struct recovery {
    const char *part;
    struct manifest *manifest; /* NULL: none */
    struct context *context;
    enum status status; /* of asking the manifest */
    struct error error;
};

/* How much of the file counts; -1: it could not be read, or has less than was stored. Asks the manifest only now that the file is locked: its writer may have
 * committed just before it died. */
static int64_t find_good(struct recovery *recovery, int fd, const char *path, int64_t size, struct error *error)
{
    int64_t good = -1;
    if (recovery->manifest != NULL) {
        recovery->status = manifest_lock(recovery->manifest, false, recovery->context, &recovery->error);
        if (recovery->status == STATUS_EMPTY)
            recovery->status = error_set(&recovery->error, ERROR_TRANSIENT, "%s was removed meanwhile",
                                         manifest_path(recovery->manifest));
        if (recovery->status != STATUS_OK)
            return -1;
        good = manifest_size(recovery->manifest, path);
        manifest_unlock(recovery->manifest);
    }
    if (good > size) {
        error_set(error, ERROR_FATAL, "%s has %lld bytes, and %lld were stored: the disk lost some", path,
                  (long long)size, (long long)good);
        return -1;
    }
    if (good >= 0)
        return good;
    good = measure(fd, (size_t)size);
    if (good < 0)
        disk_failed("read", path, error);
    return good;
}

static enum status repair(struct recovery *recovery, int fd, const char *path, struct error *error)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return disk_failed("read", path, error);
    if (!is_there(&info, path))
        return STATUS_OK;
    int64_t good = find_good(recovery, fd, path, info.st_size, error);
    if (recovery->status != STATUS_OK)
        return STATUS_OK; /* told by that */
    if (good < 0)
        return STATUS_FAILED;
    if (good == 0) {
        log_info(recovery->part, "%s: left by a crash with nothing whole in it, removed", path);
        return unlink(path) == 0 ? STATUS_OK : disk_failed("remove", path, error);
    }
    if (good < info.st_size && ftruncate(fd, good) != 0)
        return disk_failed("cut", path, error);
    if (fsync(fd) != 0)
        return disk_failed("fsync", path, error);
    if (rename_final(path, error) != STATUS_OK)
        return STATUS_FAILED;
    log_info(recovery->part, "%s: left by a crash, finished: %lld of %lld bytes were whole", path, (long long)good,
             (long long)info.st_size);
    return STATUS_OK;
}

static void recover(const char *path, void *arg)
{
    struct recovery *recovery = arg;
    struct error error = {0};
    if (recovery->status != STATUS_OK)
        return;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        disk_failed("open", path, &error);
        log_warn(recovery->part, "a file that a crash left stays as it is: %s", error.text);
        return;
    }
    if (disk_lock(fd) && repair(recovery, fd, path, &error) != STATUS_OK)
        log_warn(recovery->part, "a file that a crash left stays as it is: %s", error.text);
    close(fd);
}

enum status file_recover(const char *pattern, const char *part, struct manifest *manifest, struct context *context,
                         struct error *error)
{
    struct recovery recovery = {.part = part, .manifest = manifest, .context = context};
    file_pattern_each_open(pattern, recover, &recovery);
    if (recovery.status == STATUS_FAILED && error != NULL)
        *error = recovery.error;
    return recovery.status;
}
