/*
 * One store by itself, configured by YAML, in a folder of its own that is the working directory meanwhile: the test hands over batches and flushes as the
 * framework does.
 */
#ifndef WEIR_TESTS_SUPPORT_STORED_H
#define WEIR_TESTS_SUPPORT_STORED_H

#include "processor/connector.h"
#include "processor/metrics.h"
#include "tests/support/parse.h"
#include "tests/support/records.h"

struct stored {
    const struct store_type *type;
    struct parsed *parsed;
    struct connector_env env;
    struct records records;
    struct context *context;
    void *store;
    struct error error; /* of the last call that failed */
    char dir[128], back[256];
};

/* Makes the folder. yaml: what stands under the store's key; asserts that it is good. */
void stored_init(struct stored *stored, const struct store_type *type, const char *yaml);
void stored_fini(struct stored *stored); /* closes the store, asserts that all batches are back, removes the folder */
/* Opens it; stored_close and this again are a restart. */
enum status stored_open(struct stored *stored);
void stored_close(struct stored *stored);
/* A batch of `count` orders {"id":N,"name":"n-N"} with N from `from` on. */
struct batch *stored_batch(struct stored *stored, int from, unsigned count);
enum status stored_write(struct stored *stored, struct batch *batch);
enum status stored_flush(struct stored *stored);
/* Opens when need be, writes and flushes such a batch; asserts that all goes well. */
void stored_put(struct stored *stored, int from, unsigned count);
/* Mounts a disk of that size (tmpfs's `size`) on a new folder; the test unmounts it. False: not root, or no mounts here; said on stdout. */
bool stored_small_disk(const char *folder, const char *size);
/* What a shell command prints first (trimmed) as a number, run in the folder; -1: it failed. */
long stored_count(const char *command);

#endif
