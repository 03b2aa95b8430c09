/*
 * The admin port: GET (and HEAD) of
 *   /healthz  200 while the service's heart beats (processor/health.h), else 503: liveness, nothing else
 *   /readyz   200 "ready", or 503 and a line for each part that is not
 *   /metrics  Prometheus text format 0.0.4
 *   /version  JSON: version, revision, librdkafka
 *   /status   JSON: stages, queues, rates, latencies, partitions, what holds it up, the last errors (admin/snapshot.h)
 *   /tap      lines of JSON, samples of records as they pass (admin/tapping.c): stage=NAME, where=... (processor/where.h), sample=1/N or N/s, limit=N, for=TIME,
 *             answer=forwarded|stored|dropped|rejected. 403 unless show_records; 503 when TAPS_MAX are open
 * Threads: its own (libmicrohttpd's); admin_start and admin_stop by one thread. A slow or silent client is cut at an absolute age
 * of ADMIN_MAX_AGE, and can't keep others out; who taps, when it has read nothing for that long, and after ADMIN_TAP_MAX in any case. Answers are made from atomics and short locks: never waits for the pipeline.
 */
#ifndef WEIR_ADMIN_SERVER_H
#define WEIR_ADMIN_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/clock.h"
#include "processor/error.h"

struct admin;
struct health;
struct metrics;
struct taps;

#define ADMIN_MAX_AGE (10 * CLOCK_SECOND)
#define ADMIN_TAP_MAX (3600 * CLOCK_SECOND)
/* The heart is dead when it has not beaten for so long. */
#define ADMIN_MAX_SILENCE (30 * CLOCK_SECOND)

struct admin_config {
    const char *host; /* numeric address or "localhost" */
    uint16_t port;    /* 0: any free one */
    struct metrics *metrics;
    struct health *health;
    struct taps *taps;            /* NULL: nobody taps */
    bool show_records;            /* records, and errors that may have parts of them, may be shown to who asks */
    const char *service;          /* its name */
    const char *version_json;     /* the body of /version */
    int64_t max_age, max_silence; /* 0: ADMIN_MAX_AGE, ADMIN_MAX_SILENCE */
};

/* STATUS_FAILED/ERROR_FATAL: the address can't be had; the text names it and the reason. What config points to must outlive the server. */
enum status admin_start(const struct admin_config *config, struct admin **ret, struct error *error) WARN_UNUSED;
void admin_stop(struct admin *admin); /* NULL is fine; ends open connections */
uint16_t admin_port(const struct admin *admin);

#endif
