#include "connectors/kafka/headers.h"

#include <string.h>

#include "processor/check.h"
#include "processor/headers.h"

rd_kafka_headers_t *kafka_headers_new(struct bytes packed, size_t extra, bool (*leave_out)(struct bytes name))
{
    size_t cursor = 0, count = 0;
    struct bytes name, value;
    while (headers_next(packed, &cursor, &name, &value))
        count++;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(count + extra);
    CHECK(headers != NULL); /* librdkafka aborts itself when it is out of memory */
    cursor = 0;
    while (headers_next(packed, &cursor, &name, &value)) {
        if (leave_out == NULL || !leave_out(name))
            (void)rd_kafka_header_add(headers, (const char *)name.data, (ssize_t)name.size, value.data,
                                      (ssize_t)value.size);
    }
    return headers;
}

void kafka_headers_add(rd_kafka_headers_t *headers, const char *name, const char *value)
{
    (void)rd_kafka_header_add(headers, name, -1, value, (ssize_t)strlen(value));
}

bool kafka_headers_pack(const rd_kafka_message_t *message, struct arena *arena, struct bytes *ret)
{
    rd_kafka_headers_t *headers = NULL;
    *ret = (struct bytes){.size = 0};
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return true;
    size_t size = 0, count = rd_kafka_header_cnt(headers), value_size;
    const char *name;
    const void *value;
    for (size_t i = 0; i < count; i++) {
        (void)rd_kafka_header_get_all(headers, i, &name, &value, &value_size);
        size += headers_packed_size(bytes_of_string(name), bytes_of(value, (uint32_t)value_size));
    }
    uint8_t *text = arena_text(arena, size), *at = text;
    if (text == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        (void)rd_kafka_header_get_all(headers, i, &name, &value, &value_size);
        at = headers_pack(at, bytes_of_string(name), bytes_of(value, (uint32_t)value_size));
    }
    *ret = bytes_of(text, (uint32_t)size);
    return true;
}
