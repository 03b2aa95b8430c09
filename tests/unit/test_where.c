/* Which records are meant by `--where`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "processor/where.h"
#include "tests/support/records.h"

static struct records records;
static struct batch *batch;
static struct record *record; /* the one that is asked about */
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    records_init(&records);
    arena_init(&arena, NULL);
    batch = records_batch(&records);
    record = records_add_json(
        batch, "{\"id\": 7, \"status\": \"PAID\", \"total\": 12.50, \"paid\": true, \"note\": null, "
               "\"at\": {\"x y\": [1, {\"z\": \"deep\"}]}, \"number\": \"12.5\", \"quote\": \"a\\u0022b\"}");
    record->key = bytes_of_string("order-7");
    records_header(batch, record, "tenant", "first");
    records_header(batch, record, "tenant", "acme");
    records_header(batch, record, "odd=name", "1");
    records_header(batch, record, "empty", "");
    records_header(batch, record, "none", NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    batch_free(batch);
    arena_fini(&arena);
    records_fini(&records);
    return 0;
}

static bool holds(const char *text)
{
    struct where *where = NULL;
    unsigned at = 0;
    const char *why = "";
    if (where_parse(text, WHERE_ALLOW_PATHS, &where, &at, &why) != STATUS_OK)
        fail_msg("%s at %u: %s", text, at, why);
    bool result = where_matches(where, record, &arena);
    where_free(where);
    return result;
}

/* Each is true as it stands, and false with the other operator. */
static void assert_all_hold(const char *const *texts)
{
    for (; *texts != NULL; texts++) {
        char turned[200];
        const char *sign = strstr(*texts, "!=");
        size_t before = sign != NULL ? (size_t)(sign - *texts) : strcspn(*texts, "=");
        if (!holds(*texts))
            fail_msg("does not hold: %s", *texts);
        snprintf(turned, sizeof turned, "%.*s%s%s", (int)before, *texts,
                 sign != NULL ? "=" : "!=", *texts + before + (sign != NULL ? 2 : 1));
        if (holds(turned))
            fail_msg("holds: %s", turned);
    }
}

static void keys_and_headers_are_compared_as_text(void **state)
{
    (void)state;
    static const char *const cases[] = {"key=order-7",
                                        "key = order-7",
                                        "key=\"order-7\"",
                                        "key!=order-8",
                                        "key!=null",
                                        "header.tenant=acme",
                                        "header.tenant!=first",
                                        "header.empty=\"\"",
                                        "header.missing!=acme",
                                        "header.none=null",
                                        "header.none!=\"null\"",
                                        "header.missing!=null",
                                        NULL};
    assert_all_hold(cases);
    assert_true(holds("header.\"odd=name\"=1"));
    assert_false(holds("header.\"odd=name\"=2"));
}

static void a_null_key_is_null_and_so_is_the_text(void **state)
{
    (void)state;
    record->key = (struct bytes){0};
    assert_true(holds("key=null"));
    assert_false(holds("key=\"null\""));
    assert_false(holds("key=\"\""));
    assert_true(holds("key!=order-7"));
    record->key = bytes_of_string("null");
    assert_true(holds("key=null"));
    assert_true(holds("key=\"null\""));
    record->key = bytes_of("", 0);
    assert_true(holds("key=\"\""));
    assert_false(holds("key=null"));
}

static void paths_are_compared_as_text_or_as_what_is_written(void **state)
{
    (void)state;
    static const char *const cases[] = {".status=PAID",
                                        ".status = \"PAID\"",
                                        ".status!=paid",
                                        ".id=7",
                                        ".id=7.0",
                                        ".id!=\"7\"",
                                        ".total=12.5",
                                        ".number=12.5",
                                        ".number=\"12.5\"",
                                        ".paid=true",
                                        ".paid!=\"true\"",
                                        ".note=null",
                                        ".missing!=null",
                                        ".at.\"x y\"[0]=1",
                                        ".at.\"x y\"[1].z=deep",
                                        ".at!=deep",
                                        ".quote=\"a\\\"b\"",
                                        ".id!=07",
                                        NULL};
    assert_all_hold(cases);
}

static void several_comparisons_must_all_hold(void **state)
{
    (void)state;
    assert_true(holds("key=order-7 && .status=PAID && header.tenant=acme"));
    assert_false(holds("key=order-7 && .status=PAID && header.tenant=first"));
    assert_false(holds("key=order-8 && .status=PAID"));
    record->key = bytes_of_string("a && b");
    assert_true(holds("key=\"a && b\" && .id=7"));
    record->key = bytes_of_string("a&&b");
    assert_true(holds("key=\"a&&b\" && .id=7"));
}

static void assert_refused(const char *text, unsigned flags, unsigned position, const char *words)
{
    struct where *where = NULL;
    unsigned at = 99;
    const char *why = "";
    if (where_parse(text, flags, &where, &at, &why) != STATUS_FAILED)
        fail_msg("not refused: %s", text);
    assert_null(where);
    if (at != position || strstr(why, words) == NULL)
        fail_msg("%s: at %u: %s", text, at, why);
}

static void mistakes_are_told_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned at;
        const char *words;
    } cases[] = {
        {"", 0, "header.NAME, key or .path"},
        {"key", 0, "header.NAME, key or .path"},
        {"keys=1", 0, "header.NAME, key or .path"},
        {"=1", 0, "header.NAME, key or .path"},
        {"header=1", 0, "header.NAME, key or .path"},
        {"header.=1", 7, "the name of a header"},
        {"key=", 4, "expected a value"},
        {"key=  ", 6, "expected a value"},
        {"key=1&&key=2", 5, "blanks around it"},
        {"key=1 && .a=2||key=3", 13, "quotes around a value"},
        {"key==1", 4, "quotes around a value"},
        {"key=1 && ", 9, "header.NAME, key or .path"},
        {"key=1 && .a..b=2", 12, "expected a name"},
        {"key=\"a", 4, "ends with a quote"},
        {"key=\"a\\n\"", 6, "no other escapes"},
        {"key=\"a\" b", 8, "the end, or &&"},
        {"header.\"x=1", 0, "header.NAME, key or .path"},
        {".a[x]=1", 3, "expected an index"},
        {".a>=5", 2, "which is greater"},
        {".a=\xff", 3, "UTF-8"},
        {"key=1 && key=2 && key=3 && key=4 && key=5 && key=6 && key=7 && key=8 && key=9", 72, "at most 8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(cases[i].text, WHERE_ALLOW_PATHS, cases[i].at, cases[i].words);
}

static void paths_are_refused_where_there_are_no_documents(void **state)
{
    (void)state;
    assert_refused("key=1 && .a=2", 0, 9, "no document");
    struct where *where;
    unsigned at;
    const char *why;
    assert_int_equal(where_parse("key=1 && header.a=2", 0, &where, &at, &why), STATUS_OK);
    assert_false(where_has_paths(where));
    where_free(where);
    assert_int_equal(where_parse("key=1 && .a=2", WHERE_ALLOW_PATHS, &where, &at, &why), STATUS_OK);
    assert_true(where_has_paths(where));
    where_free(where);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_and_headers_are_compared_as_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_null_key_is_null_and_so_is_the_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths_are_compared_as_text_or_as_what_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_comparisons_must_all_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_told_with_their_place, set_up, tear_down),
        cmocka_unit_test(paths_are_refused_where_there_are_no_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
