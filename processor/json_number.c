/*
 * Numbers out of their JSON text. A decimal of up to 19 digits is read exactly, as digits * 10^exponent; integers are taken from that, and doubles
 * too as far as one operation on exact doubles rounds correctly (W. Clinger, "How to read floating point numbers accurately", 1990). strtod has the rest.
 */
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "processor/check.h"
#include "processor/json.h"

struct decimal {
    uint64_t digits; /* without zeros at the end */
    int64_t exponent;
    bool minus;
    bool exact; /* digits has them all */
};

enum { EXACT_POWER = 22 };
static const double POWERS[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define EXACT_DIGITS (UINT64_C(1) << 53)

/* at: at e or E. Far past what any double or integer has, it stops growing. */
static int64_t read_exponent(const uint8_t *at, const uint8_t *end)
{
    enum { ENOUGH = 1000000000 };
    int64_t exponent = 0;
    bool minus = *++at == '-';
    if (minus || *at == '+')
        at++;
    for (; at < end; at++) {
        if (exponent < ENOUGH)
            exponent = exponent * 10 + (*at - '0');
    }
    return minus ? -exponent : exponent;
}

/* Appends so many zeros and the digit. */
static bool append(uint64_t *digits, int64_t zeros, unsigned digit)
{
    for (; zeros >= 0; zeros--) {
        if (__builtin_mul_overflow(*digits, 10, digits))
            return false;
    }
    return !__builtin_add_overflow(*digits, digit, digits);
}

static struct decimal read_decimal(struct bytes text)
{
    const uint8_t *at = text.data, *end = at + text.size;
    struct decimal decimal = {.minus = *at == '-', .exact = true};
    int64_t zeros = 0; /* since the last other digit */
    bool fraction = false;
    for (at += decimal.minus; at < end; at++) {
        unsigned digit = *at - (unsigned)'0';
        if (*at == '.') {
            fraction = true;
            continue;
        }
        if (digit > 9)
            break;
        decimal.exponent -= fraction;
        if (digit == 0) {
            zeros += decimal.digits != 0;
        } else if (decimal.exact) {
            decimal.exact = append(&decimal.digits, zeros, digit);
            zeros = 0;
        }
    }
    decimal.exponent += zeros + (at < end ? read_exponent(at, end) : 0);
    return decimal;
}

bool json_int64(const struct value *value, int64_t *ret)
{
    if (value->type != VALUE_INTEGER && value->type != VALUE_NUMBER)
        return false;
    struct decimal decimal = read_decimal(value->text);
    if (!decimal.exact || (decimal.digits != 0 && decimal.exponent < 0))
        return false;
    for (int64_t i = decimal.exponent; decimal.digits != 0 && i > 0; i--) {
        if (__builtin_mul_overflow(decimal.digits, 10, &decimal.digits))
            return false;
    }
    if (decimal.digits > (uint64_t)INT64_MAX + decimal.minus)
        return false;
    *ret = (int64_t)(decimal.minus ? 0 - decimal.digits : decimal.digits);
    return true;
}

/* strtod takes its decimal point from the locale. */
static locale_t c_locale;

static void make_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", NULL);
    CHECK(c_locale != NULL);
}

enum { COPY_MAX = 1024, SIGNIFICANT = 800 };

/*
 * A number too long to copy, cut to SIGNIFICANT digits and a last 1 for what was cut off: where two doubles meet has at most 767 digits,
 * so nothing behind them can matter but whether there is anything.
 */
static void copy_cut(struct bytes text, char copy[COPY_MAX])
{
    const uint8_t *at = text.data, *end = at + text.size;
    int64_t exponent = 0;
    size_t used = 0;
    bool fraction = false, more = false;
    if (*at == '-')
        copy[used++] = (char)*at++;
    for (size_t first = used; at < end && (*at | 0x20) != 'e'; at++) {
        if (*at == '.') {
            fraction = true;
        } else if (used - first == SIGNIFICANT) {
            more |= *at != '0';
            exponent += !fraction;
        } else {
            exponent -= fraction;
            if (*at != '0' || used > first)
                copy[used++] = (char)*at;
        }
    }
    if (more) {
        copy[used++] = '1';
        exponent--;
    }
    if (at < end)
        exponent += read_exponent(at, end);
    snprintf(copy + used, COPY_MAX - used, "%se%lld", used > 1 ? "" : "0", (long long)exponent);
}

bool json_double(const struct value *value, double *ret)
{
    if (value->type != VALUE_INTEGER && value->type != VALUE_NUMBER)
        return false;
    struct decimal decimal = read_decimal(value->text);
    if (decimal.exact && decimal.digits <= EXACT_DIGITS && decimal.exponent >= -EXACT_POWER &&
        decimal.exponent <= EXACT_POWER) {
        double digits = decimal.minus ? -(double)decimal.digits : (double)decimal.digits;
        *ret = decimal.exponent < 0 ? digits / POWERS[-decimal.exponent] : digits * POWERS[decimal.exponent];
        return true;
    }
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CHECK_CALL(pthread_once(&once, make_locale));
    char copy[COPY_MAX];
    if (value->text.size < COPY_MAX) {
        memcpy(copy, value->text.data, value->text.size);
        copy[value->text.size] = '\0';
    } else {
        copy_cut(value->text, copy);
    }
    double number = strtod_l(copy, NULL, c_locale);
    if (!isfinite(number))
        return false;
    *ret = number;
    return true;
}
