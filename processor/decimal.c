#include "processor/decimal.h"

const char DECIMAL_PAIRS[200] __attribute__((
    nonstring)) = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
                  "49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
                  "9899";

size_t decimal_write(uint8_t *out, int64_t number)
{
    uint8_t digits[DECIMAL_MAX], *end = digits + sizeof digits, *at = end;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    for (; rest >= 100; rest /= 100) {
        at -= 2;
        decimal_write_pair(at, (unsigned)(rest % 100));
    }
    if (rest >= 10) {
        at -= 2;
        decimal_write_pair(at, (unsigned)rest);
    } else {
        *--at = (uint8_t)('0' + rest);
    }
    if (number < 0)
        *--at = '-';
    memcpy(out, at, (size_t)(end - at));
    return (size_t)(end - at);
}
