/* The docs against the program: tests/docs/check.py tells what it looks at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_what_the_docs_show_is_there_and_works(void **state)
{
    char command[1024], line[512];
    const char *root = getenv("WEIR_ROOT"), *weir = getenv("WEIR_BIN");
    (void)state;
    assert_non_null(root);
    assert_non_null(weir);
    snprintf(command, sizeof command, "python3 '%s/tests/docs/check.py' '%s' '%s' 2>&1", root, weir, root);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    while (fgets(line, sizeof line, output) != NULL)
        print_message("%s", line);
    assert_int_equal(pclose(output), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_docs_show_is_there_and_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
