/* Exactly once: the offsets in PostgreSQL, moved with the rows or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "tests/support/postgres.h"

static void begin(struct postgres_scene *scene, const char *yaml)
{
    postgres_scene_begin(scene, POSTGRES_ORDERS, yaml);
    scene->stored.env.exactly_once = true;
    postgres_scene_open(scene);
}

static enum status move(struct postgres_scene *scene, const struct offset_move *moves, unsigned count)
{
    struct stored *stored = &scene->stored;
    return stored->type->offsets->move(stored->store, moves, count, stored->context, &stored->error);
}

static int64_t read_one(struct postgres_scene *scene, const char *topic, int32_t partition)
{
    struct stored *stored = &scene->stored;
    struct offset_start starts[] = {{"other", 7, 5}, {topic, partition, 5}};
    enum status status = stored->type->offsets->read(parsed_config(stored->parsed), &stored->env, starts, 2,
                                                     stored->context, &stored->error);
    if (status != STATUS_OK)
        fail_msg("read: %s", stored->error.text);
    assert_int_equal(starts[0].offset, -1);
    return starts[1].offset;
}

/* Rows from `from` on, and the offset behind them. */
static enum status store(struct postgres_scene *scene, int from, unsigned count, int64_t moved_from)
{
    const struct offset_move moves[] = {{"or\"de,rs", 3, moved_from, from + (int64_t)count}};
    struct batch *batch = stored_batch(&scene->stored, from, count);
    enum status status = stored_write(&scene->stored, batch);
    if (status == STATUS_OK)
        status = move(scene, moves, 1);
    if (status == STATUS_OK)
        status = stored_flush(&scene->stored);
    batch_free(batch);
    return status;
}

static void offsets_move_with_the_rows(void **state)
{
    (void)state;
    struct postgres_scene scene;
    begin(&scene, POSTGRES_APPEND);
    assert_int_equal(read_one(&scene, "or\"de,rs", 3), -1);
    assert_int_equal(store(&scene, 0, 100, -1), STATUS_OK);
    assert_int_equal(store(&scene, 100, 20000, 100), STATUS_OK);
    assert_int_equal(read_one(&scene, "or\"de,rs", 3), 20100);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 20100);
    assert_string_equal(postgres_scene_ask(&scene, "select service || ' ' || topic from weir_offsets"),
                        "test or\"de,rs");
    postgres_scene_end(&scene);
}

static void several_partitions_move_together_and_without_rows(void **state)
{
    (void)state;
    struct postgres_scene scene;
    begin(&scene, POSTGRES_APPEND);
    const struct offset_move first[] = {{"a", 0, -1, 5}, {"a", 1, -1, 7}, {"b", 0, -1, 9}};
    const struct offset_move second[] = {{"a", 0, 5, 6}, {"b", 1, -1, 2}, {"b", 0, 9, 10}};
    assert_int_equal(move(&scene, first, 3), STATUS_OK);
    assert_int_equal(stored_flush(&scene.stored), STATUS_OK);
    assert_int_equal(move(&scene, second, 3), STATUS_OK);
    assert_int_equal(stored_flush(&scene.stored), STATUS_OK);
    assert_string_equal(postgres_scene_ask(&scene,
                                           "select string_agg(topic || partition || '=' || \"offset\", ' ' order "
                                           "by topic, partition) from weir_offsets"),
                        "a0=6 a1=7 b0=10 b1=2");
    postgres_scene_end(&scene);
}

static void whoever_comes_second_is_fenced_and_stores_nothing(void **state)
{
    (void)state;
    struct postgres_scene scene;
    begin(&scene, POSTGRES_APPEND);
    assert_int_equal(store(&scene, 0, 100, -1), STATUS_OK);
    postgres_scene_run(&scene, "update weir_offsets set \"offset\" = 150");
    assert_int_equal(store(&scene, 100, 100, 100), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_RESTART);
    assert_non_null(strstr(scene.stored.error.text, "fenced"));
    assert_int_equal(store(&scene, 100, 100, -1), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_RESTART);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 100);
    postgres_scene_end(&scene);
}

