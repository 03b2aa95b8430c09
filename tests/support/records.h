/* Batches of records for tests, with a budget and a pool of their own. */
#ifndef WEIR_TESTS_SUPPORT_RECORDS_H
#define WEIR_TESTS_SUPPORT_RECORDS_H

#include <stdint.h>

#include "processor/batch.h"
#include "processor/budget.h"

struct records {
    struct budget *budget;
    struct batch_pool *pool;
};

void records_init(struct records *records);
void records_fini(struct records *records); /* asserts that every batch is back and the budget unused */
/* An empty batch of topic "orders"/0. */
struct batch *records_batch(struct records *records);
/* A record at the end, its offset one behind the last (0 at first); NULL stands for a null key or value. Both are copied into the arena. */
struct record *records_add(struct batch *batch, const char *key, const char *value);
struct record *records_add_bytes(struct batch *batch, struct bytes key, struct bytes value);
/* The same, and its value is parsed as JSON into record->document; asserts that it is valid. */
struct record *records_add_json(struct batch *batch, const char *json);
/* What document_encode writes, zero-terminated, in the batch's arena. */
const char *records_encode(struct batch *batch, const struct record *record);
/* Adds a header (packed anew). */
void records_header(struct batch *batch, struct record *record, const char *name, const char *value);

#endif
