/* Paths into documents, as people write them in the config. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "processor/path.h"
#include "tests/support/text.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static struct path compile(const char *text)
{
    struct path path;
    unsigned at = 0;
    const char *why = "";
    if (path_compile(text, &arena, &path, &at, &why) != STATUS_OK)
        fail_msg("%s at %u: %s", text, at, why);
    assert_string_equal(path.text, text);
    return path;
}

/* expected: names and [indexes], separated by blanks. */
static void assert_steps(const char *text, const char *expected)
{
    struct path path = compile(text);
    char found[512] = "";
    for (uint32_t i = 0; i < path.count; i++) {
        const struct path_step *step = &path.steps[i];
        size_t used = strlen(found);
        if (step->name.data != NULL)
            snprintf(found + used, sizeof found - used, "%s%.*s", i > 0 ? " " : "", (int)step->name.size,
                     (const char *)step->name.data);
        else
            snprintf(found + used, sizeof found - used, "%s[%u]", i > 0 ? " " : "", step->index);
    }
    assert_string_equal(found, expected);
}

static void names_and_indexes_make_steps(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"order_id", "order_id"},
        {".order_id", "order_id"},
        {".order.items[0].sku", "order items [0] sku"},
        {"a[1][4294967295]", "a [1] [4294967295]"},
        {"[3].x", "[3] x"},
        {".[3]", "[3]"},
        {"@timestamp.order-id.$ref", "@timestamp order-id $ref"},
        {"gr\xc3\xb6\xc3\x9f"
         "e",
         "gr\xc3\xb6\xc3\x9f"
         "e"},
        {"7", "7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_steps(cases[i][0], cases[i][1]);
}

static void a_dot_alone_is_the_whole_document(void **state)
{
    (void)state;
    assert_int_equal(compile(".").count, 0);
}

static void names_in_quotes_may_have_anything_in_them(void **state)
{
    (void)state;
    struct path path = compile("\"odd name\".x.\"a.b[0]\".\"say \\\"hi\\\\\".\"\"[0]");
    static const char *const names[] = {"odd name", "x", "a.b[0]", "say \"hi\\", ""};
    assert_int_equal(path.count, 6);
    for (uint32_t i = 0; i < 5; i++) {
        assert_non_null(path.steps[i].name.data);
        assert_text(path.steps[i].name, names[i]);
    }
    assert_null(path.steps[5].name.data);
}

static void a_mistake_is_told_with_its_position(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned at;
        const char *why;
    } cases[] = {
        {"", 0, "expected a path"},
        {"..a", 1, "expected a name"},
        {"a.", 2, "expected a name"},
        {"a..b", 2, "expected a name"},
        {"a b", 1, "expected '.'"},
        {"a[", 2, "expected an index"},
        {"a[]", 2, "expected an index"},
        {"a[x]", 2, "expected an index"},
        {"a[-1]", 2, "expected an index"},
        {"a[1", 3, "expected an index"},
        {"a[4294967296]", 12, "expected an index of at most"},
        {"a[99999999999999999999]", 12, "expected an index of at most"},
        {"a[1]b", 4, "expected '.'"},
        {"a]", 1, "expected '.'"},
        {"a\"b\"", 1, "expected '.'"},
        {".\"open", 1, "expected a name that ends"},
        {".\"open\\", 6, "expected \\\" or"},
        {".\"a\\n\"", 3, "expected \\\" or"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct path path = {.count = 77};
        unsigned at = 99;
        const char *why = NULL;
        if (path_compile(cases[i].text, &arena, &path, &at, &why) != STATUS_FAILED)
            fail_msg("%s was accepted", cases[i].text);
        if (at != cases[i].at || strncmp(why, cases[i].why, strlen(cases[i].why)) != 0)
            fail_msg("%s: at %u: %s", cases[i].text, at, why);
        assert_int_equal(path.count, 77);
    }
}

static void a_path_has_at_most_32_steps(void **state)
{
    (void)state;
    char text[2 * (PATH_MAX_STEPS + 1) + 1] = "";
    for (int i = 0; i < PATH_MAX_STEPS; i++)
        strcat(text, ".a");
    assert_int_equal(compile(text).count, PATH_MAX_STEPS);
    strcat(text, ".a");
    struct path path;
    unsigned at = 0;
    const char *why = "";
    assert_int_equal(path_compile(text, &arena, &path, &at, &why), STATUS_FAILED);
    assert_int_equal(at, 2 * PATH_MAX_STEPS);
    assert_string_equal(why, "expected at most 32 names and indexes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_indexes_make_steps),
        cmocka_unit_test(a_dot_alone_is_the_whole_document),
        cmocka_unit_test(names_in_quotes_may_have_anything_in_them),
        cmocka_unit_test(a_mistake_is_told_with_its_position),
        cmocka_unit_test(a_path_has_at_most_32_steps),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
