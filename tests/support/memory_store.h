/* The inside of memory.h's store, shared by memory_store.c and the offsets that it keeps (memory_offsets.c). */
#ifndef WEIR_TESTS_SUPPORT_MEMORY_STORE_H
#define WEIR_TESTS_SUPPORT_MEMORY_STORE_H

#include "tests/support/memory_broker.h"

enum { MEMORY_KEPT = 64 }; /* partitions that a store can keep the offsets of */

struct point {
    unsigned calls, waiting;
    unsigned permits; /* UINT_MAX: no end */
    enum error_class failure;
    unsigned after, times;
};

struct memory_store {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct point points[MEMORY_POINTS];
    bool (*wrong)(void *arg, const struct batch *batch, const struct record *record);
    void *wrong_arg;
    enum memory_point wrong_at;
    bool keep_text;
    unsigned acks; /* UINT_MAX: no end */
    unsigned open_now;
    struct memory_row *rows; /* durable */
    size_t row_count, row_room;
    int64_t kept[MEMORY_KEPT]; /* by partition; -1: none */
    unsigned answers_lost;     /* so many commits come through and seem to fail */
};

struct handed {
    struct batch *batch;
    struct memory_row *rows;
    uint32_t count;
    struct handed *next;
};

struct handle {
    struct memory_store *store;
    struct handed *first, **last;
    int64_t moves[MEMORY_KEPT]; /* what the next flush moves partitions to; -1: nowhere */
    bool there_already;         /* the next flush is to store nothing: it was stored before */
};

/* What every call does first: waits where it was told to, and fails when it was told to. */
enum status memory_store_pass(struct memory_store *store, enum memory_point at, struct context *context,
                              struct error *error);
/* What was handed over since the last flush, its moves too. */
void memory_store_forget(struct handle *handle);
/* The moves are made as the rows become durable. */
void memory_store_move_locked(struct handle *handle);

extern const struct store_offsets memory_store_offsets;

#endif
