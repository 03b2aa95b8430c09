#include "processor/error.h"

#include <stdio.h>
#include <string.h>

enum status error_vset(struct error *error, enum error_class class, const char *format, va_list args)
{
    if (error != NULL) {
        error->class = class;
        vsnprintf(error->text, sizeof error->text, format, args);
    }
    return STATUS_FAILED;
}

enum status error_set(struct error *error, enum error_class class, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum status status = error_vset(error, class, format, args);
    va_end(args);
    return status;
}

void error_prefix(struct error *error, const char *format, ...)
{
    if (error == NULL)
        return;
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int used = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (used < 0 || (size_t)used >= sizeof text)
        return;
    snprintf(text + used, sizeof text - (size_t)used, ": %.*s", (int)(sizeof text - (size_t)used), error->text);
    memcpy(error->text, text, sizeof text);
}

const char *error_class_name(enum error_class class)
{
    static const char *const names[] = {
        [ERROR_NONE] = "none",       [ERROR_RECORD] = "record", [ERROR_TRANSIENT] = "transient",
        [ERROR_RESTART] = "restart", [ERROR_FATAL] = "fatal",   [ERROR_UNAVAILABLE] = "unavailable",
    };
    return names[class];
}
