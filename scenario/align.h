/* Two sequences side by side, so that one item that is missing does not make all behind it wrong. */
#ifndef WEIR_SCENARIO_ALIGN_H
#define WEIR_SCENARIO_ALIGN_H

#include <stdbool.h>
#include <stdint.h>

#define ALIGN_NONE UINT32_MAX

struct align_pair {
    uint32_t expected, actual; /* ALIGN_NONE: there is none on this side */
};

/* pairs has room for both numbers together; returns how many there are, in order. fits: is `actual` what `expected` says? Two that do not fit stand side by side
 * rather than alone. */
uint32_t align(uint32_t expected, uint32_t actual, bool (*fits)(void *arg, uint32_t expected, uint32_t actual),
               void *arg, struct align_pair *pairs);

#endif
