/*
 * A path into a document: `.order.items[0].sku`, `order_id`, `."odd name".x`; a leading dot is allowed, `.` alone is the whole document.
 * Compiled once when the config is loaded.
 */
#ifndef WEIR_PROCESSOR_PATH_H
#define WEIR_PROCESSOR_PATH_H

#include <stdint.h>

#include "processor/arena.h"
#include "processor/bytes.h"
#include "processor/status.h"

enum { PATH_MAX_STEPS = 32 };

struct path_step {
    struct bytes name; /* data NULL: an index */
    uint32_t index;
};

struct path {
    const char *text; /* as written */
    uint32_t count;   /* 0: the whole document */
    struct path_step *steps;
};

/* Allocates from arena. On failure *ret_at is the position in text and *ret_why a constant text. */
enum status path_compile(const char *text, struct arena *arena, struct path *ret, unsigned *ret_at,
                         const char **ret_why) WARN_UNUSED;

#endif
