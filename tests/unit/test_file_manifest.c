/* The manifest: lines that are whole or not there, one lock for all writers, small however long it lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "connectors/file/manifest.h"
#include "connectors/file/manifest_line.h"
#include "processor/clock.h"
#include "processor/log.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/kept.h"

extern const struct store_type file_store;

static const char MANIFEST[] = ".weir-test.manifest";

struct fixture {
    struct stored stored; /* for its folder and context */
    struct manifest *manifest;
    struct error error;
};

static struct manifest *open_manifest(struct fixture *fixture, const char *pattern)
{
    struct manifest *manifest = NULL;
    assert_int_equal(manifest_new(pattern, "test", &manifest, &fixture->error), STATUS_OK);
    return manifest;
}

static void begin(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    stored_init(&fixture->stored, &file_store, "{path: 'a-%i.ndjson'}");
    log_set(LOG_ERROR, false);
    fixture->manifest = open_manifest(fixture, "a-%i.ndjson");
}

static void end(struct fixture *fixture)
{
    manifest_free(fixture->manifest);
    stored_fini(&fixture->stored);
}

static void lock(struct fixture *fixture, struct manifest *manifest)
{
    if (manifest_lock(manifest, true, fixture->stored.context, &fixture->error) != STATUS_OK)
        fail_msg("lock: %s", fixture->error.text);
}

static void commit(struct fixture *fixture, struct manifest *manifest, const char *topic, int64_t offset)
{
    bool unknown = false;
    lock(fixture, manifest);
    manifest_put_offset(manifest, topic, 3, offset);
    manifest_put_size(manifest, "a b-1.ndjson.open", offset * 100);
    assert_int_equal(manifest_commit(manifest, &unknown, &fixture->error), STATUS_OK);
    manifest_unlock(manifest);
}

static int64_t look(struct fixture *fixture, struct manifest *manifest, const char *topic)
{
    lock(fixture, manifest);
    manifest_unlock(manifest);
    return manifest_offset(manifest, topic, 3);
}

static int64_t size_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_size;
}

static void a_writer_sees_what_others_appended(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct manifest *other = open_manifest(&fixture, "./a-%i.ndjson");
    commit(&fixture, fixture.manifest, "t", 5);
    assert_int_equal(look(&fixture, other, "t"), 5);
    assert_int_equal(manifest_size(other, "././a b-1.ndjson.open"), 500);
    assert_int_equal(manifest_size(other, "a b-2.ndjson.open"), -1);
    commit(&fixture, other, "t", 9);
    assert_int_equal(look(&fixture, fixture.manifest, "t"), 9);
    assert_int_equal(manifest_offset(fixture.manifest, "t", 4), -1);
    assert_int_equal(manifest_offset(fixture.manifest, "tt", 3), -1);
    manifest_free(other);
    end(&fixture);
}

static void a_path_means_the_same_from_wherever_the_folder_is_looked_at(void **state)
{
    (void)state;
    struct fixture fixture;
    char absolute[300], path[300];
    bool unknown;
    begin(&fixture);
    assert_int_equal(mkdir("out", 0777), 0);
    snprintf(absolute, sizeof absolute, "%s/out/%%Y/a.ndjson", fixture.stored.dir);
    struct manifest *here = open_manifest(&fixture, "out/%Y/a.ndjson"), *there = open_manifest(&fixture, absolute);
    lock(&fixture, here);
    manifest_put_size(here, "out/2026/a.ndjson.open", 77);
    assert_int_equal(manifest_commit(here, &unknown, &fixture.error), STATUS_OK);
    manifest_unlock(here);
    lock(&fixture, there);
    manifest_unlock(there);
    snprintf(path, sizeof path, "%s/out/2026/a.ndjson.open", fixture.stored.dir);
    assert_int_equal(manifest_size(there, path), 77);
    assert_int_equal(manifest_size(there, "./out/2026/a.ndjson.open"), -1);
    manifest_free(here);
    manifest_free(there);
    end(&fixture);
}

