/*
 * timestamptz, timestamp and date: microseconds, or days, since 2000-01-01. A string is RFC 3339 (a blank may stand for the T, the seconds' fraction has any
 * number of digits); without an offset it is taken for UTC, and a timestamp without time zone is stored as UTC, so that two producers' records can be
 * compared. An integer is Kafka's unit, milliseconds since 1970.
 */
#include "connectors/postgres/types.h"

#define MICROS INT64_C(1000000)
#define DAY_MICROS (86400 * MICROS)
/* From 1970 to 2000, in days; and what a timestamp can be (MIN_TIMESTAMP and END_TIMESTAMP in src/include/datatype/timestamp.h), from 2000. */
enum { EPOCH_DAYS = 10957, ERA_DAYS = 146097 };
#define LEAST INT64_C(-211813488000000000)
#define END INT64_C(9223371331200000000)

static const char EXPECTED[] =
    "a point in time: RFC 3339, as in \"2024-02-29T23:59:59.123Z\", or milliseconds since 1970 as an integer";

/* Reads `count` digits. False: they are none. */
static bool digits(const uint8_t *at, unsigned count, int *ret)
{
    int number = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned digit = at[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        number = number * 10 + (int)digit;
    }
    *ret = number;
    return true;
}

/* Days since 1970: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (years begin in March). */
static int64_t days_of(int year, int month, int day)
{
    int shifted = year - (month <= 2);
    int era = shifted / 400, in_era = shifted - era * 400;
    int in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return (int64_t)era * ERA_DAYS + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static bool read_date(const uint8_t *at, int64_t *ret_days)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    if (!digits(at, 4, &year) || at[4] != '-' || !digits(at + 5, 2, &month) || at[7] != '-' || !digits(at + 8, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > lengths[month - 1] + (month == 2 && leap))
        return false;
    *ret_days = days_of(year, month, day);
    return true;
}

/* Rounded to microseconds as the server does it: to the nearest, and to the even one of two. */
static const uint8_t *read_fraction(const uint8_t *at, const uint8_t *end, int64_t *micros)
{
    int64_t unit = MICROS / 10, sum = 0;
    unsigned next = 0; /* the seventh digit, and behind it whether there is anything */
    bool more = false;
    const uint8_t *begin = ++at;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        sum += (*at - '0') * unit;
        if (at - begin == 6)
            next = *at - (unsigned)'0';
        more |= at - begin > 6 && *at != '0';
        unit /= 10;
    }
    *micros += sum + (next > 5 || (next == 5 && (more || sum % 2 != 0)));
    return at > begin ? at : NULL;
}

/* Z, +02:00, +0200, +02, or nothing. */
static bool read_offset(const uint8_t *at, const uint8_t *end, int64_t *micros)
{
    int hours, minutes = 0;
    if (at == end || (end - at == 1 && (*at | 0x20) == 'z'))
        return true;
    bool minus = *at == '-';
    if ((!minus && *at != '+') || end - at < 3 || !digits(at + 1, 2, &hours))
        return false;
    at += 3;
    if (at < end && *at == ':')
        at++;
    if (at < end && (end - at != 2 || !digits(at, 2, &minutes)))
        return false;
    if (hours > 15 || minutes > 59)
        return false;
    int64_t offset = (hours * 60 + minutes) * 60 * MICROS;
    *micros += minus ? offset : -offset;
    return true;
}

/* Microseconds since 1970. */
static bool read_time(struct bytes text, int64_t *ret)
{
    const uint8_t *at = text.data, *end = at + text.size;
    int64_t days, micros;
    int hours, minutes, seconds = 0;
    if (text.size < 10 || !read_date(at, &days))
        return false;
    micros = days * DAY_MICROS;
    at += 10;
    if (at == end) {
        *ret = micros;
        return true;
    }
    if (((*at | 0x20) != 't' && *at != ' ') || end - at < 6 || !digits(at + 1, 2, &hours) || at[3] != ':' ||
        !digits(at + 4, 2, &minutes))
        return false;
    at += 6;
    if (at < end && *at == ':') {
        if (end - at < 3 || !digits(at + 1, 2, &seconds))
            return false;
        at += 3;
    }
    /* 60: a leap second. */
    if (hours > 23 || minutes > 59 || seconds > 60)
        return false;
    micros += ((int64_t)(hours * 60 + minutes) * 60 + seconds) * MICROS;
    if (at < end && *at == '.' && (at = read_fraction(at, end, &micros)) == NULL)
        return false;
    *ret = micros;
    return read_offset(at, end, ret);
}

static enum postgres_fit put_micros(struct postgres_encoder *encoder, int64_t micros)
{
    uint8_t *at = postgres_buffer_room(encoder->out, sizeof micros);
    if (at == NULL)
        return POSTGRES_MEMORY;
    micros -= EPOCH_DAYS * DAY_MICROS;
    if (micros < LEAST || micros >= END)
        return postgres_misfit(encoder, "type", EXPECTED);
    postgres_put64(at, (uint64_t)micros);
    encoder->out->size += sizeof micros;
    return POSTGRES_FITS;
}

enum postgres_fit postgres_encode_timestamptz(struct postgres_encoder *encoder, const struct value *value)
{
    struct bytes text;
    int64_t micros;
    if (value->type == VALUE_STRING) {
        if (!json_string(value, encoder->scratch, &text))
            return POSTGRES_MEMORY;
        if (!read_time(text, &micros))
            return postgres_misfit(encoder, "type", EXPECTED);
        return put_micros(encoder, micros);
    }
    /* Below -END/2 there is no timestamp, and so no overflow at the move to 2000. */
    if (!json_int64(value, &micros) || __builtin_mul_overflow(micros, 1000, &micros) || micros < -(END / 2))
        return postgres_misfit(encoder, "type", EXPECTED);
    return put_micros(encoder, micros);
}

enum postgres_fit postgres_encode_timestamp(struct postgres_encoder *encoder, const struct value *value)
{
    return postgres_encode_timestamptz(encoder, value);
}

enum postgres_fit postgres_encode_date(struct postgres_encoder *encoder, const struct value *value)
{
    struct bytes text;
    int64_t days;
    uint8_t *at = postgres_buffer_room(encoder->out, 4);
    if (at == NULL)
        return POSTGRES_MEMORY;
    if (value->type == VALUE_STRING && !json_string(value, encoder->scratch, &text))
        return POSTGRES_MEMORY;
    if (value->type != VALUE_STRING || text.size != 10 || !read_date(text.data, &days))
        return postgres_misfit(encoder, "type", "a date, as in \"2024-02-29\"");
    postgres_put32(at, (uint32_t)(int32_t)(days - EPOCH_DAYS));
    encoder->out->size += 4;
    return POSTGRES_FITS;
}
