/* The SQLite store: rows by paths, all or nothing. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <sqlite3.h>
#include <cmocka.h>

#include "tests/support/stored.h"

extern const struct store_type sqlite_store;

static const char APPEND[] = "{path: o.db, table: orders, busy_timeout: 50ms, columns: {id: .id, name: .name}}";
static const char UPSERT[] =
    "{path: o.db, table: orders, mode: upsert, key: [id], columns: {id: .id, name: .name, at: '{{offset}}'}}";

/* Of its own connection, in the folder. */
static long ask(const char *sql)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open("o.db", &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    long number = sqlite3_step(statement) == SQLITE_ROW ? (long)sqlite3_column_int64(statement, 0) : -1;
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return number;
}

static void rows_are_there_after_the_flush_and_not_before(void **state)
{
    (void)state;
    struct stored stored;
    stored_init(&stored, &sqlite_store, APPEND);
    assert_int_equal(stored_open(&stored), STATUS_OK);
    struct batch *batch = stored_batch(&stored, 0, 1000);
    assert_int_equal(stored_write(&stored, batch), STATUS_OK);
    assert_int_equal(ask("select count(*) from orders"), 0);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    assert_int_equal(ask("select count(distinct id) from orders where name = 'n-' || id"), 1000);
    batch_free(batch);
    stored_fini(&stored);
}

static void values_keep_their_types(void **state)
{
    (void)state;
    struct stored stored;
    stored_init(&stored, &sqlite_store,
                "{path: o.db, table: orders, columns: {a: .a, b: .b, c: .c, d: .d, e: .e, f: .f}}");
    assert_int_equal(stored_open(&stored), STATUS_OK);
    struct batch *batch = records_batch(&stored.records);
    records_add_json(batch, "{\"a\":9007199254740993,\"b\":1.5,\"c\":\"x\\u00e9\\n\",\"d\":{\"k\":[1]},\"e\":null}");
    assert_int_equal(stored_write(&stored, batch), STATUS_OK);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    assert_int_equal(
        ask("select count(*) from orders where a = 9007199254740993 and typeof(a) = 'integer' and "
            "b = 1.5 and c = 'x' || char(233) || char(10) and d = '{\"k\":[1]}' and e is null and f is null"),
        1);
    batch_free(batch);
    stored_fini(&stored);
}

static void an_upsert_keeps_the_last_of_a_key(void **state)
{
    (void)state;
    struct stored stored;
    stored_init(&stored, &sqlite_store, UPSERT);
    stored_put(&stored, 0, 100);
    stored_put(&stored, 50, 100);
    stored_put(&stored, 50, 100);
    assert_int_equal(ask("select count(*) from orders"), 150);
    assert_int_equal(ask("select at from orders where id = 50"), 0);
    assert_int_equal(ask("select at from orders where id = 49"), 49);
    stored_fini(&stored);
}

static void a_row_that_the_table_refuses_is_the_only_one_rejected(void **state)
{
    (void)state;
    struct stored stored;
    stored_init(&stored, &sqlite_store, APPEND);
    ask("create table orders (id integer check (id <> 500), name text)");
    assert_int_equal(stored_open(&stored), STATUS_OK);
    struct batch *batch = stored_batch(&stored, 0, 1000);
    enum status status = stored_write(&stored, batch);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    assert_int_equal(batch->records[500].answer, STAGE_REJECT);
    assert_string_equal(batch->records[500].failure->class, "constraint");
    assert_int_equal(batch->records[499].answer, STAGE_FORWARD);
    assert_int_equal(ask("select count(*) from orders"), 999);
    batch_free(batch);
    stored_fini(&stored);
}

static void a_table_without_a_column_is_refused_by_name(void **state)
{
    (void)state;
    struct stored stored;
    stored_init(&stored, &sqlite_store, APPEND);
    ask("create table orders (id integer)");
    assert_int_equal(stored_open(&stored), STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_FATAL);
    assert_non_null(strstr(stored.error.text, "name"));
    stored_fini(&stored);
}

