/* The archive's store: nothing twice, nothing torn, nothing lost, whatever a run before left. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/support/archived.h"

static unsigned lines(const char *text)
{
    unsigned count = 0;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static void segments_are_finished_at_their_size_and_by_partition(void **state)
{
    (void)state;
    struct archived archived;
    archived_init(&archived);
    archived.config.segment = 4096;
    for (int i = 0; i < 10; i++) {
        archived_put(&archived, 0, i * 500, i * 500 + 500, 1);
        archived_put(&archived, 1, i * 5, i * 5 + 5, 1);
    }
    archived_close(&archived);
    assert_true(lines(archived_files(&archived, 0)) > 3);
    assert_int_equal(lines(archived_files(&archived, 1)), 1);
    assert_int_equal(archived_count(&archived, 0), 5000);
    assert_int_equal(archived_count(&archived, 1), 50);
    assert_non_null(strstr(archived_files(&archived, 0), "/orders/00000-00000000000000000000.weir\n"));
    archived_fini(&archived);
}

static void what_is_there_is_passed_over_and_counted(void **state)
{
    (void)state;
    struct archived archived;
    _Atomic uint64_t passed_over = 0;
    archived_init(&archived);
    archived.config.passed_over = &passed_over;
    archived_put(&archived, 0, 100, 200, 1);
    assert_int_equal(passed_over, 0);
    archived_put(&archived, 0, 150, 250, 1); /* by the same store: a batch that came again */
    assert_int_equal(passed_over, 50);
    archived_close(&archived);
    archived_put(&archived, 0, 120, 300, 1);
    assert_int_equal(passed_over, 50 + 130);
    archived_put(&archived, 0, 100, 130, 1);
    assert_int_equal(passed_over, 50 + 130 + 30);
    /* What is not flushed comes again, and counts then. */
    struct batch *batch = archived_batch(&archived, 0, 100, 130, 1);
    assert_int_equal(archive_store.write(archived.store, batch, archived.context, &archived.error), STATUS_OK);
    assert_int_equal(passed_over, 50 + 130 + 30);
    batch_free(batch);
    archived_close(&archived);
    assert_int_equal(archived_count(&archived, 0), 200);
    archived_fini(&archived);
}

static void what_lies_before_and_between_is_added(void **state)
{
    (void)state;
    struct archived archived;
    archived_init(&archived);
    archived_put(&archived, 0, 100, 200, 1);
    archived_close(&archived);
    archived_put(&archived, 0, 300, 400, 1);
    archived_close(&archived);
    archived_put(&archived, 0, 50, 450, 1);
    archived_close(&archived);
    assert_int_equal(archived_count(&archived, 0), 400);
    assert_int_equal(lines(archived_files(&archived, 0)), 5);
    archived_fini(&archived);
}

static void offsets_with_gaps_are_known_one_by_one(void **state)
{
    (void)state;
    struct archived archived;
    archived_init(&archived);
    archived_put(&archived, 0, 0, 1000, 2);
    archived_close(&archived);
    archived_put(&archived, 0, 0, 2000, 2);
    archived_close(&archived);
    assert_int_equal(archived_count(&archived, 0), 1000);
    /* Those between can't be put there: a loss must not look like success. */
    assert_int_equal(archived_open(&archived), STATUS_OK);
    struct batch *batch = archived_batch(&archived, 0, 501, 502, 1);
    assert_int_equal(archive_store.write(archived.store, batch, archived.context, &archived.error), STATUS_FAILED);
    assert_int_equal(archived.error.class, ERROR_FATAL);
    assert_non_null(strstr(archived.error.text, "but not 501"));
    batch_free(batch);
    archived_fini(&archived);
}

static enum status put_one(struct archived *archived, int64_t offset, int64_t time)
{
    struct batch *batch = records_batch(&archived->records);
    archived_record(batch, offset, time);
    archived->error = (struct error){0};
    if (archived->store == NULL)
        assert_int_equal(archived_open(archived), STATUS_OK);
    enum status status = archive_store.write(archived->store, batch, archived->context, &archived->error);
    if (status == STATUS_OK)
        status = archive_store.flush(archived->store, archived->context, &archived->error);
    batch_free(batch);
    return status;
}

