/* What people read: text that others wrote, on one line of a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/text.h"

static void assert_plain(const char *text, size_t size, const char *expected)
{
    char *plain = NULL, line[COLUMNS_LINE_MAX];
    size_t written;
    FILE *out = open_memstream(&plain, &written);
    assert_non_null(out);
    text_plain(out, text, size);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(plain, expected);
    free(plain);
    if (strlen(text) != size)
        return;
    const struct columns_style style = {.width = 80};
    struct columns columns;
    columns_init(&columns, line, &style);
    columns_add(&columns, COLUMNS_PLAIN, "%s", text);
    assert_int_equal(strncmp(line, expected, 3), 0);
}

static void nothing_gives_a_terminal_orders(void **state)
{
    (void)state;
    assert_plain("plain", 5, "plain");
    assert_plain("caf\xc3\xa9 \xf0\x9f\x90\x9f", 10, "caf\xc3\xa9 \xf0\x9f\x90\x9f");
    assert_plain("a\x1b[2Jb\x7f\r\n", 9, "a [2Jb   ");
    assert_plain("zero\0byte", 9, "zero byte");
    assert_plain("ab \xc2\x9b", 5, "ab   ");
    /* An older terminal takes this byte for one of them. */
    assert_plain("ab\x9b"
                 "31m",
                 6, "ab 31m");
}

static void what_is_cut_in_a_character_loses_only_that(void **state)
{
    (void)state;
    assert_plain("caf\xc3\xa9", 4, "caf ");
    assert_plain("\xf0\x9f\x90", 3, "   ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_gives_a_terminal_orders),
        cmocka_unit_test(what_is_cut_in_a_character_loses_only_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
