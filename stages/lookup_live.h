/*
 * A lookup table that follows its file. A thread of its own looks at the file now and then; when it is another one, or was changed, it is loaded beside the table
 * in use and takes its place. Who has a table at that moment keeps it until he gives it back: nobody waits. A file that is gone or broken leaves the table in use
 * as it is, is logged once, and counts as a failure.
 *
 * A new file is loaded when it looks the same twice in a row, a quarter of a second apart, so that one that is being written is mostly left alone. Only replacing
 * the file by rename(2) is safe for certain.
 *
 * Metrics: weir_lookup_rows, weir_lookup_reloads_total, weir_lookup_reload_failures_total.
 * Threads: lookup_live_get from any; the others from one.
 */
#ifndef WEIR_STAGES_LOOKUP_LIVE_H
#define WEIR_STAGES_LOOKUP_LIVE_H

#include "stages/lookup_table.h"

struct lookup_live;
struct metrics;

struct lookup_live_config {
    const char *stage; /* for the log */
    const char *path;
    const struct lookup_shape *shape; /* lives as long */
    int64_t every;                    /* ns between two looks at the file; 0: never */
    struct metrics *metrics;
    const char *labels; /* of the metrics */
};

/* Loads the table. Strings are copied. */
enum status lookup_live_new(const struct lookup_live_config *config, struct lookup_live **ret,
                            struct error *error) WARN_UNUSED;
/* Ends the thread (waits for a load under way). NULL is fine. */
void lookup_live_free(struct lookup_live *live);
/* A reference to the table in use, for lookup_table_unref. */
struct lookup_table *lookup_live_get(struct lookup_live *live) WARN_UNUSED;

#endif
