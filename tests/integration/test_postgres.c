/* The PostgreSQL store on a real server: rows, upserts, types, and what is wrong with a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "tests/support/postgres.h"

static void rows_are_there_after_the_flush_and_not_before(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, POSTGRES_ORDERS, POSTGRES_APPEND);
    postgres_scene_open(&scene);
    struct batch *batch = stored_batch(&scene.stored, 0, 1000);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 0);
    assert_int_equal(stored_flush(&scene.stored), STATUS_OK);
    assert_int_equal(postgres_scene_count(&scene, "select count(distinct id) from orders where name = 'n-' || id"),
                     1000);
    batch_free(batch);
    postgres_scene_end(&scene);
}

static void more_rows_than_a_statement_takes_are_one_transaction(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, POSTGRES_ORDERS, POSTGRES_APPEND);
    postgres_scene_open(&scene);
    struct batch *batch = stored_batch(&scene.stored, 0, 60000);
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 0);
    assert_int_equal(stored_flush(&scene.stored), STATUS_OK);
    assert_int_equal(postgres_scene_count(&scene, "select count(distinct id) from orders where name = 'n-' || id"),
                     60000);
    assert_int_equal(postgres_scene_count(&scene, "select count(distinct xmin::text) from orders"), 1);
    batch_free(batch);
    postgres_scene_end(&scene);
}

static void an_upsert_keeps_the_last_of_a_key(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, POSTGRES_ORDERS, POSTGRES_UPSERT);
    postgres_scene_open(&scene);
    struct batch *batch = records_batch(&scene.stored.records);
    for (int i = 0; i < 3000; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"id\":%d,\"name\":\"%d\"}", i % 700, i);
        records_add_json(batch, json);
    }
    postgres_scene_put(&scene, batch);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 700);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders where name::int >= 2300"), 700);
    postgres_scene_put(&scene, stored_batch(&scene.stored, 0, 20000));
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders where name = 'n-' || id"), 20000);
    postgres_scene_end(&scene);
}

static void keys_that_only_the_server_knows_to_be_equal_are_one(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, "create table orders (id numeric primary key, name text)", POSTGRES_UPSERT);
    postgres_scene_open(&scene);
    struct batch *batch = records_batch(&scene.stored.records);
    records_add_json(batch, "{\"id\":1.0,\"name\":\"a\"}");
    records_add_json(batch, "{\"id\":2,\"name\":\"b\"}");
    records_add_json(batch, "{\"id\":1.00,\"name\":\"c\"}");
    postgres_scene_put(&scene, batch);
    assert_string_equal(postgres_scene_ask(&scene, "select string_agg(id::int || name, ',' order by id) from orders"),
                        "1c,2b");
    postgres_scene_end(&scene);
}

static void an_upsert_takes_arrays_and_tables_of_keys_alone(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, "create table orders (id bigint primary key, tags text[])",
                         "table: t.orders, mode: upsert, key: id, columns: {id: .id, tags: .tags}");
    postgres_scene_open(&scene);
    postgres_scene_put_json(&scene, "{\"id\":1,\"tags\":[\"a\"]}");
    postgres_scene_put_json(&scene, "{\"id\":1,\"tags\":[\"b\",\"c\"]}");
    assert_string_equal(postgres_scene_ask(&scene, "select id || tags::text from orders"), "1{b,c}");
    postgres_scene_end(&scene);

    postgres_scene_begin(&scene, "create table orders (a bigint, b text, primary key (b, a))",
                         "table: t.orders, mode: upsert, key: [a, b], columns: {a: .id, b: .name}");
    postgres_scene_open(&scene);
    postgres_scene_put(&scene, stored_batch(&scene.stored, 0, 10));
    postgres_scene_put(&scene, stored_batch(&scene.stored, 5, 10));
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 15);
    postgres_scene_end(&scene);
}

static void every_type_comes_back_as_it_was_sent(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(
        &scene,
        "create type mood as enum ('sad', 'ok'); create domain positive as int check (value > 0);"
        "create table orders (i2 int2, i4 int4, i8 int8, n numeric, n2 numeric(9,2), f4 float4, f8 float8, b bool, t "
        "text,"
        "v varchar(5), c char(3), u uuid, tz timestamptz, ts timestamp, d date, y bytea, j json, jb jsonb, m mood, p "
        "positive, ia int[], ta text[], na numeric[], ma mood[], z timestamptz[], empty int[], none text,"
        "id bigint generated by default as identity, now timestamptz not null default now())",
        "table: t.orders, columns: {i2: .i2, i4: .i4, i8: .i8, n: .n, n2: .n2, f4: .f4, f8: .f8, b: .b, t: .t, v: .v, "
        "c: .c, u: .u, tz: .tz, ts: .ts, d: .d, y: .y, j: .j, jb: .jb, m: .m, p: .p, ia: .ia, ta: .ta, na: .na, ma: "
        ".ma, z: .z, empty: .empty, none: .none}");
    postgres_scene_open(&scene);
    postgres_scene_put_json(
        &scene,
        "{\"i2\":-2,\"i4\":4,\"i8\":9007199254740993,\"n\":-123456789012345678901234567890.0123456789,\"n2\":\"12."
        "345\","
        "\"f4\":1.5,\"f8\":0.1,\"b\":true,\"t\":\"h\\u00e9\\n\",\"v\":\"abc\",\"c\":\"x\",\"u\":"
        "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\",\"tz\":\"2024-02-29T23:59:59.123456+02:00\",\"ts\":1700000000123,"
        "\"d\":\"2024-02-29\",\"y\":\"3q2+7w==\",\"j\":{\"a\": 1},\"jb\":{\"b\":[1,2],\"a\":null},\"m\":\"ok\",\"p\":7,"
        "\"ia\":[1,null,3],\"ta\":[\"a,b\",\"\"],\"na\":[0.5,1e3],\"ma\":[\"sad\"],\"z\":[\"2000-01-01\"],\"empty\":[]"
        "}");
    assert_string_equal(
        postgres_scene_ask(&scene, "select string_agg(c, '|') from (select "
                                   "i2::text||'|'||i4||'|'||i8||'|'||n||'|'||n2||'|'||f4||'|'||f8||'|'||b||"
                                   "'|'||t||'|'||v||'|'||c||'|'||u as c from orders) x"),
        "-2|4|9007199254740993|-123456789012345678901234567890.0123456789|12.35|1.5|0.1|true|h\xc3\xa9\n|abc|x|"
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    assert_string_equal(
        postgres_scene_ask(
            &scene, "select (tz at time zone 'UTC')||'|'||ts||'|'||d||'|'||encode(y,'hex')||'|'||j||'|'||jb from "
                    "orders"),
        "2024-02-29 21:59:59.123456|2023-11-14 22:13:20.123|2024-02-29|deadbeef|{\"a\": 1}|{\"a\": null, "
        "\"b\": [1, 2]}");
    assert_string_equal(
        postgres_scene_ask(
            &scene, "select m||'|'||p||'|'||ia::text||'|'||ta::text||'|'||na::text||'|'||ma::text||'|'||(z[1] at "
                    "time zone 'UTC')||'|'||empty::text||'|'||(none is null) from orders"),
        "ok|7|{1,NULL,3}|{\"a,b\",\"\"}|{0.5,1000}|{sad}|2000-01-01 00:00:00|{}|true");
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders where id = 1 and now is not null"), 1);
    postgres_scene_end(&scene);
}

static void a_value_that_does_not_fit_is_rejected_before_it_is_sent(void **state)
{
    (void)state;
    static const struct {
        const char *json, *class, *words;
    } wrong[] = {
        {"{\"id\":\"x\",\"name\":\"a\"}", "type",
         "column \"id\" (bigint): expected an integer of 64 bits, found string \"x\""},
        {"{\"id\":1,\"name\":\"a\\u0000\"}", "utf8", "U+0000"},
        {"{\"id\":1,\"name\":\"abcdefgh\"}", "size", "no longer than"},
        {"{\"name\":\"a\"}", "constraint", "NOT NULL"},
        {"{\"id\":null,\"name\":\"a\"}", "constraint", "NOT NULL"},
    };
    struct postgres_scene scene;
    postgres_scene_begin(&scene, "create table orders (id bigint not null default 7, name varchar(5))",
                         POSTGRES_APPEND);
    postgres_scene_open(&scene);
    struct batch *batch = records_batch(&scene.stored.records);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        records_add_json(batch, wrong[i].json);
    records_add_json(batch, "{\"id\":1,\"name\":\"abcde\"}");
    assert_int_equal(stored_write(&scene.stored, batch), STATUS_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(batch->records[i].answer, STAGE_REJECT);
        assert_string_equal(batch->records[i].failure->class, wrong[i].class);
        if (strstr(batch->records[i].failure->message, wrong[i].words) == NULL)
            fail_msg("%s: %s", wrong[i].words, batch->records[i].failure->message);
    }
    assert_int_equal(stored_flush(&scene.stored), STATUS_OK);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 1);
    batch_free(batch);
    postgres_scene_end(&scene);
}

static void a_missing_table_is_made_when_asked_for(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(
        &scene, "select 1",
        "table: t.orders, mode: upsert, key: id, create: true, columns: {id: {path: .id, type: bigint}, name: {path: "
        ".name, type: 'varchar(20)'}, at: {path: '{{timestamp}}', type: timestamptz}, tags: {path: .tags, type: "
        "'text[]'}}");
    postgres_scene_open(&scene);
    postgres_scene_put_json(&scene, "{\"id\":1,\"name\":\"a\",\"tags\":[\"x\"]}");
    postgres_scene_put_json(&scene, "{\"id\":1,\"name\":\"b\"}");
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders where name = 'b'"), 1);
    stored_close(&scene.stored);
    postgres_scene_open(&scene);
    postgres_scene_end(&scene);
}

/* Opening fails with this class and words. */
static void refused(const char *setup, const char *yaml, enum error_class class, const char *words)
{
    struct postgres_scene scene;
    postgres_scene_begin(&scene, setup, yaml);
    assert_int_equal(stored_open(&scene.stored), STATUS_FAILED);
    assert_int_equal(scene.stored.error.class, class);
    if (strstr(scene.stored.error.text, words) == NULL)
        fail_msg("\"%s\" has no \"%s\"", scene.stored.error.text, words);
    postgres_scene_end(&scene);
}

