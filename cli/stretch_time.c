/* Dates to days after H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (as processor/timestamp.c, the other way). */
#include "cli/stretch_time.h"

#include <string.h>

#include "config/units.h"
#include "processor/clock.h"

enum { DAY_MS = 86400000, DAYS_TO_1970 = 719468, ERA_DAYS = 146097 };

/* -- the cursor -- */

bool cursor_expected(struct cursor *cursor, const char *expected)
{
    cursor->expected = expected;
    return false;
}

bool cursor_end(struct cursor *cursor, const char *expected)
{
    return *cursor->at == '\0' || cursor_expected(cursor, expected);
}

bool cursor_sign(struct cursor *cursor, char sign, const char *expected)
{
    if (*cursor->at != sign)
        return cursor_expected(cursor, expected);
    cursor->at++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool cursor_whole(struct cursor *cursor, int64_t *ret, const char *expected)
{
    const char *begin = cursor->at;
    int64_t number = 0;
    for (; is_digit(*cursor->at); cursor->at++) {
        if (__builtin_mul_overflow(number, INT64_C(10), &number) ||
            __builtin_add_overflow(number, *cursor->at - '0', &number)) {
            cursor->at = begin;
            return cursor_expected(cursor, "a number that fits into 64 bits");
        }
    }
    if (cursor->at == begin)
        return cursor_expected(cursor, expected);
    *ret = number;
    return true;
}

bool cursor_decimal(struct cursor *cursor, double *ret, const char *expected)
{
    const char *begin = cursor->at;
    int64_t whole;
    if (!cursor_whole(cursor, &whole, expected))
        return false;
    double value = (double)whole, part = 0.1;
    if (*cursor->at == '.') {
        cursor->at++;
        while (is_digit(*cursor->at)) {
            value += part * (*cursor->at++ - '0');
            part /= 10;
        }
    }
    if (value <= 0) {
        cursor->at = begin;
        return cursor_expected(cursor, "a number above 0");
    }
    *ret = value;
    return true;
}

/* -- points in time -- */

/* Just `count` digits, from `least` to `most`. */
static bool digits(struct cursor *cursor, int count, int least, int most, int *ret, const char *expected)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        if (!is_digit(cursor->at[i]))
            return cursor_expected(cursor, expected);
        number = number * 10 + (cursor->at[i] - '0');
    }
    if (number < least || number > most)
        return cursor_expected(cursor, expected);
    cursor->at += count;
    *ret = number;
    return true;
}

static int days_in(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return DAYS[month - 1] + (month == 2 && leap);
}

static int64_t days_of(int year, int month, int day)
{
    year -= month <= 2;
    int era = year / 400, of_era = year - era * 400;
    int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return (int64_t)era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970;
}

static bool read_date(struct cursor *cursor, int64_t *ret_days)
{
    int year, month, day;
    if (!digits(cursor, 4, 1, 9999, &year,
                "a year of four digits, \"-2h\", \"beginning\", \"now\" or TOPIC/PARTITION@OFFSET"))
        return false;
    if (!cursor_sign(cursor, '-', "\"-\" and a month") || !digits(cursor, 2, 1, 12, &month, "a month from 01 to 12") ||
        !cursor_sign(cursor, '-', "\"-\" and a day") ||
        !digits(cursor, 2, 1, days_in(year, month), &day, "a day of that month, of two digits"))
        return false;
    *ret_days = days_of(year, month, day);
    return true;
}

/* What follows the seconds' point: ms, rounded up, as no record lies between two of them. */
static bool read_fraction(struct cursor *cursor, int64_t *ret_ms)
{
    int64_t ms = 0;
    bool more = false;
    int count = 0;
    for (cursor->at++; is_digit(*cursor->at); cursor->at++, count++) {
        if (count < 3)
            ms = ms * 10 + (*cursor->at - '0');
        else
            more = more || *cursor->at != '0';
    }
    if (count == 0)
        return cursor_expected(cursor, "digits of a fraction");
    for (; count < 3; count++)
        ms *= 10;
    *ret_ms = ms + more;
    return true;
}

static bool read_offset(struct cursor *cursor, int64_t *ret_ms)
{
    int hours, minutes, sign = *cursor->at == '-' ? -1 : 1;
    if (*cursor->at == 'Z' || *cursor->at == 'z') {
        cursor->at++;
        *ret_ms = 0;
        return true;
    }
    if (*cursor->at != '+' && *cursor->at != '-')
        return cursor_expected(cursor, "the offset from UTC: Z, +01:00");
    cursor->at++;
    if (!digits(cursor, 2, 0, 23, &hours, "hours of the offset, of two digits") ||
        !cursor_sign(cursor, ':', "\":\" and the minutes of the offset") ||
        !digits(cursor, 2, 0, 59, &minutes, "minutes from 00 to 59"))
        return false;
    *ret_ms = sign * (hours * 60 + minutes) * INT64_C(60000);
    return true;
}

static bool read_clock(struct cursor *cursor, int64_t *ret_ms)
{
    int hours, minutes, seconds = 0;
    int64_t fraction = 0, offset;
    if (!digits(cursor, 2, 0, 23, &hours, "hours from 00 to 23") ||
        !cursor_sign(cursor, ':', "\":\" and the minutes") ||
        !digits(cursor, 2, 0, 59, &minutes, "minutes from 00 to 59"))
        return false;
    if (*cursor->at == ':') {
        cursor->at++;
        /* 60: a leap second, which clocks that count ms since 1970 don't have; it is the next one. */
        if (!digits(cursor, 2, 0, 60, &seconds, "seconds from 00 to 59"))
            return false;
        if (*cursor->at == '.' && !read_fraction(cursor, &fraction))
            return false;
    }
    if (!read_offset(cursor, &offset))
        return false;
    *ret_ms = (hours * 3600 + minutes * 60 + seconds) * INT64_C(1000) + fraction - offset;
    return true;
}

bool stretch_time_read(struct cursor *cursor, int64_t *ret_ms)
{
    int64_t days, ms = 0;
    const char *behind = "\"T\" and the time, or the end";
    if (!read_date(cursor, &days))
        return false;
    if (*cursor->at == 'T' || *cursor->at == 't' || *cursor->at == ' ') {
        cursor->at++;
        behind = "the end";
        if (!read_clock(cursor, &ms))
            return false;
    }
    if (!cursor_end(cursor, behind))
        return false;
    *ret_ms = days * DAY_MS + ms;
    return true;
}

bool stretch_time_ago(struct cursor *cursor, int64_t *ret_ms)
{
    static const char EXPECTED[] = "a duration: \"2h\", \"1d12h\" (units ms, s, m, h, d)";
    int64_t sum = 0;
    cursor->at++;
    do {
        size_t number = strspn(cursor->at, "0123456789");
        size_t unit = strspn(cursor->at + number, "usmhd");
        int64_t part;
        if (unit == 0 || !units_duration(cursor->at, number + unit, &part) || __builtin_add_overflow(sum, part, &sum))
            return cursor_expected(cursor, EXPECTED);
        cursor->at += number + unit;
    } while (*cursor->at != '\0');
    *ret_ms = sum / CLOCK_MS;
    return true;
}
