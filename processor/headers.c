#include "processor/headers.h"

enum { SIZES = sizeof(uint32_t) + sizeof(int32_t), NULL_VALUE = -1 };

size_t headers_packed_size(struct bytes name, struct bytes value)
{
    return SIZES + (size_t)name.size + value.size;
}

static uint8_t *put(uint8_t *out, const void *from, size_t size)
{
    memcpy(out, from, size);
    return out + size;
}

uint8_t *headers_pack(uint8_t *out, struct bytes name, struct bytes value)
{
    int32_t value_size = value.data != NULL ? (int32_t)value.size : NULL_VALUE;
    out = put(out, &name.size, sizeof name.size);
    if (name.size > 0)
        out = put(out, name.data, name.size);
    out = put(out, &value_size, sizeof value_size);
    return value_size > 0 ? put(out, value.data, value.size) : out;
}

bool headers_next(struct bytes headers, size_t *cursor, struct bytes *ret_name, struct bytes *ret_value)
{
    if (*cursor >= headers.size)
        return false;
    const uint8_t *at = headers.data + *cursor;
    uint32_t name_size;
    int32_t value_size;
    memcpy(&name_size, at, sizeof name_size);
    at += sizeof name_size;
    *ret_name = bytes_of(at, name_size);
    at += name_size;
    memcpy(&value_size, at, sizeof value_size);
    at += sizeof value_size;
    *ret_value = value_size == NULL_VALUE ? bytes_of(NULL, 0) : bytes_of(at, (uint32_t)value_size);
    *cursor = (size_t)(at - headers.data) + ret_value->size;
    return true;
}

bool headers_find(struct bytes headers, struct bytes name, struct bytes *ret_value)
{
    size_t cursor = 0;
    struct bytes each, value;
    bool found = false;
    while (headers_next(headers, &cursor, &each, &value)) {
        if (bytes_equal(each, name)) {
            *ret_value = value;
            found = true;
        }
    }
    return found;
}