static void a_table_that_does_not_fit_is_refused_with_the_place(void **state)
{
    (void)state;
    refused("create table orders (id bigint, nome text)", POSTGRES_APPEND, ERROR_FATAL, "did you mean \"nome\"");
    refused("create table orders (id bigint)", POSTGRES_APPEND, ERROR_FATAL,
            "columns.name (line 1): table \"t.orders\" has no column \"name\"");
    refused("select 1", POSTGRES_APPEND, ERROR_FATAL, "has no table \"t.orders\"");
    refused("create table oders (id bigint)", POSTGRES_APPEND, ERROR_FATAL, "did you mean \"t.oders\"");
    refused("create table \"Orders\" (id bigint)", POSTGRES_APPEND, ERROR_FATAL, "did you mean \"t.Orders\"");
    refused("create table orders (id bigint, name text)", POSTGRES_UPSERT, ERROR_FATAL,
            "no PRIMARY KEY or UNIQUE index on just {\"id\"}");
    refused("create table orders (id bigint, name text); create unique index on orders (id) where name <> ''",
            POSTGRES_UPSERT, ERROR_FATAL, "no PRIMARY KEY or UNIQUE index");
    refused("create table orders (id bigint unique deferrable, name text)", POSTGRES_UPSERT, ERROR_FATAL,
            "no PRIMARY KEY or UNIQUE index");
    refused("create table orders (id bigint, name interval)", POSTGRES_APPEND, ERROR_FATAL,
            "of type interval, which weir cannot write");
    refused("create table orders (id bigint, name text, more int not null)", POSTGRES_APPEND, ERROR_FATAL,
            "\"more\" of \"t.orders\" is NOT NULL");
    refused("create table orders (id bigint, name text generated always as ('x') stored)", POSTGRES_APPEND, ERROR_FATAL,
            "is generated");
    refused("create table orders (id bigint, name text)", "table: t.orders, columns: {id: {path: .id, type: numeric}}",
            ERROR_FATAL, "declared as numeric, but in the table \"t.orders\" it is bigint");
    refused("create view orders as select 1::bigint as id, ''::text as name", POSTGRES_APPEND, ERROR_FATAL,
            "is no table");
}

