/* What those who write files need of the file system, with errors as text and class. Paths are relative to the working directory. */
#ifndef WEIR_PROCESSOR_DISK_H
#define WEIR_PROCESSOR_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/error.h"

/* Sets "cannot WHAT PATH: words of errno" and its class. Always STATUS_FAILED. */
enum status disk_failed(const char *what, const char *path, struct error *error);

/* Makes the folder and those above it, durably. */
enum status disk_make_folder(const char *path, struct error *error) WARN_UNUSED;
/* Whether that could be done, as far as one sees without doing it. */
enum status disk_may_make_folder(const char *path, struct error *error) WARN_UNUSED;
/*
 * The path without what can be said in several ways: from the root on, links followed, no "." and "..". It may lead to what is not there yet, and is the same once that is
 * made. False: it's longer than `size` takes, or there is no working directory.
 */
bool disk_resolve(const char *path, char *ret, size_t size) WARN_UNUSED;
/* Makes the names in the folder durable: after creating or renaming a file there. */
enum status disk_sync_folder(const char *path, struct error *error) WARN_UNUSED;
/* Writes all of it at the offset, or fails having written some. */
enum status disk_write(int fd, const void *data, size_t size, int64_t offset, const char *path,
                       struct error *error) WARN_UNUSED;
/* Gives the file its other name unless that is taken: STATUS_FULL then. */
enum status disk_rename(const char *from, const char *to, struct error *error) WARN_UNUSED;
/* Tries the lock by which a writer shows that it lives. False: another one has it. */
bool disk_lock(int fd);

#endif
