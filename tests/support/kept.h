/* A store that keeps offsets, by itself: what the framework does around a flush for exactly-once delivery. The partition is orders/0, which stored_batch's batches are of. */
#ifndef WEIR_TESTS_SUPPORT_KEPT_H
#define WEIR_TESTS_SUPPORT_KEPT_H

#include "tests/support/stored.h"

/* Where the store stands, asked as the source does; asserts that it can tell. */
int64_t kept_offset(struct stored *stored);
enum status kept_move(struct stored *stored, int64_t from, int64_t to);
/* Hands over orders from..to-1, as records of these offsets; moves the store from `was` to `to`, flushes. Opens when need be. The first status that is not STATUS_OK. */
enum status kept_try(struct stored *stored, int64_t was, int64_t from, int64_t to);
/* kept_try without gap; asserts that all goes well. was: -1 for 0 when it is the partition's first. */
void kept_put(struct stored *stored, int64_t was, int64_t to);
/*
 * A child goes on from where the store stands, by 50 to 56 orders a flush, and is killed when it has said of so many flushes that they went well; more may
 * have come through.
 */
void kept_kill(struct stored *stored, int flushes);

#endif
