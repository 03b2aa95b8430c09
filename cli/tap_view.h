/* What `weir tap` shows: lines of /tap (admin/tapping.c) for people, and the report of the counts at the end. */
#ifndef WEIR_CLI_TAP_VIEW_H
#define WEIR_CLI_TAP_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "processor/json.h"

/* What the last report said. */
struct tap_view_counts {
    int64_t passed, unlooked, matched, over_rate, dropped, shown;
    bool last; /* it was the last one; else records have passed since */
};

/* `orders/0@17  2026-01-02T03:04:05.678Z  rejected json: ...  key "7"  {"tenant":"acme"}  {"id":7}`: one line; keys, headers and values are as in JSON, so no control
 * character of theirs reaches the terminal. */
void tap_view_record(const struct value *record, bool colour, FILE *out);
/* False: the object is no report. */
bool tap_view_counts(const struct value *object, struct tap_view_counts *ret);
/* `3 records shown of 9,946 that passed decode; ...`: each number that is not 0 with what it means; one line. "at least" where the report was not
 * the last. */
void tap_view_report(const struct tap_view_counts *counts, const char *stage, FILE *out);

#endif
