/*
 * File names out of a pattern: strftime's conversions (UTC), %i, %p, %o (with %p). Only the last part of the path may have %i; where it has none, one is
 * understood before the extension, as "-1", "-2", ..., and nothing for the first file.
 */
#ifndef WEIR_CONNECTORS_FILE_NAME_H
#define WEIR_CONNECTORS_FILE_NAME_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "processor/status.h"

#define FILE_OPEN_SUFFIX ".open" /* behind the name of a file that is being written */

struct file_name {
    char folder[PATH_MAX];                          /* "." when the pattern has none */
    char before[NAME_MAX + 1], after[NAME_MAX + 1]; /* the number stands between them */
    bool dashed;                                    /* no %i in the pattern: "-1" instead of "1", and no 0 */
};

/* False: *ret_at is the place in the pattern, *ret_why what was expected. */
bool file_pattern_check(const char *pattern, unsigned *ret_at, const char **ret_why);
bool file_pattern_has_partition(const char *pattern);
bool file_pattern_has_offset(const char *pattern);
/* The longest leading folder that all names of the pattern have in common ("." when it has none). STATUS_FAILED: longer than the system allows. */
enum status file_pattern_folder(const char *pattern, char *ret, size_t size) WARN_UNUSED;

/* What a name is made of. */
struct file_name_parts {
    time_t now;
    int32_t partition;
    int64_t offset; /* of the file's first record */
};

/* STATUS_FAILED: longer than the system allows. */
enum status file_name_expand(const char *pattern, const struct file_name_parts *parts,
                             struct file_name *ret) WARN_UNUSED;
/* The whole path with that number. */
enum status file_name_path(const struct file_name *name, uint64_t number, char *ret, size_t size) WARN_UNUSED;
/* The number behind all that are in the folder, open ones included. STATUS_FAILED: see errno. */
enum status file_name_next(const struct file_name *name, uint64_t *ret) WARN_UNUSED;

/* Visits each file that could have been written by this pattern and still has its suffix .open, in whatever folder the pattern leads to. */
void file_pattern_each_open(const char *pattern, void (*visit)(const char *path, void *arg), void *arg);

#endif
