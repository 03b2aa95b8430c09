/* The PostgreSQL store on a real server: WEIR_TEST_POSTGRES is a connection string of libpq, of a superuser. Each test has a schema of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libpq-fe.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "tests/support/stored.h"

extern const struct store_type postgres_store;

struct scene {
    struct stored stored;
    PGconn *pg; /* the test's own connection */
};

static const char *dsn(void)
{
    const char *text = getenv("WEIR_TEST_POSTGRES");
    if (text == NULL)
        fail_msg("WEIR_TEST_POSTGRES is not set");
    return text;
}

/* Statements that must go well. */
static void run(struct scene *scene, const char *sql)
{
    PGresult *result = PQexec(scene->pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(scene->pg));
    PQclear(result);
}

/* The first value of a query's answer, as a text that lives until the next call. */
static const char *ask(struct scene *scene, const char *sql)
{
    static char text[4096];
    PGresult *result = PQexec(scene->pg, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) == 0)
        fail_msg("%s: %s", sql, PQerrorMessage(scene->pg));
    snprintf(text, sizeof text, "%s", PQgetisnull(result, 0, 0) ? "NULL" : PQgetvalue(result, 0, 0));
    PQclear(result);
    return text;
}

static long count(struct scene *scene, const char *sql)
{
    return strtol(ask(scene, sql), NULL, 10);
}

/* yaml: what stands beside dsn. setup: run in a schema of its own. */
static void begin(struct scene *scene, const char *setup, const char *yaml)
{
    char text[4096];
    scene->pg = PQconnectdb(dsn());
    if (PQstatus(scene->pg) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(scene->pg));
    run(scene,
        "set client_min_messages = warning; drop schema if exists t cascade; create schema t; set search_path = t");
    run(scene, setup);
    snprintf(text, sizeof text, "{dsn: \"%s\", %s}", dsn(), yaml);
    stored_init(&scene->stored, &postgres_store, text);
}

static void end(struct scene *scene)
{
    stored_fini(&scene->stored);
    run(scene, "drop schema if exists t cascade");
    PQfinish(scene->pg);
}

static void open_store(struct scene *scene)
{
    if (stored_open(&scene->stored) != STATUS_OK)
        fail_msg("open: %s", scene->stored.error.text);
}

static void put(struct scene *scene, struct batch *batch)
{
    if (stored_write(&scene->stored, batch) != STATUS_OK || stored_flush(&scene->stored) != STATUS_OK)
        fail_msg("write or flush: %s", scene->stored.error.text);
    batch_free(batch);
}

static const char ORDERS[] = "create table orders (id bigint primary key, name text)";
static const char APPEND[] = "table: t.orders, columns: {id: .id, name: .name}";
static const char UPSERT[] = "table: t.orders, mode: upsert, key: [id], columns: {name: .name, id: .id}";

static void rows_are_there_after_the_flush_and_not_before(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, ORDERS, APPEND);
    open_store(&scene);
    struct batch *batch = stored_batch(&scene.stored, 0, 1000);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    assert_int_equal(count(&scene, "select count(*) from orders"), 0);
    assert_int_equal(stored_flush(&scene.stored), STATUS_OK);
    assert_int_equal(count(&scene, "select count(distinct id) from orders where name = 'n-' || id"), 1000);
    batch_free(batch);
    end(&scene);
}

static void more_rows_than_a_statement_takes_are_one_transaction(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, ORDERS, APPEND);
    open_store(&scene);
    struct batch *batch = stored_batch(&scene.stored, 0, 60000);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    assert_int_equal(count(&scene, "select count(*) from orders"), 0);
    assert_int_equal(stored_flush(&scene.stored), STATUS_OK);
    assert_int_equal(count(&scene, "select count(distinct id) from orders where name = 'n-' || id"), 60000);
    assert_int_equal(count(&scene, "select count(distinct xmin::text) from orders"), 1);
    batch_free(batch);
    end(&scene);
}

static void an_upsert_keeps_the_last_of_a_key(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, ORDERS, UPSERT);
    open_store(&scene);
    struct batch *batch = records_batch(&scene.stored.records);
    for (int i = 0; i < 3000; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"id\":%d,\"name\":\"%d\"}", i % 700, i);
        records_add_json(batch, json);
    }
    put(&scene, batch);
    assert_int_equal(count(&scene, "select count(*) from orders"), 700);
    assert_int_equal(count(&scene, "select count(*) from orders where name::int >= 2300"), 700);
    put(&scene, stored_batch(&scene.stored, 0, 20000));
    assert_int_equal(count(&scene, "select count(*) from orders where name = 'n-' || id"), 20000);
    end(&scene);
}

/* Statements on the table, failed ones too: nextval is not undone. */
static const char COUNTING[] =
    "create table orders (id bigint check (id not in (500, 777)), name text); create sequence statements;"
    "create function note() returns trigger language plpgsql as 'begin perform nextval(''t.statements''); return null; "
    "end';"
    "create trigger note before insert on orders for each statement execute function note()";

static void a_row_that_the_server_refuses_is_found_in_few_statements(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, COUNTING, APPEND);
    open_store(&scene);
    struct batch *batch = stored_batch(&scene.stored, 0, 1000);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    assert_int_equal(stored_flush(&scene.stored), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_RECORD);
    for (uint32_t i = 0; i < batch->count; i++)
        assert_int_equal(batch->records[i].answer, i == 500 || i == 777 ? STAGE_REJECT : STAGE_FORWARD);
    assert_string_equal(batch->records[500].failure->class, "constraint");
    assert_non_null(strstr(batch->records[500].failure->message, "orders_id_check"));
    assert_true(count(&scene, "select last_value from statements") < 25);
    assert_int_equal(count(&scene, "select count(*) from orders"), 0);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    assert_int_equal(stored_flush(&scene.stored), STATUS_OK);
    assert_int_equal(count(&scene, "select count(*) from orders"), 998);
    batch_free(batch);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_there_after_the_flush_and_not_before),
        cmocka_unit_test(more_rows_than_a_statement_takes_are_one_transaction),
        cmocka_unit_test(an_upsert_keeps_the_last_of_a_key),
        cmocka_unit_test(a_row_that_the_server_refuses_is_found_in_few_statements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
