/* The SQLite store keeps offsets: rows and offset come together or not at all. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sqlite3.h>
#include <cmocka.h>

#include "tests/support/kept.h"

extern const struct store_type sqlite_store;

static const char APPEND[] = "{path: o.db, table: orders, busy_timeout: 50ms, columns: {id: .id, name: .name}}";

static long ask(const char *sql)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open("o.db", &database), SQLITE_OK);
    sqlite3_busy_timeout(database, 5000);
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    long number = sqlite3_step(statement) == SQLITE_ROW ? (long)sqlite3_column_int64(statement, 0) : -1;
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return number;
}

static void begin(struct stored *stored)
{
    stored_init(stored, &sqlite_store, APPEND);
    stored->env.exactly_once = true;
}

static void without_database_table_or_row_nothing_is_known(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored);
    assert_int_equal(kept_offset(&stored), -1);
    assert_int_equal(access("o.db", F_OK), -1);
    ask("create table other (a)");
    assert_int_equal(kept_offset(&stored), -1);
    assert_int_equal(stored_open(&stored), STATUS_OK);
    assert_int_equal(kept_offset(&stored), -1);
    stored_fini(&stored);
}

static void the_offset_moves_with_the_rows_and_is_there_after_a_restart(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored);
    kept_put(&stored, -1, 100);
    kept_put(&stored, 100, 250);
    assert_int_equal(kept_offset(&stored), 250);
    stored_close(&stored);
    assert_int_equal(kept_offset(&stored), 250);
    kept_put(&stored, 250, 300);
    assert_int_equal(kept_offset(&stored), 300);
    assert_int_equal(ask("select count(*) from orders"), 300);
    stored.env.service = "other";
    assert_int_equal(kept_offset(&stored), -1);
    stored_fini(&stored);
}

static void before_the_flush_neither_rows_nor_offset_are_there(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored);
    kept_put(&stored, -1, 10);
    struct batch *batch = stored_batch(&stored, 10, 10);
    assert_int_equal(stored_write(&stored, batch), STATUS_OK);
    assert_int_equal(kept_move(&stored, 10, 20), STATUS_OK);
    assert_int_equal(kept_offset(&stored), 10);
    assert_int_equal(ask("select count(*) from orders"), 10);
    stored_close(&stored);
    assert_int_equal(kept_offset(&stored), 10);
    assert_int_equal(ask("select count(*) from orders"), 10);
    batch_free(batch);
    stored_fini(&stored);
}

static void another_instance_fences_this_one_which_stores_nothing(void **state)
{
    (void)state;
    struct stored stored;
    void *second = NULL;
    begin(&stored);
    kept_put(&stored, -1, 10);
    assert_int_equal(
        sqlite_store.open(parsed_config(stored.parsed), &stored.env, stored.context, &second, &stored.error),
        STATUS_OK);
    kept_put(&stored, 10, 20);
    void *first = stored.store;
    stored.store = second;
    assert_int_equal(kept_try(&stored, 10, 10, 15), STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_RESTART);
    assert_non_null(strstr(stored.error.text, "fenced: orders/0 was at offset 10"));
    assert_non_null(strstr(stored.error.text, "is at 20 now"));
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    assert_int_equal(kept_try(&stored, -1, 0, 5), STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_RESTART);
    kept_put(&stored, 20, 30);
    stored.store = first;
    sqlite_store.close(second);
    assert_int_equal(ask("select count(*) from orders"), 30);
    assert_int_equal(ask("select count(distinct id) from orders"), 30);
    assert_int_equal(kept_offset(&stored), 30);
    stored_fini(&stored);
}

static void what_came_through_before_is_not_stored_again(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored);
    kept_put(&stored, -1, 10);
    assert_int_equal(kept_try(&stored, -1, 0, 10), STATUS_OK);
    kept_put(&stored, 10, 20);
    assert_int_equal(kept_try(&stored, 10, 10, 20), STATUS_OK);
    kept_put(&stored, 20, 25);
    assert_int_equal(ask("select count(*) from orders"), 25);
    assert_int_equal(kept_offset(&stored), 25);
    stored_fini(&stored);
}

/* The disk, as SQLite sees it: while it is true, what should become durable does not. */
static bool sync_fails;

int fdatasync(int fd)
{
    if (!sync_fails)
        return (int)syscall(SYS_fdatasync, fd);
    errno = EIO;
    return -1;
}

int fsync(int fd)
{
    if (!sync_fails)
        return (int)syscall(SYS_fsync, fd);
    errno = EIO;
    return -1;
}

