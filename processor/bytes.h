/* A view of bytes that somebody else owns. data NULL is "null" (a Kafka null key or value), which is not "empty". */
#ifndef WEIR_PROCESSOR_BYTES_H
#define WEIR_PROCESSOR_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    uint32_t size;
};

static inline struct bytes bytes_of(const void *data, uint32_t size)
{
    return (struct bytes){.data = data, .size = size};
}

static inline struct bytes bytes_of_string(const char *text)
{
    return (struct bytes){.data = (const uint8_t *)text, .size = (uint32_t)strlen(text)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
