/* Rows that only the server finds wrong: told apart from the others, in few statements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "tests/support/postgres.h"

/* Statements on the table, failed ones too: nextval is not undone. */
static const char COUNTING[] =
    "create table orders (id bigint check (id not in (500, 777)), name text); create sequence statements;"
    "create function note() returns trigger language plpgsql as 'begin perform nextval(''t.statements''); return null; "
    "end';"
    "create trigger note before insert on orders for each statement execute function note()";

static void a_row_that_the_server_refuses_is_found_in_few_statements(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, COUNTING, POSTGRES_APPEND);
    postgres_scene_open(&scene);
    struct batch *batch = stored_batch(&scene.stored, 0, 1000);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    assert_int_equal(stored_flush(&scene.stored), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_RECORD);
    for (uint32_t i = 0; i < batch->count; i++)
        assert_int_equal(batch->records[i].answer, i == 500 || i == 777 ? STAGE_REJECT : STAGE_FORWARD);
    assert_string_equal(batch->records[500].failure->class, "constraint");
    assert_non_null(strstr(batch->records[500].failure->message, "orders_id_check"));
    assert_true(postgres_scene_count(&scene, "select last_value from statements") < 25);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 0);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    assert_int_equal(stored_flush(&scene.stored), STATUS_OK);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 998);
    batch_free(batch);
    postgres_scene_end(&scene);
}

static void free_all(struct batch **batches, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        batch_free(batches[i]);
}

/* `bad`: a condition on id. Returns the statements that it took. */
static long find_wrong(const char *yaml, const char *bad, unsigned batch_count, unsigned expected)
{
    struct postgres_scene scene;
    struct batch *batches[16];
    char setup[1024];
    snprintf(setup, sizeof setup,
             "%s; alter table orders drop constraint orders_id_check; create unique index on orders (id);"
             "alter table orders add constraint bad check (not (%s))",
             COUNTING, bad);
    postgres_scene_begin(&scene, setup, yaml);
    postgres_scene_open(&scene);
    for (unsigned i = 0; i < batch_count; i++)
        batches[i] = stored_batch(&scene.stored, (int)i * 1000, 1000);
    assert_int_equal(postgres_scene_settle(&scene, batches, batch_count), 2);
    assert_int_equal(postgres_scene_rejected(batches, batch_count), expected);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), batch_count * 1000 - expected);
    long statements = postgres_scene_count(&scene, "select last_value from statements");
    free_all(batches, batch_count);
    postgres_scene_end(&scene);
    return statements;
}

static void many_wrong_rows_cost_few_statements_each(void **state)
{
    (void)state;
    assert_true(find_wrong(POSTGRES_APPEND, "id = 7321", 10, 1) < 30);
    assert_true(find_wrong(POSTGRES_UPSERT, "id = 321", 1, 1) < 30);
    assert_true(find_wrong(POSTGRES_UPSERT, "id = 7321", 10, 1) < 40);
    assert_true(find_wrong(POSTGRES_APPEND, "id % 1000 = 1", 10, 10) < 250);
    assert_true(find_wrong(POSTGRES_APPEND, "id < 2000", 3, 2000) < 2100);
    assert_true(find_wrong(POSTGRES_APPEND, "id % 2 = 0", 1, 500) < 1600);
}

static void what_only_the_commit_finds_is_found(void **state)
{
    (void)state;
    struct postgres_scene scene;
    struct batch *batch;
    postgres_scene_begin(
        &scene,
        "create table customers (id bigint primary key); insert into customers select generate_series(0, 998);"
        "create table orders (id bigint references customers deferrable initially deferred, name text)",
        POSTGRES_APPEND);
    postgres_scene_open(&scene);
    batch = stored_batch(&scene.stored, 0, 1000);
    assert_int_equal(postgres_scene_settle(&scene, &batch, 1), 2);
    assert_int_equal(postgres_scene_rejected(&batch, 1), 1);
    assert_int_equal(batch->records[999].answer, STAGE_REJECT);
    assert_non_null(strstr(batch->records[999].failure->message, "[23503]"));
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 999);
    batch_free(batch);
    postgres_scene_end(&scene);
}

static void rows_that_clash_with_each_other_are_told_apart(void **state)
{
    (void)state;
    struct postgres_scene scene;
    struct batch *batches[2];
    postgres_scene_begin(&scene, POSTGRES_ORDERS, POSTGRES_APPEND);
    postgres_scene_open(&scene);
    batches[0] = stored_batch(&scene.stored, 0, 100);
    batches[1] = stored_batch(&scene.stored, 90, 100);
    assert_int_equal(postgres_scene_settle(&scene, batches, 2), 2);
    assert_int_equal(postgres_scene_rejected(batches, 2), 10);
    assert_int_equal(postgres_scene_rejected(batches, 1), 0);
    assert_string_equal(batches[1]->records[0].failure->class, "constraint");
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 190);
    free_all(batches, 2);
    postgres_scene_end(&scene);
}

static void a_trigger_may_refuse_a_row_in_its_own_words(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(
        &scene,
        "create table orders (id bigint, name text); create function no() returns trigger language plpgsql as "
        "'begin if new.id = 3 then raise exception ''three is not for us''; end if; return new; end';"
        "create trigger no before insert on orders for each row execute function no()",
        POSTGRES_APPEND);
    postgres_scene_open(&scene);
    struct batch *batch = stored_batch(&scene.stored, 0, 10);
    assert_int_equal(postgres_scene_settle(&scene, &batch, 1), 2);
    assert_int_equal(postgres_scene_rejected(&batch, 1), 1);
    assert_non_null(strstr(batch->records[3].failure->message, "three is not for us"));
    batch_free(batch);
    postgres_scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_that_the_server_refuses_is_found_in_few_statements),
        cmocka_unit_test(many_wrong_rows_cost_few_statements_each),
        cmocka_unit_test(what_only_the_commit_finds_is_found),
        cmocka_unit_test(rows_that_clash_with_each_other_are_told_apart),
        cmocka_unit_test(a_trigger_may_refuse_a_row_in_its_own_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
