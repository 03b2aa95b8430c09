/*
 * Record headers, packed into one run of bytes in the batch's arena, in their order, duplicates kept.
 * Layout (ours, never stored): for each header u32 name size, name, i32 value size (-1: null), value; native byte order, unaligned.
 */
#ifndef WEIR_PROCESSOR_HEADERS_H
#define WEIR_PROCESSOR_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/bytes.h"

size_t headers_packed_size(struct bytes name, struct bytes value);
uint8_t *headers_pack(uint8_t *out, struct bytes name, struct bytes value); /* returns just behind it */
/* *cursor 0 at first; false at the end. */
bool headers_next(struct bytes headers, size_t *cursor, struct bytes *ret_name, struct bytes *ret_value);
/* The last header of that name, as Kafka's lastHeader. */
bool headers_find(struct bytes headers, struct bytes name, struct bytes *ret_value);

#endif
