/* Writing integers as text, two digits at a step. */
#ifndef WEIR_PROCESSOR_DECIMAL_H
#define WEIR_PROCESSOR_DECIMAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { DECIMAL_MAX = 20 }; /* "-9223372036854775808" */

extern const char DECIMAL_PAIRS[200]; /* "00" "01" ... "99" */

static inline void decimal_write_pair(uint8_t *out, unsigned number)
{
    memcpy(out, DECIMAL_PAIRS + (size_t)number * 2, 2);
}

/* out has room for DECIMAL_MAX. Returns the bytes written. */
size_t decimal_write(uint8_t *out, int64_t number);

#endif
