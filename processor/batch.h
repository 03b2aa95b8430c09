/*
 * The unit that travels: records of one partition, an arena that is recycled, a ticket in the ledger.
 *
 * A batch has one owner at a time: whoever popped it, or was handed it. With several stores it is shared read-only: each store sees it through a
 * batch of its own (batch_branch) that borrows records' bytes and documents and holds its own answers; the last one gives the memory back.
 *
 * Answers: a stage goes through the records that are still STAGE_FORWARD (BATCH_EACH) and changes the answer of those that go no further.
 */
#ifndef WEIR_PROCESSOR_BATCH_H
#define WEIR_PROCESSOR_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/arena.h"
#include "processor/bytes.h"
#include "processor/document.h"
#include "processor/error.h"

struct budget;
struct ticket;

enum stage_answer {
    STAGE_FORWARD = 0, /* goes on (for a store: written) */
    STAGE_DROP,        /* dropped by a rule that the config states */
    STAGE_RETRY,       /* could not be told now: ask again after a backoff */
    STAGE_REJECT,      /* this record is wrong: dead-letter it */
    STAGE_FATAL,       /* stop the service at this record */
    STAGE_SETTLED,     /* has its verdict already: nobody looks at it any more */
};

/* The class of a failure that another row may be the reason of: a store's constraint. */
#define BATCH_CONFLICT "constraint"

/* Why a record was not forwarded. Lives in the batch's arena. */
struct failure {
    const char *stage;   /* the stage's name; "" until the framework fills it in */
    const char *class;   /* one of few words, for metrics and weir.error.class: "json", "utf8", "size", "constraint" */
    const char *message; /* for a person, bounded */
};

/* What a dead letter is a letter of: where that record came from. Lives in the batch's arena, the topic too. */
struct origin {
    const char *topic; /* NULL: it is not known */
    int32_t partition;
    uint32_t attempts; /* how often it was refused until now */
    int64_t offset;
};

struct record {
    struct bytes key;     /* null key: data NULL */
    struct bytes value;   /* as received; null (tombstone): data NULL */
    struct bytes headers; /* packed, headers.h; empty when the record has none or nobody asked for them */
    int64_t offset;
    int64_t timestamp; /* milliseconds since 1970, -1: none */
    struct document document;
    struct failure *failure;
    uint32_t index;    /* in the ticket */
    uint16_t attempts; /* how often a stage was asked again */
    uint8_t answer;    /* enum stage_answer */
};

struct batch {
    struct record *records;
    uint32_t count, room;
    uint32_t cut; /* 0: none; see BATCH_LIMIT */
    int32_t partition;
    const char *topic; /* lives as long as the pipeline */
    struct arena arena;
    struct ticket *ticket; /* the ledger's, one reference; NULL in tests without one */
    struct origin
        *origins; /* by the records' `index`; NULL: all come from the batch's topic and partition, at their `offset` */
    int64_t entered;   /* monotonic: when the intake began it */
    uint64_t sequence; /* the transform's own: order of hand-out */
    struct batch_pool *pool;
    struct batch *parent; /* of a branch: whose arena the records' bytes and documents live in */
    int refs;             /* atomic: itself and its branches */
    struct batch *next;   /* the holder's own */
    size_t queued_bytes;  /* the holder's own: what it counted for the batch */
};

/* NULL: it comes from where the source found it. Few batches have any: so these do not stand in each record. */
static inline const struct origin *record_origin(const struct batch *batch, const struct record *record)
{
    return batch->origins != NULL && batch->origins[record->index].topic != NULL ? &batch->origins[record->index]
                                                                                 : NULL;
}
/* Where the record came from at first: for all that people and stores are told. The ledger knows it by where the source found it. */
static inline const char *record_topic(const struct batch *batch, const struct record *record)
{
    const struct origin *origin = record_origin(batch, record);
    return origin != NULL ? origin->topic : batch->topic;
}
static inline int32_t record_partition(const struct batch *batch, const struct record *record)
{
    const struct origin *origin = record_origin(batch, record);
    return origin != NULL ? origin->partition : batch->partition;
}
static inline int64_t record_offset(const struct batch *batch, const struct record *record)
{
    const struct origin *origin = record_origin(batch, record);
    return origin != NULL ? origin->offset : record->offset;
}

/* Loops over the records that still go forward. */
#define BATCH_EACH(batch, record)                                                                                      \
    for (struct record *record = (batch)->records, *end_of_##record = record + (batch)->count;                         \
         record < end_of_##record; record++)                                                                           \
        if (record->answer == STAGE_FORWARD)

/* The intake seals a batch at BATCH_RECORDS records or BATCH_BYTES of keys, values and headers. A stage that makes values bigger (decompression) looks at arena.held
 * after each record: past BATCH_LIMIT it sets `cut` to the index of the next record and returns; the framework splits there. Only the first step of a stage's chain
 * may, as long as no record has a document, and one that answers STAGE_RETRY may not. */
enum { BATCH_RECORDS = 1024, BATCH_BYTES = 512 * 1024, BATCH_LIMIT = 4 * 1024 * 1024 };

/* Recycles batches and charges what they hold to the budget. Keeps at most `keep` idle ones. Thread-safe. */
struct batch_pool;
struct batch_pool *batch_pool_new(struct budget *budget, unsigned keep) WARN_UNUSED;
void batch_pool_free(struct batch_pool *pool);          /* every batch must be back */
unsigned batch_pool_out(const struct batch_pool *pool); /* batches not yet back: 0 at rest */

struct batch *batch_new(struct batch_pool *pool, const char *topic, int32_t partition) WARN_UNUSED;
/* Gives back the batch (recycled when the last branch is back) and its reference to the ticket. NULL is fine. Does not settle anything. */
void batch_free(struct batch *batch);
/* The same, and gives up all of its records that have no verdict yet (ticket_abandon). NULL is fine. */
void batch_abandon(struct batch *batch);
/* A zeroed record at the end; NULL when out of memory. */
struct record *batch_add(struct batch *batch) WARN_UNUSED;
/* Makes room for an origin of each record that the batch has now; they are not known yet. False: out of memory. */
bool batch_make_origins(struct batch *batch) WARN_UNUSED;
/* The records that still go forward. */
uint32_t batch_forward(const struct batch *batch);
/* What it holds, for queues: records and arena, of a branch its parent's too. */
size_t batch_bytes(const struct batch *batch);
/* A batch with the same records (their own answers, shared bytes and documents) for one more store. */
struct batch *batch_branch(struct batch *batch) WARN_UNUSED;
/* Takes the records from `from` on off the batch, into one of their own (same ticket; key, value and headers copied, not decoded yet): so that what has been
 * decoded can go on before the rest is, and no batch holds more than BATCH_LIMIT plus one record. */
struct batch *batch_split(struct batch *batch, uint32_t from) WARN_UNUSED;

/* For stages and stores: answer for one record. class: a constant. The message is cut at 500 bytes. */
void batch_reject(struct batch *batch, struct record *record, const char *class, const char *format, ...)
    PRINTF_LIKE(4, 5);
void batch_retry(struct batch *batch, struct record *record, const char *class, const char *format, ...)
    PRINTF_LIKE(4, 5);
void batch_fatal(struct batch *batch, struct record *record, const char *class, const char *format, ...)
    PRINTF_LIKE(4, 5);
static inline void batch_drop(struct record *record)
{
    record->answer = STAGE_DROP;
}

#endif
