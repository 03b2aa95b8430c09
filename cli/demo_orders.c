#include "cli/demo_orders.h"

#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* One in so many; primes, so that they do not fall together. */
enum { BROKEN_EVERY = 1009, UNREADABLE_EVERY = 5003, TEST_EVERY = 199 };
/* 2026-01-01T00:00:00Z, and so many orders a second since. */
enum { DAY = 86400, ORDERS_PER_SECOND = 20 };

static const char *const FIRST[] = {"Ada",  "Blaise", "Carl", "Dorothy", "Emmy", "Felix", "Grace",
                                    "Hedy", "Ivan",   "Joan", "Kurt",    "Lise", "Maria", "Niels",
                                    "Olga", "Paul",   "Rosa", "Sofia",   "Tim",  "Zoë"};
static const char *const LAST[] = {"Abel",   "Bernoulli", "Curie",     "Dirac",      "Euler",   "Fourier", "Gauss",
                                   "Hopper", "Ito",       "Jordan",    "Kepler",     "Laplace", "Meitner", "Noether",
                                   "Ørsted", "Pascal",    "Ramanujan", "Somerville", "Turing",  "Weyl"};
static const char *const TIERS[] = {"bronze", "bronze", "bronze", "silver", "silver", "gold"};
static const char *const COUNTRIES[] = {"AT", "CH", "DE", "ES", "FR", "IT", "JP", "NL", "PL", "US"};
static const char *const STATES[] = {"NEW", "PAID", "PAID", "PAID", "SHIPPED", "SHIPPED", "RETURNED"};
static const char *const GOODS[] = {"lamp", "desk", "chair", "shelf", "mug", "clock", "rug", "vase", "sofa", "mirror"};

/* splitmix64 (S. Vigna, public domain): well spread bits out of a counter. */
static uint64_t mix(uint64_t number)
{
    uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* -- writing: printf would take longer than all the rest of an order -- */

static char *put(char *at, const char *text)
{
    while (*text != '\0')
        *at++ = *text++;
    return at;
}

static char *put_number(char *at, uint64_t number, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--, number /= 10)
        at[i - 1] = (char)('0' + number % 10);
    return at + digits;
}

static char *put_amount(char *at, uint64_t cents)
{
    unsigned digits = 1;
    for (uint64_t rest = cents / 1000; rest > 0; rest /= 10)
        digits++;
    at = put_number(at, cents / 100, digits);
    *at++ = '.';
    return put_number(at, cents % 100, 2);
}

static char *put_time(char *at, uint64_t number)
{
    uint64_t seconds = number / ORDERS_PER_SECOND, day = seconds / DAY % 28;
    at = put(at, "2026-01-");
    at = put_number(at, day + 1, 2);
    *at++ = 'T';
    at = put_number(at, seconds % DAY / 3600, 2);
    *at++ = ':';
    at = put_number(at, seconds / 60 % 60, 2);
    *at++ = ':';
    at = put_number(at, seconds % 60, 2);
    return put(at, "Z");
}

static enum order_kind kind_of(uint64_t number)
{
    if (number % BROKEN_EVERY == BROKEN_EVERY - 1)
        return ORDER_BROKEN;
    if (number % UNREADABLE_EVERY == UNREADABLE_EVERY - 1)
        return ORDER_UNREADABLE;
    return number % TEST_EVERY == TEST_EVERY - 1 ? ORDER_TEST : ORDER_GOOD;
}

void order_make(uint64_t number, struct order *ret)
{
    uint64_t bits = mix(number);
    ret->kind = kind_of(number);
    char *at = put_number(put(ret->id, "o-"), number, 9);
    *at = '\0';
    at = put(put(put(ret->json, "{\"order_id\": \""), ret->id), "\", \"customer_id\": \"c-");
    at = put_number(at, bits % ORDER_CUSTOMERS, 5);
    at = put(put(at, "\", \"status\": \""), ret->kind == ORDER_TEST ? "TEST" : STATES[(bits >> 16) % LENGTH(STATES)]);
    at = put_amount(put(at, "\", \"total\": "), (bits >> 24) % 100000 + 99);
    at = put(put(at, ", \"currency\": \"EUR\", \"items\": [{\"sku\": \""), GOODS[(bits >> 44) % LENGTH(GOODS)]);
    at = put_number(put(at, "\", \"quantity\": "), (bits >> 52) % 9 + 1, 1);
    at = put_time(put(at, "}], \"created_at\": \""), number);
    at = put(at, ret->kind == ORDER_BROKEN ? "\"" : "\"}");
    ret->size = (size_t)(at - ret->json);
}

void order_expect(uint64_t count, uint64_t ret_kinds[ORDER_KINDS])
{
    memset(ret_kinds, 0, ORDER_KINDS * sizeof ret_kinds[0]);
    for (uint64_t number = 0; number < count; number++)
        ret_kinds[kind_of(number)]++;
}

int order_write_customers(FILE *out, unsigned count)
{
    fputs("customer_id,name,tier,country\n", out);
    for (unsigned i = 0; i < count; i++) {
        uint64_t bits = mix(~(uint64_t)i);
        fprintf(out, "c-%05u,%s %s,%s,%s\n", i, FIRST[bits % LENGTH(FIRST)], LAST[(bits >> 16) % LENGTH(LAST)],
                TIERS[(bits >> 32) % LENGTH(TIERS)], COUNTRIES[(bits >> 48) % LENGTH(COUNTRIES)]);
    }
    return ferror(out);
}
