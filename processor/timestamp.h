/* Points in time as people read them and stores keep them: RFC 3339, UTC, milliseconds. Integer arithmetic only: strftime takes 20 times as long. */
#ifndef WEIR_PROCESSOR_TIMESTAMP_H
#define WEIR_PROCESSOR_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 24 bytes from year 0000 to 9999; outside of them the year has a sign and six digits or more, as ISO 8601 has it. */
enum { TIMESTAMP_MAX = 32 };

/* ms: since 1970, any value. out has room for TIMESTAMP_MAX. Returns the bytes written: "2024-02-29T23:59:59.123Z". */
size_t timestamp_write(uint8_t *out, int64_t ms);

/* RFC 3339 with its zone ("2024-02-29T23:59:59.123Z", "2024-02-29 23:59:59+01:00"; digits behind the third of a second's fraction are cut off), or a date alone,
 * which is its midnight in UTC. False: something else, or no such day or time; *ret_ms is untouched. */
bool timestamp_read(const char *text, int64_t *ret_ms);

#endif
