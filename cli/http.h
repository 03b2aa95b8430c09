/*
 * GET, for verbs that ask a running service. By libcurl; no proxy is used, as what is asked is this machine or a neighbour.
 * Threads: one.
 */
#ifndef WEIR_CLI_HTTP_H
#define WEIR_CLI_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/clock.h"
#include "processor/error.h"

#define HTTP_CONNECT (3 * CLOCK_SECOND)
/* A stream that says nothing for so long is dead. */
#define HTTP_SILENCE (10 * CLOCK_SECOND)

struct http_request {
    const char *url;
    int64_t timeout; /* ns for all of it; 0: a stream, which may go on while something comes */
    const int *stop; /* file descriptors: when one is readable it ends at once */
    unsigned stops;  /* of them */
    /* Of the body, as it comes; code: the answer's status. false: that was enough. */
    bool (*take)(void *arg, long code, const char *data, size_t size);
    void *arg;
};

/* STATUS_OK: there was an answer, to its end or until it was enough, and *ret_code is its status. STATUS_CANCELLED: stopped. STATUS_FAILED/ERROR_TRANSIENT: nobody
 * answers, or no longer. */
enum status http_get(const struct http_request *request, long *ret_code, struct error *error) WARN_UNUSED;

/* `name=value` at the end of a URL, with ? or & before it, encoded. False: there is no room. */
bool http_add_argument(char *url, size_t size, const char *name, const char *value) WARN_UNUSED;

#endif
