/*
 * The orders of the demo and of the benchmarks, and the customers that they name. Each is a function of its number alone: the same on every machine and in every
 * run, so that what must come out can be known beforehand.
 */
#ifndef WEIR_CLI_DEMO_ORDERS_H
#define WEIR_CLI_DEMO_ORDERS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum order_kind {
    ORDER_GOOD,
    ORDER_TEST,       /* its status is TEST: the demo's config drops it */
    ORDER_BROKEN,     /* JSON that ends too early */
    ORDER_UNREADABLE, /* good JSON, to be damaged after compression */
    ORDER_KINDS,
};

enum { ORDER_MAX = 320, ORDER_CUSTOMERS = 10000 };

struct order {
    enum order_kind kind;
    char id[16]; /* o-000000000, zero-terminated: the record's key */
    char json[ORDER_MAX];
    size_t size; /* of json */
};

void order_make(uint64_t number, struct order *ret);
/* What the first `count` orders must come to. */
void order_expect(uint64_t count, uint64_t ret_kinds[ORDER_KINDS]);

/* CSV: customer_id,name,tier,country; `count` customers. Returns what ferror does. */
int order_write_customers(FILE *out, unsigned count);

#endif
