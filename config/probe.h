/*
 * What `weir check` finds when it opens what a config names: every problem, each with its place in the file, and whether it is the config that is wrong or the
 * other side that can't be had just now. Whoever gets one looks and tells, and makes or changes nothing on the other side.
 *
 * Threads: one.
 */
#ifndef WEIR_CONFIG_PROBE_H
#define WEIR_CONFIG_PROBE_H

#include "config/report.h"
#include "processor/error.h"

struct probe {
    struct config_report *report;
    unsigned wrong, unreachable; /* told so far */
};

/* At a scalar's value, or at the key of a map or list; the same text at the same place is told once. class: ERROR_TRANSIENT is unreachable (trying again later may help, exit code 69), all others are wrong (78). */
void probe_tell(struct probe *probe, enum error_class class, const struct config_node *node, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* What is worth to know and no problem. */
void probe_warn(struct probe *probe, const struct config_node *node, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