static void a_record_of_a_topic_that_was_made_again_is_not_taken_for_the_one_before(void **state)
{
    (void)state;
    struct archived archived;
    for (int64_t step = 1; step <= 2; step++) {
        archived_init(&archived);
        archived_put(&archived, 0, 0, 100, step);
        archived_close(&archived);
        assert_int_equal(put_one(&archived, 10, 10000), STATUS_OK);
        assert_int_equal(put_one(&archived, 10, 1764064800000), STATUS_FAILED);
        assert_int_equal(archived.error.class, ERROR_FATAL);
        assert_non_null(strstr(archived.error.text, "orders/0@10 (time: 2025-11-25T10:00:00.000Z)"));
        assert_non_null(
            strstr(archived.error.text, "00000-00000000000000000000.weir (time: 1970-01-01T00:00:10.000Z)"));
        assert_non_null(strstr(archived.error.text, "another --dir"));
        assert_int_equal(put_one(&archived, 10, -1), STATUS_FAILED);
        assert_non_null(strstr(archived.error.text, "(time: none)"));
        /* Behind what is there all is new, whatever its time. */
        assert_int_equal(put_one(&archived, 100, 1764064800000), STATUS_OK);
        archived_fini(&archived);
    }
}

/* With the offsets and the times of the one before. */
static void a_topic_that_was_made_anew_is_known_by_its_id(void **state)
{
    (void)state;
    struct archived archived;
    struct stretch *stretch = stretch_new(1);
    struct stretch_part *part = stretch_add(stretch, "orders", 0);
    archived_init(&archived);
    archived.config.stretch = stretch;
    part->id = (struct topic_id){.high = 1, .low = 2};
    archived_put(&archived, 0, 0, 100, 1);
    archived_close(&archived);
    assert_int_equal(put_one(&archived, 10, 10000), STATUS_OK);
    archived_close(&archived);
    part->id.low = 3;
    assert_int_equal(put_one(&archived, 10, 10000), STATUS_FAILED);
    assert_int_equal(archived.error.class, ERROR_FATAL);
    assert_non_null(
        strstr(archived.error.text, "has records of an earlier topic orders: it was deleted and made anew"));
    archived_close(&archived);
    /* Where nobody knows, the times alone tell. */
    part->id = (struct topic_id){.high = 0};
    assert_int_equal(put_one(&archived, 10, 10000), STATUS_OK);
    archived_fini(&archived);
    stretch_free(stretch);
}

static void a_record_without_a_time_is_known_where_none_has_one_and_among_some_that_have(void **state)
{
    (void)state;
    struct archived archived;
    archived_init(&archived);
    assert_int_equal(put_one(&archived, 0, -1), STATUS_OK);
    archived_close(&archived);
    assert_int_equal(put_one(&archived, 0, -1), STATUS_OK);
    assert_int_equal(put_one(&archived, 0, 5), STATUS_FAILED);
    archived_close(&archived);
    struct batch *mixed = records_batch(&archived.records);
    archived_record(mixed, 1, -1);
    archived_record(mixed, 2, 2000);
    assert_int_equal(archived_open(&archived), STATUS_OK);
    assert_int_equal(archive_store.write(archived.store, mixed, archived.context, &archived.error), STATUS_OK);
    assert_int_equal(archive_store.flush(archived.store, archived.context, &archived.error), STATUS_OK);
    batch_free(mixed);
    archived_close(&archived);
    assert_int_equal(put_one(&archived, 1, -1), STATUS_OK);
    assert_int_equal(put_one(&archived, 2, 2000), STATUS_OK);
    assert_int_equal(put_one(&archived, 2, -1), STATUS_FAILED);
    archived_fini(&archived);
}

static void what_was_not_flushed_is_not_there(void **state)
{
    (void)state;
    struct archived archived;
    archived_init(&archived);
    archived_put(&archived, 0, 0, 10, 1);
    struct batch *more = archived_batch(&archived, 0, 10, 20, 1), *other = archived_batch(&archived, 1, 0, 10, 1);
    assert_int_equal(archive_store.write(archived.store, more, archived.context, &archived.error), STATUS_OK);
    assert_int_equal(archive_store.write(archived.store, other, archived.context, &archived.error), STATUS_OK);
    archived_close(&archived);
    assert_int_equal(archived_count(&archived, 0), 10);
    assert_string_equal(archived_files(&archived, 1), "");
    batch_free(more);
    batch_free(other);
    archived_fini(&archived);
}