/* Writes and flushes until it goes well, as the framework does after failures that pass. */
static unsigned put_at_last(struct postgres_scene *scene, struct batch *batch)
{
    for (unsigned tries = 1; tries < 5; tries++) {
        enum status status = stored_write(&scene->stored, batch);
        if (status == STATUS_OK)
            status = stored_flush(&scene->stored);
        if (status == STATUS_OK) {
            batch_free(batch);
            return tries;
        }
        assert_int_equal(scene->stored.error.class, ERROR_TRANSIENT);
    }
    fail_msg("%s", scene->stored.error.text);
    return 0;
}

static void a_table_may_be_altered_while_rows_go_in(void **state)
{
    (void)state;
    static const char *const configs[] = {POSTGRES_APPEND, POSTGRES_UPSERT};
    for (int i = 0; i < 2; i++) {
        struct postgres_scene scene;
        postgres_scene_begin(&scene, "create table orders (id integer primary key, name text)", configs[i]);
        postgres_scene_open(&scene);
        postgres_scene_put(&scene, stored_batch(&scene.stored, 0, 10));
        postgres_scene_run(&scene, "alter table orders alter id type bigint");
        put_at_last(&scene, stored_batch(&scene.stored, 10, 10));
        /* As long as a bigint is. */
        postgres_scene_run(&scene, "alter table orders alter id type double precision");
        put_at_last(&scene, stored_batch(&scene.stored, 20, 10));
        postgres_scene_run(&scene, "alter table orders add more text, alter id type numeric");
        put_at_last(&scene, stored_batch(&scene.stored, 30, 10));
        assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders where name = 'n-' || id"), 40);
        assert_int_equal(postgres_scene_count(&scene, "select sum(id) from orders"), 780);
        postgres_scene_end(&scene);
    }
}

