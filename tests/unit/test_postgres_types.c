/* Document values in PostgreSQL's binary formats, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "connectors/postgres/types.h"

/* The value in hexadecimal without its length, "null", or "class: expected". */
static const char *encode(const char *type, const char *json)
{
    static char text[4096];
    struct postgres_buffer out = {0};
    struct arena arena;
    struct postgres_declared declared;
    const char *why;
    arena_init(&arena, NULL);
    if (!postgres_type_parse(type, &declared, &why))
        fail_msg("%s: %s", type, why);
    const char *bracket = strchr(type, '(');
    struct postgres_encoder encoder = {
        .out = &out, .scratch = &arena, .modifier = bracket != NULL ? atoi(bracket + 1) + 4 : -1};
    struct value value = json[0] == '\0' ? (struct value){.type = VALUE_MISSING} : json_value(bytes_of_string(json));
    enum postgres_fit fit = declared.array ? postgres_encode_array(&encoder, declared.type, declared.type->oid, &value)
                                           : postgres_encode_field(&encoder, declared.type, &value);
    text[0] = '\0';
    if (fit == POSTGRES_MISFIT) {
        snprintf(text, sizeof text, "%s: %s", encoder.class, encoder.expected);
    } else if (postgres_get32(out.data) == UINT32_MAX) {
        assert_int_equal(out.size, 4);
        snprintf(text, sizeof text, "null");
    } else {
        assert_int_equal(fit, POSTGRES_FITS);
        assert_int_equal(postgres_get32(out.data), out.size - 4);
        for (size_t i = 4; i < out.size; i++)
            snprintf(text + strlen(text), 3, "%02x", out.data[i]);
    }
    postgres_buffer_fini(&out);
    arena_fini(&arena);
    return text;
}

static void integers_keep_to_their_ranges(void **state)
{
    (void)state;
    assert_string_equal(encode("smallint", "-2"), "fffe");
    assert_string_equal(encode("int", "2147483647"), "7fffffff");
    assert_string_equal(encode("bigint", "-9223372036854775808"), "8000000000000000");
    assert_string_equal(encode("bigint", "1e3"), "00000000000003e8");
    assert_string_equal(encode("smallint", "32768"), "type: an integer from -32768 to 32767");
    assert_string_equal(encode("int4", "2147483648"), "type: an integer from -2147483648 to 2147483647");
    assert_string_equal(encode("int8", "9223372036854775808"), "type: an integer of 64 bits");
    assert_string_equal(encode("int8", "1.5"), "type: an integer of 64 bits");
    assert_string_equal(encode("int8", "\"1\""), "type: an integer of 64 bits");
    assert_string_equal(encode("int8", "true"), "type: an integer of 64 bits");
}

static void what_is_missing_or_null_is_null(void **state)
{
    (void)state;
    assert_string_equal(encode("int8", ""), "null");
    assert_string_equal(encode("jsonb", "null"), "null");
    assert_string_equal(encode("text[]", "null"), "null");
}

static void floats_are_the_nearest_ones(void **state)
{
    (void)state;
    assert_string_equal(encode("float8", "0.1"), "3fb999999999999a");
    assert_string_equal(encode("double precision", "-0.0"), "8000000000000000");
    assert_string_equal(encode("real", "0.1"), "3dcccccd");
    assert_string_equal(encode("float8", "\"NaN\""), "7ff8000000000000");
    assert_string_equal(encode("float8", "\"-Infinity\""), "fff0000000000000");
    assert_string_equal(encode("real", "1e39"), "type: a number within the range of real");
    assert_string_equal(encode("real", "1e-60"), "type: a number within the range of real");
    assert_string_equal(encode("float8", "\"0.1\""), "type: a number within the range of double precision");
}

/* digits of base 10000, weight, sign, scale, then the digits */
static void numerics_keep_every_digit(void **state)
{
    (void)state;
    assert_string_equal(encode("numeric", "0"), "0000000000000000");
    assert_string_equal(encode("numeric", "0.00"), "0000000000000002");
    assert_string_equal(encode("numeric", "-0.0"), "0000000000000001");
    assert_string_equal(encode("numeric", "5"), "00010000000000000005");
    assert_string_equal(encode("numeric", "-12345"), "00020001400000000001"
                                                     "0929");
    assert_string_equal(encode("numeric", "10000"), "00010001000000000001");
    assert_string_equal(encode("numeric", "100000000"), "00010002000000000001");
    assert_string_equal(encode("numeric", "12.50"), "0002000000000002000c1388");
    assert_string_equal(encode("numeric", "0.0001"), "0001ffff000000040001");
    assert_string_equal(encode("numeric", "0.00001"), "0001fffe0000000503e8");
    assert_string_equal(encode("numeric", "1e4"), "00010001000000000001");
    assert_string_equal(encode("numeric", "1.5e-3"), "0001ffff00000004000f");
    assert_string_equal(encode("numeric", "\"12.50\""), "0002000000000002000c1388");
    assert_string_equal(encode("numeric", "\"+.5\""), "0001ffff000000011388");
    assert_int_equal(strncmp(encode("numeric", "\"12x\""), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("numeric", "\"\""), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("numeric", "\"1e\""), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("numeric", "\"1.2.3\""), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("numeric", "\"1e200000\""), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("numeric", "1e-20000"), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("numeric", "true"), "type: ", 6), 0);
}

