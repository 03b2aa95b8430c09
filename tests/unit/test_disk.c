/* Whether a folder can be made is told before it is made. */
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

#include "processor/disk.h"

static char dir[128];

static int set_up(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/weir-disk-XXXXXX", tmp != NULL ? tmp : "/tmp");
    return mkdtemp(dir) != NULL && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink("file");
    (void)unlink("nowhere");
    return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static void a_folder_may_be_made_under_one_that_is_there(void **state)
{
    (void)state;
    struct error error = {0};
    struct stat info;
    static const char *const PATHS[] = {".", "a", "a/", "a//b/c", "/", dir};
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++)
        assert_int_equal(disk_may_make_folder(PATHS[i], &error), STATUS_OK);
    assert_int_not_equal(stat("a", &info), 0);
}

static void a_folder_may_not_be_made_where_something_else_is(void **state)
{
    (void)state;
    struct error error = {0};
    FILE *out = fopen("file", "we");
    assert_non_null(out);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(symlink("not/there", "nowhere"), 0);
    assert_int_equal(disk_may_make_folder("file", &error), STATUS_FAILED);
    assert_string_equal(error.text, "cannot make folder file: Not a directory");
    assert_int_equal(disk_may_make_folder("file/a/b", &error), STATUS_FAILED);
    assert_string_equal(error.text, "cannot make folder file/a/b: Not a directory");
    assert_int_equal(disk_may_make_folder("nowhere/a", &error), STATUS_FAILED);
    assert_string_equal(error.text, "cannot make folder nowhere/a: No such file or directory");
}

static void assert_resolved(const char *path, const char *below)
{
    char resolved[400], expected[300];
    snprintf(expected, sizeof expected, "%s%s", dir, below);
    assert_true(disk_resolve(path, resolved, sizeof resolved));
    assert_string_equal(resolved, expected);
}

static void a_path_is_the_same_however_it_is_said_and_once_it_is_made(void **state)
{
    (void)state;
    char absolute[300], resolved[400];
    struct error error = {0};
    const char *const paths[] = {"a/b", "./a//b/", "a/c/../b/.", "nowhere/b", absolute};
    snprintf(absolute, sizeof absolute, "%s/../%s/a/b", dir, strrchr(dir, '/') + 1);
    /* A link into what is to come leads there only then. */
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (i != 3)
            assert_resolved(paths[i], "/a/b");
    assert_int_equal(disk_make_folder("a/b", &error), STATUS_OK);
    assert_int_equal(symlink("a", "nowhere"), 0);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_resolved(paths[i], "/a/b");
    assert_int_equal(rmdir("a/b"), 0);
    assert_resolved("nowhere/b", "/a/b");
    assert_int_equal(rmdir("a"), 0);
    assert_resolved(".", "");
    assert_true(disk_resolve("//..", resolved, sizeof resolved));
    assert_string_equal(resolved, "/");
    assert_false(disk_resolve("a", resolved, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_folder_may_be_made_under_one_that_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_is_the_same_however_it_is_said_and_once_it_is_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_may_not_be_made_where_something_else_is, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
