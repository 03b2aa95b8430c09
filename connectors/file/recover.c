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

#include "connectors/file/disk.h"
#include "connectors/file/frame.h"
#include "connectors/file/name.h"
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

static enum status repair(int fd, const char *path, const char *part, struct error *error)
{
    struct stat info;
    int64_t good;
    if (fstat(fd, &info) != 0)
        return disk_failed("read", path, error);
    if (info.st_nlink == 0)
        return STATUS_OK; /* another instance was faster */
    good = measure(fd, (size_t)info.st_size);
    if (good < 0)
        return disk_failed("read", path, error);
    if (good == 0) {
        log_info(part, "%s: left by a crash with nothing whole in it, removed", path);
        return unlink(path) == 0 ? STATUS_OK : disk_failed("remove", path, error);
    }
    if (good < info.st_size && ftruncate(fd, good) != 0)
        return disk_failed("cut", path, error);
    if (fsync(fd) != 0)
        return disk_failed("fsync", path, error);
    if (rename_final(path, error) != STATUS_OK)
        return STATUS_FAILED;
    log_info(part, "%s: left by a crash, finished: %lld of %lld bytes were whole", path, (long long)good,
             (long long)info.st_size);
    return STATUS_OK;
}

static void recover(const char *path, void *arg)
{
    const char *part = arg;
    struct error error = {0};
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        disk_failed("open", path, &error);
        log_warn(part, "a file that a crash left stays as it is: %s", error.text);
        return;
    }
    if (disk_lock(fd) && repair(fd, path, part, &error) != STATUS_OK)
        log_warn(part, "a file that a crash left stays as it is: %s", error.text);
    close(fd);
}

void file_recover(const char *pattern, const char *part)
{
    file_pattern_each_open(pattern, recover, (void *)(uintptr_t)part);
}
