/*
 * The shortest edit script by dynamic programming (Wagner and Fischer, 1974): leaving an item alone costs 2, a pair that does not fit 3, so that it is cheaper
 * than two that stand alone. What fits at the front and at the back is taken off first; what is left is mostly small, and when it is not it is paired as it
 * stands: a diff of thousands of lines helps nobody.
 */
#include "scenario/align.h"

#include <stdlib.h>

#include "processor/check.h"

enum { ALONE = 2, MISFIT = 3, MIDDLE_MAX = 400 };

struct middle {
    uint32_t at_expected, at_actual, expected, actual;
};

static uint32_t pair_as_it_stands(const struct middle *middle, struct align_pair *pairs)
{
    uint32_t count = middle->expected > middle->actual ? middle->expected : middle->actual;
    for (uint32_t i = 0; i < count; i++)
        pairs[i] = (struct align_pair){i < middle->expected ? middle->at_expected + i : ALIGN_NONE,
                                       i < middle->actual ? middle->at_actual + i : ALIGN_NONE};
    return count;
}

/* costs[i][k]: of the items from the i-th expected and the k-th actual on. */
static uint32_t *make_costs(const struct middle *middle, bool (*fits)(void *arg, uint32_t, uint32_t), void *arg)
{
    size_t width = (size_t)middle->actual + 1;
    uint32_t *costs = calloc(((size_t)middle->expected + 1) * width, sizeof *costs);
    CHECK(costs != NULL);
    for (uint32_t i = middle->expected + 1; i-- > 0;) {
        for (uint32_t k = middle->actual + 1; k-- > 0;) {
            uint32_t *cost = &costs[i * width + k];
            if (i == middle->expected || k == middle->actual) {
                *cost = ALONE * (middle->expected - i + middle->actual - k);
                continue;
            }
            uint32_t pair = cost[width + 1] + (fits(arg, middle->at_expected + i, middle->at_actual + k) ? 0 : MISFIT);
            uint32_t alone = ALONE + (cost[width] < cost[1] ? cost[width] : cost[1]);
            *cost = pair < alone ? pair : alone;
        }
    }
    return costs;
}

static uint32_t pair_middle(const struct middle *middle, bool (*fits)(void *arg, uint32_t, uint32_t), void *arg,
                            struct align_pair *pairs)
{
    if (middle->expected > MIDDLE_MAX || middle->actual > MIDDLE_MAX)
        return pair_as_it_stands(middle, pairs);
    size_t width = (size_t)middle->actual + 1;
    uint32_t *costs = make_costs(middle, fits, arg), count = 0;
    for (uint32_t i = 0, k = 0; i < middle->expected || k < middle->actual; count++) {
        const uint32_t *cost = &costs[i * width + k];
        bool more_expected = i < middle->expected, more_actual = k < middle->actual;
        bool only_expected = more_expected && *cost == cost[width] + ALONE;
        bool only_actual = more_actual && *cost == cost[1] + ALONE;
        pairs[count] = (struct align_pair){ALIGN_NONE, ALIGN_NONE};
        /* A pair where there may be one; the costs say that one of the three leads on. */
        bool pair = more_expected && more_actual &&
                    (*cost == cost[width + 1] + MISFIT ||
                     (*cost == cost[width + 1] && fits(arg, middle->at_expected + i, middle->at_actual + k)));
        CHECK(pair || only_expected || only_actual);
        if (pair || only_expected)
            pairs[count].expected = middle->at_expected + i++;
        if (pair || !only_expected)
            pairs[count].actual = middle->at_actual + k++;
    }
    free(costs);
    return count;
}

uint32_t align(uint32_t expected, uint32_t actual, bool (*fits)(void *arg, uint32_t expected, uint32_t actual),
               void *arg, struct align_pair *pairs)
{
    uint32_t front = 0, back = 0;
    while (front < expected && front < actual && fits(arg, front, front)) {
        pairs[front] = (struct align_pair){front, front};
        front++;
    }
    while (back < expected - front && back < actual - front && fits(arg, expected - 1 - back, actual - 1 - back))
        back++;
    const struct middle middle = {front, front, expected - front - back, actual - front - back};
    uint32_t count = front + pair_middle(&middle, fits, arg, pairs + front);
    for (; back > 0; back--)
        pairs[count++] = (struct align_pair){expected - back, actual - back};
    return count;
}