static void a_text_takes_everything_but_nul(void **state)
{
    (void)state;
    assert_string_equal(encode("text", "\"a\\u00e9\\n\""), "61c3a90a");
    assert_string_equal(encode("text", "\"\""), "");
    assert_string_equal(encode("text", "1.50"), "312e3530");
    assert_string_equal(encode("text", "{\"a\":[]}"), "7b2261223a5b5d7d");
    assert_int_equal(strncmp(encode("text", "\"a\\u0000\""), "utf8: ", 6), 0);
    assert_string_equal(encode("varchar(3)", "\"a\\u00e9b\""), "61c3a962");
    assert_string_equal(encode("varchar(3)", "\"abc   \""), "616263202020");
    assert_int_equal(strncmp(encode("varchar(3)", "\"abcd\""), "size: ", 6), 0);
}

static void bytes_are_hexadecimal_or_base64(void **state)
{
    (void)state;
    assert_string_equal(encode("bytea", "\"\\\\xDEadbe\""), "deadbe");
    assert_string_equal(encode("bytea", "\"3q2-7w==\""), "deadbeef");
    assert_string_equal(encode("bytea", "\"3q2+7w\""), "deadbeef");
    assert_string_equal(encode("bytea", "\"/+8=\""), "ffef");
    assert_string_equal(encode("bytea", "\"\""), "");
    assert_int_equal(strncmp(encode("bytea", "\"\\\\xabc\""), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("bytea", "\"a b\""), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("bytea", "\"abcde\""), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("bytea", "5"), "type: ", 6), 0);
}

static void a_uuid_has_dashes_in_their_places_or_none(void **state)
{
    (void)state;
    const char *wire = "a0eebc999c0b4ef8bb6d6bb9bd380a11";
    assert_string_equal(encode("uuid", "\"a0eebc99-9c0b-4ef8-BB6D-6bb9bd380a11\""), wire);
    assert_string_equal(encode("uuid", "\"a0eebc999c0b4ef8bb6d6bb9bd380a11\""), wire);
    assert_int_equal(strncmp(encode("uuid", "\"a0eebc999-c0b-4ef8-bb6d-6bb9bd380a11\""), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("uuid", "\"g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\""), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("uuid", "17"), "type: ", 6), 0);
}

static void points_in_time_are_microseconds_since_2000(void **state)
{
    (void)state;
    assert_string_equal(encode("timestamptz", "\"2000-01-01T00:00:00Z\""), "0000000000000000");
    assert_string_equal(encode("timestamptz", "\"2000-01-01T01:00:00.0000005+01:00\""), "0000000000000000");
    assert_string_equal(encode("timestamptz", "\"2000-01-01T00:00:00.00000050000000001Z\""), "0000000000000001");
    assert_string_equal(encode("timestamptz", "\"2000-01-01T00:00:00.0000015Z\""), "0000000000000002");
    assert_string_equal(encode("timestamptz", "\"1999-12-31 19:00:00-0500\""), "0000000000000000");
    assert_string_equal(encode("timestamptz", "\"2000-01-01\""), "0000000000000000");
    assert_string_equal(encode("timestamptz", "\"2000-01-01T00:00\""), "0000000000000000");
    assert_string_equal(encode("timestamptz", "946684800001"), "00000000000003e8");
    assert_string_equal(encode("timestamp", "\"2000-01-01T00:00:01+00\""), "00000000000f4240");
    assert_string_equal(encode("timestamptz", "\"2000-01-01T00:00:60Z\""), "0000000003938700");
    const char *const wrong[] = {"\"2001-02-29T00:00:00Z\"",
                                 "\"2000-13-01\"",
                                 "\"2000-01-01T24:00:00Z\"",
                                 "\"2000-01-01T00:00:00.Z\"",
                                 "\"2000-01-01T00:00:00Zx\"",
                                 "\"2000-01-01T0:00:00Z\"",
                                 "\"yesterday\"",
                                 "1.5",
                                 "9223372036854775807",
                                 "-9223372036854775808",
                                 "true",
                                 "\"0000-01-01\"",
                                 "\"2000-01-01T00:00:00+16:00\""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (strncmp(encode("timestamptz", wrong[i]), "type: ", 6) != 0)
            fail_msg("%s was taken", wrong[i]);
    }
}

