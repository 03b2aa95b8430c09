/*
 * An error that crosses a boundary: what class it is of (and so what to do), and a text for a person.
 * The class is the answer to "what now": dead-letter the record, try again later, or stop.
 */
#ifndef WEIR_PROCESSOR_ERROR_H
#define WEIR_PROCESSOR_ERROR_H

#include <stdarg.h>

#include "processor/status.h"

enum error_class {
    ERROR_NONE = 0,
    ERROR_RECORD,    /* this record is to blame: dead-letter it */
    ERROR_TRANSIENT, /* the other side is: try again with backoff */
    ERROR_RESTART, /* what was handed over since the last flush is lost: rebuild the group from the committed offsets */
    ERROR_FATAL,   /* nothing will help but a person: stop and say why */
    ERROR_UNAVAILABLE, /* the other side lacks what is needed, and waiting for it is over: stop; another start, later, may help */
};

enum { ERROR_TEXT_MAX = 512 };

struct error {
    enum error_class class;
    char text[ERROR_TEXT_MAX]; /* one line, no trailing period or newline, never a secret */
};

/* Sets class and text; always returns STATUS_FAILED so that `return error_set(...)` reads well. error may be NULL. */
enum status error_set(struct error *error, enum error_class class, const char *format, ...) PRINTF_LIKE(3, 4);
enum status error_vset(struct error *error, enum error_class class, const char *format, va_list args);
/* Puts "prefix: " before the text. */
void error_prefix(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);
const char *error_class_name(enum error_class class);

#endif
