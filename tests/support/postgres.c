#include "tests/support/postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "processor/clock.h"

extern const struct store_type postgres_store;

const char POSTGRES_ORDERS[] = "create table orders (id bigint primary key, name text)";
const char POSTGRES_APPEND[] = "table: t.orders, columns: {id: .id, name: .name}";
const char POSTGRES_UPSERT[] = "table: t.orders, mode: upsert, key: [id], columns: {name: .name, id: .id}";

const char *postgres_scene_dsn(void)
{
    const char *text = getenv("WEIR_TEST_POSTGRES");
    if (text == NULL)
        fail_msg("WEIR_TEST_POSTGRES is not set");
    return text;
}

void postgres_scene_run(struct postgres_scene *scene, const char *sql)
{
    PGresult *result = PQexec(scene->pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(scene->pg));
    PQclear(result);
}

const char *postgres_scene_ask(struct postgres_scene *scene, const char *sql)
{
    static char text[4096];
    PGresult *result = PQexec(scene->pg, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) == 0)
        fail_msg("%s: %s", sql, PQerrorMessage(scene->pg));
    snprintf(text, sizeof text, "%s", PQgetisnull(result, 0, 0) ? "NULL" : PQgetvalue(result, 0, 0));
    PQclear(result);
    return text;
}

long postgres_scene_count(struct postgres_scene *scene, const char *sql)
{
    return strtol(postgres_scene_ask(scene, sql), NULL, 10);
}

void postgres_scene_await(struct postgres_scene *scene, const char *sql, long count)
{
    int64_t until = clock_now() + 10 * CLOCK_SECOND;
    while (postgres_scene_count(scene, sql) != count) {
        if (clock_now() > until)
            fail_msg("%s: not %ld within 10 s", sql, count);
        /* Within a transaction, the first look at the statistics would hold for all. */
        postgres_scene_run(scene, "select pg_stat_clear_snapshot(), pg_sleep(0.01)");
    }
}

void postgres_scene_begin_at(struct postgres_scene *scene, const char *dsn, const char *setup, const char *yaml)
{
    char text[4096];
    scene->pg = PQconnectdb(postgres_scene_dsn());
    if (PQstatus(scene->pg) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(scene->pg));
    postgres_scene_run(scene,
                       "set client_min_messages = warning; drop schema if exists t cascade; create schema t; set "
                       "search_path = t");
    postgres_scene_run(scene, setup);
    snprintf(text, sizeof text, "{dsn: \"%s\", %s}", dsn, yaml);
    stored_init(&scene->stored, &postgres_store, text);
}

void postgres_scene_begin(struct postgres_scene *scene, const char *setup, const char *yaml)
{
    postgres_scene_begin_at(scene, postgres_scene_dsn(), setup, yaml);
}

void postgres_scene_end(struct postgres_scene *scene)
{
    stored_fini(&scene->stored);
    postgres_scene_run(scene, "drop schema if exists t cascade");
    PQfinish(scene->pg);
}

void postgres_scene_open(struct postgres_scene *scene)
{
    if (stored_open(&scene->stored) != STATUS_OK)
        fail_msg("open: %s", scene->stored.error.text);
}

void postgres_scene_put(struct postgres_scene *scene, struct batch *batch)
{
    if (stored_write(&scene->stored, batch) != STATUS_OK || stored_flush(&scene->stored) != STATUS_OK)
        fail_msg("write or flush: %s", scene->stored.error.text);
    batch_free(batch);
}

void postgres_scene_put_json(struct postgres_scene *scene, const char *json)
{
    struct batch *batch = records_batch(&scene->stored.records);
    records_add_json(batch, json);
    postgres_scene_put(scene, batch);
}

unsigned postgres_scene_settle(struct postgres_scene *scene, struct batch **batches, unsigned count)
{
    for (unsigned tries = 1;; tries++) {
        for (unsigned i = 0; i < count; i++) {
            if (stored_write(&scene->stored, batches[i]) != STATUS_OK)
                fail_msg("write: %s", scene->stored.error.text);
        }
        enum status status = stored_flush(&scene->stored);
        if (status == STATUS_OK)
            return tries;
        if (status != STATUS_FAILED || scene->stored.error.class != ERROR_RECORD || tries > 5)
            fail_msg("flush: %s", scene->stored.error.text);
    }
}

unsigned postgres_scene_rejected(struct batch **batches, unsigned count)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < count; i++) {
        for (uint32_t j = 0; j < batches[i]->count; j++)
            sum += batches[i]->records[j].answer == STAGE_REJECT;
    }
    return sum;
}
