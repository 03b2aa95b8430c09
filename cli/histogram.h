/*
 * How many of something fell when: a few bins of equal width, which grow as the times spread. Widths are those that people count in (a second, 5 minutes, an hour,
 * a day), and each bin begins at a multiple of its width (UTC).
 */
#ifndef WEIR_CLI_HISTOGRAM_H
#define WEIR_CLI_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BINS = 24 };

/* All zero: empty. */
struct histogram {
    unsigned step; /* index of the width */
    unsigned used; /* bins; 0: nothing was added */
    int64_t first; /* the first bin begins at first * width */
    uint64_t counts[HISTOGRAM_BINS];
};

void histogram_add(struct histogram *histogram, int64_t ms);              /* ms since 1970, from 0 on */
int64_t histogram_width(const struct histogram *histogram);               /* ms */
int64_t histogram_begin(const struct histogram *histogram, unsigned bin); /* ms since 1970 */
uint64_t histogram_most(const struct histogram *histogram);               /* of the fullest bin */

#endif
