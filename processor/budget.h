/*
 * The process-wide memory credit, in bytes. Whoever holds memory for records charges it; only the intake waits for room, so that
 * the stages behind it can always finish what they hold and no wait can be circular. Charges of the stages (a value that inflates, a document
 * that grows) may overdraw; how far is bounded by the queues' byte capacities and the cap on one record.
 * Threads: all functions from any thread.
 */
#ifndef WEIR_PROCESSOR_BUDGET_H
#define WEIR_PROCESSOR_BUDGET_H

#include <stddef.h>
#include <stdbool.h>

#include "processor/status.h"

struct budget;

struct budget *budget_new(size_t size) WARN_UNUSED;
void budget_free(struct budget *budget);
void budget_take(struct budget *budget, size_t bytes); /* never waits, may overdraw */
void budget_give(struct budget *budget, size_t bytes);
size_t budget_used(const struct budget *budget);
size_t budget_peak(const struct budget *budget);
size_t budget_size(const struct budget *budget);
bool budget_has_room(struct budget *budget, size_t bytes);
/* Called (from any thread, must not block) when use falls below 3/4 of the size after there was no room. One listener, set and unset while nobody
 * uses the budget. */
void budget_on_room(struct budget *budget, void (*wake)(void *arg), void *arg);

#endif
