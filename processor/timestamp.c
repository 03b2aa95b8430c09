/*
 * Days to dates after H. Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, eras have 400 of them.
 * Records come in the order of time, more or less, so each thread keeps the last date it wrote.
 */
#include "processor/timestamp.h"

#include <string.h>

#include "processor/decimal.h"

enum { DAY_MS = 86400000, ERA_DAYS = 146097, DAYS_TO_1970 = 719468, DATE_MAX = 18 };

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t floor_mod(int64_t a, int64_t b)
{
    return a % b + (a % b < 0 ? b : 0);
}

static uint8_t *put_year(uint8_t *out, int64_t year)
{
    if (year >= 0 && year <= 9999) {
        decimal_write_pair(out, (unsigned)year / 100);
        decimal_write_pair(out + 2, (unsigned)year % 100);
        return out + 4;
    }
    uint8_t digits[DECIMAL_MAX];
    size_t size = decimal_write(digits, year < 0 ? -year : year), zeros = size < 6 ? 6 - size : 0;
    *out++ = year < 0 ? '-' : '+';
    memset(out, '0', zeros);
    memcpy(out + zeros, digits, size);
    return out + zeros + size;
}

static size_t write_date(uint8_t *out, int64_t days)
{
    int64_t shifted = days + DAYS_TO_1970, era = floor_div(shifted, ERA_DAYS);
    unsigned day = (unsigned)(shifted - era * ERA_DAYS);
    unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    unsigned month = (5 * day + 2) / 153;
    day -= (153 * month + 2) / 5;
    month = month < 10 ? month + 3 : month - 9;
    uint8_t *at = put_year(out, era * 400 + year + (month <= 2));
    *at++ = '-';
    decimal_write_pair(at, month);
    at[2] = '-';
    decimal_write_pair(at + 3, day + 1);
    return (size_t)(at + 5 - out);
}

size_t timestamp_write(uint8_t *out, int64_t ms)
{
    static const uint8_t frame[14] = "T00:00:00.000Z";
    static _Thread_local struct {
        int64_t days;
        size_t size; /* 0: none yet */
        uint8_t text[DATE_MAX];
    } date;
    int64_t days = floor_div(ms, DAY_MS);
    unsigned in_day = (unsigned)floor_mod(ms, DAY_MS), seconds = in_day / 1000;
    if (date.days != days || date.size == 0) {
        date.days = days;
        date.size = write_date(date.text, days);
    }
    memcpy(out, date.text, DATE_MAX);
    uint8_t *at = out + date.size;
    memcpy(at, frame, sizeof frame);
    decimal_write_pair(at + 1, seconds / 3600);
    decimal_write_pair(at + 4, seconds / 60 % 60);
    decimal_write_pair(at + 7, seconds % 60);
    decimal_write_pair(at + 11, in_day % 100);
    at[10] = (uint8_t)('0' + in_day / 100 % 10);
    return date.size + sizeof frame;
}

/* -- reading -- */

/* Exactly `count` digits. */
static bool read_digits(const char **at, unsigned count, unsigned *ret)
{
    unsigned number = 0;
    for (unsigned i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        number = number * 10 + (unsigned)(**at - '0');
    }
    *ret = number;
    return true;
}

static bool read_byte(const char **at, char byte)
{
    if (**at != byte)
        return false;
    (*at)++;
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const uint8_t DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : DAYS[month - 1];
}

static int64_t days_since_1970(int64_t year, int64_t month, int64_t day)
{
    int64_t shifted = year - (month <= 2), era = floor_div(shifted, 400), of_era = shifted - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970;
}

static bool read_date(const char **at, int64_t *ret_days)
{
    unsigned year, month, day;
    if (!read_digits(at, 4, &year) || !read_byte(at, '-') || !read_digits(at, 2, &month) || !read_byte(at, '-') ||
        !read_digits(at, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *ret_days = days_since_1970(year, month, day);
    return true;
}

/* ".5", ".123456789": in milliseconds. */
static bool read_fraction(const char **at, unsigned *ret_ms)
{
    unsigned ms = 0, count = 0;
    *ret_ms = 0;
    if (!read_byte(at, '.'))
        return true;
    for (; **at >= '0' && **at <= '9'; (*at)++, count++)
        ms = count < 3 ? ms * 10 + (unsigned)(**at - '0') : ms;
    for (unsigned i = count; i < 3; i++)
        ms *= 10;
    *ret_ms = ms;
    return count > 0;
}

static bool read_zone(const char **at, int64_t *ret_minutes)
{
    unsigned hours, minutes;
    bool west = **at == '-';
    *ret_minutes = 0;
    if (read_byte(at, 'Z') || read_byte(at, 'z'))
        return true;
    if ((!read_byte(at, '+') && !read_byte(at, '-')) || !read_digits(at, 2, &hours) || !read_byte(at, ':') ||
        !read_digits(at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_minutes = (int64_t)(hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

bool timestamp_read(const char *text, int64_t *ret_ms)
{
    const char *at = text;
    int64_t days, zone = 0;
    unsigned hours = 0, minutes = 0, seconds = 0, ms = 0;
    if (!read_date(&at, &days))
        return false;
    if (*at != '\0') {
        if (!read_byte(&at, 'T') && !read_byte(&at, 't') && !read_byte(&at, ' '))
            return false;
        if (!read_digits(&at, 2, &hours) || !read_byte(&at, ':') || !read_digits(&at, 2, &minutes) ||
            !read_byte(&at, ':') || !read_digits(&at, 2, &seconds) || !read_fraction(&at, &ms) ||
            !read_zone(&at, &zone) || *at != '\0')
            return false;
    }
    /* A leap second counts as the first of the next minute, as Unix time has none. */
    if (hours > 23 || minutes > 59 || seconds > 60)
        return false;
    *ret_ms = days * DAY_MS + ((int64_t)hours * 3600 + minutes * 60 + seconds - zone * 60) * 1000 + ms;
    return true;
}