static void one_process_writes_at_a_time(void **state)
{
    (void)state;
    struct archived archived;
    void *second;
    archived_init(&archived);
    archived_put(&archived, 0, 0, 10, 1);
    assert_int_equal(archive_store.open(&archived.config, &archived.env, archived.context, &second, &archived.error),
                     STATUS_FAILED);
    assert_non_null(strstr(archived.error.text, "another process"));
    archived_fini(&archived);
}

/* A child that stores batch after batch and says what is durable; killed at some moment. Returns how many were durable. */
static int64_t store_until_killed(struct archived *archived, int64_t from, unsigned least)
{
    int said[2];
    int64_t durable = from, number;
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (int64_t at = from;; at += 50) {
            archived_put(archived, 0, at, at + 50, 1);
            number = at + 50;
            if (write(said[1], &number, sizeof number) != sizeof number)
                _exit(1);
        }
    }
    close(said[1]);
    while (durable < from + 50 * (int64_t)least && read(said[0], &number, sizeof number) == sizeof number)
        durable = number;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(said[0], &number, sizeof number) == sizeof number)
        durable = number;
    close(said[0]);
    return durable;
}

static void a_killed_writer_is_followed_by_another_without_loss_or_doubles(void **state)
{
    (void)state;
    struct archived archived;
    archived_init(&archived);
    archived.config.segment = 20000;
    int64_t durable = 0;
    for (unsigned round = 0; round < 8; round++) {
        /* Those that were not said to be durable come again, with some that were. */
        int64_t from = durable > 200 ? durable - 200 : 0;
        durable = store_until_killed(&archived, from, 3 + 5 * round);
        assert_true(archived_count(&archived, 0) >= durable);
    }
    int64_t there = archived_count(&archived, 0);
    archived_put(&archived, 0, 0, durable + 1000, 1);
    archived_close(&archived);
    assert_true(there <= durable + 1000);
    assert_int_equal(archived_count(&archived, 0), durable + 1000);
    archived_fini(&archived);
}

static void a_torn_tail_is_cut_by_the_next_writer(void **state)
{
    (void)state;
    struct archived archived;
    size_t size;
    char path[512];
    archived_init(&archived);
    archived_put(&archived, 0, 0, 100, 1);
    archived_put(&archived, 0, 100, 200, 1);
    archived_close(&archived);
    snprintf(path, sizeof path, "%s", archived_file(&archived, 0));
    uint8_t *data = archived_load(path, &size);
    for (size_t end = 0; end < size; end += 23) {
        archived_save(path, data, end);
        archived_put(&archived, 0, 0, 200, 1);
        archived_close(&archived);
        assert_int_equal(archived_count(&archived, 0), 200);
        char command[700];
        snprintf(command, sizeof command, "rm -f %s/orders/*", archived.dir);
        assert_int_equal(system(command), 0);
    }
    free(data);
    archived_fini(&archived);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_finished_at_their_size_and_by_partition),
        cmocka_unit_test(what_is_there_is_passed_over_and_counted),
        cmocka_unit_test(what_lies_before_and_between_is_added),
        cmocka_unit_test(offsets_with_gaps_are_known_one_by_one),
        cmocka_unit_test(a_record_of_a_topic_that_was_made_again_is_not_taken_for_the_one_before),
        cmocka_unit_test(a_topic_that_was_made_anew_is_known_by_its_id),
        cmocka_unit_test(a_record_without_a_time_is_known_where_none_has_one_and_among_some_that_have),
        cmocka_unit_test(what_was_not_flushed_is_not_there),
        cmocka_unit_test(one_process_writes_at_a_time),
        cmocka_unit_test(a_killed_writer_is_followed_by_another_without_loss_or_doubles),
        cmocka_unit_test(a_torn_tail_is_cut_by_the_next_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