static void a_locked_database_is_a_failure_that_passes(void **state)
{
    (void)state;
    struct stored stored;
    sqlite3 *other;
    stored_init(&stored, &sqlite_store, APPEND);
    stored_put(&stored, 0, 10);
    assert_int_equal(sqlite3_open("o.db", &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "begin immediate", NULL, NULL, NULL), SQLITE_OK);
    struct batch *batch = stored_batch(&stored, 10, 10);
    enum status status = stored_write(&stored, batch);
    if (status == STATUS_OK)
        status = stored_flush(&stored);
    assert_int_equal(status, STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_TRANSIENT);
    assert_non_null(strstr(stored.error.text, "locked"));
    assert_int_equal(sqlite3_exec(other, "rollback", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_int_equal(stored_write(&stored, batch), STATUS_OK);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    batch_free(batch);
    assert_int_equal(ask("select count(*) from orders"), 20);
    stored_fini(&stored);
}

static void a_full_disk_is_a_failure_that_passes_and_leaves_no_half_flush(void **state)
{
    (void)state;
    struct stored stored;
    stored_init(&stored, &sqlite_store, "{path: full/o.db, table: orders, columns: {id: .id, name: .name}}");
    if (!stored_small_disk("full", "256k")) {
        stored_fini(&stored);
        return;
    }
    stored_put(&stored, 0, 10);
    struct batch *batch = stored_batch(&stored, 10, 20000);
    enum status status = stored_write(&stored, batch);
    if (status == STATUS_OK)
        status = stored_flush(&stored);
    assert_int_equal(status, STATUS_FAILED);
    assert_int_equal(stored.error.class, ERROR_TRANSIENT);
    assert_int_equal(system("mount -o remount,size=64m full"), 0);
    assert_int_equal(stored_write(&stored, batch), STATUS_OK);
    assert_int_equal(stored_flush(&stored), STATUS_OK);
    batch_free(batch);
    stored_close(&stored);
    assert_int_equal(stored_count("sqlite3 full/o.db 'select count(distinct id) from orders'"), 20010);
    assert_int_equal(stored_count("sqlite3 full/o.db 'select count(*) from orders'"), 20010);
    assert_int_equal(system("umount full"), 0);
    stored_fini(&stored);
}

static void a_killed_process_leaves_whole_flushes(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct stored stored;
        int said[2], number, durable = 0;
        stored_init(&stored, &sqlite_store, APPEND);
        assert_int_equal(pipe(said), 0);
        pid_t child = fork();
        if (child == 0) {
            for (int i = 0; i < 100000; i++) {
                stored_put(&stored, i * 100, 100);
                if (write(said[1], &i, sizeof i) != sizeof i)
                    _exit(1);
            }
            _exit(0);
        }
        close(said[1]);
        while (durable <= round * 5 && read(said[0], &number, sizeof number) == sizeof number)
            durable = number + 1;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(said[0], &number, sizeof number) == sizeof number)
            durable = number + 1;
        close(said[0]);
        assert_true(ask("select count(*) from orders") >= durable * 100);
        assert_int_equal(ask("select count(*) % 100 from orders"), 0);
        stored_fini(&stored);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_there_after_the_flush_and_not_before),
        cmocka_unit_test(values_keep_their_types),
        cmocka_unit_test(an_upsert_keeps_the_last_of_a_key),
        cmocka_unit_test(a_row_that_the_table_refuses_is_the_only_one_rejected),
        cmocka_unit_test(a_table_without_a_column_is_refused_by_name),
        cmocka_unit_test(a_locked_database_is_a_failure_that_passes),
        cmocka_unit_test(a_full_disk_is_a_failure_that_passes_and_leaves_no_half_flush),
        cmocka_unit_test(a_killed_process_leaves_whole_flushes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
