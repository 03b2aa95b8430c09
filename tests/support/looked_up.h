/* The stage `lookup` with its table t.csv, in a folder of its own. */
#ifndef WEIR_TESTS_SUPPORT_LOOKED_UP_H
#define WEIR_TESTS_SUPPORT_LOOKED_UP_H

#include "tests/support/staged.h"

struct looked_up {
    char dir[32], path[64]; /* of the table */
    struct staged staged;
};

extern const struct stage_type lookup_stage;
/* Two rows: c-1, Anna, gold; 42, Ben, without a tier. */
extern const char LOOKED_UP_TABLE[];

/* cmocka's: *state is a struct looked_up, whose folder is empty yet. */
int looked_up_set_up(void **state);
int looked_up_tear_down(void **state);
/* Puts another table in place as it is safe: written beside, and then by rename. */
void looked_up_replace(const struct looked_up *looked_up, const char *text);
/* staged_init with LOOKED_UP_TABLE. */
void looked_up_begin(struct looked_up *looked_up, const char *yaml);
void looked_up_ask(struct looked_up *looked_up, const char *json, const char *expected);
int64_t looked_up_metric(struct looked_up *looked_up, enum metric_type type, const char *name);
int64_t looked_up_misses(struct looked_up *looked_up);

#endif
