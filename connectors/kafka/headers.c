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