static const char KEYED[] = "create table orders (id integer primary key, name text)";

static void fail_a_commit(struct stored *stored)
{
    begin(stored);
    ask(KEYED);
    kept_put(stored, -1, 10);
    sync_fails = true;
    assert_int_equal(kept_try(stored, 10, 10, 20), STATUS_FAILED);
    sync_fails = false;
    assert_int_equal(stored->error.class, ERROR_TRANSIENT);
}

/* Hands over what kept_try did, and asserts that no record is found wrong. */
static void hand_again(struct stored *stored)
{
    struct batch *batch = stored_batch(stored, 10, 10);
    assert_int_equal(stored_write(stored, batch), STATUS_OK);
    for (uint32_t i = 0; i < batch->count; i++)
        assert_int_equal(batch->records[i].answer, STAGE_FORWARD);
    batch_free(batch);
}

static void a_commit_that_failed_is_made_again(void **state)
{
    (void)state;
    struct stored stored;
    fail_a_commit(&stored);
    assert_int_equal(kept_offset(&stored), 10);
    hand_again(&stored);
    assert_int_equal(kept_move(&stored, 10, 20), STATUS_OK);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    assert_int_equal(kept_offset(&stored), 20);
    assert_int_equal(ask("select count(*) from orders"), 20);
    stored_fini(&stored);
}

static void rows_of_a_commit_that_came_through_all_the_same_are_not_called_wrong(void **state)
{
    (void)state;
    struct stored stored;
    fail_a_commit(&stored);
    ask("insert into orders select value, 'n-' || value from (with recursive n(value) as (select 10 union all select "
        "value + 1 from n where value < 19) select value from n)");
    ask("update weir_offsets set \"offset\" = 20");
    hand_again(&stored);
    assert_int_equal(kept_move(&stored, 10, 20), STATUS_OK);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    kept_put(&stored, 20, 30);
    assert_int_equal(ask("select count(*) from orders"), 30);
    assert_int_equal(kept_offset(&stored), 30);
    stored_fini(&stored);
}

static void what_comes_after_a_flush_that_was_given_up_is_stored_whatever_became_of_that(void **state)
{
    (void)state;
    struct stored stored;
    fail_a_commit(&stored);
    ask("update weir_offsets set \"offset\" = 20");
    /* It comes again, and its partition is taken from us. */
    hand_again(&stored);
    sqlite_store.offsets->discard(stored.store);
    assert_int_equal(kept_try(&stored, 20, 20, 30), STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_TRANSIENT);
    assert_int_equal(ask("select count(*) from orders"), 10);
    kept_put(&stored, 20, 30);
    assert_int_equal(kept_offset(&stored), 30);
    assert_int_equal(ask("select count(*) from orders where id >= 20"), 10);
    stored_fini(&stored);
}

static void who_was_fenced_after_a_commit_that_failed_writes_no_row(void **state)
{
    (void)state;
    struct stored stored;
    fail_a_commit(&stored);
    ask("update weir_offsets set \"offset\" = 25");
    struct batch *batch = stored_batch(&stored, 10, 10);
    assert_int_equal(stored_write(&stored, batch), STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_RESTART);
    assert_non_null(strstr(stored.error.text, "is at 25 now"));
    batch_free(batch);
    stored_fini(&stored);
}

static void one_of_several_moves_that_is_there_already_is_fenced(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored);
    kept_put(&stored, -1, 10);
    const struct offset_move there_first[] = {{"orders", 0, -1, 10}, {"orders", 1, -1, 5}};
    const struct offset_move there_last[] = {{"orders", 1, -1, 5}, {"orders", 0, -1, 10}};
    assert_int_equal(sqlite_store.offsets->move(stored.store, there_first, 2, stored.context, &stored.error),
                     STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_RESTART);
    assert_int_equal(sqlite_store.offsets->move(stored.store, there_last, 2, stored.context, &stored.error),
                     STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_RESTART);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    assert_int_equal(ask("select count(*) from weir_offsets"), 1);
    stored_fini(&stored);
}

static void records_that_were_all_dropped_move_the_offset_too(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored);
    assert_int_equal(stored_open(&stored), STATUS_OK);
    assert_int_equal(kept_move(&stored, -1, 40), STATUS_OK);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    assert_int_equal(kept_offset(&stored), 40);
    assert_int_equal(ask("select count(*) from orders"), 0);
    stored_fini(&stored);
}

