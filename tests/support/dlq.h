/* A service with dead letters on a real broker, for tests of `weir dlq`: see scene.h. */
#ifndef WEIR_TESTS_SUPPORT_DLQ_H
#define WEIR_TESTS_SUPPORT_DLQ_H

#include "tests/support/process.h"

enum { DLQ_ORDERS = 1000, DLQ_EVERY = 20, DLQ_BAD = DLQ_ORDERS / DLQ_EVERY };

/* `weir run`, up to the end, with receipt.json. */
extern const char *const DLQ_RUN[];

/* weir.yaml: a lookup that rejects, and a store into orders.db (upsert). letters: of which topic the dead letters are in NAME.dlq; more: at its top. */
void dlq_configure(const struct process *process, const char *name, const char *letters, const char *more);
/* A service that has run over DLQ_ORDERS orders, with DLQ_BAD dead letters: every DLQ_EVERYth is of a customer that customers.csv does not have. */
void dlq_begin(struct process *process, const char *name, const char *more);
/* It has the customer from now on. */
void dlq_fix_table(const struct process *process);
/* In orders.db is each order once, as its record was. */
void dlq_assert_all_stored(const struct process *process, const char *topic);

#endif
