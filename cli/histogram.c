#include "cli/histogram.h"

#include <string.h>

#include "processor/check.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* Each a multiple of the one before, so that bins can be put together. The last holds any two timestamps. */
static const int64_t WIDTHS[] = {
    SECOND,
    5 * SECOND,
    15 * SECOND,
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    7 * DAY,
    28 * DAY,
    364 * DAY,
    3640 * DAY,
    364000 * DAY,
    INT64_MAX / (364000 * DAY) * (364000 * DAY),
};

int64_t histogram_width(const struct histogram *histogram)
{
    return WIDTHS[histogram->step];
}

/* Puts neighbours together, in bins of the next width. */
static void coarsen(struct histogram *histogram)
{
    uint64_t counts[HISTOGRAM_BINS] = {0};
    CHECK(histogram->step + 1 < sizeof WIDTHS / sizeof WIDTHS[0]);
    int64_t ratio = WIDTHS[histogram->step + 1] / WIDTHS[histogram->step];
    int64_t first = histogram->first / ratio;
    unsigned used = 0;
    for (unsigned i = 0; i < histogram->used; i++) {
        unsigned bin = (unsigned)((histogram->first + i) / ratio - first);
        counts[bin] += histogram->counts[i];
        used = bin + 1;
    }
    memcpy(histogram->counts, counts, sizeof counts);
    histogram->first = first;
    histogram->used = used;
    histogram->step++;
}

/* The bin becomes the first. */
static void begin_at(struct histogram *histogram, int64_t bin)
{
    unsigned shift = (unsigned)(histogram->first - bin);
    memmove(histogram->counts + shift, histogram->counts, histogram->used * sizeof *histogram->counts);
    memset(histogram->counts, 0, shift * sizeof *histogram->counts);
    histogram->first = bin;
    histogram->used += shift;
}

void histogram_add(struct histogram *histogram, int64_t ms)
{
    CHECK(ms >= 0);
    for (;; coarsen(histogram)) {
        int64_t bin = ms / histogram_width(histogram);
        if (histogram->used == 0) {
            histogram->first = bin;
            histogram->used = 1;
        }
        int64_t last = histogram->first + histogram->used - 1;
        if ((bin > last ? bin : last) - (bin < histogram->first ? bin : histogram->first) >= HISTOGRAM_BINS)
            continue;
        if (bin < histogram->first)
            begin_at(histogram, bin);
        if (bin > last)
            histogram->used += (unsigned)(bin - last);
        histogram->counts[bin - histogram->first]++;
        return;
    }
}

int64_t histogram_begin(const struct histogram *histogram, unsigned bin)
{
    return (histogram->first + bin) * histogram_width(histogram);
}

uint64_t histogram_most(const struct histogram *histogram)
{
    uint64_t most = 0;
    for (unsigned i = 0; i < histogram->used; i++)
        most = histogram->counts[i] > most ? histogram->counts[i] : most;
    return most;
}
