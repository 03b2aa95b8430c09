/*
 * What stands between the service and "ready": each part says its problem, or that it has none. The admin port and the log read it.
 * Threads: all functions from any thread.
 */
#ifndef WEIR_PROCESSOR_HEALTH_H
#define WEIR_PROCESSOR_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/status.h"

struct health;

struct health *health_new(void) WARN_UNUSED;
void health_free(struct health *health);
/* part: "kafka", "store orders", "watchdog", ...; at most HEALTH_PARTS of them, 63 bytes each. */
enum { HEALTH_PARTS = 64 };
void health_problem(struct health *health, const char *part, const char *format, ...) PRINTF_LIKE(3, 4);
void health_ok(struct health *health, const char *part);
/* Ready: no part has a problem. Otherwise `why` gets "part: problem" lines, cut at size. why may be NULL. */
bool health_ready(struct health *health, char *why, size_t size);

/* The heartbeat of whoever keeps the service running (every second or so), and how long ago it was (ns): liveness, whatever the parts say. */
void health_beat(struct health *health);
int64_t health_silence(const struct health *health);

#endif
