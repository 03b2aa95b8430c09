/* The example of docs/writing-a-stage.md: it compiles as it stands there, and does what is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "docs/examples/enrich_mask.c"
#include "tests/support/staged.h"

static void ask(const char *yaml, const char *json, const char *expected)
{
    struct staged staged;
    staged_init(&staged, &mask_stage, NULL, yaml);
    assert_string_equal(staged_ask(&staged, json), expected);
    staged_fini(&staged);
}

static void the_example_masks_text_members(void **state)
{
    (void)state;
    ask("{paths: [card, .account.iban]}", "{\"card\": \"4111111111111111\", \"account\": {\"iban\": \"DE89 3704\"}}",
        "{\"card\": \"************1111\",\"account\": {\"iban\": \"*****3704\"}}");
    ask("{paths: [card], keep: 2}", "{\"card\": \"12345\"}", "{\"card\": \"***45\"}");
    ask("{paths: [card], keep: 0}", "{\"card\": \"\\\"\\u00e9\"}", "{\"card\": \"***\"}");
    ask("{paths: [card], keep: 1}", "{\"card\": \"a\xc3\xa9\"}", "{\"card\": \"***\"}");
    ask("{paths: [card], keep: 2}", "{\"card\": \"a\xc3\xa9\"}", "{\"card\": \"*\xc3\xa9\"}");
    ask("{paths: card}", "{\"card\": \"123\", \"x\": 1}", "{\"card\": \"123\",\"x\": 1}");
}

static void the_example_passes_over_what_is_not_there_and_rejects_what_is_no_text(void **state)
{
    (void)state;
    ask("{paths: [card]}", "{\"x\": 1}", "{\"x\": 1}");
    ask("{paths: [card]}", "{\"card\": null}", "{\"card\": null}");
    ask("{paths: [card]}", "{\"card\": 1}", "reject type: can't mask card: expected a string, found integer");
    ask("{paths: [card]}", "[]", "reject type: expected a JSON object, found another JSON value");
}

static void the_example_has_its_mistakes_told(void **state)
{
    (void)state;
    staged_expect_mistake(&mask_stage, "{}", "paths");
    staged_expect_mistake(&mask_stage, "{path: [card]}", "paths");
    staged_expect_mistake(&mask_stage, "{paths: [card], keep: -1}", "keep");
}

static char *read_file(const char *name)
{
    const char *root = getenv("WEIR_ROOT");
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", root != NULL ? root : ".", name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s can't be opened; WEIR_ROOT is to be the checkout", path);
    char *text = calloc(1, 64 * 1024);
    assert_non_null(text);
    assert_true(fread(text, 1, 64 * 1024 - 1, file) > 0);
    fclose(file);
    return text;
}

static void the_page_shows_the_example_as_it_is(void **state)
{
    (void)state;
    char *page = read_file("docs/writing-a-stage.md"), *example = read_file("docs/examples/enrich_mask.c");
    char *shown = strstr(page, "```c\n");
    assert_non_null(shown);
    shown += strlen("```c\n");
    size_t size = strlen(example);
    if (strncmp(shown, example, size) != 0 || strncmp(shown + size, "```\n", 4) != 0)
        fail_msg("docs/writing-a-stage.md shows another text than docs/examples/enrich_mask.c has");
    free(page);
    free(example);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_masks_text_members),
        cmocka_unit_test(the_example_passes_over_what_is_not_there_and_rejects_what_is_no_text),
        cmocka_unit_test(the_example_has_its_mistakes_told),
        cmocka_unit_test(the_page_shows_the_example_as_it_is),
    };
    return cmocka_run_group_tests_name("writing_a_stage", tests, NULL, NULL);
}
