/* What stands under `postgres:`, wrong in every way; and what needs no server beside it: error codes, the limit, SQL texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "connectors/postgres/config.h"
#include "connectors/postgres/slots.h"
#include "connectors/postgres/sql.h"
#include "connectors/postgres/sqlstate.h"
#include "processor/clock.h"
#include "tests/support/parse.h"

/* The report of a config that is wrong; asserts that it is, and that all the words are in it. */
static void refused(const char *yaml, ...)
{
    struct parsed *parsed = parsed_new(&postgres_config_field, yaml);
    va_list words;
    if (parsed_config(parsed) != NULL)
        fail_msg("taken: %s", yaml);
    va_start(words, yaml);
    for (const char *word = va_arg(words, const char *); word != NULL; word = va_arg(words, const char *)) {
        if (strstr(parsed_report(parsed), word) == NULL)
            fail_msg("%s\nhas no \"%s\"", parsed_report(parsed), word);
    }
    va_end(words);
    parsed_free(parsed);
}

static void mistakes_are_told_at_their_place(void **state)
{
    (void)state;
    refused("{dsn: 'hots=db', table: o, columns: {a: .a}}", ":1:8", "found \"hots\"", "did you mean \"host\"", NULL);
    refused("{dsn: 'postgresql://h/d?sslmod=require', table: o, columns: {a: .a}}", "did you mean \"sslmode\"", NULL);
    refused("{dsn: 'host=a', table: a.b.c, columns: {a: .a}}", "orders or sales.orders, found \"a.b.c\"", NULL);
    refused("{dsn: 'host=a', table: '\"Orders\"', columns: {a: .a}}", "without quotes", NULL);
    refused("{dsn: 'host=a', table: o, mode: upsert, columns: {a: .a}}", "needs `key`", NULL);
    refused("{dsn: 'host=a', table: o, key: a, columns: {a: .a}}", "only for `mode: upsert`", NULL);
    refused("{dsn: 'host=a', table: o, mode: upsert, key: totl, columns: {total: .a}}", "did you mean \"total\"", NULL);
    refused("{dsn: 'host=a', table: o, mode: upsert, key: [a, a], columns: {a: .a}}", "there twice", NULL);
    refused("{dsn: 'host=a', table: o, columns: {a: {path: .a, type: bigintt}}}", "did you mean \"bigint\"", NULL);
    refused("{dsn: 'host=a', table: o, columns: {a: {path: .a, type: 'text(4)'}}}", "no brackets", NULL);
    refused("{dsn: 'host=a', table: o, create: true, columns: {a: .a}}", "`create: true` needs the type", NULL);
    refused("{dsn: 'host=a', table: o, columns: {a: 'a b'}}", "in a path", NULL);
    refused("{dsn: 'host=a', table: o, columns: {a: '{{nope}}'}}", "in a template", NULL);
    refused("{dsn: 'host=a', table: o, timeout: 5ms, columns: {a: .a}}", "timeout", NULL);
    refused("{table: o, columns: {a: .a}}", "dsn", NULL);
}

static void a_password_is_never_told(void **state)
{
    (void)state;
    static const char *const yamls[] = {
        "{dsn: 'host=a password=hush hush2', table: a.b.c, columns: {a: .a}}",
        "{dsn: 'host=a password=hushhush', table: a.b.c, columns: {a: .a}}",
        "{dsn: 'postgresql://u:hushhush@h/d?nope=1', table: a.b.c, columns: {a: .a}}",
        "{dsn: \"host=a password='hushhush\", table: a.b.c, columns: {a: .a}}",
    };
    for (size_t i = 0; i < sizeof yamls / sizeof *yamls; i++) {
        struct parsed *parsed = parsed_new(&postgres_config_field, yamls[i]);
        assert_null(parsed_config(parsed));
        if (strstr(parsed_report(parsed), "hush") != NULL)
            fail_msg("%s", parsed_report(parsed));
        parsed_free(parsed);
    }
}

static void what_is_left_out_has_its_default(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(&postgres_config_field, "{dsn: 'host=a', table: o, columns: {a: '{{offset}}'}}");
    const struct postgres_config *config = parsed_config(parsed);
    assert_non_null(config);
    assert_int_equal(config->mode, POSTGRES_APPEND);
    assert_int_equal(config->timeout, 30 * CLOCK_SECOND);
    assert_int_equal(config->limit, 0);
    assert_false(config->create);
    parsed_free(parsed);
}

