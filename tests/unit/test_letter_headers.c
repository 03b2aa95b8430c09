/* What a dead letter says about itself: read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "processor/letter_headers.h"
#include "tests/support/records.h"

struct fixture {
    struct records records;
    struct batch *batch;
    struct record *record;
    struct letter_headers letter;
};

static void begin(struct fixture *fixture)
{
    records_init(&fixture->records);
    fixture->batch = records_batch(&fixture->records);
    fixture->record = records_add(fixture->batch, "k", "v");
}

static void end(struct fixture *fixture)
{
    batch_free(fixture->batch);
    records_fini(&fixture->records);
}

static void add(struct fixture *fixture, const char *name, const char *value)
{
    records_header(fixture->batch, fixture->record, name, value);
}

static bool read(struct fixture *fixture)
{
    return letter_headers_read(fixture->record->headers, &fixture->letter);
}

static void assert_is(struct bytes text, const char *expected)
{
    assert_true(bytes_equal(text, bytes_of_string(expected)));
}

static void place(struct fixture *fixture)
{
    add(fixture, "weir.error.class", "json");
    add(fixture, "weir.source.topic", "orders");
    add(fixture, "weir.source.partition", "3");
    add(fixture, "weir.source.offset", "8123456789012");
}

static void all_that_a_letter_says_is_read(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    add(&fixture, "trace", "t");
    place(&fixture);
    add(&fixture, "weir.error.stage", "decode");
    add(&fixture, "weir.error.message", "no JSON");
    add(&fixture, "weir.source.timestamp", "1700000000123");
    add(&fixture, "weir.attempts", "2");
    add(&fixture, "weir.retries", "4");
    add(&fixture, "weir.service", "orders-store");
    add(&fixture, "weir.value.truncated", "70000");
    assert_true(read(&fixture));
    assert_is(fixture.letter.stage, "decode");
    assert_is(fixture.letter.class, "json");
    assert_is(fixture.letter.message, "no JSON");
    assert_is(fixture.letter.service, "orders-store");
    assert_is(fixture.letter.topic, "orders");
    assert_int_equal(fixture.letter.partition, 3);
    assert_int_equal(fixture.letter.offset, 8123456789012);
    assert_int_equal(fixture.letter.timestamp, 1700000000123);
    assert_int_equal(fixture.letter.attempts, 2);
    assert_int_equal(fixture.letter.retries, 4);
    assert_int_equal(fixture.letter.truncated, 70000);
    end(&fixture);
}

static void what_is_not_there_is_unknown(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    assert_false(read(&fixture));
    place(&fixture);
    add(&fixture, "weir.source.timestamp", "-1");
    assert_true(read(&fixture));
    assert_int_equal(fixture.letter.timestamp, -1);
    assert_int_equal(fixture.letter.attempts, 0);
    assert_int_equal(fixture.letter.truncated, -1);
    assert_null(fixture.letter.message.data);
    end(&fixture);
}

/* Anybody may write headers of these names. */
static void nonsense_is_no_number(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"",  "-", "x", "1x", " 1", "-3", "99999999999999999999", "9223372036854775808",
                                        NULL};
    for (unsigned i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        struct fixture fixture;
        begin(&fixture);
        place(&fixture);
        add(&fixture, "weir.attempts", WRONG[i]);
        assert_true(read(&fixture));
        assert_int_equal(fixture.letter.attempts, 0);
        assert_int_equal(letter_headers_attempts(fixture.record->headers), 0);
        add(&fixture, "weir.source.offset", WRONG[i]);
        assert_false(read(&fixture));
        end(&fixture);
    }
}

static void attempts_are_read_without_the_rest(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    assert_int_equal(letter_headers_attempts(fixture.record->headers), 0);
    add(&fixture, "weir.attempts", "7");
    assert_int_equal(letter_headers_attempts(fixture.record->headers), 7);
    end(&fixture);
}

static void only_our_names_are_ours(void **state)
{
    (void)state;
    static const char *const OURS[] = {"weir.error.stage", "weir.source.offset", "weir.attempts",
                                       "weir.retries",     "weir.service",       "weir.value.truncated"};
    static const char *const OTHERS[] = {
        "", "weir", "weir.tenant", "weir.attempt", "weir.attempts.made", "Weir.service"};
    for (unsigned i = 0; i < sizeof OURS / sizeof OURS[0]; i++)
        assert_true(letter_headers_is_ours(bytes_of_string(OURS[i])));
    for (unsigned i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        assert_false(letter_headers_is_ours(bytes_of_string(OTHERS[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_a_letter_says_is_read), cmocka_unit_test(what_is_not_there_is_unknown),
        cmocka_unit_test(nonsense_is_no_number),          cmocka_unit_test(attempts_are_read_without_the_rest),
        cmocka_unit_test(only_our_names_are_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
