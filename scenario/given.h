/*
 * Keys, values and headers as a scenario gives them: a text is its bytes, a map or list is written as JSON, null is Kafka's null, and `{base64: ...}` or
 * `{hex: ...}` are bytes that are no text.
 */
#ifndef WEIR_SCENARIO_GIVEN_H
#define WEIR_SCENARIO_GIVEN_H

#include "config/table.h"
#include "processor/bytes.h"

struct given {
    const struct config_node *node; /* NULL: not given */
    struct bytes bytes;             /* data NULL: null. 64 readable bytes are behind them */
    bool structure;                 /* from a map or list: JSON text without white space */
};

extern const struct config_custom given_custom; /* struct given */
/* The same of maps and lists only, and of the single values that JSON has: a text is a JSON string. */
extern const struct config_custom given_json_custom;

/* The JSON Schema of any value, for fields like these. */
void given_schema(FILE *out);

#endif
