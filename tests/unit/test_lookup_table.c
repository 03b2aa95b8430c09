#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "processor/arena.h"
#include "stages/lookup_table.h"

static const char *const FIELDS[] = {"name", "tier"};

struct fixture {
    char folder[64], path[128];
    struct lookup_shape shape;
    struct lookup_table *table;
    struct stat stat;
    struct error error;
    struct arena arena;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    strcpy(fixture->folder, "/tmp/weir-lookup-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    fixture->shape = (struct lookup_shape){
        .column = "id", .fields = FIELDS, .field_count = 2, .max_size = 64 * 1024 * 1024};
    arena_init(&fixture->arena, NULL);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    lookup_table_unref(fixture->table);
    arena_fini(&fixture->arena);
    if (fixture->path[0] != '\0')
        unlink(fixture->path);
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

static enum status load_bytes(struct fixture *fixture, const char *name, const void *text, size_t size)
{
    if (fixture->path[0] != '\0')
        unlink(fixture->path);
    snprintf(fixture->path, sizeof fixture->path, "%s/%s", fixture->folder, name);
    FILE *file = fopen(fixture->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    lookup_table_unref(fixture->table);
    fixture->table = NULL;
    fixture->error = (struct error){0};
    return lookup_table_load(fixture->path, &fixture->shape, &fixture->table, &fixture->stat, &fixture->error);
}

static void load(struct fixture *fixture, const char *name, const char *text)
{
    if (load_bytes(fixture, name, text, strlen(text)) != STATUS_OK)
        fail_msg("%s", fixture->error.text);
    const struct lookup_counts *counts = lookup_table_counts(fixture->table);
    assert_true(counts->bytes > 0);
    assert_int_equal(fixture->stat.st_size, strlen(text));
}

/* expected: what stands behind the file's path, from the colon and the line on. */
static void expect_error(struct fixture *fixture, const char *name, const char *text, const char *expected)
{
    assert_int_equal(load_bytes(fixture, name, text, strlen(text)), STATUS_FAILED);
    assert_null(fixture->table);
    assert_int_equal(fixture->error.class, ERROR_FATAL);
    char whole[ERROR_TEXT_MAX];
    snprintf(whole, sizeof whole, "%s%s", fixture->path, expected);
    assert_string_equal(fixture->error.text, whole);
    assert_true(fixture->stat.st_ino != 0);
}

/* The key's values joined by `|`, `-` for one that the row lacks; NULL: no such row. */
static const char *get(struct fixture *fixture, const char *key)
{
    struct bytes bytes = bytes_of_string(key);
    const struct lookup_row *row;
    struct bytes values[LOOKUP_MAX_FIELDS];
    static char text[1024];
    size_t used = 0;
    lookup_table_find(fixture->table, &bytes, 1, &row);
    if (row == NULL)
        return NULL;
    assert_true(lookup_row_copy(fixture->table, row, &fixture->arena, values));
    for (uint32_t i = 0; i < (fixture->shape.joined ? 1 : fixture->shape.field_count); i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", i > 0 ? "|" : "",
                                 values[i].data != NULL ? (int)values[i].size : 1,
                                 values[i].data != NULL ? (const char *)values[i].data : "-");
    arena_reset(&fixture->arena);
    return text;
}

static void expect_row(struct fixture *fixture, const char *key, const char *expected)
{
    const char *row = get(fixture, key);
    if (row == NULL || strcmp(row, expected) != 0)
        fail_msg("%s: expected %s, found %s", key, expected, row != NULL ? row : "nothing");
}

static void csv_rows_are_found_by_their_key(void **state)
{
    struct fixture *fixture = *state;
    load(fixture, "t.csv", "name,id,city,tier\nAnna,c-1,Ulm,gold\nBen,c-2,Bonn,silver\n");
    assert_int_equal(lookup_table_counts(fixture->table)->rows, 2);
    expect_row(fixture, "c-1", "\"Anna\"|\"gold\"");
    expect_row(fixture, "c-2", "\"Ben\"|\"silver\"");
    assert_null(get(fixture, "c-3"));
    assert_null(get(fixture, "c-"));
    assert_null(get(fixture, ""));
}

static void a_joined_row_is_one_object(void **state)
{
    struct fixture *fixture = *state;
    fixture->shape.joined = true;
    load(fixture, "t.csv", "id,tier,name\nc-1,gold,Anna\nc-2,,\n");
    expect_row(fixture, "c-1", "{\"name\":\"Anna\",\"tier\":\"gold\"}");
    expect_row(fixture, "c-2", "{\"name\":\"\",\"tier\":\"\"}");
}

static void csv_may_have_quotes_crlf_a_bom_and_empty_lines(void **state)
{
    struct fixture *fixture = *state;
    load(fixture, "t.csv",
         "\xef\xbb\xbf\"id\",\"na\"\"me\",name,tier\r\n"
         "\r\n"
         "c-1,,\"Anna, \"\"the\"\" Great\",\"two\r\nlines\"\r\n"
         "\n"
         "\"c-2\",x,Ben,\r\n"
         "c-3,,\"\",silver"); /* no line end at the end */
    assert_int_equal(lookup_table_counts(fixture->table)->rows, 3);
    expect_row(fixture, "c-1", "\"Anna, \\\"the\\\" Great\"|\"two\\r\\nlines\"");
    expect_row(fixture, "c-2", "\"Ben\"|\"\"");
    expect_row(fixture, "c-3", "\"\"|\"silver\"");
}

static void csv_values_become_valid_json_whatever_is_in_them(void **state)
{
    struct fixture *fixture = *state;
    static const char TEXT[] =
        "id,name,tier\nk,tab\tand\\back,\"nul\0and\x01\"\n\xc3\xa9\xe2\x82\xac,caf\xc3\xa9,\xf0\x9f\x98\x80\n";
    assert_int_equal(load_bytes(fixture, "t.csv", TEXT, sizeof TEXT - 1), STATUS_OK);
    expect_row(fixture, "k", "\"tab\\tand\\\\back\"|\"nul\\u0000and\\u0001\"");
    expect_row(fixture, "\xc3\xa9\xe2\x82\xac", "\"caf\xc3\xa9\"|\"\xf0\x9f\x98\x80\"");
}

static void csv_columns_are_found_wherever_they_stand(void **state)
{
    struct fixture *fixture = *state;
    static const char *const ONE[] = {"id"};
    fixture->shape.fields = ONE;
    fixture->shape.field_count = 1;
    load(fixture, "t.csv", "id\n1\n2\n");
    expect_row(fixture, "2", "\"2\"");
}

static void what_is_wrong_in_csv_is_told_by_its_line(void **state)
{
    struct fixture *fixture = *state;
    expect_error(fixture, "t.csv", "", ":1: expected a first row with the columns' names, found nothing");
    expect_error(fixture, "t.csv", "\n\r\n", ":3: expected a first row with the columns' names, found nothing");
    expect_error(fixture, "t.csv", "id,name,teir\n", ":1: expected a column 'tier', found: id, name, teir");
    expect_error(fixture, "t.csv", "ID;name;tier\n", ":1: expected a column 'id', found: ID;name;tier");
    expect_error(fixture, "t.csv", "id,name,tier,name\n", ":1: two columns are called 'name'");
    expect_error(fixture, "t.csv", "id,name,tier\n1,a,b\n2,a\n",
                 ":3: expected 3 values, as the first row has, found 2");
    expect_error(fixture, "t.csv", "id,name,tier\n1,a,b,c\n", ":2: expected 3 values, as the first row has, found 4");
    expect_error(fixture, "t.csv", "id,name,tier\n1,\"a\n\n\",b\n2,\"a\"x,b\n",
                 ":5: expected a comma or the line's end behind a quoted value");
    expect_error(fixture, "t.csv", "id,name,tier\n1,a,\"b\n\n\n",
                 ":2: the file ends inside the quotes that begin here");
    expect_error(fixture, "t.csv", "id,name,tier\n1,5\" pipe,b\n",
                 ":2: a quote inside of a value that does not begin with one (double it, and put the value in quotes)");
    expect_error(fixture, "t.csv", "id,name,tier\r1,a,b\r", ":1: a carriage return without a line feed behind it");
    expect_error(fixture, "t.csv", "id,name,tier\n1,a,b\n2,\xff,b\n", ":3: not valid UTF-8");
    expect_error(fixture, "t.csv", "id,name,tier\n,a,b\n,c,d\n", ":2: no row has a value in the key's column 'id'");
}

static void the_last_row_of_a_key_counts_and_the_others_are_counted(void **state)
{
    struct fixture *fixture = *state;
    load(fixture, "t.csv", "id,name,tier\n1,a,b\n2,c,d\n1,e,f\n,g,h\n1,i,j\n,k,l\n");
    const struct lookup_counts *counts = lookup_table_counts(fixture->table);
    assert_int_equal(counts->rows, 2);
    assert_int_equal(counts->duplicates, 2);
    assert_int_equal(counts->duplicate_line, 4);
    assert_int_equal(counts->keyless, 2);
    assert_int_equal(counts->keyless_line, 5);
    expect_row(fixture, "1", "\"i\"|\"j\"");
    expect_row(fixture, "2", "\"c\"|\"d\"");
}

static void a_table_of_names_only_is_an_empty_one(void **state)
{
    struct fixture *fixture = *state;
    load(fixture, "t.csv", "id,name,tier\n");
    assert_int_equal(lookup_table_counts(fixture->table)->rows, 0);
    assert_null(get(fixture, "1"));
    load(fixture, "t.ndjson", "");
    assert_null(get(fixture, "1"));
}

static void ndjson_values_keep_their_type(void **state)
{
    struct fixture *fixture = *state;
    load(fixture, "t.ndjson",
         "\xef\xbb\xbf{\"id\": \"c-1\", \"name\": \"An\\u006ea\", \"tier\": 3, \"other\": 1}\n"
         "\r\n"
         "  {\"tier\": {\"level\": [1, 2]}, \"name\": null, \"id\": 42}\r\n"
         "{\"id\": 1.50, \"name\": true}");
    assert_int_equal(lookup_table_counts(fixture->table)->rows, 3);
    expect_row(fixture, "c-1", "\"An\\u006ea\"|3");
    expect_row(fixture, "42", "null|{\"level\": [1, 2]}");
    expect_row(fixture, "1.50", "true|-");
    fixture->shape.joined = true;
    load(fixture, "t.ndjson",
         "{\"id\": \"a\\\"\\u00e9\", \"tier\": 1}\n{\"id\": 2}\n{\"id\": true, \"name\": [], \"tier\": 0}\n");
    expect_row(fixture, "a\"\xc3\xa9", "{\"tier\":1}");
    expect_row(fixture, "2", "{}");
    expect_row(fixture, "true", "{\"name\":[],\"tier\":0}");
}

static void what_is_wrong_in_ndjson_is_told_by_its_line(void **state)
{
    struct fixture *fixture = *state;
    expect_error(fixture, "t.ndjson", "{\"id\": 1}\n\n{\"id\": 2,}\n",
                 ":3: expected a key in double quotes, at byte 9 of the line");
    expect_error(fixture, "t.jsonl", "[{\"id\": 1}]\n", ":1: expected a JSON object on each line, found array");
    expect_error(fixture, "t.json", "{\"id\": 1}\n{\"id\": [1]}\n",
                 ":2: expected a string or a number as the key 'id', found array");
    expect_error(fixture, "t.ndjson", "{\"id\": 1}\n{\"name\": \"\xff\"}\n",
                 ":2: not valid UTF-8, at byte 10 of the line");
    expect_error(fixture, "t.ndjson", "{\"ID\": 1}\n{\"id\": null}\n",
                 ":1: no row has a value in the key's column 'id'");
}

static void a_field_that_no_row_has_is_told(void **state)
{
    struct fixture *fixture = *state;
    load(fixture, "t.ndjson", "{\"id\": 1, \"name\": 1}\n{\"id\": 2}\n");
    assert_string_equal(lookup_table_counts(fixture->table)->absent, "tier");
    load(fixture, "t.ndjson", "{\"id\": 1, \"name\": 1}\n{\"id\": 2, \"tier\": 1}\n");
    assert_null(lookup_table_counts(fixture->table)->absent);
}

static void the_format_is_told_by_suffix_and_else_by_content(void **state)
{
    struct fixture *fixture = *state;
    load(fixture, "t.CSV", "id,name,tier\n1,a,b\n");
    expect_row(fixture, "1", "\"a\"|\"b\"");
    load(fixture, "table", "id,name,tier\n1,a,b\n");
    expect_row(fixture, "1", "\"a\"|\"b\"");
    load(fixture, "table.txt", " \n{\"id\": 1, \"name\": 2, \"tier\": 3}\n");
    expect_row(fixture, "1", "2|3");
    expect_error(fixture, "t.csv", "{\"id\": 1}\n",
                 ":1: a quote inside of a value that does not begin with one (double it, and put the value in quotes)");
}

static void a_file_past_max_size_or_none_at_all_is_refused(void **state)
{
    struct fixture *fixture = *state;
    fixture->shape.max_size = 17;
    load(fixture, "t.csv", "id,name,tier\n1,,\n");
    fixture->shape.max_size = 16;
    assert_int_equal(load_bytes(fixture, "t.csv", "id,name,tier\n1,,\n", 17), STATUS_FAILED);
    assert_non_null(strstr(fixture->error.text, "t.csv: has 17 bytes, at most 16 are allowed"));
    assert_int_equal(fixture->error.class, ERROR_FATAL);
    assert_int_equal(fixture->stat.st_ino, 0);

    struct lookup_table *table;
    assert_int_equal(
        lookup_table_load("/tmp/no such table.csv", &fixture->shape, &table, &fixture->stat, &fixture->error),
        STATUS_FAILED);
    assert_string_equal(fixture->error.text, "/tmp/no such table.csv: can't be opened: No such file or directory");
    assert_int_equal(lookup_table_load("/tmp", &fixture->shape, &table, &fixture->stat, &fixture->error),
                     STATUS_FAILED);
    assert_string_equal(fixture->error.text, "/tmp: expected a file, found a directory");
}

static void a_line_without_end_is_no_row(void **state)
{
    struct fixture *fixture = *state;
    enum { SIZE = 17 * 1024 * 1024 };
    char *text = malloc(SIZE);
    memset(text, '[', SIZE);
    assert_int_equal(load_bytes(fixture, "t.ndjson", text, SIZE), STATUS_FAILED);
    assert_non_null(
        strstr(fixture->error.text, "t.ndjson:1: expected a JSON object on each line, found 17825792 bytes in one"));
    free(text);
}

/* Whatever is in a file, it is a table or an error that says where. */
static void any_text_is_a_table_or_a_mistake_with_its_place(void **state)
{
    struct fixture *fixture = *state;
    static const char *const PIECES[] = {
        "\"", "\"\"", ",",    "\r\n",         "\n",      "\r",     "a", "id,name,tier\n", "{\"id\": 1}\n",
        "{",  "}",    "\xff", "\xef\xbb\xbf", "1,2,3\n", "\"id\"", ":", "\"x,\ny\",",     " "};
    uint32_t random = 1, good = 0;
    for (int round = 0; round < 6000; round++) {
        char text[512];
        size_t used = 0;
        if (round % 3 != 0)
            used = (size_t)sprintf(text, "id,name,tier\n1,a,b\n");
        for (uint32_t i = 0, count = (random >> 16) % 10; i < count; i++) {
            random = random * 1103515245u + 12345u;
            used += (size_t)sprintf(text + used, "%s", PIECES[(random >> 16) % (sizeof PIECES / sizeof *PIECES)]);
        }
        random = random * 1103515245u + 12345u;
        bool loaded = load_bytes(fixture, round % 2 != 0 ? "t.csv" : "t", text, used) == STATUS_OK;
        good += loaded;
        if (!loaded && strncmp(fixture->error.text + strlen(fixture->path), ":", 1) != 0)
            fail_msg("%s", fixture->error.text);
    }
    assert_true(good > 500 && good < 5500);
}

enum { MANY = 200000 };

static struct bytes many_rows(void)
{
    char *text = malloc(MANY * 40 + 32);
    assert_non_null(text);
    size_t used = (size_t)sprintf(text, "id,name,tier\n");
    for (unsigned i = 0; i < MANY; i++)
        used += (size_t)sprintf(text + used, "c-%u,name %u,%u\n", i, i, i % 3);
    return bytes_of(text, (uint32_t)used);
}

static void every_row_of_many_is_found_and_no_other(void **state)
{
    struct fixture *fixture = *state;
    struct bytes text = many_rows();
    assert_int_equal(load_bytes(fixture, "t.csv", text.data, text.size), STATUS_OK);
    assert_int_equal(lookup_table_counts(fixture->table)->rows, MANY);
    /* Compact: a row takes its text, sizes and at most 24 bytes of hash table. */
    assert_true(lookup_table_counts(fixture->table)->bytes < (size_t)MANY * (24 + 12 + 3 + 30));
    for (unsigned first = 0; first < 2 * MANY; first += LOOKUP_AT_ONCE) {
        char texts[LOOKUP_AT_ONCE][16];
        struct bytes keys[LOOKUP_AT_ONCE];
        const struct lookup_row *rows[LOOKUP_AT_ONCE];
        for (unsigned i = 0; i < LOOKUP_AT_ONCE; i++) {
            snprintf(texts[i], sizeof texts[i], "c-%u", first + i);
            keys[i] = bytes_of_string(texts[i]);
        }
        lookup_table_find(fixture->table, keys, LOOKUP_AT_ONCE, rows);
        for (unsigned i = 0; i < LOOKUP_AT_ONCE; i++) {
            char expected[64];
            struct bytes values[2];
            if (first + i >= MANY) {
                assert_null(rows[i]);
                continue;
            }
            assert_non_null(rows[i]);
            assert_true(lookup_row_copy(fixture->table, rows[i], &fixture->arena, values));
            snprintf(expected, sizeof expected, "\"name %u\"", first + i);
            assert_true(bytes_equal(values[0], bytes_of_string(expected)));
            snprintf(expected, sizeof expected, "\"%u\"", (first + i) % 3);
            assert_true(bytes_equal(values[1], bytes_of_string(expected)));
        }
        arena_reset(&fixture->arena);
    }
    free((void *)text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(csv_rows_are_found_by_their_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_joined_row_is_one_object, set_up, tear_down),
        cmocka_unit_test_setup_teardown(csv_may_have_quotes_crlf_a_bom_and_empty_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(csv_values_become_valid_json_whatever_is_in_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(csv_columns_are_found_wherever_they_stand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_in_csv_is_told_by_its_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_row_of_a_key_counts_and_the_others_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_table_of_names_only_is_an_empty_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ndjson_values_keep_their_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_in_ndjson_is_told_by_its_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_field_that_no_row_has_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_format_is_told_by_suffix_and_else_by_content, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_past_max_size_or_none_at_all_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_without_end_is_no_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_text_is_a_table_or_a_mistake_with_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_row_of_many_is_found_and_no_other, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("lookup_table", tests, NULL, NULL);
}
