/* What `weir lag` saw, as a table for people and as JSON for machines. */
#ifndef WEIR_CLI_LAG_VIEW_H
#define WEIR_CLI_LAG_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "processor/lag.h"

struct config;

struct lag_view {
    const struct config *config;
    struct lag_report report;
    unsigned looks; /* that were answered */
    int64_t window; /* ns, from the first to the last */
    int64_t at;     /* Unix time in ms, of the last */
    bool in_store;  /* the store keeps the offsets that count, the group's only follow */
};

enum lag_state lag_view_worst(const struct lag_view *view);
/* The last column is as wide as its text; the others are aligned. */
void lag_view_table(const struct lag_view *view, bool colour, FILE *out);
/* One object in one line. Times are in seconds; what is not known, or not there, is null. */
void lag_view_json(const struct lag_view *view, FILE *out);

#endif
