/* What goes to stderr for a while. One at a time; a failure fails the test. */
#ifndef WEIR_TESTS_SUPPORT_CAUGHT_H
#define WEIR_TESTS_SUPPORT_CAUGHT_H

#include <stdio.h>

struct caught {
    FILE *file;
    int before;
    char text[8192]; /* from caught_end on; what is more is cut */
};

void caught_begin(struct caught *caught);
void caught_end(struct caught *caught);

#endif
