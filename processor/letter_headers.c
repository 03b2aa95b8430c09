#include "processor/letter_headers.h"

#include "processor/headers.h"

static bool is_named(struct bytes name, const char *text)
{
    return bytes_equal(name, bytes_of_string(text));
}

static bool begins(struct bytes name, const char *prefix)
{
    size_t size = strlen(prefix);
    return name.size >= size && memcmp(name.data, prefix, size) == 0;
}

bool letter_headers_is_ours(struct bytes name)
{
    return begins(name, "weir.error.") || begins(name, "weir.source.") || is_named(name, LETTER_ATTEMPTS) ||
           is_named(name, LETTER_RETRIES) || is_named(name, LETTER_SERVICE) || is_named(name, LETTER_TRUNCATED);
}

/* A decimal number as the sink writes it; anybody may have written a header of that name. False: it is none. */
static bool read_number(struct bytes text, int64_t *ret)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    int64_t value = 0;
    if (text.size == negative)
        return false;
    for (uint32_t i = negative; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text.data[i] - '0', &value))
            return false;
    }
    *ret = negative ? -value : value;
    return true;
}

static int64_t number(struct bytes text, int64_t least, int64_t most, int64_t otherwise)
{
    int64_t value;
    return read_number(text, &value) && value >= least && value <= most ? value : otherwise;
}

bool letter_headers_read(struct bytes headers, struct letter_headers *ret)
{
    size_t cursor = 0;
    struct bytes name, value;
    *ret = (struct letter_headers){.partition = -1, .offset = -1, .timestamp = -1, .truncated = -1};
    while (headers_next(headers, &cursor, &name, &value)) {
        if (is_named(name, LETTER_STAGE))
            ret->stage = value;
        else if (is_named(name, LETTER_CLASS))
            ret->class = value;
        else if (is_named(name, LETTER_MESSAGE))
            ret->message = value;
        else if (is_named(name, LETTER_SERVICE))
            ret->service = value;
        else if (is_named(name, LETTER_TOPIC))
            ret->topic = value;
        else if (is_named(name, LETTER_PARTITION))
            ret->partition = number(value, 0, INT32_MAX, -1);
        else if (is_named(name, LETTER_OFFSET))
            ret->offset = number(value, 0, INT64_MAX, -1);
        else if (is_named(name, LETTER_TIMESTAMP))
            ret->timestamp = number(value, 0, INT64_MAX, -1);
        else if (is_named(name, LETTER_ATTEMPTS))
            ret->attempts = (uint32_t)number(value, 0, UINT32_MAX - 1, 0);
        else if (is_named(name, LETTER_RETRIES))
            ret->retries = (uint32_t)number(value, 0, UINT32_MAX, 0);
        else if (is_named(name, LETTER_TRUNCATED))
            ret->truncated = number(value, 0, INT64_MAX, 0);
    }
    return ret->class.data != NULL && ret->topic.size > 0 && ret->partition >= 0 && ret->offset >= 0;
}

uint32_t letter_headers_attempts(struct bytes headers)
{
    struct bytes value;
    return headers_find(headers, bytes_of_string(LETTER_ATTEMPTS), &value)
               ? (uint32_t)number(value, 0, UINT32_MAX - 1, 0)
               : 0;
}
