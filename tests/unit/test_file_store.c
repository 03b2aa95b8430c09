/* The file store: lines in files that are never torn. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "tests/support/memory.h"
#include "tests/support/stored.h"

extern const struct store_type file_store;

static void lines_are_finished_when_the_store_closes(void **state)
{
    (void)state;
    struct stored stored;
    stored_init(&stored, &file_store, "{path: 'out/a-%i.ndjson'}");
    stored_put(&stored, 0, 1000);
    assert_int_equal(stored_count("cat out/*.open | wc -l"), 1000);
    stored_close(&stored);
    assert_int_equal(stored_count("ls out/*.open 2>/dev/null | wc -l"), 0);
    assert_int_equal(stored_count("cat out/*.ndjson | sort -u | wc -l"), 1000);
    assert_int_equal(stored_count("head -n 1 out/*.ndjson | grep -cxF '{\"id\":0,\"name\":\"n-0\"}'"), 1);
    stored_fini(&stored);
}

static void zstd_frames_are_read_by_zstd_and_numbers_go_on(void **state)
{
    (void)state;
    struct stored stored;
    stored_init(&stored, &file_store,
                "{path: 'a-%i.zst', compression: zstd, frame: 4096, rotate: {size: 1KiB, every: 1h}}");
    for (int i = 0; i < 5; i++)
        stored_put(&stored, i * 1000, 1000);
    stored_close(&stored);
    stored_put(&stored, 5000, 1000);
    stored_close(&stored);
    assert_int_equal(stored_count("ls a-*.zst | wc -l"), 6);
    assert_int_equal(stored_count("cat a-*.zst | zstd -dc | sort -u | wc -l"), 6000);
    stored_fini(&stored);
}

static bool is_finished(void *arg)
{
    struct stored *stored = arg;
    stored->type->idle(stored->store);
    return access("a-0.ndjson", F_OK) == 0 || access("a-1.ndjson", F_OK) == 0;
}

static void a_file_that_is_old_enough_is_finished_although_nothing_comes(void **state)
{
    (void)state;
    struct stored stored;
    stored_init(&stored, &file_store, "{path: 'a-%i.ndjson', rotate: {every: 20ms}}");
    stored_put(&stored, 0, 10);
    assert_true(eventually(is_finished, &stored));
    assert_int_equal(stored_count("cat a-*.ndjson | wc -l"), 10);
    stored_fini(&stored);
}

/* A child that stores batch after batch and says each number that is durable; killed at some moment. Returns how many were durable. */
static int store_until_killed(struct stored *stored, int round)
{
    int said[2], durable = 0, number;
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (int i = 0; i < 100000; i++) {
            stored_put(stored, i * 50, 50);
            if (write(said[1], &i, sizeof i) != sizeof i)
                _exit(1);
        }
        _exit(0);
    }
    close(said[1]);
    while (durable <= round * 3 && read(said[0], &number, sizeof number) == sizeof number)
        durable = number + 1;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(said[0], &number, sizeof number) == sizeof number)
        durable = number + 1;
    close(said[0]);
    return durable;
}

static void a_killed_process_leaves_whole_lines_and_all_that_was_flushed(void **state)
{
    (void)state;
    for (int round = 0; round < 12; round++) {
        struct stored stored;
        stored_init(&stored, &file_store,
                    "{path: 'a-%i.zst', compression: zstd, frame: 4096, rotate: {size: 20KiB, every: 1h}}");
        int durable = store_until_killed(&stored, round);
        assert_true(durable > round * 3);
        stored_put(&stored, 90000000, 1); /* a restart: takes care of what was left */
        stored_close(&stored);
        assert_int_equal(stored_count("ls *.open 2>/dev/null | wc -l"), 0);
        assert_int_equal(stored_count("cat a-*.zst | zstd -dqc >all; echo $?"), 0);
        assert_int_equal(stored_count("grep -vcE '^[{]\"id\":[0-9]+,\"name\":\"n-[0-9]+\"[}]$' all"), 0);
        assert_true(stored_count("sort -u all | wc -l") >= durable * 50 + 1);
        stored_fini(&stored);
    }
}

static void a_full_disk_is_a_failure_that_passes_and_nothing_is_torn(void **state)
{
    (void)state;
    struct stored stored;
    stored_init(&stored, &file_store, "{path: 'full/a-%i.ndjson', frame: 4096}");
    if (!stored_small_disk("full", "64k")) {
        stored_fini(&stored);
        return;
    }
    stored_put(&stored, 0, 100);
    struct batch *batch = stored_batch(&stored, 100, 5000);
    enum status status = stored_write(&stored, batch);
    if (status == STATUS_OK)
        status = stored_flush(&stored);
    assert_int_equal(status, STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_TRANSIENT);
    assert_non_null(strstr(stored.error.text, "No space left"));
    assert_int_equal(system("mount -o remount,size=64m full"), 0);
    assert_int_equal(stored_write(&stored, batch), STATUS_OK);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    batch_free(batch);
    stored_close(&stored);
    assert_int_equal(stored_count("cat full/a-*.ndjson | wc -l"), 5100);
    assert_int_equal(stored_count("cat full/a-*.ndjson | sort -u | wc -l"), 5100);
    assert_int_equal(system("umount full"), 0);
    stored_fini(&stored);
}

static void a_folder_that_can_not_be_made_is_named(void **state)
{
    (void)state;
    struct stored stored;
    stored_init(&stored, &file_store, "{path: 'taken/a-%i.ndjson'}");
    assert_int_equal(system("touch taken"), 0);
    assert_int_equal(stored_open(&stored), STATUS_FAILED);
    assert_non_null(strstr(stored.error.text, "taken"));
    stored_fini(&stored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_finished_when_the_store_closes),
        cmocka_unit_test(zstd_frames_are_read_by_zstd_and_numbers_go_on),
        cmocka_unit_test(a_file_that_is_old_enough_is_finished_although_nothing_comes),
        cmocka_unit_test(a_killed_process_leaves_whole_lines_and_all_that_was_flushed),
        cmocka_unit_test(a_full_disk_is_a_failure_that_passes_and_nothing_is_torn),
        cmocka_unit_test(a_folder_that_can_not_be_made_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
