/* One dead letter for people: why it was refused, where it came from, its headers, key and value. */
#ifndef WEIR_CLI_LETTER_SHOW_H
#define WEIR_CLI_LETTER_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include "processor/batch.h"

/* hex: key and value as hex dumps, whatever they are. Else JSON is indented, text is text, and what could do something to a terminal is dumped. */
void letter_show(const struct batch *batch, const struct record *record, bool hex, FILE *out);
/* One object in one line; key, value and headers as text, or {"hex": "..."} where they are no UTF-8. */
void letter_show_json(const struct batch *batch, const struct record *record, FILE *out);

#endif
