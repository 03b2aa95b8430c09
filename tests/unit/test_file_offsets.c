/* The file store keeps offsets: what is in its files and where the partitions stand come together or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/file.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "tests/support/kept.h"

extern const struct store_type file_store;

static const char LINES[] = "{path: 'out/a-%i.ndjson'}";
static const char FRAMES[] = "{path: 'out/a-%i.zst', compression: zstd, frame: 4096}";
static const char EACH_FLUSH[] = "{path: 'out/a-%i.ndjson', rotate: {size: 1, every: 1h}}";

static void begin(struct stored *stored, const char *yaml)
{
    stored_init(stored, &file_store, yaml);
    stored->env.exactly_once = true;
}

/* In finished files: all of the orders 0..count-1, each once and whole. */
static void assert_once(long count)
{
    assert_int_equal(stored_count("ls out/*.open 2>/dev/null | wc -l"), 0);
    assert_int_equal(
        stored_count("(cat out/*.ndjson 2>/dev/null; for f in out/*.zst; do [ ! -e $f ] || zstd -dqc $f; done) >all; "
                     "wc -l <all"),
        count);
    assert_int_equal(stored_count("grep -cE '^[{]\"id\":[0-9]+,\"name\":\"n-[0-9]+\"[}]$' all"), count);
    assert_int_equal(stored_count("sort -u all | wc -l"), count);
}

static void without_a_manifest_nothing_is_known_and_none_is_made(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored, LINES);
    assert_int_equal(kept_offset(&stored), -1);
    assert_int_equal(access("out", F_OK), -1);
    assert_int_equal(stored_open(&stored), STATUS_OK);
    assert_int_equal(kept_offset(&stored), -1);
    assert_int_equal(access("out/.weir-test.manifest", F_OK), 0);
    stored_fini(&stored);
}

static void the_offset_moves_with_the_lines_and_is_there_after_a_restart(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored, FRAMES);
    kept_put(&stored, -1, 100);
    kept_put(&stored, 100, 250);
    assert_int_equal(kept_offset(&stored), 250);
    stored_close(&stored);
    assert_int_equal(kept_offset(&stored), 250);
    kept_put(&stored, 250, 300);
    stored_close(&stored);
    assert_int_equal(kept_offset(&stored), 300);
    assert_once(300);
    stored.env.service = "an/other one";
    assert_int_equal(kept_offset(&stored), -1);
    assert_int_equal(stored_open(&stored), STATUS_OK);
    assert_int_equal(access("out/.weir-an%2Fother%20one.manifest", F_OK), 0);
    stored_fini(&stored);
}

static void what_was_not_flushed_is_gone(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored, LINES);
    kept_put(&stored, -1, 10);
    struct batch *batch = stored_batch(&stored, 10, 10);
    assert_int_equal(stored_write(&stored, batch), STATUS_OK);
    assert_int_equal(kept_move(&stored, 10, 20), STATUS_OK);
    assert_int_equal(kept_offset(&stored), 10);
    stored_close(&stored);
    batch_free(batch);
    assert_int_equal(kept_offset(&stored), 10);
    assert_once(10);
    stored_fini(&stored);
}

static void another_instance_fences_this_one_which_cuts_its_file_back(void **state)
{
    (void)state;
    struct stored stored;
    void *second = NULL;
    begin(&stored, LINES);
    kept_put(&stored, -1, 10);
    assert_int_equal(file_store.open(parsed_config(stored.parsed), &stored.env, stored.context, &second, &stored.error),
                     STATUS_OK);
    void *first = stored.store;
    stored.store = second;
    kept_put(&stored, 10, 20);
    stored.store = first;
    assert_int_equal(kept_try(&stored, 10, 10, 15), STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_RESTART);
    assert_non_null(strstr(stored.error.text, "fenced: orders/0 was at offset 10"));
    assert_non_null(strstr(stored.error.text, "is at 20 now"));
    assert_int_equal(stored_count("cat out/a-1.ndjson.open | wc -l"), 10);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    assert_int_equal(kept_try(&stored, -1, 0, 5), STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_RESTART);
    kept_put(&stored, 20, 30);
    file_store.close(second);
    stored_close(&stored);
    assert_int_equal(kept_offset(&stored), 30);
    assert_once(30);
    stored_fini(&stored);
}

static void what_came_through_before_is_not_stored_again(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored, FRAMES);
    kept_put(&stored, -1, 10);
    assert_int_equal(kept_try(&stored, -1, 0, 10), STATUS_OK);
    kept_put(&stored, 10, 20);
    assert_int_equal(kept_try(&stored, 10, 10, 20), STATUS_OK);
    kept_put(&stored, 20, 25);
    stored_close(&stored);
    assert_once(25);
    stored_fini(&stored);
}

