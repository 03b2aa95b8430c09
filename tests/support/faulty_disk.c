#include "tests/support/faulty_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "processor/check.h"

enum { RANGES = 4096, FAULTS = 2 };

/* Written and not synced. */
struct range {
    ino_t file;
    off_t from;
    size_t size;
};

static char folder[PATH_MAX]; /* "": not begun */
static unsigned steps, fault_count;
static struct {
    unsigned step;
    enum disk_fault fault;
} faults[FAULTS];
static struct range ranges[RANGES];
static unsigned range_count;

/* The system's memory outlives the process. */
static _Noreturn void end_process(void)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/ranges", folder);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fwrite(ranges, sizeof *ranges, range_count, file) == range_count && fclose(file) == 0);
    _exit(DISK_END);
}

void faulty_disk_begin(const char *durable)
{
    char path[PATH_MAX + 32];
    snprintf(folder, sizeof folder, "%s", durable);
    snprintf(path, sizeof path, "%s/ranges", folder);
    FILE *file = fopen(path, "r");
    steps = fault_count = range_count = 0;
    if (file == NULL)
        return;
    range_count = (unsigned)fread(ranges, sizeof *ranges, RANGES, file);
    fclose(file);
}

void faulty_disk_at(unsigned step, enum disk_fault fault)
{
    CHECK(fault_count < FAULTS);
    faults[fault_count].step = step;
    faults[fault_count++].fault = fault;
}

unsigned faulty_disk_steps(void)
{
    return steps;
}

/* True: the call is to fail. ret_half: it is to do half of its work, and end the process or fail then. */
static bool step_fails(bool *ret_half, bool *ret_ends)
{
    steps += folder[0] != 0;
    for (unsigned i = 0; i < fault_count; i++) {
        if (faults[i].step != steps)
            continue;
        *ret_ends = faults[i].fault != DISK_FAILS;
        *ret_half = faults[i].fault != DISK_ENDS;
        if (*ret_ends && !*ret_half)
            end_process();
        return true;
    }
    return false;
}

/* For calls that are done or not. */
static bool fails_whole(void)
{
    bool half = false, ends = false;
    if (!step_fails(&half, &ends))
        return false;
    if (ends)
        end_process();
    errno = EIO;
    return true;
}

/* -- what is on the disk: a file by inode -- */

static void durable_path(char *path, size_t room, const char *durable, ino_t file)
{
    snprintf(path, room, "%s/%" PRIuMAX, durable, (uintmax_t)file);
}

static size_t raw_read(int fd, char *data, size_t size, off_t from)
{
    ssize_t n = (ssize_t)syscall(SYS_pread64, fd, data, size, from);
    CHECK(n >= 0);
    return (size_t)n;
}

static void raw_write(int fd, const char *data, size_t size, off_t from)
{
    CHECK((size_t)syscall(SYS_pwrite64, fd, data, size, from) == size);
}

static void forget_ranges(ino_t file)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < range_count; i++)
        if (ranges[i].file != file)
            ranges[kept++] = ranges[i];
    range_count = kept;
}

static void forget_file(const char *path)
{
    struct stat info;
    char durable[PATH_MAX + 32];
    if (folder[0] == 0 || lstat(path, &info) != 0 || info.st_nlink > 1)
        return;
    durable_path(durable, sizeof durable, folder, info.st_ino);
    syscall(SYS_unlinkat, AT_FDCWD, durable, 0);
    forget_ranges(info.st_ino);
}

static int open_fd(int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY);
}

/* What was written since the last sync reaches the disk. */
static void make_durable(int fd)
{
    struct stat info;
    char path[PATH_MAX + 32];
    if (folder[0] == 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return;
    durable_path(path, sizeof path, folder, info.st_ino);
    int in = open_fd(fd), out = open(path, O_WRONLY | O_CREAT, 0666);
    CHECK(in >= 0 && out >= 0);
    for (unsigned i = 0; i < range_count; i++) {
        char *data = malloc(ranges[i].size);
        CHECK(data != NULL);
        if (ranges[i].file == info.st_ino)
            raw_write(out, data, raw_read(in, data, ranges[i].size, ranges[i].from), ranges[i].from);
        free(data);
    }
    CHECK(syscall(SYS_ftruncate, out, info.st_size) == 0);
    close(in);
    close(out);
    forget_ranges(info.st_ino);
}

/* -- the calls -- */

ssize_t pwrite(int fd, const void *data, size_t size, off_t from)
{
    bool half = false, ends = false, fails = step_fails(&half, &ends);
    struct stat info;
    size_t wanted = fails ? size / 2 : size;
    ssize_t n = (ssize_t)syscall(SYS_pwrite64, fd, data, wanted, from);
    if (folder[0] != 0 && n > 0) {
        CHECK(fstat(fd, &info) == 0 && range_count < RANGES);
        ranges[range_count++] = (struct range){.file = info.st_ino, .from = from, .size = (size_t)n};
    }
    if (ends)
        end_process();
    if (!fails)
        return n;
    errno = EIO;
    return -1;
}

int ftruncate(int fd, off_t size)
{
    return fails_whole() ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

static int sync_fd(int fd)
{
    struct stat info;
    if (!fails_whole()) {
        make_durable(fd);
        return 0;
    }
    if (fstat(fd, &info) == 0)
        forget_ranges(info.st_ino);
    errno = EIO;
    return -1;
}

int fdatasync(int fd)
{
    return sync_fd(fd);
}

int fsync(int fd)
{
    return sync_fd(fd);
}

int rename(const char *from, const char *to)
{
    if (fails_whole())
        return -1;
    forget_file(to);
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    return fails_whole() ? -1 : (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}

int unlink(const char *path)
{
    if (fails_whole())
        return -1;
    forget_file(path);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* -- copies -- */

static char *read_file(const char *path, size_t *ret_size)
{
    struct stat info;
    int fd = open(path, O_RDONLY);
    *ret_size = 0;
    if (fd < 0)
        return calloc(1, 1);
    CHECK(fstat(fd, &info) == 0);
    char *data = malloc((size_t)info.st_size + 1);
    CHECK(data != NULL);
    *ret_size = raw_read(fd, data, (size_t)info.st_size, 0);
    close(fd);
    return data;
}

static void copy_file(const char *durable, const char *from, const char *to, enum disk_view view)
{
    struct stat info;
    char path[PATH_MAX + 32];
    size_t size, sure_size;
    CHECK(lstat(from, &info) == 0);
    durable_path(path, sizeof path, durable, info.st_ino);
    char *data = read_file(from, &size), *sure = read_file(path, &sure_size);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    CHECK(fd >= 0 && data != NULL && sure != NULL);
    if (view == DISK_MEMORY) {
        raw_write(fd, data, size, 0);
    } else {
        raw_write(fd, sure, sure_size, 0);
        if (view == DISK_PARTLY && size > sure_size)
            raw_write(fd, data + sure_size, (size - sure_size + 1) / 2, (off_t)sure_size);
    }
    close(fd);
    free(data);
    free(sure);
}

void faulty_disk_copy(const char *durable, const char *from, const char *to, enum disk_view hidden,
                      enum disk_view plain)
{
    DIR *dir = opendir(from);
    struct dirent *entry;
    CHECK(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        char old[PATH_MAX], new[PATH_MAX];
        bool dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        snprintf(old, sizeof old, "%s/%s", from, entry->d_name);
        snprintf(new, sizeof new, "%s/%s", to, entry->d_name);
        if (!dots)
            copy_file(durable, old, new, entry->d_name[0] == '.' ? hidden : plain);
    }
    closedir(dir);
}