static void it_stays_small_and_another_writer_follows_it_into_the_new_file(void **state)
{
    (void)state;
    struct fixture fixture;
    char topic[250];
    int64_t most = 0;
    begin(&fixture);
    struct manifest *other = open_manifest(&fixture, "a-%i.ndjson");
    memset(topic, 't', sizeof topic - 1);
    topic[sizeof topic - 1] = 0;
    assert_int_equal(close(open("a b-1.ndjson.open", O_CREAT | O_WRONLY, 0666)), 0);
    for (int64_t i = 1; i <= 4000; i++) {
        commit(&fixture, i % 3 == 0 ? other : fixture.manifest, topic, i);
        int64_t size = size_of(MANIFEST);
        most = size > most ? size : most;
    }
    assert_in_range(most, 200 * 1024, 300 * 1024);
    assert_int_equal(look(&fixture, fixture.manifest, topic), 4000);
    assert_int_equal(look(&fixture, other, topic), 4000);
    assert_int_equal(manifest_size(other, "a b-1.ndjson.open"), 400000);
    assert_int_equal(unlink("a b-1.ndjson.open"), 0);
    lock(&fixture, other);
    assert_int_equal(manifest_compact(other, &fixture.error), STATUS_OK);
    manifest_unlock(other);
    assert_int_equal(look(&fixture, fixture.manifest, topic), 4000);
    assert_int_equal(manifest_size(fixture.manifest, "a b-1.ndjson.open"), -1);
    assert_in_range(size_of(MANIFEST), 100, 400);
    manifest_free(other);
    end(&fixture);
}

/* Moves its own counter up by one, as often as it is told to, and another's never. */
static void count_up(struct fixture *fixture, const char *topic, int times)
{
    struct manifest *manifest = open_manifest(fixture, "a-%i.ndjson");
    for (int i = 0; i < times; i++) {
        bool unknown;
        if (manifest_lock(manifest, true, fixture->stored.context, &fixture->error) != STATUS_OK)
            _exit(1);
        int64_t at = manifest_offset(manifest, topic, 0), both = manifest_offset(manifest, "both", 0);
        if (at != (i == 0 ? -1 : i))
            _exit(2);
        manifest_put_offset(manifest, topic, 0, i + 1);
        manifest_put_offset(manifest, "both", 0, both < 0 ? 1 : both + 1);
        if (manifest_commit(manifest, &unknown, &fixture->error) != STATUS_OK)
            _exit(3);
        if (i % 50 == 7 && manifest_compact(manifest, &fixture->error) != STATUS_OK)
            _exit(4);
        manifest_unlock(manifest);
    }
    _exit(0);
}

