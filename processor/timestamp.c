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
    unsigned in_day = (unsigned)(ms - days * DAY_MS), seconds = in_day / 1000;
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
