/* What is not as a scenario expects it: each with its place in the file, where there is one, and a sentence. */
#ifndef WEIR_SCENARIO_FINDINGS_H
#define WEIR_SCENARIO_FINDINGS_H

#include <stddef.h>

#include "processor/status.h"

struct config_node;

struct finding {
    unsigned line, column; /* 0: no place */
    char *about;           /* "output[1] (orders/0@2)", or "" */
    char *text;
};

struct findings {
    struct finding *items;
    size_t count, room;
    char about[160]; /* of those that are added */
};

void findings_about(struct findings *findings, const char *format, ...) PRINTF_LIKE(2, 3);
/* node: where what was expected stands; NULL: nowhere. */
void findings_add(struct findings *findings, const struct config_node *node, const char *format, ...) PRINTF_LIKE(3, 4);
void findings_fini(struct findings *findings);

#endif
