/*
 * The orders that benchmarks and chaos runs produce and look for again: kind (a), a flat JSON object of 177 bytes, every byte a function of its id. So
 * whoever finds an order somewhere can tell which one it is, and whether it is what was sent.
 */
#ifndef WEIR_TESTS_SUPPORT_ORDERS_H
#define WEIR_TESTS_SUPPORT_ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    ORDER_SIZE = 177,
    ORDER_ID_AT = 13,         /* where its id stands */
    ORDER_ID_SIZE = 14,       /* "o-000000012345": also the record's key */
    ORDER_CUSTOMER_SIZE = 8,  /* "c-012345" */
    ORDER_CUSTOMERS = 100000, /* orders are spread evenly over them */
};

struct orders_fields {
    char id[ORDER_ID_SIZE + 1];
    char customer[ORDER_CUSTOMER_SIZE + 1];
    const char *tier; /* the customer's, in the table */
    double total;
};

/* The order's text; one that is broken lacks its last byte. Returns its size. */
size_t orders_write(uint64_t id, bool broken, uint8_t out[ORDER_SIZE]);
/* One in a million is broken with ppm 1; which ones depends on nothing but the id. */
bool orders_is_broken(uint64_t id, unsigned ppm);
void orders_get_fields(uint64_t id, struct orders_fields *ret);
/* The id out of its text ("o-000000012345"); false: it is none. */
bool orders_parse_id(const void *text, size_t size, uint64_t *ret);
/* The table of all customers, as CSV: customer_id, name, tier. */
void orders_write_customers(FILE *out);

#endif
