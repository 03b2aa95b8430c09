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
#include "connectors/archive/source.h"
#include "tests/support/archived.h"
#include "tests/support/caught.h"

static char dir[320], folder[340], file[400];
static struct caught caught;
static char said[1024];

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

/* As one object, with what is said on stderr otherwise in `said`. */
static enum exit_code list(bool verify)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    enum exit_code code = archive_list(dir, verify, true, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "\"partition\":2,"));
    assert_non_null(strstr(text, "\"segments\":1,"));
    assert_non_null(strstr(text, code == EXIT_OK ? "\"good\":true," : "\"good\":false,"));
    const char *problems = strstr(text, "\"problems\":");
    assert_non_null(problems);
    snprintf(said, sizeof said, "%s", problems);
    free(text);
    return code;
}

static enum exit_code list_with(size_t bytes, bool verify)
{
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    for (size_t i = 0; i < bytes; i++)
        putc('x', out);
    assert_int_equal(fclose(out), 0);
    return list(verify);
}

static void a_file_of_which_nothing_is_whole_is_no_good_archive(void **state)
{
    (void)state;
    assert_int_equal(list_with(3000, false), EXIT_FAILED);
    assert_int_equal(list_with(3000, true), EXIT_FAILED);
    assert_int_equal(list_with(1, true), EXIT_FAILED);
}

static void an_empty_file_is_told_and_does_not_pass_for_good(void **state)
{
    (void)state;
    assert_int_equal(list_with(0, false), EXIT_OK);
    assert_non_null(strstr(said, "it is empty"));
    assert_int_equal(list_with(0, true), EXIT_FAILED);
    assert_non_null(strstr(said, "it is empty"));
}

static void a_torn_tail_does_not_pass_for_good(void **state)
{
    (void)state;
    struct archived archived;
    size_t size;
    archived_init(&archived);
    archived_put(&archived, 2, 17, 117, 1);
    archived_put(&archived, 2, 117, 217, 1);
    archived_close(&archived);
    snprintf(dir, sizeof dir, "%s", archived.dir);
    uint8_t *data = archived_load(archived_file(&archived, 2), &size);
    struct archive_segment segment;
    assert_int_equal(archive_segment_read(archived_file(&archived, 2), &segment, &archived.error), STATUS_OK);
    size_t whole = (size_t)segment.frames[1].position;
    archive_segment_fini(&segment);
    assert_int_equal(list(true), EXIT_OK);
    assert_string_equal(said, "\"problems\":[]}\n");
    archived_save(archived_file(&archived, 2), data, whole + 40);
    assert_int_equal(list(true), EXIT_FAILED);
    assert_non_null(strstr(said, "the last 40 bytes are torn"));
    assert_non_null(strstr(said, "the same archive command again completes it"));
    assert_int_equal(list(false), EXIT_OK);
    assert_non_null(strstr(said, "the last 40 bytes are torn"));
    archived_put(&archived, 2, 17, 217, 1);
    archived_close(&archived);
    free(data);
    assert_int_equal(archived_count(&archived, 2), 200);
    archived_fini(&archived);
}

/* -- segments that are whole, and do not belong where they are -- */

/* One segment of the partition 2, of a topic with this id. */
static void archive_some(struct archived *archived, uint64_t id, int64_t from, int64_t to)
{
    struct stretch *stretch = stretch_new(1);
    struct stretch_part *part = stretch_add(stretch, "orders", 2);
    assert_non_null(part);
    part->id.low = id;
    archived_init(archived);
    archived->config.stretch = stretch;
    archived_put(archived, 2, from, to, 1);
    archived_close(archived);
    archived->config.stretch = NULL;
    stretch_free(stretch);
}

static void move(const struct archived *from, const struct archived *to, int32_t partition, int64_t first)
{
    char name[700];
    snprintf(name, sizeof name, "%s/orders/%05d-%020lld.weir", to->dir, (int)partition, (long long)first);
    assert_int_equal(rename(archived_file(from, 2), name), 0);
}

/* The verification, the list and a replay refuse it, with the same words. */
static void assert_refused(const struct archived *archived, const char *words)
{
    const struct archive_source_config config = {.dir = archived->dir};
    const struct stretch_request request = {.from = {.kind = STRETCH_BEGINNING}, .to = {.kind = STRETCH_NOW}};
    struct stretch *stretch = NULL;
    struct error error = {0};
    for (int verify = 0; verify <= 1; verify++) {
        FILE *out = fopen("/dev/null", "we");
        assert_non_null(out);
        caught_begin(&caught);
        enum exit_code code = archive_list(archived->dir, verify, false, out);
        caught_end(&caught);
        assert_int_equal(fclose(out), 0);
        assert_int_equal(code, EXIT_FAILED);
        assert_non_null(strstr(caught.text, words));
    }
    assert_int_equal(
        archive_source.stretch->find(&config, &archived->env, &request, &stretch, archived->context, &error),
        STATUS_FAILED);
    assert_non_null(strstr(error.text, words));
}

static void a_segment_under_another_name_does_not_pass_for_good(void **state)
{
    (void)state;
    struct archived archived;
    archive_some(&archived, 0, 17, 117);
    move(&archived, &archived, 2, 18);
    assert_refused(&archived, "begins at offset 17, which its name does not say");
    move(&archived, &archived, 3, 17);
    assert_refused(&archived, "has records of orders/2 in it");
    archived_fini(&archived);
}

static void segments_that_are_not_of_one_partition_do_not_pass_for_good(void **state)
{
    (void)state;
    struct archived archived, other;
    archive_some(&archived, 1, 17, 117);
    archive_some(&other, 1, 100, 200);
    move(&other, &archived, 2, 100);
    assert_refused(&archived, "have offsets in common: move one of them away");
    archived_fini(&archived);
    archived_fini(&other);
    archive_some(&archived, 1, 17, 117);
    archive_some(&other, 2, 117, 200);
    move(&other, &archived, 2, 117);
    assert_refused(&archived, "are of two topics orders, one of which was deleted and the other made anew");
    archived_fini(&archived);
    archived_fini(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_of_which_nothing_is_whole_is_no_good_archive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_file_is_told_and_does_not_pass_for_good, set_up, tear_down),
        cmocka_unit_test(a_torn_tail_does_not_pass_for_good),
        cmocka_unit_test(a_segment_under_another_name_does_not_pass_for_good),
        cmocka_unit_test(segments_that_are_not_of_one_partition_do_not_pass_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
