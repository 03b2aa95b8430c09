#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libpq-fe.h>
#include <cmocka.h>

#include "tests/conformance/servers.h"

extern const struct store_type postgres_store;

/* libpq takes the last of what is said twice. */
static void make_config(const struct subject *subject, char *yaml, size_t size)
{
    snprintf(yaml, size,
             "{dsn: '%s host=127.0.0.1 port=%u', table: %s, timeout: %s, create: true, columns: "
             "{id: {path: .id, type: bigint}, name: {path: .name, type: text}}}",
             postgres_conninfo(), subject_port(subject), subject->name, subject->wishes.patient ? "1h" : "3s");
}

static PGconn *connect_past_proxy(void)
{
    PGconn *connection = PQconnectdb(postgres_conninfo());
    if (PQstatus(connection) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(connection));
    return connection;
}

static void run(const char *sql)
{
    PGconn *connection = connect_past_proxy();
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
}

/* A table does not keep an order, so this one counts. */
static void make_table(struct subject *subject, const char *where)
{
    char sql[800];
    snprintf(sql, sizeof sql, "create table %s (id bigint, name text, place bigserial) %s", subject->name, where);
    run(sql);
}

static void prepare(struct subject *subject)
{
    if (!subject->wishes.bare && !subject->wishes.on_disk)
        make_table(subject, "");
}

static void collect(struct subject *subject, struct tally *tally)
{
    char sql[128];
    PGconn *connection = connect_past_proxy();
    snprintf(sql, sizeof sql, "select id, name from %s order by %s", subject->name,
             subject->wishes.bare ? "ctid" : "place");
    PGresult *result = PQexec(connection, sql);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    /* undefined_table: not yet. */
    if (PQresultStatus(result) != PGRES_TUPLES_OK && (state == NULL || strcmp(state, "42P01") != 0))
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    for (int i = 0; i < PQntuples(result); i++)
        tally_row(tally, atoll(PQgetvalue(result, i, 0)), PQgetvalue(result, i, 1));
    PQclear(result);
    PQfinish(connection);
}

static const char *make_unfit(struct subject *subject)
{
    char sql[128];
    snprintf(sql, sizeof sql, "create table %s (id text, name text)", subject->name);
    run(sql);
    return "id";
}

/* Some are refused by the store itself, some only by the server. */
static struct record *add_bad(struct subject *subject, struct batch *batch, unsigned kind)
{
    static const char *const bad[] = {"{\"id\":1,\"name\":\"refused\"}", "{\"id\":\"seven\",\"name\":\"x\"}",
                                      "{\"id\":2,\"name\":\"refused\"}", "{\"id\":9223372036854775808,\"name\":\"x\"}",
                                      "{\"id\":3,\"name\":\"a\\u0000b\"}"};
    char sql[256];
    if (kind == 0) {
        snprintf(sql, sizeof sql, "alter table %s add check (name <> 'refused')", subject->name);
        run(sql);
    }
    return records_add_json(batch, bad[kind % 5]);
}

/* A table on a small disk of its own (a tablespace), full of which is nothing else. */
static bool disk(struct subject *subject, enum disk what)
{
    static char folder[256];
    char sql[600];
    const char *dir = getenv("WEIR_TEST_POSTGRES_DIR");
    switch (what) {
    case DISK_MAKE:
        snprintf(folder, sizeof folder, "%s/disk-%s", dir, subject->name);
        if (!conformance_mount(folder, "512k", dir))
            return false;
        snprintf(sql, sizeof sql, "create tablespace %s location '%s'", subject->name, folder);
        run(sql);
        snprintf(sql, sizeof sql, "tablespace %s", subject->name);
        make_table(subject, sql);
        return true;
    case DISK_ROOM:
        conformance_enlarge(folder, "64m");
        return true;
    case DISK_REMOVE:
        snprintf(sql, sizeof sql, "drop table %s", subject->name);
        run(sql);
        snprintf(sql, sizeof sql, "drop tablespace %s", subject->name);
        run(sql);
        conformance_unmount(folder);
        return true;
    }
    return false;
}

static const struct conformance_mistake mistakes[] = {
    {"{dsn: 'hots=localhost', table: t, columns: {id: .id}}", "1:8", "did you mean \"host\""},
    {"dsn: host=localhost\ntable: t\ncolumns:\n  id: {path: .id, type: bigitn}\n", "4:25", "bigint"},
    {"{dsn: host=localhost, table: t, mode: upsert, key: [idd], columns: {id: .id}}", "1:53", "did you mean \"id\""},
    {"dsn: host=localhost\ntable: t\ncreate: true\ncolumns: {id: .id}\n", "4:15", "type"},
    {"{dsn: host=localhost, table: t, columns: {id: '{{offset'}}", "1:48", "expected }}"},
    {"{table: t, columns: {id: .id}}", "1:1", "dsn"},
    {NULL},
};

static const struct conformance_mark commit_mark = {"COMMIT", 6};

static const struct conformance_store store = {
    .name = "postgres",
    .type = &postgres_store,
    .server = &postgres_server,
    .config = make_config,
    .prepare = prepare,
    .collect = collect,
    .mistakes = mistakes,
    .make_unfit = make_unfit,
    .add_bad = add_bad,
    .disk = disk,
    .commit_mark = &commit_mark,
    .atomic = true,
};

int main(int argc, char **argv)
{
    return conformance_main(&store, argc, argv);
}
