/* Packed record headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "processor/headers.h"
#include "tests/support/text.h"

static const char *const HEADERS[][2] = {{"trace", "1"},   {"empty", ""},  {"null", NULL},
                                         {"", "nameless"}, {"trace", "2"}, {"trac", "3"}};
enum { COUNT = sizeof HEADERS / sizeof *HEADERS };

static struct bytes view(const char *text)
{
    return text != NULL ? bytes_of_string(text) : (struct bytes){0};
}

/* In a heap block of just its size. */
static struct bytes pack(void)
{
    size_t size = 0;
    for (int i = 0; i < COUNT; i++)
        size += headers_packed_size(view(HEADERS[i][0]), view(HEADERS[i][1]));
    uint8_t *packed = malloc(size), *at = packed;
    assert_non_null(packed);
    for (int i = 0; i < COUNT; i++)
        at = headers_pack(at, view(HEADERS[i][0]), view(HEADERS[i][1]));
    assert_int_equal(at - packed, size);
    return bytes_of(packed, (uint32_t)size);
}

static void headers_come_out_in_their_order_with_duplicates(void **state)
{
    (void)state;
    struct bytes packed = pack(), name, value;
    size_t cursor = 0;
    for (int i = 0; i < COUNT; i++) {
        assert_true(headers_next(packed, &cursor, &name, &value));
        assert_text(name, HEADERS[i][0]);
        assert_true((value.data == NULL) == (HEADERS[i][1] == NULL));
        if (HEADERS[i][1] != NULL)
            assert_text(value, HEADERS[i][1]);
    }
    assert_false(headers_next(packed, &cursor, &name, &value));
    text_free(packed);
}

static void of_headers_with_one_name_the_last_is_found(void **state)
{
    (void)state;
    struct bytes packed = pack(), value;
    assert_true(headers_find(packed, view("trace"), &value));
    assert_text(value, "2");
    assert_true(headers_find(packed, view(""), &value));
    assert_text(value, "nameless");
    text_free(packed);
}

static void null_empty_and_missing_values_are_told_apart(void **state)
{
    (void)state;
    struct bytes packed = pack(), value = view("untouched");
    assert_false(headers_find(packed, view("missing"), &value));
    assert_text(value, "untouched");
    assert_true(headers_find(packed, view("null"), &value));
    assert_null(value.data);
    assert_true(headers_find(packed, view("empty"), &value));
    assert_non_null(value.data);
    assert_int_equal(value.size, 0);
    text_free(packed);
}

static void a_record_without_headers_has_none(void **state)
{
    (void)state;
    struct bytes value;
    assert_false(headers_find((struct bytes){0}, view("trace"), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_come_out_in_their_order_with_duplicates),
        cmocka_unit_test(of_headers_with_one_name_the_last_is_found),
        cmocka_unit_test(null_empty_and_missing_values_are_told_apart),
        cmocka_unit_test(a_record_without_headers_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