static void what_is_discarded_is_not_stored(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored);
    kept_put(&stored, -1, 10);
    struct batch *batch = stored_batch(&stored, 1000, 10);
    assert_int_equal(stored_write(&stored, batch), STATUS_OK);
    assert_int_equal(kept_move(&stored, 10, 20), STATUS_OK);
    sqlite_store.offsets->discard(stored.store);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    sqlite_store.offsets->discard(stored.store);
    batch_free(batch);
    kept_put(&stored, 10, 15);
    assert_int_equal(ask("select count(*) from orders"), 15);
    assert_int_equal(ask("select max(id) from orders"), 14);
    stored_fini(&stored);
}

static void a_locked_database_fails_the_move_for_now_and_forgets(void **state)
{
    (void)state;
    struct stored stored;
    sqlite3 *other;
    begin(&stored);
    kept_put(&stored, -1, 10);
    assert_int_equal(sqlite3_open("o.db", &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "begin immediate", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(kept_move(&stored, 10, 12), STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_TRANSIENT);
    assert_int_equal(kept_offset(&stored), 10);
    assert_int_equal(sqlite3_exec(other, "rollback", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    kept_put(&stored, 10, 12);
    assert_int_equal(ask("select count(*) from orders"), 12);
    stored_fini(&stored);
}

static void a_table_of_another_shape_is_refused_by_name(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored);
    ask("create table weir_offsets (a)");
    assert_int_equal(stored_open(&stored), STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_FATAL);
    assert_non_null(strstr(stored.error.text, "weir_offsets"));
    stored_fini(&stored);
}

static void nothing_of_offsets_is_made_without_exactly_once(void **state)
{
    (void)state;
    struct stored stored;
    stored_init(&stored, &sqlite_store, APPEND);
    stored_put(&stored, 0, 10);
    assert_int_equal(ask("select count(*) from sqlite_schema where name = 'weir_offsets'"), 0);
    stored_fini(&stored);
}

static void what_cannot_keep_offsets_says_where(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *key;
    } wrong[] = {
        {"{path: ':memory:', table: t, columns: {id: .id}}", "path"},
        {"{path: o.db, table: Weir_Offsets, columns: {id: .id}}", "table"},
        {"{path: o.db, table: t, synchronous: 'off', columns: {id: .id}}", "synchronous"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct stored stored;
        const struct config_node *node = NULL;
        const char *why = NULL;
        stored_init(&stored, &sqlite_store, wrong[i].yaml);
        assert_false(sqlite_store.can_keep_offsets(parsed_config(stored.parsed), &node, &why));
        assert_string_equal(node->key, wrong[i].key);
        assert_non_null(why);
        stored_fini(&stored);
    }
}

/* A restart goes on where the store says; each flush stores a number of rows that is its offsets' distance. */
static void a_killed_process_stores_nothing_twice(void **state)
{
    (void)state;
    struct stored stored;
    begin(&stored);
    for (int round = 0; round < 8; round++) {
        kept_kill(&stored, round + 1);
        int64_t at = kept_offset(&stored);
        assert_true(at > 0);
        assert_int_equal(ask("select count(*) from orders"), at);
        assert_int_equal(ask("select count(distinct id) from orders"), at);
        assert_int_equal(ask("select max(id) from orders"), at - 1);
    }
    stored_fini(&stored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_database_table_or_row_nothing_is_known),
        cmocka_unit_test(the_offset_moves_with_the_rows_and_is_there_after_a_restart),
        cmocka_unit_test(before_the_flush_neither_rows_nor_offset_are_there),
        cmocka_unit_test(another_instance_fences_this_one_which_stores_nothing),
        cmocka_unit_test(what_came_through_before_is_not_stored_again),
        cmocka_unit_test(a_commit_that_failed_is_made_again),
        cmocka_unit_test(rows_of_a_commit_that_came_through_all_the_same_are_not_called_wrong),
        cmocka_unit_test(what_comes_after_a_flush_that_was_given_up_is_stored_whatever_became_of_that),
        cmocka_unit_test(who_was_fenced_after_a_commit_that_failed_writes_no_row),
        cmocka_unit_test(one_of_several_moves_that_is_there_already_is_fenced),
        cmocka_unit_test(records_that_were_all_dropped_move_the_offset_too),
        cmocka_unit_test(what_is_discarded_is_not_stored),
        cmocka_unit_test(a_locked_database_fails_the_move_for_now_and_forgets),
        cmocka_unit_test(a_table_of_another_shape_is_refused_by_name),
        cmocka_unit_test(nothing_of_offsets_is_made_without_exactly_once),
        cmocka_unit_test(what_cannot_keep_offsets_says_where),
        cmocka_unit_test(a_killed_process_stores_nothing_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
