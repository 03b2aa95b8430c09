/*
 * What a dead letter says about itself, in headers behind the record's own (docs/failures.md). Written by the sink, read by who lists letters and by who makes
 * records of them again.
 *
 * Threads: all functions from any thread.
 */
#ifndef WEIR_PROCESSOR_LETTER_HEADERS_H
#define WEIR_PROCESSOR_LETTER_HEADERS_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/bytes.h"

#define LETTER_STAGE "weir.error.stage"
#define LETTER_CLASS "weir.error.class"
#define LETTER_MESSAGE "weir.error.message"
#define LETTER_TOPIC "weir.source.topic"
#define LETTER_PARTITION "weir.source.partition"
#define LETTER_OFFSET "weir.source.offset"
#define LETTER_TIMESTAMP "weir.source.timestamp"
#define LETTER_ATTEMPTS "weir.attempts" /* how often the record came through a service and was refused: 1 at first */
#define LETTER_RETRIES "weir.retries"   /* this time: how often the stage was asked again; not there: never */
#define LETTER_SERVICE "weir.service"
#define LETTER_TRUNCATED "weir.value.truncated" /* the whole size of the value, where it was cut */

enum { LETTER_HEADERS = 11 };

/* Views into the headers; data NULL: not there. */
struct letter_headers {
    struct bytes stage, class, message, service;
    struct bytes topic; /* where the record came from, as are the next three */
    int64_t partition, offset;
    int64_t timestamp; /* -1: none */
    uint32_t attempts; /* 0: not there */
    uint32_t retries;
    int64_t truncated; /* -1: the value is whole */
};

/* False: it is no dead letter, or not one of weir: class and place are not there. ret is filled in as far as can be. */
bool letter_headers_read(struct bytes headers, struct letter_headers *ret);
/* Also of a record that is no letter (any more). 0: it has been through once at most. */
uint32_t letter_headers_attempts(struct bytes headers);
/* Is the header by this name one of these, and not the record's? */
bool letter_headers_is_ours(struct bytes name);

#endif
