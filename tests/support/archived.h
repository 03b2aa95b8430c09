/* An archive in a folder of its own, records to put into it, and what is in it. */
#ifndef WEIR_TESTS_SUPPORT_ARCHIVED_H
#define WEIR_TESTS_SUPPORT_ARCHIVED_H

#include <stdint.h>

#include "connectors/archive/segment.h"
#include "connectors/archive/store.h"
#include "tests/support/records.h"

struct archived {
    char dir[320];
    struct archive_store_config config;
    struct connector_env env;
    struct context *context;
    struct records records;
    void *store; /* NULL: not open */
    struct error error;
};

void archived_init(struct archived *archived);
void archived_fini(struct archived *archived);
/* The record with that offset: its key, value and headers are of every kind in turn (null, empty, bytes that are no text, headers with the same name, without a
 * value), its timestamp is `time`. */
struct record *archived_record(struct batch *batch, int64_t offset, int64_t time);
/* Is it what archived_record made? */
void archived_assert(const struct record *record, int64_t offset, int64_t time);
/* A batch of [from, to) of the topic "orders", each `step`th, with the timestamp 1000 * offset. The caller frees it. */
struct batch *archived_batch(struct archived *archived, int32_t partition, int64_t from, int64_t to, int64_t step);
enum status archived_open(struct archived *archived);
void archived_close(struct archived *archived);
/* Opens the store when it is not, writes and flushes such a batch. */
void archived_put(struct archived *archived, int32_t partition, int64_t from, int64_t to, int64_t step);

/* The paths of the partition's segments, one a line; in a buffer that the next call uses again. */
const char *archived_files(const struct archived *archived, int32_t partition);
/* Goes through all records of the partition, asserts that each is what archived_put wrote and that their offsets ascend; returns how many there are. */
int64_t archived_count(const struct archived *archived, int32_t partition);
/* The only segment of the partition. */
const char *archived_file(const struct archived *archived, int32_t partition);
/* A whole file; free it. And back. */
uint8_t *archived_load(const char *path, size_t *ret_size);
void archived_save(const char *path, const uint8_t *data, size_t size);
/* Inflates every frame of the file and goes through its records; counts those that are good, and in *ret_bad the frames that are not. */
int64_t archived_read(const char *path, unsigned *ret_bad);

#endif
