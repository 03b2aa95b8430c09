/* Everything has a fixed width, so that an order is a template with digits put over it: about 30 ns each. */
#include "tests/support/orders.h"

#include <string.h>

static const char TEMPLATE[] =
    "{\"order_id\":\"o-000000000000\",\"customer_id\":\"c-000000\",\"sku\":\"sku-0000\",\"quantity\":1,\"price\":10.00,"
    "\"total\":100.00,\"currency\":\"EUR\",\"status\":\"NEW\",\"at\":\"2026-01-02T00:00:00.000Z\"}";

/* Where the digits stand in it. */
enum {
    AT_ID = ORDER_ID_AT + 2,
    AT_CUSTOMER = 46,
    AT_SKU = 65,
    AT_QUANTITY = 82,
    AT_PRICE = 92,
    AT_TOTAL = 106,
    AT_TIME = 162,
};

static const char *const TIERS[] = {"bronze", "silver", "gold", "platinum"};

/* splitmix64 (S. Vigna): neighbouring ids must have nothing in common. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static void put_digits(uint8_t *at, unsigned count, uint64_t number)
{
    while (count > 0) {
        at[--count] = (uint8_t)('0' + number % 10);
        number /= 10;
    }
}

static uint32_t customer_of(uint64_t hash)
{
    return (uint32_t)(hash % ORDER_CUSTOMERS);
}

/* 100.00 to 999.99 */
static uint32_t cents_of(uint64_t hash)
{
    return 10000 + (uint32_t)((hash >> 20) % 90000);
}

bool orders_is_broken(uint64_t id, unsigned ppm)
{
    return mix(~id) % 1000000 < ppm;
}

size_t orders_write(uint64_t id, bool broken, uint8_t out[ORDER_SIZE])
{
    _Static_assert(sizeof TEMPLATE - 1 == ORDER_SIZE, "the size that everybody allocates");
    uint64_t hash = mix(id);
    uint32_t price = 1000 + (uint32_t)((hash >> 40) % 9000);
    uint32_t cents = cents_of(hash);
    memcpy(out, TEMPLATE, ORDER_SIZE);
    put_digits(out + AT_ID, 12, id);
    put_digits(out + AT_CUSTOMER, 6, customer_of(hash));
    put_digits(out + AT_SKU, 4, (hash >> 32) % 10000);
    put_digits(out + AT_QUANTITY, 1, 1 + (hash >> 8) % 9);
    put_digits(out + AT_PRICE, 2, price / 100);
    put_digits(out + AT_PRICE + 3, 2, price % 100);
    put_digits(out + AT_TOTAL, 3, cents / 100);
    put_digits(out + AT_TOTAL + 4, 2, cents % 100);
    put_digits(out + AT_TIME, 2, id / 3600000 % 24);
    put_digits(out + AT_TIME + 3, 2, id / 60000 % 60);
    put_digits(out + AT_TIME + 6, 2, id / 1000 % 60);
    put_digits(out + AT_TIME + 9, 3, id % 1000);
    return broken ? ORDER_SIZE - 1 : ORDER_SIZE;
}

void orders_get_fields(uint64_t id, struct orders_fields *ret)
{
    uint64_t hash = mix(id);
    uint32_t customer = customer_of(hash);
    snprintf(ret->id, sizeof ret->id, "o-%012llu", (unsigned long long)id);
    snprintf(ret->customer, sizeof ret->customer, "c-%06u", customer);
    ret->tier = TIERS[customer % 4];
    ret->total = cents_of(hash) / 100.0;
}

bool orders_parse_id(const void *text, size_t size, uint64_t *ret)
{
    const char *at = text;
    uint64_t id = 0;
    if (size != ORDER_ID_SIZE || memcmp(at, "o-", 2) != 0)
        return false;
    for (size_t i = 2; i < ORDER_ID_SIZE; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        id = id * 10 + (uint64_t)(at[i] - '0');
    }
    *ret = id;
    return true;
}

void orders_write_customers(FILE *out)
{
    fputs("customer_id,name,tier\n", out);
    for (unsigned i = 0; i < ORDER_CUSTOMERS; i++)
        fprintf(out, "c-%06u,Customer %u,%s\n", i, i, TIERS[i % 4]);
}
