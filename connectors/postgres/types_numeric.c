/*
 * numeric out of its decimal text, digit by digit: numeric_recv() in src/backend/utils/adt/numeric.c reads how many digits of base 10000, the weight of the
 * first, the sign, how many decimals are shown, and the digits. No digit is lost, however many there are.
 */
#include "connectors/postgres/types.h"

enum {
    GROUP = 4,           /* decimal digits in one of base 10000 */
    MAX_BEFORE = 131072, /* the documented limits of numeric: digits before and after the point */
    MAX_AFTER = 16383,
    HEAD = 8,
    NEGATIVE = 0x4000,
};

static const char EXPECTED[] =
    "a number, or a string that is one, of at most 131072 digits before and 16383 after the point";

struct parts {
    bool minus;
    const uint8_t *digits, *end; /* digits and at most one point */
    int64_t exponent;
};

static bool read_exponent(const uint8_t *at, const uint8_t *end, int64_t *ret)
{
    bool minus = at < end && *at == '-';
    int64_t number = 0;
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at == end)
        return false;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        if (number < 1000000)
            number = number * 10 + (*at - '0');
    }
    *ret = minus ? -number : number;
    return true;
}

/* Of a JSON number this always succeeds; a string may be anything. */
static bool split(struct bytes text, struct parts *ret)
{
    const uint8_t *at = text.data, *end = at + text.size;
    unsigned digits = 0, points = 0;
    *ret = (struct parts){.minus = at < end && *at == '-'};
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    ret->digits = at;
    for (; at < end && (*at | 0x20) != 'e'; at++) {
        if (*at == '.')
            points++;
        else if (*at >= '0' && *at <= '9')
            digits++;
        else
            return false;
    }
    ret->end = at;
    return digits > 0 && points <= 1 && (at == end || read_exponent(at + 1, end, &ret->exponent));
}

/* The place of the first digit that is not 0, counted from the point: 1 for 5, 3 for 500, 0 for 0.5; and how many decimals are written. False: all are 0. */
static bool find_first(const struct parts *parts, const uint8_t **ret_first, int64_t *ret_place, int64_t *ret_scale)
{
    const uint8_t *point = memchr(parts->digits, '.', (size_t)(parts->end - parts->digits));
    const uint8_t *first = parts->digits;
    while (first < parts->end && (*first == '0' || *first == '.'))
        first++;
    int64_t scale = (point != NULL ? parts->end - point - 1 : 0) - parts->exponent;
    *ret_scale = scale > 0 ? scale : 0;
    *ret_first = first;
    if (first == parts->end)
        return false;
    if (point == NULL)
        *ret_place = parts->end - first;
    else
        *ret_place = first < point ? point - first : point - first + 1;
    *ret_place += parts->exponent;
    return true;
}

/* Behind the last digit that is not 0. */
static const uint8_t *find_last(const uint8_t *first, const uint8_t *end)
{
    while (end > first && (end[-1] == '0' || end[-1] == '.'))
        end--;
    return end;
}

static uint8_t *put_groups(uint8_t *out, const uint8_t *at, const uint8_t *end, unsigned filled)
{
    unsigned group = 0;
    for (; at < end; at++) {
        if (*at == '.')
            continue;
        group = group * 10 + (*at - (unsigned)'0');
        if (++filled == GROUP) {
            postgres_put16(out, (uint16_t)group);
            out += 2;
            group = filled = 0;
        }
    }
    if (filled > 0) {
        for (; filled < GROUP; filled++)
            group *= 10;
        postgres_put16(out, (uint16_t)group);
        out += 2;
    }
    return out;
}

enum postgres_fit postgres_encode_numeric(struct postgres_encoder *encoder, const struct value *value)
{
    struct bytes text = value->text;
    struct parts parts;
    const uint8_t *first;
    int64_t place = 0, scale;
    bool number = value->type == VALUE_INTEGER || value->type == VALUE_NUMBER;
    if (value->type == VALUE_STRING && !json_string(value, encoder->scratch, &text))
        return POSTGRES_MEMORY;
    if ((!number && value->type != VALUE_STRING) || !split(text, &parts))
        return postgres_misfit(encoder, "type", EXPECTED);
    bool zero = !find_first(&parts, &first, &place, &scale);
    if (scale > MAX_AFTER || place > MAX_BEFORE)
        return postgres_misfit(encoder, "type", EXPECTED);
    const uint8_t *last = find_last(first, parts.end);
    uint8_t *head = postgres_buffer_room(encoder->out, HEAD + ((size_t)(last - first) / GROUP + 2) * 2), *at;
    if (head == NULL)
        return POSTGRES_MEMORY;
    /* Groups are counted from the point; the first digit need not begin one. */
    int64_t weight = place > 0 ? (place - 1) / GROUP : -((GROUP - place) / GROUP);
    unsigned missing = zero ? 0 : (unsigned)((weight + 1) * GROUP - place);
    at = put_groups(head + HEAD, first, last, missing);
    postgres_put16(head, (uint16_t)((at - head - HEAD) / 2));
    postgres_put16(head + 2, (uint16_t)(zero ? 0 : weight));
    postgres_put16(head + 4, parts.minus && !zero ? NEGATIVE : 0);
    postgres_put16(head + 6, (uint16_t)scale);
    encoder->out->size += (size_t)(at - head);
    return POSTGRES_FITS;
}