static void one_of_several_moves_that_is_there_already_is_fenced(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored, LINES);
    kept_put(&stored, -1, 10);
    const struct offset_move there_first[] = {{"orders", 0, -1, 10}, {"orders", 1, -1, 5}};
    const struct offset_move there_last[] = {{"orders", 1, -1, 5}, {"orders", 0, -1, 10}};
    const struct offset_move *const both[] = {there_first, there_last};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(file_store.offsets->move(stored.store, both[i], 2, stored.context, &stored.error),
                         STATUS_FAILED);
        assert_int_equal(stored.error.class, ERROR_RESTART);
        assert_int_equal(stored_flush(&stored), STATUS_OK);
    }
    struct offset_start start = {.topic = "orders", .partition = 1};
    assert_int_equal(
        file_store.offsets->read(parsed_config(stored.parsed), &stored.env, &start, 1, stored.context, &stored.error),
        STATUS_OK);
    assert_int_equal(start.offset, -1);
    stored_fini(&stored);
}

static void records_that_were_all_dropped_move_the_offset_and_make_no_file(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored, LINES);
    assert_int_equal(stored_open(&stored), STATUS_OK);
    assert_int_equal(kept_move(&stored, -1, 40), STATUS_OK);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    struct batch *batch = stored_batch(&stored, 40, 5);
    for (uint32_t i = 0; i < batch->count; i++)
        batch->records[i].answer = STAGE_DROP;
    assert_int_equal(stored_write(&stored, batch), STATUS_OK);
    batch_free(batch);
    assert_int_equal(kept_move(&stored, 40, 45), STATUS_OK);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    assert_int_equal(kept_offset(&stored), 45);
    assert_int_equal(stored_count("ls out | wc -l"), 0);
    stored_fini(&stored);
}

static void what_is_discarded_is_not_stored(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored, LINES);
    kept_put(&stored, -1, 10);
    struct batch *batch = stored_batch(&stored, 1000, 10);
    assert_int_equal(stored_write(&stored, batch), STATUS_OK);
    assert_int_equal(kept_move(&stored, 10, 20), STATUS_OK);
    file_store.offsets->discard(stored.store);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    file_store.offsets->discard(stored.store);
    batch_free(batch);
    assert_int_equal(kept_offset(&stored), 10);
    kept_put(&stored, 10, 15);
    stored_close(&stored);
    assert_once(15);
    stored_fini(&stored);
}

static void names_with_the_first_offset_tell_what_is_in_them(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored, "{path: 'out/p%p/%o.ndjson', rotate: {size: 1, every: 1h}}");
    kept_put(&stored, -1, 5);
    struct batch *batch = stored_batch(&stored, 700, 10);
    assert_int_equal(stored_write(&stored, batch), STATUS_OK);
    batch_free(batch);
    file_store.offsets->discard(stored.store);
    kept_put(&stored, 5, 12);
    stored_close(&stored);
    kept_put(&stored, 12, 13);
    stored_close(&stored);
    assert_int_equal(stored_count("wc -l <out/p0/00000000000000000000.ndjson"), 5);
    assert_int_equal(stored_count("wc -l <out/p0/00000000000000000005.ndjson"), 7);
    assert_int_equal(stored_count("wc -l <out/p0/00000000000000000012.ndjson"), 1);
    assert_int_equal(stored_count("ls out/p0 | wc -l"), 3);
    assert_int_equal(access("out/.weir-test.manifest", F_OK), 0);
    stored_fini(&stored);
}

static void an_offset_in_a_name_needs_the_partition(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(file_store.config, "{path: 'out/%o.ndjson'}");
    assert_null(parsed_config(parsed));
    assert_non_null(strstr(parsed_report(parsed), ":1:13:"));
    assert_non_null(strstr(parsed_report(parsed), "expected %p beside %o"));
    parsed_free(parsed);
}

/* As a crash would: the process ends while its file has lines that no flush made good. */
static void leave_open(struct stored *stored, bool exactly_once)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        stored->env.exactly_once = exactly_once;
        if (exactly_once) {
            kept_put(stored, -1, 10);
            struct batch *batch = stored_batch(stored, 10, 3000);
            _exit(stored_write(stored, batch) == STATUS_OK ? 0 : 1);
        }
        stored_put(stored, 0, 10);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void whole_frames_that_a_crash_left_are_taken_back_when_no_flush_ended_them(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored, FRAMES);
    leave_open(&stored, true);
    assert_true(stored_count("zstd -dqc out/a-1.zst.open | wc -l") > 10);
    assert_int_equal(stored_open(&stored), STATUS_OK);
    assert_int_equal(stored_count("zstd -dqc out/a-1.zst | wc -l"), 10);
    stored_close(&stored);
    kept_put(&stored, 10, 20);
    stored_close(&stored);
    assert_once(20);
    stored_fini(&stored);
}

static void what_was_left_without_exactly_once_is_kept_as_far_as_it_is_whole(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored, LINES);
    leave_open(&stored, false);
    assert_int_equal(stored_open(&stored), STATUS_OK);
    assert_int_equal(stored_count("wc -l <out/a-1.ndjson"), 10);
    stored_fini(&stored);
}

