#include "stages/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PADDING = 64 };

char *file_resolve(const char *dir, const char *path)
{
    char *resolved;
    if (path[0] == '/' || dir == NULL || dir[0] == '\0')
        return strdup(path);
    return asprintf(&resolved, "%s/%s", dir, path) < 0 ? NULL : resolved;
}

static enum status read_all(int fd, const char *path, uint8_t *data, size_t room, size_t *ret_size, struct error *error)
{
    size_t size = 0;
    while (size < room) {
        ssize_t n = read(fd, data + size, room - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(error, ERROR_FATAL, "%s: can't be read: %s", path, strerror(errno));
        if (n == 0)
            break;
        size += (size_t)n;
    }
    *ret_size = size;
    return STATUS_OK;
}

static enum status read_open(int fd, const char *path, size_t max, uint8_t **ret_data, size_t *ret_size,
                             struct stat *ret_stat, struct error *error)
{
    if (fstat(fd, ret_stat) != 0)
        return error_set(error, ERROR_FATAL, "%s: can't be read: %s", path, strerror(errno));
    if (!S_ISREG(ret_stat->st_mode))
        return error_set(error, ERROR_FATAL, "%s: expected a file, found %s", path,
                         S_ISDIR(ret_stat->st_mode) ? "a directory" : "something else");
    size_t size = (size_t)ret_stat->st_size;
    if (size > max)
        return error_set(error, ERROR_FATAL, "%s: has %zu bytes, at most %zu are allowed", path, size, max);
    uint8_t *data = malloc(size + PADDING);
    if (data == NULL)
        return error_set(error, ERROR_TRANSIENT, "%s: no memory for its %zu bytes", path, size);
    enum status status = read_all(fd, path, data, size, ret_size, error);
    if (status != STATUS_OK) {
        free(data);
        return status;
    }
    memset(data + *ret_size, 0, size + PADDING - *ret_size);
    *ret_data = data;
    return STATUS_OK;
}

enum status file_read(const char *path, size_t max, uint8_t **ret_data, size_t *ret_size, struct stat *ret_stat,
                      struct error *error)
{
    struct stat own;
    /* Not blocking: a FIFO by that name must not hang the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set(error, ERROR_FATAL, "%s: can't be opened: %s", path, strerror(errno));
    enum status status = read_open(fd, path, max, ret_data, ret_size, ret_stat != NULL ? ret_stat : &own, error);
    close(fd);
    return status;
}
