#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "processor/error.h"

static void setting_always_answers_failed(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(error_set(&error, ERROR_TRANSIENT, "no %s for %d s", "answer", 5), STATUS_FAILED);
    assert_int_equal(error.class, ERROR_TRANSIENT);
    assert_string_equal(error.text, "no answer for 5 s");
    assert_int_equal(error_set(NULL, ERROR_FATAL, "nobody listens"), STATUS_FAILED);
    error_prefix(NULL, "nobody");
}

static void a_prefix_goes_before_the_text(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, ERROR_RECORD, "too deep");
    error_prefix(&error, "stage %s", "decode");
    error_prefix(&error, "%s", "weir");
    assert_string_equal(error.text, "weir: stage decode: too deep");
    assert_int_equal(error.class, ERROR_RECORD);
}

static void long_texts_are_cut_and_stay_texts(void **state)
{
    (void)state;
    struct error error;
    char text[2 * ERROR_TEXT_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(&error, ERROR_FATAL, "%s", text);
    assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1);
    error_prefix(&error, "store %s", "a");
    assert_memory_equal(error.text, "store a: xxx", 12);
    assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1);
    error_prefix(&error, "%s", text); /* leaves no room for the text: which is worth more */
    assert_memory_equal(error.text, "store a: xxx", 12);
}

static void every_class_and_status_has_a_name(void **state)
{
    (void)state;
    for (enum error_class class = ERROR_NONE; class <= ERROR_FATAL; class ++)
        assert_true(strlen(error_class_name(class)) > 0);
    assert_string_equal(error_class_name(ERROR_RECORD), "record");
    for (enum status status = STATUS_OK; status <= STATUS_FAILED; status++)
        assert_true(strlen(status_name(status)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_always_answers_failed),
        cmocka_unit_test(a_prefix_goes_before_the_text),
        cmocka_unit_test(long_texts_are_cut_and_stay_texts),
        cmocka_unit_test(every_class_and_status_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
