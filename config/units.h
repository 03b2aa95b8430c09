/* Durations and sizes as people write them. */
#ifndef WEIR_CONFIG_UNITS_H
#define WEIR_CONFIG_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNITS_TEXT_MAX = 32 };

/* The regular expressions (ECMA 262, for the schema) of what the functions below take. */
#define UNITS_DURATION_PATTERN "([0-9]+(us|ms|s|m|h|d)|0)"
#define UNITS_SIZE_PATTERN "[0-9]+(KiB|MiB|GiB|KB|MB|GB)?"

/* 250us, 100ms, 10s, 5m, 1h, 7d, 0 -> ns. False: something else, or beyond int64_t. */
bool units_duration(const char *text, size_t size, int64_t *ret);
/* 65536, 64KiB, 16MiB, 1GiB, 64KB, 16MB, 1GB -> bytes. */
bool units_size(const char *text, size_t size, int64_t *ret);
/* In the largest unit that leaves no rest. Return text, which has room for UNITS_TEXT_MAX. */
const char *units_duration_text(int64_t ns, char *text);
const char *units_size_text(int64_t bytes, char *text);

#endif
