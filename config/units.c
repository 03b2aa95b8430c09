#include "config/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t value;
};

/* The largest first. */
static const struct unit DURATIONS[] = {{"d", INT64_C(86400000000000)}, {"h", INT64_C(3600000000000)},
                                        {"m", INT64_C(60000000000)},    {"s", INT64_C(1000000000)},
                                        {"ms", INT64_C(1000000)},       {"us", INT64_C(1000)}};
static const struct unit SIZES[] = {
    {"GiB", INT64_C(1) << 30}, {"MiB", INT64_C(1) << 20}, {"KiB", INT64_C(1) << 10}, {"", 1}};
static const struct unit DECIMAL_SIZES[] = {
    {"GB", INT64_C(1000000000)}, {"MB", INT64_C(1000000)}, {"KB", INT64_C(1000)}};

/* Digits and what is behind them. */
static bool split(const char *text, size_t size, int64_t *ret_number, const char **ret_unit, size_t *ret_unit_size)
{
    int64_t number = 0;
    size_t at = 0;
    for (; at < size && text[at] >= '0' && text[at] <= '9'; at++) {
        if (__builtin_mul_overflow(number, INT64_C(10), &number) ||
            __builtin_add_overflow(number, text[at] - '0', &number))
            return false;
    }
    *ret_number = number;
    *ret_unit = text + at;
    *ret_unit_size = size - at;
    return at > 0;
}

static bool scale(const struct unit *units, size_t count, int64_t number, const char *name, size_t size, int64_t *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == size && memcmp(units[i].name, name, size) == 0)
            return !__builtin_mul_overflow(number, units[i].value, ret);
    }
    return false;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

bool units_duration(const char *text, size_t size, int64_t *ret)
{
    int64_t number;
    const char *unit;
    size_t unit_size;
    if (!split(text, size, &number, &unit, &unit_size))
        return false;
    if (number == 0 && unit_size == 0) {
        *ret = 0;
        return true;
    }
    return scale(DURATIONS, COUNT(DURATIONS), number, unit, unit_size, ret);
}

bool units_size(const char *text, size_t size, int64_t *ret)
{
    int64_t number;
    const char *unit;
    size_t unit_size;
    return split(text, size, &number, &unit, &unit_size) &&
           (scale(SIZES, COUNT(SIZES), number, unit, unit_size, ret) ||
            scale(DECIMAL_SIZES, COUNT(DECIMAL_SIZES), number, unit, unit_size, ret));
}

static const char *write_text(const struct unit *units, size_t count, int64_t value, char *text)
{
    size_t i = 0;
    while (i + 1 < count && (value % units[i].value != 0 || value == 0))
        i++;
    snprintf(text, UNITS_TEXT_MAX, "%" PRId64 "%s", value / units[i].value, units[i].name);
    return text;
}

const char *units_duration_text(int64_t ns, char *text)
{
    return write_text(DURATIONS, COUNT(DURATIONS), ns, text);
}

const char *units_size_text(int64_t bytes, char *text)
{
    return write_text(SIZES, COUNT(SIZES), bytes, text);
}
