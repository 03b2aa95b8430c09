/* See disk.h. */
#include "processor/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum error_class class_of(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EINTR:
    case EAGAIN:
    case ESTALE:
    case ETIMEDOUT:
        return ERROR_TRANSIENT;
    default:
        return ERROR_FATAL;
    }
}

enum status disk_failed(const char *what, const char *path, struct error *error)
{
    int number = errno;
    return error_set(error, class_of(number), "cannot %s %s: %s", what, path, strerror(number));
}

enum status disk_sync_folder(const char *path, struct error *error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = STATUS_OK;
    if (fd < 0)
        return disk_failed("open folder", path, error);
    /* EINVAL: a file system whose folders need no fsync, or know none. */
    if (fsync(fd) != 0 && errno != EINVAL)
        status = disk_failed("fsync folder", path, error);
    close(fd);
    return status;
}

/* One folder, whose parent is there. */
static enum status make_one(const char *path, struct error *error)
{
    char parent[PATH_MAX];
    struct stat info;
    char *slash;
    if (mkdir(path, 0777) != 0) {
        int number = errno;
        if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
            return STATUS_OK;
        errno = number == EEXIST ? ENOTDIR : number;
        return disk_failed("make folder", path, error);
    }
    snprintf(parent, sizeof parent, "%s", path);
    slash = strrchr(parent, '/');
    if (slash == parent)
        slash++;
    if (slash != NULL)
        *slash = 0;
    return disk_sync_folder(slash != NULL ? parent : ".", error);
}

enum status disk_make_folder(const char *path, struct error *error)
{
    char part[PATH_MAX];
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return STATUS_OK;
    for (size_t i = 1; i < sizeof part && path[i - 1]; i++) {
        enum status status;
        if ((path[i] && path[i] != '/') || path[i - 1] == '/')
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        status = make_one(part, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status disk_may_make_folder(const char *path, struct error *error)
{
    char part[PATH_MAX];
    struct stat info;
    int size = snprintf(part, sizeof part, "%s", path);
    if (size < 0 || size >= (int)sizeof part) {
        errno = ENAMETOOLONG;
        return disk_failed("make folder", path, error);
    }
    /* Up to what is there; a link that leads nowhere is there as well. */
    while (lstat(part, &info) != 0 && errno == ENOENT) {
        char *slash = strrchr(part, '/');
        if (slash == NULL)
            snprintf(part, sizeof part, ".");
        else
            slash[slash == part] = '\0';
    }
    if (stat(part, &info) != 0)
        return disk_failed("make folder", path, error);
    errno = ENOTDIR;
    if (!S_ISDIR(info.st_mode) || faccessat(AT_FDCWD, part, W_OK | X_OK, AT_EACCESS) != 0)
        return disk_failed("make folder", path, error);
    return STATUS_OK;
}

/* Goes on from `at` ("": the root), which is resolved. What is not there stays as it is said: it will be a folder. */
static bool resolve_part(char at[static PATH_MAX], const char *part, size_t size)
{
    char there[PATH_MAX];
    size_t length = strlen(at);
    if (size == 0 || (size == 1 && part[0] == '.'))
        return true;
    if (size == 2 && part[0] == '.' && part[1] == '.') {
        char *slash = strrchr(at, '/');
        if (slash != NULL)
            *slash = '\0';
        return true;
    }
    if (length + size + 2 > PATH_MAX)
        return false;
    at[length] = '/';
    memcpy(at + length + 1, part, size);
    at[length + 1 + size] = '\0';
    if (realpath(at, there) != NULL)
        memcpy(at, there, strlen(there) + 1);
    if (strcmp(at, "/") == 0)
        at[0] = '\0';
    return true;
}

bool disk_resolve(const char *path, char *ret, size_t size)
{
    char at[PATH_MAX] = "";
    if (path[0] != '/' && realpath(".", at) == NULL)
        return false;
    if (strcmp(at, "/") == 0)
        at[0] = '\0';
    while (*path != '\0') {
        size_t length = strcspn(path, "/");
        if (!resolve_part(at, path, length))
            return false;
        path += length + (path[length] == '/');
    }
    const char *resolved = at[0] != '\0' ? at : "/";
    if (strlen(resolved) >= size)
        return false;
    memcpy(ret, resolved, strlen(resolved) + 1);
    return true;
}

enum status disk_write(int fd, const void *data, size_t size, int64_t offset, const char *path, struct error *error)
{
    const uint8_t *at = data;
    while (size) {
        ssize_t n = pwrite(fd, at, size, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = ENOSPC;
            return disk_failed("write", path, error);
        }
        at += n;
        size -= (size_t)n;
        offset += n;
    }
    return STATUS_OK;
}

enum status disk_rename(const char *from, const char *to, struct error *error)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return STATUS_OK;
    if (errno == EEXIST)
        return STATUS_FULL;
    /* A file system that does not know the flag: link does not replace either. */
    if (errno == EINVAL || errno == ENOSYS) {
        if (link(from, to) == 0 && unlink(from) == 0)
            return STATUS_OK;
        if (errno == EEXIST)
            return STATUS_FULL;
    }
    return disk_failed("rename", from, error);
}

bool disk_lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0;
}
