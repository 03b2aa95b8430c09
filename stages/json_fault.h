/*
 * Where a JSON text is wrong, and how. Only for texts that the parser refused already: simdjson says that something is wrong,
 * a person wants to know where.
 */
#ifndef WEIR_STAGES_JSON_FAULT_H
#define WEIR_STAGES_JSON_FAULT_H

#include "processor/bytes.h"

/* Offset of the first wrong byte; *ret_words says what is wrong there, a constant. -1: nothing was found wrong. */
long json_fault_find(struct bytes text, const char **ret_words);
/* Offset of the first byte that is no UTF-8, -1: none. */
long json_fault_utf8(struct bytes text);

#endif
