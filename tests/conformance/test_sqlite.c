#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sqlite3.h>
#include <cmocka.h>

#include "tests/conformance/conformance.h"

extern const struct store_type sqlite_store;

static const char *path_of(const struct subject *subject)
{
    return subject->wishes.on_disk ? "full/o.db" : "o.db";
}

static void make_config(const struct subject *subject, char *yaml, size_t size)
{
    snprintf(yaml, size,
             "{path: %s, table: %s, busy_timeout: %s, columns: {id: {path: .id, type: integer}, name: .name}}",
             path_of(subject), subject->name, subject->wishes.patient ? "1h" : "50ms");
}

static void run(sqlite3 *database, const char *sql)
{
    char *words = NULL;
    if (sqlite3_exec(database, sql, NULL, NULL, &words) != SQLITE_OK)
        fail_msg("%s: %s", sql, words);
}

static sqlite3 *open_database(const struct subject *subject)
{
    sqlite3 *database;
    assert_int_equal(sqlite3_open(path_of(subject), &database), SQLITE_OK);
    sqlite3_busy_timeout(database, 10000);
    return database;
}

static void collect(struct subject *subject, struct tally *tally)
{
    char sql[128];
    sqlite3 *database = open_database(subject);
    sqlite3_stmt *statement;
    snprintf(sql, sizeof sql, "select id, name from %s order by rowid", subject->name);
    /* Else there is no such table yet. */
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK) {
        while (sqlite3_step(statement) == SQLITE_ROW)
            tally_row(tally, sqlite3_column_int64(statement, 0), (const char *)sqlite3_column_text(statement, 1));
        assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    }
    sqlite3_close(database);
}

static const char *make_unfit(struct subject *subject)
{
    char sql[128];
    sqlite3 *database = open_database(subject);
    snprintf(sql, sizeof sql, "create table %s (id integer)", subject->name);
    run(database, sql);
    sqlite3_close(database);
    return "name";
}

static struct record *add_bad(struct subject *subject, struct batch *batch, unsigned kind)
{
    static const char *const bad[] = {"{\"id\":\"seven\",\"name\":\"x\"}", "{\"id\":{\"a\":1}}", "{\"id\":1.5}"};
    (void)subject;
    return records_add_json(batch, bad[kind % 3]);
}

/* Another writer has the database. */
static void lock(struct subject *subject, bool on)
{
    if (on) {
        subject->own = open_database(subject);
        run(subject->own, "begin immediate");
        return;
    }
    run(subject->own, "rollback");
    sqlite3_close(subject->own);
    subject->own = NULL;
}

static bool disk(struct subject *subject, enum disk what)
{
    (void)subject;
    return conformance_disk("full", "256k", what);
}

static const struct conformance_mistake mistakes[] = {
    {"{path: o.db, table: t, columns: {id: '{{offset'}}", "1:39", "expected }}"},
    {"path: o.db\ntable: t\nmode: upset\ncolumns: {id: .id}\n", "3:7", "upsert"},
    {"path: o.db\ntable: t\ncolumns:\n  id: .id\n  name: {path: .name, type: strng}\n", "5:29", "text"},
    {"{path: o.db, table: t, mode: upsert, key: [idd], columns: {id: .id}}", "1:44", "did you mean \"id\""},
    {"{table: t, columns: {id: .id}}", "1:1", "path"},
    {NULL},
};

static const struct conformance_store store = {
    .name = "sqlite",
    .type = &sqlite_store,
    .config = make_config,
    .collect = collect,
    .mistakes = mistakes,
    .make_unfit = make_unfit,
    .add_bad = add_bad,
    .trouble = lock,
    .hang = lock,
    .disk = disk,
    .atomic = true,
    .no_server = "there is no server between the store and its file",
    .not_made = {[CASE_OPEN_HANGS] = "opening takes no lock that another writer holds"},
};

int main(int argc, char **argv)
{
    return conformance_main(&store, argc, argv);
}