static void a_name_may_have_quotes(void **state)
{
    (void)state;
    struct postgres_scene scene;
    postgres_scene_begin(&scene, "create table \"it's\" (id bigint, \"a name\" text)",
                         "table: \"t.it's\", columns: {id: .id, a name: .name}");
    postgres_scene_open(&scene);
    postgres_scene_put(&scene, stored_batch(&scene.stored, 0, 10));
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from \"it's\""), 10);
    postgres_scene_end(&scene);
}

/* A decimal of any form, the same for the same seed. */
static void write_decimal(char *text, unsigned *seed)
{
    char *at = text;
    if (rand_r(seed) % 3 == 0)
        *at++ = '-';
    for (int part = 0; part < 2; part++) {
        int zeros = rand_r(seed) % 7, digits = rand_r(seed) % 12;
        if (part == 1)
            *at++ = '.';
        /* JSON wants no zeros before another digit, and a digit on both sides of the point. */
        if (part == 0)
            *at++ = digits > 0 ? (char)('1' + rand_r(seed) % 9) : '0';
        while (part == 1 && zeros-- > 0)
            *at++ = '0';
        while (digits-- > 0)
            *at++ = (char)('0' + (rand_r(seed) % 3 == 0 ? 0 : rand_r(seed) % 10));
        if (part == 1 && at[-1] == '.')
            *at++ = '0';
    }
    *at = '\0';
    if (rand_r(seed) % 3 == 0)
        sprintf(at, "e%d", rand_r(seed) % 40 - 20);
}

static void write_time(char *text, unsigned *seed)
{
    static const char *const offsets[] = {"Z", "+05:30", "-08", "+0100"};
    text += sprintf(text, "%04d-%02d-%02dT%02d:%02d:%02d", 1 + rand_r(seed) % 9999, 1 + rand_r(seed) % 12,
                    1 + rand_r(seed) % 28, rand_r(seed) % 24, rand_r(seed) % 60, rand_r(seed) % 60);
    int fraction = rand_r(seed) % 8;
    if (fraction > 0)
        text += sprintf(text, ".%0*d", fraction, rand_r(seed) % 10);
    strcpy(text, offsets[rand_r(seed) % 4]);
}

static void numbers_and_times_are_what_the_server_reads_out_of_their_text(void **state)
{
    (void)state;
    struct postgres_scene scene;
    unsigned seed = 7;
    postgres_scene_begin(&scene, "create table orders (n numeric, f float8, nt text, tz timestamptz, tt text)",
                         "table: t.orders, columns: {n: .n, f: .n, nt: .n, tz: .t, tt: .t}");
    postgres_scene_open(&scene);
    struct batch *batch = records_batch(&scene.stored.records);
    for (int i = 0; i < 5000; i++) {
        char json[200], number[80], time[80];
        write_decimal(number, &seed);
        write_time(time, &seed);
        snprintf(json, sizeof json, "{\"n\":%s,\"t\":\"%s\"}", number, time);
        records_add_json(batch, json);
    }
    postgres_scene_put(&scene, batch);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders"), 5000);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders where n <> nt::numeric or scale(n) <> "
                                                  "scale(nt::numeric) or n::text <> nt::numeric::text"),
                     0);
    assert_int_equal(postgres_scene_count(&scene, "select count(*) from orders where f <> nt::float8"), 0);
    assert_string_equal(postgres_scene_ask(&scene,
                                           "select coalesce(min(tt || ' ' || tz), 'all') from orders where tz <> "
                                           "tt::timestamptz"),
                        "all");
    postgres_scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_there_after_the_flush_and_not_before),
        cmocka_unit_test(more_rows_than_a_statement_takes_are_one_transaction),
        cmocka_unit_test(an_upsert_keeps_the_last_of_a_key),
        cmocka_unit_test(keys_that_only_the_server_knows_to_be_equal_are_one),
        cmocka_unit_test(an_upsert_takes_arrays_and_tables_of_keys_alone),
        cmocka_unit_test(every_type_comes_back_as_it_was_sent),
        cmocka_unit_test(numbers_and_times_are_what_the_server_reads_out_of_their_text),
        cmocka_unit_test(a_value_that_does_not_fit_is_rejected_before_it_is_sent),
        cmocka_unit_test(a_table_may_be_altered_while_rows_go_in),
        cmocka_unit_test(a_name_may_have_quotes),
        cmocka_unit_test(a_missing_table_is_made_when_asked_for),
        cmocka_unit_test(a_table_that_does_not_fit_is_refused_with_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
