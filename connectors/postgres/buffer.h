/* A growing run of bytes in network order, as PostgreSQL's binary formats have it. Not thread-safe. */
#ifndef WEIR_CONNECTORS_POSTGRES_BUFFER_H
#define WEIR_CONNECTORS_POSTGRES_BUFFER_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct postgres_buffer {
    uint8_t *data;
    size_t size, room;
};

void postgres_buffer_fini(struct postgres_buffer *buffer);
/* Forgets what is in it, and gives back what it has beyond `keep` bytes. */
void postgres_buffer_reset(struct postgres_buffer *buffer, size_t keep);
bool postgres_buffer_grow(struct postgres_buffer *buffer, size_t more);

/* Room for `more` bytes at the end, which count only when `size` is moved. NULL: out of memory. */
static inline uint8_t *postgres_buffer_room(struct postgres_buffer *buffer, size_t more)
{
    if (__builtin_expect(buffer->room - buffer->size < more, 0) && !postgres_buffer_grow(buffer, more))
        return NULL;
    return buffer->data + buffer->size;
}

static inline void postgres_put16(uint8_t *at, uint16_t number)
{
    number = htobe16(number);
    memcpy(at, &number, sizeof number);
}

static inline void postgres_put32(uint8_t *at, uint32_t number)
{
    number = htobe32(number);
    memcpy(at, &number, sizeof number);
}

static inline void postgres_put64(uint8_t *at, uint64_t number)
{
    number = htobe64(number);
    memcpy(at, &number, sizeof number);
}

static inline uint32_t postgres_get32(const uint8_t *at)
{
    uint32_t number;
    memcpy(&number, at, sizeof number);
    return be32toh(number);
}

#endif
