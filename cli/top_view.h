/* What `weir top` shows of a service at two moments, as lines: without a terminal, so that tests can read it. */
#ifndef WEIR_CLI_TOP_VIEW_H
#define WEIR_CLI_TOP_VIEW_H

#include <stdint.h>

#include "admin/snapshot.h"
#include "cli/columns.h"

enum { TOP_LINES = 100 };

struct top_view {
    const struct snapshot *now; /* NULL: nothing was answered yet */
    const struct snapshot
        *before; /* an earlier one of the same process, for rates and for latencies of late; NULL: none */
    const char *url;
    const char *trouble; /* why it does not answer now; NULL: it does */
    int64_t silence;     /* ns since `now` */
};

/* At most `height` lines (and TOP_LINES), each at most style->width columns, without line breaks. What is least needed is left out first: the last errors and the
 * partitions share what the stages leave. Returns how many. */
unsigned top_view_lines(const struct top_view *view, const struct columns_style *style, unsigned height,
                        char lines[TOP_LINES][COLUMNS_LINE_MAX]);

/* The stage that holds the others up; NULL: none does. */
const struct snapshot_stage *top_view_blocking(const struct snapshot *snapshot);

#endif
