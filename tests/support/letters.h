/* A batch of dead letters as they come from their topic, and text that is printed about them. */
#ifndef WEIR_TESTS_SUPPORT_LETTERS_H
#define WEIR_TESTS_SUPPORT_LETTERS_H

#include <stdio.h>

#include "tests/support/records.h"

struct letters {
    struct records records;
    struct batch *batch; /* of orders.dlq/0 */
    char *text;
    size_t size;
    FILE *out;
};

/* Their headers. NULL: without it, but for stage (decode), class (json), topic (orders) and attempts (1). */
struct letter_words {
    const char *stage, *class, *message, *topic, *timestamp, *attempts, *truncated;
};

/* cmocka's: *state is a struct letters. */
int letters_set_up(void **state);
int letters_tear_down(void **state);
/* At the end of the batch; all of a topic are of one record, orders/3@17 for example. */
struct record *letters_add(struct letters *letters, const struct letter_words *words);
/* To be printed to, in place of what was printed before, until letters_text. */
FILE *letters_open_text(struct letters *letters);
const char *letters_text(struct letters *letters);

#endif