static void names_are_quoted(void **state)
{
    (void)state;
    struct parsed *parsed = parsed_new(&postgres_config_field,
                                       "{dsn: 'host=a', table: S.o, create: true, mode: upsert, key: [b], columns: "
                                       "{'a\"': {path: .a, type: text}, b: {path: .b, type: 'numeric(9,2)'}}}");
    char *create = postgres_sql_create(parsed_config(parsed));
    assert_string_equal(create, "CREATE TABLE IF NOT EXISTS \"S\".\"o\" (\"a\"\"\" text, \"b\" numeric(9,2), PRIMARY "
                                "KEY (\"b\"))");
    free(create);
    const char *const texts[] = {"a\"b", "c\\d", "e,f"};
    char *array = postgres_sql_array(texts, 3);
    assert_string_equal(array, "{\"a\\\"b\",\"c\\\\d\",\"e,f\"}");
    free(array);
    parsed_free(parsed);
}

static void an_error_has_the_class_of_what_helps(void **state)
{
    (void)state;
    static const char *const transient[] = {"08006", "57P01", "57P03", "57014", "53100", "53300", "40001", "40P01",
                                            "25006", "25P02", "55P03", "58030", "XX000", "",      NULL};
    static const char *const record[] = {"22001", "22003", "22P02", "22021", "23502", "23503", "23505",
                                         "23514", "P0001", "44000", "54000", "ZZ001", NULL};
    static const char *const fatal[] = {"42P01", "42703", "42501", "42P10", "28P01", "28000", "3D000", "0A000", NULL};
    for (size_t i = 0; transient[i] != NULL; i++)
        assert_int_equal(postgres_error_class(transient[i]), ERROR_TRANSIENT);
    for (size_t i = 0; record[i] != NULL; i++)
        assert_int_equal(postgres_error_class(record[i]), ERROR_RECORD);
    for (size_t i = 0; fatal[i] != NULL; i++)
        assert_int_equal(postgres_error_class(fatal[i]), ERROR_FATAL);
    assert_int_equal(postgres_error_class(NULL), ERROR_TRANSIENT);
    assert_string_equal(postgres_reject_class("23505"), "constraint");
    assert_string_equal(postgres_reject_class("22001"), "size");
    assert_string_equal(postgres_reject_class("22021"), "utf8");
    assert_string_equal(postgres_reject_class("22P02"), "type");
    assert_string_equal(postgres_reject_class("P0001"), "constraint");
}

struct waiter {
    struct postgres_slots *slots;
    struct context *context;
    enum status status;
};

static void *acquire(void *arg)
{
    struct waiter *waiter = arg;
    waiter->status = postgres_slots_acquire(waiter->slots, waiter->context, CLOCK_NEVER);
    return NULL;
}

static void no_more_connections_than_the_limit_are_open(void **state)
{
    (void)state;
    struct context *context = context_new(NULL, CLOCK_NEVER), *other = context_new(NULL, CLOCK_NEVER);
    struct postgres_slots *slots = postgres_slots_ref("host=a", 5), *same = postgres_slots_ref("host=a", 1);
    struct postgres_slots *another = postgres_slots_ref("host=b", 1);
    assert_ptr_equal(slots, same);
    assert_ptr_not_equal(slots, another);
    assert_int_equal(postgres_slots_acquire(slots, context, CLOCK_NEVER), STATUS_OK);
    assert_int_equal(postgres_slots_acquire(another, context, CLOCK_NEVER), STATUS_OK);
    assert_int_equal(postgres_slots_acquire(slots, context, clock_now() + CLOCK_MS), STATUS_EMPTY);

    struct waiter waiter = {.slots = slots, .context = context}, cancelled = {.slots = slots, .context = other};
    pthread_t first, second;
    assert_int_equal(pthread_create(&second, NULL, acquire, &cancelled), 0);
    context_cancel(other);
    assert_int_equal(pthread_join(second, NULL), 0);
    assert_int_equal(cancelled.status, STATUS_CANCELLED);
    assert_int_equal(pthread_create(&first, NULL, acquire, &waiter), 0);
    postgres_slots_release(slots);
    assert_int_equal(pthread_join(first, NULL), 0);
    assert_int_equal(waiter.status, STATUS_OK);

    postgres_slots_release(slots);
    postgres_slots_release(another);
    postgres_slots_unref(slots);
    postgres_slots_unref(same);
    postgres_slots_unref(another);
    context_free(other);
    context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_told_at_their_place),
        cmocka_unit_test(a_password_is_never_told),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(names_are_quoted),
        cmocka_unit_test(an_error_has_the_class_of_what_helps),
        cmocka_unit_test(no_more_connections_than_the_limit_are_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
