/* Files that a stage reads whole when it starts: dictionaries, lookup tables. */
#ifndef WEIR_STAGES_FILE_H
#define WEIR_STAGES_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "processor/error.h"

/* path as it is when absolute, else relative to dir. The caller frees it; NULL: out of memory. */
char *file_resolve(const char *dir, const char *path) WARN_UNUSED;

/* The whole file into memory from malloc, with 64 readable bytes behind it, and what it was while it was read (optional). max: in bytes.
 * Errors name the path and the system's reason. */
enum status file_read(const char *path, size_t max, uint8_t **ret_data, size_t *ret_size, struct stat *ret_stat,
                      struct error *error) WARN_UNUSED;

#endif