static void a_date_is_days_since_2000(void **state)
{
    (void)state;
    assert_string_equal(encode("date", "\"2000-01-02\""), "00000001");
    assert_string_equal(encode("date", "\"1999-12-31\""), "ffffffff");
    assert_string_equal(encode("date", "\"2024-02-29\""), "00002279");
    assert_int_equal(strncmp(encode("date", "\"2023-02-29\""), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("date", "\"2024-02-29T00:00:00Z\""), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("date", "19000"), "type: ", 6), 0);
}

static void json_is_sent_as_it_stands(void **state)
{
    (void)state;
    assert_string_equal(encode("json", "{\"a\": 1}"), "7b2261223a20317d");
    assert_string_equal(encode("jsonb", "[1]"), "015b315d");
    assert_string_equal(encode("jsonb", "\"a\""), "01226122");
    assert_string_equal(encode("jsonb", "\"\\\\u0000\""), "01225c5c753030303022");
    assert_int_equal(strncmp(encode("jsonb", "\"\\\\\\u0000\""), "utf8: ", 6), 0);
    assert_string_equal(encode("json", "\"\\u0000\""), "225c753030303022");
}

static void arrays_have_one_dimension(void **state)
{
    (void)state;
    assert_string_equal(encode("int2[]", "[]"), "00000000"
                                                "00000000"
                                                "00000015");
    assert_string_equal(encode("int2[]", "[1, null]"), "00000001"
                                                       "00000001"
                                                       "00000015"
                                                       "00000002"
                                                       "00000001"
                                                       "000000020001"
                                                       "ffffffff");
    assert_int_equal(strncmp(encode("int2[]", "[[1]]"), "type: ", 6), 0);
    assert_int_equal(strncmp(encode("int2[]", "1"), "type: an array", 14), 0);
    assert_int_equal(strncmp(encode("text[]", "[\"\\u0000\"]"), "utf8: ", 6), 0);
}

static void a_type_is_parsed_as_sql_has_it(void **state)
{
    (void)state;
    struct postgres_declared declared;
    const char *why;
    assert_true(postgres_type_parse("numeric ( 12 , 2 ) []", &declared, &why));
    assert_int_equal(declared.type->oid, 1700);
    assert_true(declared.array);
    assert_true(postgres_type_parse("timestamp with time zone", &declared, &why));
    assert_int_equal(declared.type->oid, 1184);
    assert_true(postgres_type_parse("TIMESTAMP", &declared, &why));
    assert_int_equal(declared.type->oid, 1114);
    assert_true(postgres_type_parse("int", &declared, &why));
    assert_int_equal(declared.type->oid, 23);
    const char *const wrong[] = {"",
                                 "money",
                                 "integers",
                                 "numeric(",
                                 "numeric()",
                                 "numeric(1,2,3)",
                                 "text(3)",
                                 "int[3]",
                                 "int[][]",
                                 "text; drop table x",
                                 "varchar(1) collate \"C\"",
                                 "int,"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (postgres_type_parse(wrong[i], &declared, &why))
            fail_msg("%s was taken", wrong[i]);
    }
}

static void every_name_that_is_suggested_is_a_type(void **state)
{
    (void)state;
    struct postgres_declared declared;
    const char *why;
    for (const char *const *name = postgres_type_names; *name != NULL; name++)
        assert_true(postgres_type_parse(*name, &declared, &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_keep_to_their_ranges),
        cmocka_unit_test(what_is_missing_or_null_is_null),
        cmocka_unit_test(floats_are_the_nearest_ones),
        cmocka_unit_test(numerics_keep_every_digit),
        cmocka_unit_test(a_text_takes_everything_but_nul),
        cmocka_unit_test(bytes_are_hexadecimal_or_base64),
        cmocka_unit_test(a_uuid_has_dashes_in_their_places_or_none),
        cmocka_unit_test(points_in_time_are_microseconds_since_2000),
        cmocka_unit_test(a_date_is_days_since_2000),
        cmocka_unit_test(json_is_sent_as_it_stands),
        cmocka_unit_test(arrays_have_one_dimension),
        cmocka_unit_test(a_type_is_parsed_as_sql_has_it),
        cmocka_unit_test(every_name_that_is_suggested_is_a_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
