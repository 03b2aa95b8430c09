/* `--name VALUE` for the programs of tests/bench and tests/chaos. */
#ifndef WEIR_TESTS_SUPPORT_OPTIONS_H
#define WEIR_TESTS_SUPPORT_OPTIONS_H

#include <stdint.h>

/* The value goes to `text` or `number`, whichever there is. */
struct option_target {
    const char *name; /* NULL ends a list */
    const char **text;
    uint64_t *number;
};

/* Returns the index of the first argument that is no option; exits with the usage after a mistake. */
int options_parse(int argc, char **argv, const struct option_target *targets, const char *usage);

#endif