static void what_is_stored_already_is_not_stored_again(void **state)
{
    (void)state;
    struct postgres_scene scene;
    begin(&scene, "table: t.orders, columns: {name: .name, id: .id}");
    assert_int_equal(store(&scene, 0, 100, -1), STATUS_OK);
    /* Rows that do not clash, so that only the offsets tell. */
    postgres_scene_run(&scene, "alter table orders drop constraint orders_pkey");
    assert_int_equal(store(&scene, 0, 100, -1), STATUS_OK);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 100);
    assert_int_equal(store(&scene, 100, 100, 100), STATUS_OK);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 200);
    postgres_scene_end(&scene);
}

/* A commit that comes through and whose connection is cut before it says so: a deferred trigger asks for that from another session. */
static const char CUTTING[] =
    "create table orders (id bigint primary key, name text); create function cut() returns trigger language plpgsql as "
    "'begin perform pg_terminate_backend(pg_backend_pid()); return null; end'";

static void rows_of_a_commit_that_was_cut_are_looked_for_before_they_come_again(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, CUTTING, POSTGRES_APPEND);
    scene.stored.env.exactly_once = true;
    postgres_scene_open(&scene);
    postgres_scene_run(&scene, "create constraint trigger cut after insert on orders deferrable initially deferred for "
                               "each row when (new.id = 99) execute function cut()");
    /* Cut in the commit, and rolled back. */
    assert_int_equal(store(&scene, 0, 100, -1), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_TRANSIENT);
    if (strstr(scene.stored.error.text, "commit") == NULL)
        fail_msg("%s", scene.stored.error.text);
    postgres_scene_run(&scene, "drop trigger cut on orders");
    assert_int_equal(store(&scene, 0, 100, -1), STATUS_OK);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 100);
    postgres_scene_run(&scene, "create constraint trigger cut after insert on orders deferrable initially deferred for "
                               "each row when (new.id = 199) execute function cut()");
    assert_int_equal(store(&scene, 100, 100, 100), STATUS_FAILED);
    /* As if it had come through. */
    postgres_scene_run(&scene, "drop trigger cut on orders; insert into orders select i, 'n-' || i from "
                               "generate_series(100, 199) i; update weir_offsets set \"offset\" = 200");
    assert_int_equal(store(&scene, 100, 100, 100), STATUS_OK);
    assert_int_equal(store(&scene, 200, 100, 200), STATUS_OK);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 300);
    postgres_scene_end(&scene);
}

static void what_comes_after_a_flush_that_was_given_up_is_stored_whatever_became_of_that(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, CUTTING, POSTGRES_APPEND);
    scene.stored.env.exactly_once = true;
    postgres_scene_open(&scene);
    assert_int_equal(store(&scene, 0, 100, -1), STATUS_OK);
    postgres_scene_run(&scene, "create constraint trigger cut after insert on orders deferrable initially deferred for "
                               "each row when (new.id = 199) execute function cut()");
    assert_int_equal(store(&scene, 100, 100, 100), STATUS_FAILED);
    postgres_scene_run(&scene, "drop trigger cut on orders; insert into orders select i, 'n-' || i from "
                               "generate_series(100, 199) i; update weir_offsets set \"offset\" = 200");
    /* It comes again, and its partition is taken from us. */
    struct batch *batch = stored_batch(&scene.stored, 100, 100);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    scene.stored.type->offsets->discard(scene.stored.store);
    batch_free(batch);
    /* Of another partition, or the same one after it came back: it may be refused once, and is stored then. */
    const struct offset_move moves[] = {{"other", 1, -1, 300}};
    batch = stored_batch(&scene.stored, 200, 100);
    enum status status = STATUS_FAILED;
    for (int i = 0; i < 2 && status != STATUS_OK; i++) {
        assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
        status = move(&scene, moves, 1);
        assert_true(status == STATUS_OK || scene.stored.error.class == ERROR_TRANSIENT);
    }
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(stored_flush(&scene.stored), STATUS_OK);
    batch_free(batch);
    assert_int_equal(read_one(&scene, "other", 1), 300);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 300);
    postgres_scene_end(&scene);
}

