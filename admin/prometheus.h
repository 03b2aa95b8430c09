/*
 * Metrics as Prometheus reads them: text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
 */
#ifndef WEIR_ADMIN_PROMETHEUS_H
#define WEIR_ADMIN_PROMETHEUS_H

#include <stddef.h>

#include "processor/status.h"

struct metrics;

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* All of the registry that is not hidden, and then what only the kernel knows (weir_threads, process_*). Zero-terminated, malloc'ed: the
 * caller frees it. NULL: no memory. Threads: any. */
char *prometheus_render(struct metrics *metrics, size_t *ret_size) WARN_UNUSED;

#endif