static void without_exactly_once_there_is_no_manifest(void **state)
{
    (void)state;
    struct stored stored;
    stored_init(&stored, &file_store, LINES);
    stored_put(&stored, 0, 10);
    stored_close(&stored);
    assert_int_equal(stored_count("ls -A out | grep -c weir"), 0);
    stored_fini(&stored);
}

static void a_manifest_that_somebody_else_holds_is_a_failure_that_passes(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored, LINES);
    kept_put(&stored, -1, 10);
    int fd = open("out/.weir-test.manifest", O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    struct context *forever = stored.context;
    stored.context = context_new(NULL, clock_now() + 50 * CLOCK_MS);
    assert_int_equal(kept_try(&stored, 10, 10, 20), STATUS_DEADLINE);
    context_free(stored.context);
    stored.context = forever;
    assert_int_equal(kept_try(&stored, 10, 10, 20), STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_TRANSIENT);
    assert_non_null(strstr(stored.error.text, "holds the lock"));
    close(fd);
    kept_put(&stored, 10, 20);
    stored_close(&stored);
    assert_once(20);
    stored_fini(&stored);
}

static void a_manifest_that_is_gone_restarts(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored, LINES);
    kept_put(&stored, -1, 10);
    assert_int_equal(unlink("out/.weir-test.manifest"), 0);
    assert_int_equal(kept_try(&stored, 10, 10, 20), STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_RESTART);
    assert_non_null(strstr(stored.error.text, "is gone"));
    stored_fini(&stored);
}

static void a_full_disk_is_a_failure_that_passes_and_nothing_is_twice(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored, "{path: 'out/a-%i.ndjson', frame: 4096}");
    if (!stored_small_disk("out", "64k")) {
        stored_fini(&stored);
        return;
    }
    kept_put(&stored, -1, 100);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kept_try(&stored, 100, 100, 5000), STATUS_FAILED);
        assert_int_equal(stored.error.class, ERROR_TRANSIENT);
        assert_non_null(strstr(stored.error.text, "No space left"));
    }
    assert_int_equal(kept_offset(&stored), 100);
    assert_int_equal(system("mount -o remount,size=64m out"), 0);
    kept_put(&stored, 100, 5000);
    stored_close(&stored);
    assert_once(5000);
    assert_int_equal(system("umount out"), 0);
    stored_fini(&stored);
}

static void a_killed_process_stores_nothing_twice(void **state)
{
    (void)state;
    static const char *const yamls[] = {
        EACH_FLUSH, LINES, FRAMES,
        "{path: 'out/%H/p%p-%o.zst', compression: zstd, frame: 4096, rotate: {size: 2KiB, every: 1h}}"};
    for (int round = 0; round < 24; round++) {
        struct stored stored;
        int64_t at = -1;
        begin(&stored, yamls[round % 4]);
        for (int life = 0; life < 4; life++) {
            kept_kill(&stored, round / 4 + 1);
            assert_true(kept_offset(&stored) > at);
            at = kept_offset(&stored);
        }
        assert_int_equal(stored_open(&stored), STATUS_OK);
        stored_close(&stored);
        assert_int_equal(system("for f in out/[0-9]*/*; do [ ! -e $f ] || mv $f out/; done"), 0);
        assert_once(at);
        stored_fini(&stored);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_manifest_nothing_is_known_and_none_is_made),
        cmocka_unit_test(the_offset_moves_with_the_lines_and_is_there_after_a_restart),
        cmocka_unit_test(what_was_not_flushed_is_gone),
        cmocka_unit_test(another_instance_fences_this_one_which_cuts_its_file_back),
        cmocka_unit_test(what_came_through_before_is_not_stored_again),
        cmocka_unit_test(one_of_several_moves_that_is_there_already_is_fenced),
        cmocka_unit_test(records_that_were_all_dropped_move_the_offset_and_make_no_file),
        cmocka_unit_test(what_is_discarded_is_not_stored),
        cmocka_unit_test(names_with_the_first_offset_tell_what_is_in_them),
        cmocka_unit_test(an_offset_in_a_name_needs_the_partition),
        cmocka_unit_test(whole_frames_that_a_crash_left_are_taken_back_when_no_flush_ended_them),
        cmocka_unit_test(what_was_left_without_exactly_once_is_kept_as_far_as_it_is_whole),
        cmocka_unit_test(without_exactly_once_there_is_no_manifest),
        cmocka_unit_test(a_manifest_that_somebody_else_holds_is_a_failure_that_passes),
        cmocka_unit_test(a_manifest_that_is_gone_restarts),
        cmocka_unit_test(a_full_disk_is_a_failure_that_passes_and_nothing_is_twice),
        cmocka_unit_test(a_killed_process_stores_nothing_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
