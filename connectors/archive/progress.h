/*
 * How far a stretch of the archive has been worked through: a small file in its folder, .weir-SERVICE.progress, replaced as a whole. SERVICE is the name that the
 * run has as a service ("orders-store.fix"), as several services may read one archive. Whoever is at work under the name has locked .weir-SERVICE.progress.lock, which is empty
 * and stays. Text, a line each:
 *
 *   weir progress 1
 *   request 5f2c0a9be1d37710 --from -2h --to now     (the bounds and partitions that were asked for first: the same name means the same stretch. They are
 *                                     compared by their checksum; the words are for people, and may be cut short)
 *   window 1764064800000 1764068400000 (the filter's times, ms; -9223372036854775808 and 9223372036854775807: all)
 *   part orders 0 1200 5000 3417       (topic, partition, first, end, next)
 *   end
 */
#ifndef WEIR_CONNECTORS_ARCHIVE_PROGRESS_H
#define WEIR_CONNECTORS_ARCHIVE_PROGRESS_H

#include <stddef.h>

#include "processor/error.h"
#include "processor/stretch.h"

enum { ARCHIVE_HASH_SIZE = 16 };

/* The file's path. False: too long. */
bool archive_progress_path(const char *dir, const char *service, char *ret, size_t size) WARN_UNUSED;
/* A request, as a part's seal has it: its checksum and its words. */
void archive_progress_seal(const struct stretch_request *request, char *ret, size_t size);
const char *archive_progress_words(const char *seal);
bool archive_progress_same(const char *seal, const char *other);
/* What the file has, as a stretch with `resumed`; *ret NULL: there is no such file. */
enum status archive_progress_read(const char *dir, const char *service, struct stretch **ret,
                                  struct error *error) WARN_UNUSED;
/* Keeps other processes off the name, until *ret_fd is closed. ERROR_FATAL: one is at work under it. */
enum status archive_progress_lock(const char *dir, const char *service, int *ret_fd, struct error *error) WARN_UNUSED;
/* Durably. nexts: of the stretch's parts, in their order. */
enum status archive_progress_write(const char *dir, const char *service, const struct stretch *stretch,
                                   const int64_t *nexts, struct error *error) WARN_UNUSED;

#endif
