/* One dead letter: a record's key, value, headers and timestamp, why it was rejected, and the place in the ledger that waits for it. */
#ifndef WEIR_CONNECTORS_KAFKA_LETTER_H
#define WEIR_CONNECTORS_KAFKA_LETTER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/batch.h"

struct letter {
    struct letter *next;           /* in the list that it is in: answered, or to be sent */
    struct letter *newer, **older; /* all that are under way */
    struct ticket *ticket;         /* a reference; NULL in tests without a ledger */
    uint32_t index;                /* in the ticket */
    bool all_branches;
    bool sent;  /* librdkafka has it, and points into it */
    bool alone; /* a suspect: only ever sent by itself, so that its failure is its own */
    int64_t timestamp;
    rd_kafka_headers_t *headers; /* ours while it is not sent */
    rd_kafka_resp_err_t err;     /* the answer */
    size_t size;                 /* of it all, as it came: what it counts for */
    size_t original_size;        /* of the value */
    struct bytes key, value;     /* point behind the struct; data NULL: null */
};

/* First in, first out, by `next`. */
struct letters {
    struct letter *first, **last;
};

void letters_init(struct letters *letters);
void letters_push(struct letters *letters, struct letter *letter);
struct letter *letters_pop(struct letters *letters); /* NULL: empty */

/* NULL: no memory. Takes a reference of the batch's ticket. */
struct letter *letter_new(const struct batch *batch, const struct record *record, const char *service) WARN_UNUSED;
/* Gives the reference back; settles nothing. NULL is fine. */
void letter_free(struct letter *letter);
void letter_settle(struct letter *letter);
/* Cuts the value, to `size` bytes at most, and says so in a header. False: there was no more to cut. Only while it is not sent. */
bool letter_cut(struct letter *letter, size_t size);
/* An estimate, from above, of what key and headers take on the wire. */
size_t letter_overhead(const struct letter *letter);

#endif
