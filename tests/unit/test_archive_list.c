#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/archive.h"

static char dir[64], folder[80], file[160];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/test-archive-list-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(folder, sizeof folder, "%s/orders", dir);
    assert_int_equal(mkdir(folder, 0777), 0);
    snprintf(file, sizeof file, "%s/00002-%020d.weir", folder, 17);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(file);
    rmdir(folder);
    rmdir(dir);
    return 0;
}

static enum exit_code list_with(size_t bytes, bool verify)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    for (size_t i = 0; i < bytes; i++)
        putc('x', out);
    assert_int_equal(fclose(out), 0);
    out = open_memstream(&text, &size);
    enum exit_code code = archive_list(dir, verify, true, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "\"partition\":2,"));
    free(text);
    return code;
}

static void a_file_of_which_nothing_is_whole_is_no_good_archive(void **state)
{
    (void)state;
    assert_int_equal(list_with(3000, false), EXIT_FAILED);
    assert_int_equal(list_with(3000, true), EXIT_FAILED);
    assert_int_equal(list_with(1, true), EXIT_FAILED);
}

static void an_empty_file_has_nothing_to_lose(void **state)
{
    (void)state;
    assert_int_equal(list_with(0, true), EXIT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_of_which_nothing_is_whole_is_no_good_archive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_file_has_nothing_to_lose, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