static void what_is_discarded_is_not_stored(void **state)
{
    (void)state;
    struct postgres_scene scene;
    begin(&scene, POSTGRES_APPEND);
    struct batch *batch = stored_batch(&scene.stored, 0, 20000);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    scene.stored.type->offsets->discard(scene.stored.store);
    batch_free(batch);
    assert_int_equal(postgres_scene_count(&scene,
                                          "select count(*) from pg_locks l join pg_class c on c.oid = l.relation "
                                          "where c.relname = 'orders' and l.pid <> pg_backend_pid()"),
                     0);
    assert_int_equal(store(&scene, 20000, 10, -1), STATUS_OK);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 10);
    postgres_scene_end(&scene);
}

static void a_wrong_row_moves_no_offset(void **state)
{
    (void)state;
    struct postgres_scene scene;
    begin(&scene, POSTGRES_APPEND);
    postgres_scene_run(&scene, "alter table orders add check (id <> 50)");
    const struct offset_move moves[] = {{"orders", 0, -1, 100}};
    struct batch *batch = stored_batch(&scene.stored, 0, 100);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    assert_int_equal(move(&scene, moves, 1), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_RECORD);
    assert_int_equal(batch->records[50].answer, STAGE_REJECT);
    assert_int_equal(read_one(&scene, "orders", 0), -1);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    assert_int_equal(move(&scene, moves, 1), STATUS_OK);
    assert_int_equal(stored_flush(&scene.stored), STATUS_OK);
    assert_int_equal(read_one(&scene, "orders", 0), 100);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 99);
    batch_free(batch);
    postgres_scene_end(&scene);
}

/* Who may write the table, and neither make the offsets' nor change them. */
static void a_right_that_is_missing_for_the_offsets_is_told(void **state)
{
    (void)state;
    struct postgres_scene scene;
    char dsn[512], setup[1024];
    snprintf(dsn, sizeof dsn, "%s user=weir_clerk password=clerk", postgres_scene_dsn());
    snprintf(setup, sizeof setup,
             "do $$ begin create role weir_clerk login password 'clerk'; exception when duplicate_object then null; "
             "end $$; %s; grant usage on schema t to weir_clerk; grant insert on orders to weir_clerk",
             POSTGRES_ORDERS);
    postgres_scene_begin_at(&scene, dsn, setup, POSTGRES_APPEND);
    scene.stored.env.exactly_once = true;
    assert_int_equal(stored_open(&scene.stored), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, ERROR_FATAL);
    assert_non_null(
        strstr(scene.stored.error.text, "\"t\".weir_offsets, which is not there, and this user may not make it"));
    postgres_scene_run(&scene,
                       "create table weir_offsets (service text, topic text, partition int, \"offset\" bigint, "
                       "primary key (service, topic, partition)); grant select, insert on weir_offsets to weir_clerk");
    assert_int_equal(stored_open(&scene.stored), STATUS_FAILED);
    assert_non_null(strstr(scene.stored.error.text, "which this user may not change: GRANT SELECT, INSERT, UPDATE"));
    postgres_scene_run(&scene, "grant update on weir_offsets to weir_clerk");
    assert_int_equal(stored_open(&scene.stored), STATUS_OK);
    assert_int_equal(store(&scene, 0, 10, -1), STATUS_OK);
    postgres_scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_move_with_the_rows),
        cmocka_unit_test(several_partitions_move_together_and_without_rows),
        cmocka_unit_test(whoever_comes_second_is_fenced_and_stores_nothing),
        cmocka_unit_test(what_is_stored_already_is_not_stored_again),
        cmocka_unit_test(rows_of_a_commit_that_was_cut_are_looked_for_before_they_come_again),
        cmocka_unit_test(what_comes_after_a_flush_that_was_given_up_is_stored_whatever_became_of_that),
        cmocka_unit_test(what_is_discarded_is_not_stored),
        cmocka_unit_test(a_wrong_row_moves_no_offset),
        cmocka_unit_test(a_right_that_is_missing_for_the_offsets_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
