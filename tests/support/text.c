#include "tests/support/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>

struct bytes text_copy(const char *text)
{
    size_t size = strlen(text);
    uint8_t *copy = malloc(size);
    assert_true(copy != NULL || size == 0);
    memcpy(copy, text, size);
    return bytes_of(copy, (uint32_t)size);
}

void text_free(struct bytes copy)
{
    free((void *)copy.data);
}

void assert_text(struct bytes found, const char *expected)
{
    if (found.size != strlen(expected) || (found.size > 0 && memcmp(found.data, expected, found.size) != 0))
        fail_msg("found %.*s, not %s", (int)found.size, (const char *)found.data, expected);
}
