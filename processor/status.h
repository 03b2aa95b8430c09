/*
 * The one status of the engine: what a call that can fail or be woken answers.
 * Errors that cross a boundary (broker, database, file, config) carry a `struct error` beside it.
 */
#ifndef WEIR_PROCESSOR_STATUS_H
#define WEIR_PROCESSOR_STATUS_H

enum status {
    STATUS_OK = 0,
    STATUS_FULL,      /* a bounded thing has no room now */
    STATUS_EMPTY,     /* nothing there now */
    STATUS_CLOSED,    /* closed for good: no more will come or be taken */
    STATUS_CANCELLED, /* the context was cancelled while waiting */
    STATUS_DEADLINE,  /* the context's deadline passed while waiting */
    STATUS_NO_MEMORY,
    STATUS_FAILED, /* see the struct error beside it */
};

#define WARN_UNUSED __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

const char *status_name(enum status status);

#endif