static void processes_that_write_and_compact_at_once_lose_nothing(void **state)
{
    (void)state;
    enum { PROCESSES = 3, TIMES = 500 };
    struct fixture fixture;
    pid_t children[PROCESSES];
    begin(&fixture);
    for (int i = 0; i < PROCESSES; i++) {
        char topic[16];
        snprintf(topic, sizeof topic, "t%d", i);
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            count_up(&fixture, topic, TIMES);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    lock(&fixture, fixture.manifest);
    manifest_unlock(fixture.manifest);
    assert_int_equal(manifest_offset(fixture.manifest, "both", 0), PROCESSES * TIMES);
    assert_int_equal(manifest_offset(fixture.manifest, "t2", 0), TIMES);
    end(&fixture);
}

/* The bytes of the file, zero-terminated. */
static char *read_all(size_t *ret_size)
{
    *ret_size = (size_t)size_of(MANIFEST);
    char *text = calloc(1, *ret_size + 1);
    FILE *file = fopen(MANIFEST, "r");
    assert_non_null(text);
    assert_non_null(file);
    assert_int_equal(fread(text, 1, *ret_size, file), *ret_size);
    fclose(file);
    return text;
}

static void write_all(const char *text, size_t size)
{
    FILE *file = fopen(MANIFEST, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void cut_anywhere_it_says_what_its_whole_lines_say(void **state)
{
    (void)state;
    static const char TAILS[][8] = {"", "\0\0\0\0\0\0", "x\n", "\n"};
    struct fixture fixture;
    int64_t ends[5]; /* behind the header and each commit */
    size_t size;
    begin(&fixture);
    for (int i = 0; i < 5; i++) {
        if (i == 0)
            (void)look(&fixture, fixture.manifest, "t");
        else
            commit(&fixture, fixture.manifest, "t", i);
        ends[i] = size_of(MANIFEST);
    }
    char *text = read_all(&size);
    for (size_t cut = 0; cut <= size; cut++) {
        for (size_t tail = 0; tail < 4; tail++) {
            char bytes[1024] = {0};
            size_t more = tail == 1 ? 6 : strlen(TAILS[tail]);
            int64_t said = -1;
            memcpy(bytes, text, cut);
            memcpy(bytes + cut, TAILS[tail], more);
            bool ends_a_line = tail == 3;
            for (int i = 1; i < 5; i++)
                if ((int64_t)cut >= ends[i] || (ends_a_line && (int64_t)cut == ends[i] - 1))
                    said = i;
            write_all(bytes, cut + more);
            struct manifest *manifest = open_manifest(&fixture, "a-%i.ndjson");
            assert_int_equal(look(&fixture, manifest, "t"), said);
            commit(&fixture, manifest, "t", 9);
            manifest_free(manifest);
            manifest = open_manifest(&fixture, "a-%i.ndjson");
            assert_int_equal(look(&fixture, manifest, "t"), 9);
            manifest_free(manifest);
        }
    }
    free(text);
    end(&fixture);
}

/* A byte that changed in any place but the last line is no tail that a crash tore. */
static void damaged_in_the_middle_it_stops_the_service(void **state)
{
    (void)state;
    struct fixture fixture;
    size_t size;
    begin(&fixture);
    for (int i = 1; i < 4; i++)
        commit(&fixture, fixture.manifest, "t", i);
    char *text = read_all(&size);
    const char *last = memrchr(text, '\n', size - 1);
    for (size_t at = 0; at < (size_t)(last - text); at++) {
        text[at] ^= 1;
        write_all(text, size);
        text[at] ^= 1;
        struct manifest *manifest = open_manifest(&fixture, "a-%i.ndjson");
        assert_int_equal(manifest_lock(manifest, true, fixture.stored.context, &fixture.error), STATUS_FAILED);
        assert_int_equal(fixture.error.class, ERROR_FATAL);
        assert_non_null(strstr(fixture.error.text, "damaged at byte"));
        assert_int_equal(size_of(MANIFEST), size);
        manifest_free(manifest);
    }
    free(text);
    end(&fixture);
}

static void a_line_of_a_newer_version_is_not_passed_over(void **state)
{
    (void)state;
    static const char *const ENTRIES[] = {"v 2", "x 1 a", "o -1 5 t", "f 5", "o 3 t"};
    for (size_t i = 0; i < sizeof ENTRIES / sizeof *ENTRIES; i++) {
        struct fixture fixture;
        struct manifest_lines lines = {0};
        begin(&fixture);
        manifest_line_begin(&lines);
        manifest_line_add(&lines, "v 1");
        manifest_line_add(&lines, "%s", ENTRIES[i]);
        manifest_line_end(&lines);
        write_all(lines.text, lines.used);
        assert_int_equal(manifest_lock(fixture.manifest, true, fixture.stored.context, &fixture.error), STATUS_FAILED);
        assert_int_equal(fixture.error.class, ERROR_FATAL);
        assert_non_null(strstr(fixture.error.text, "newer version"));
        manifest_lines_fini(&lines);
        end(&fixture);
    }
}

static void a_manifest_that_was_removed_is_told_from_an_empty_one(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    assert_int_equal(manifest_lock(fixture.manifest, false, fixture.stored.context, &fixture.error), STATUS_EMPTY);
    commit(&fixture, fixture.manifest, "t", 1);
    assert_int_equal(unlink(MANIFEST), 0);
    assert_int_equal(manifest_lock(fixture.manifest, false, fixture.stored.context, &fixture.error), STATUS_EMPTY);
    assert_int_equal(manifest_offset(fixture.manifest, "t", 3), -1);
    assert_int_equal(look(&fixture, fixture.manifest, "t"), -1);
    commit(&fixture, fixture.manifest, "t", 2);
    assert_int_equal(look(&fixture, fixture.manifest, "t"), 2);
    end(&fixture);
}

static void nobody_goes_on_before_the_folder_has_the_file_for_sure(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    assert_int_equal(mkdir("durable", 0777), 0);
    faulty_disk_begin("durable");
    /* The first line is written and synced, then the folder; at the next lock a new file: written, synced, renamed, the folder. */
    faulty_disk_at(3, DISK_FAILS);
    faulty_disk_at(7, DISK_FAILS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(manifest_lock(fixture.manifest, true, fixture.stored.context, &fixture.error), STATUS_FAILED);
        assert_non_null(strstr(fixture.error.text, "fsync folder"));
    }
    assert_int_equal(faulty_disk_steps(), 7);
    commit(&fixture, fixture.manifest, "t", 1);
    assert_int_equal(faulty_disk_steps(), 7 + 4 + 2);
    assert_int_equal(look(&fixture, fixture.manifest, "t"), 1);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_writer_sees_what_others_appended),
        cmocka_unit_test(a_path_means_the_same_from_wherever_the_folder_is_looked_at),
        cmocka_unit_test(it_stays_small_and_another_writer_follows_it_into_the_new_file),
        cmocka_unit_test(processes_that_write_and_compact_at_once_lose_nothing),
        cmocka_unit_test(cut_anywhere_it_says_what_its_whole_lines_say),
        cmocka_unit_test(damaged_in_the_middle_it_stops_the_service),
        cmocka_unit_test(a_line_of_a_newer_version_is_not_passed_over),
        cmocka_unit_test(a_manifest_that_was_removed_is_told_from_an_empty_one),
        cmocka_unit_test(nobody_goes_on_before_the_folder_has_the_file_for_sure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
