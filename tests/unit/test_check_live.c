/* What `weir check` finds by opening what a config names, as far as that needs no broker. The tests run as whoever, so folders that may not be written to are left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "processor/clock.h"
#include "processor/log.h"
#include "tests/support/checked.h"

#define HEAD "service: s\nsource: {kafka: {brokers: \"127.0.0.1:1\", group: g, topics: [t]}}\n"

static char folder[64], home[4096];

/* Each test in a folder of its own. */
static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/weir-check-XXXXXX");
    return getcwd(home, sizeof home) != NULL && mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir(home) == 0 && system(command) == 0 ? 0 : -1;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void execute(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void assert_nothing_made(void)
{
    assert_int_equal(rmdir(folder), 0); /* it is empty */
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(chdir(folder), 0);
}

/* -- files of stages -- */

static void check_lookup(struct checked *checked, const char *lookup)
{
    char yaml[512];
    snprintf(yaml, sizeof yaml, HEAD "stages:\n  - decode: {}\n  - enrich: [lookup: %s]\n  - store: {stdout: {}}\n",
             lookup);
    checked_init(checked, yaml, 0);
}

static void a_table_that_is_missing_or_broken_is_told_at_its_name(void **state)
{
    (void)state;
    struct checked checked;
    check_lookup(&checked, "{table: c.csv, match: id, fields: [name]}");
    checked_assert_place(&checked, "5:30: stages[1].enrich[0].lookup.table: ./c.csv: can't be opened: No such file");
    checked_assert_counts(&checked, 1, 0);
    checked_fini(&checked);
    write_text("c.csv", "id,name\n1,Ada,too much\n");
    check_lookup(&checked, "{table: c.csv, match: id, fields: [name]}");
    checked_assert_place(&checked, "5:30: stages[1].enrich[0].lookup.table: ./c.csv:2: expected 2 values");
    checked_assert_counts(&checked, 1, 0);
    checked_fini(&checked);
    check_lookup(&checked, "{table: c.csv, match: customer, fields: [name]}");
    checked_assert_place(&checked, "5:30: stages[1].enrich[0].lookup.table: ./c.csv:1: expected a column 'customer'");
    checked_fini(&checked);
}

static void every_column_that_a_table_lacks_is_told_at_its_place(void **state)
{
    (void)state;
    struct checked checked;
    write_text("c.csv", "id,name\n1,Ada\n");
    check_lookup(&checked, "{table: c.csv, match: id, fields: [nam, name, tier]}");
    checked_assert_place(&checked, "5:57: stages[1].enrich[0].lookup.fields[0]: ./c.csv:1: expected a column 'nam'");
    checked_assert_place(&checked, "5:68: stages[1].enrich[0].lookup.fields[2]: ./c.csv:1: expected a column 'tier'");
    checked_assert_counts(&checked, 2, 0);
    checked_fini(&checked);
    /* Where rows need not have it, that is only worth a word. */
    write_text("c.ndjson", "{\"id\": 1, \"name\": \"Ada\"}\n");
    check_lookup(&checked, "{table: c.ndjson, match: id, fields: [name, tier]}");
    checked_assert_place(&checked, "5:66: warning: stages[1].enrich[0].lookup.fields[1]: ./c.ndjson: no row has");
    checked_assert_counts(&checked, 0, 0);
    checked_fini(&checked);
    check_lookup(&checked, "{table: c.csv, match: id, fields: name}");
    assert_string_equal(checked.words, "");
    checked_fini(&checked);
}

static void a_dictionary_that_is_missing_is_told_at_its_stage(void **state)
{
    (void)state;
    struct checked checked;
    checked_init(&checked,
                 HEAD "stages:\n  - decode: {compression: zstd, dictionary: d.zst}\n  - store: {stdout: {}}\n", 0);
    checked_assert_place(&checked, "4:5: stages[0].decode: ./d.zst: can't be opened: No such file");
    checked_assert_counts(&checked, 1, 0);
    checked_fini(&checked);
}

/* -- stores; the source is out of reach -- */

static void check_store(struct checked *checked, const char *store)
{
    char yaml[512];
    snprintf(yaml, sizeof yaml, HEAD "stages:\n  - decode: {}\n  - store: {%s}\n", store);
    checked_init(checked, yaml, 300 * CLOCK_MS);
    checked_assert_place(checked, "2:28: source.kafka.brokers: expected a broker that answers in time: ");
}

static void a_database_is_looked_at_and_not_made(void **state)
{
    (void)state;
    struct checked checked;
    check_store(&checked, "sqlite: {path: x.db, table: t, columns: {a: .a}}");
    checked_assert_counts(&checked, 0, 1);
    checked_fini(&checked);
    check_store(&checked, "sqlite: {path: no/x.db, table: t, columns: {a: .a}}");
    checked_assert_place(&checked, "5:28: stages[1].store.sqlite.path: expected the folder no, which SQLite does not");
    checked_assert_counts(&checked, 1, 1);
    checked_fini(&checked);
    assert_nothing_made();
}

static void a_table_is_compared_with_the_columns_and_not_changed(void **state)
{
    (void)state;
    struct checked checked;
    execute("x.db", "create table t (a, b)");
    check_store(&checked, "sqlite: {path: x.db, table: t, columns: {a: .a, c: .c, d: .d}}");
    checked_assert_place(&checked, "5:64: stages[1].store.sqlite.columns.c: table \"t\" in x.db has no column \"c\" "
                                   "(it has: a, b)");
    checked_assert_place(&checked, "5:71: stages[1].store.sqlite.columns.d: table \"t\" in x.db has no column \"d\"");
    checked_assert_counts(&checked, 2, 1);
    checked_fini(&checked);
    check_store(&checked, "sqlite: {path: x.db, table: t, mode: upsert, key: [a], columns: {a: .a}}");
    checked_assert_place(&checked, "5:13: stages[1].store.sqlite: SQLite database x.db: cannot prepare the insert: ON "
                                   "CONFLICT clause does not match");
    checked_assert_counts(&checked, 1, 1);
    checked_fini(&checked);
    /* A table that is missing would be made, and is not. */
    check_store(&checked, "sqlite: {path: x.db, table: other, columns: {a: .a}}");
    checked_assert_counts(&checked, 0, 1);
    checked_fini(&checked);
    execute("x.db", "create table other (x); drop table t");
    assert_int_equal(unlink("x.db"), 0);
    assert_nothing_made(); /* neither the log's files are left */
}

static void a_file_that_is_no_database_is_told(void **state)
{
    (void)state;
    struct checked checked;
    write_text("x.db", "these are not the bytes that you are looking for, whatever the length of the text may be\n");
    check_store(&checked, "sqlite: {path: x.db, table: t, columns: {a: .a}}");
    checked_assert_place(&checked, "5:13: stages[1].store.sqlite: SQLite database x.db: ");
    checked_assert_counts(&checked, 1, 1);
    checked_fini(&checked);
}

/* Readers of a database in the old journal mode wait for a writer. */
static void a_database_that_stays_locked_is_out_of_reach(void **state)
{
    (void)state;
    struct checked checked;
    sqlite3 *db;
    assert_int_equal(sqlite3_open("x.db", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "create table t (a); begin exclusive", NULL, NULL, NULL), SQLITE_OK);
    check_store(&checked, "sqlite: {path: x.db, table: t, columns: {a: .a}}");
    checked_assert_place(&checked, "5:13: stages[1].store.sqlite: until the deadline: SQLite database x.db: ");
    checked_assert_counts(&checked, 0, 2);
    checked_fini(&checked);
    sqlite3_close(db);
}

static void folders_for_files_are_looked_at_and_not_made(void **state)
{
    (void)state;
    struct checked checked;
    check_store(&checked, "file: {path: 'out/%Y/orders-%p-%i.ndjson'}");
    checked_assert_counts(&checked, 0, 1);
    checked_fini(&checked);
    assert_nothing_made();
    write_text("out", "in the way");
    check_store(&checked, "file: {path: 'out/%Y/orders-%p-%i.ndjson'}");
    checked_assert_place(&checked, "5:27: stages[1].store.file.path: expected a folder for the files, and out is none");
    checked_assert_counts(&checked, 1, 1);
    checked_fini(&checked);
}

static void brokers_of_a_store_are_asked_too(void **state)
{
    (void)state;
    struct checked checked;
    int64_t began = clock_now();
    check_store(&checked, "kafka: {brokers: \"127.0.0.1:2\", topic: out}");
    checked_assert_place(&checked, "5:31: stages[1].store.kafka.brokers: expected a broker that answers in time: ");
    checked_assert_counts(&checked, 0, 2);
    assert_non_null(strstr(checked.words, "Connection refused"));
    assert_true(clock_now() - began < 20 * CLOCK_SECOND);
    checked_fini(&checked);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_table_that_is_missing_or_broken_is_told_at_its_name),
        TEST(every_column_that_a_table_lacks_is_told_at_its_place),
        TEST(a_dictionary_that_is_missing_is_told_at_its_stage),
        TEST(a_database_is_looked_at_and_not_made),
        TEST(a_table_is_compared_with_the_columns_and_not_changed),
        TEST(a_file_that_is_no_database_is_told),
        TEST(a_database_that_stays_locked_is_out_of_reach),
        TEST(folders_for_files_are_looked_at_and_not_made),
        TEST(brokers_of_a_store_are_asked_too),
    };
    log_set(LOG_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
