/* `limit:` a counted semaphore for the connections that this process has to one server, told apart by the dsn. Thread-safe. */
#ifndef WEIR_CONNECTORS_POSTGRES_SLOTS_H
#define WEIR_CONNECTORS_POSTGRES_SLOTS_H

#include <stdint.h>

#include "processor/context.h"

struct postgres_slots;

/* The one of this dsn, made when it is the first; with different limits the lowest holds. NULL: no memory. */
struct postgres_slots *postgres_slots_ref(const char *dsn, int64_t limit) WARN_UNUSED;
void postgres_slots_unref(struct postgres_slots *slots); /* NULL is fine */
/* Waits until one is free. STATUS_EMPTY: none until `until`; else STATUS_OK, or why the context ended. */
enum status postgres_slots_acquire(struct postgres_slots *slots, struct context *context, int64_t until) WARN_UNUSED;
void postgres_slots_release(struct postgres_slots *slots);

#endif
