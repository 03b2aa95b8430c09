/* What is made of questions that a cluster does not answer. librdkafka's mock has no controller, and DescribeTopics waits for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "processor/clock.h"
#include "processor/connector.h"
#include "processor/stretch.h"
#include "tests/support/mock.h"
#include "tests/support/parse.h"

static const char *topics[] = {"orders", "other"};

extern const struct source_type kafka_source;

struct asking {
    struct mock mock;
    struct parsed *parsed;
    struct context *context;
    struct error error;
};

static void set_up(struct asking *asking, int64_t patience)
{
    char text[300];
    *asking = (struct asking){.parsed = NULL};
    mock_init(&asking->mock);
    mock_topic(&asking->mock, topics[0], 1);
    mock_topic(&asking->mock, topics[1], 1);
    mock_produce(&asking->mock, topics[0], 0, 10);
    snprintf(text, sizeof text, "brokers: \"%s\"\ngroup: g\ntopics: orders\n", asking->mock.brokers);
    asking->parsed = parsed_new(kafka_source.config, text);
    assert_string_equal(parsed_report(asking->parsed), "");
    asking->context = context_new(NULL, clock_now() + patience);
    assert_non_null(asking->context);
}

static void tear_down(struct asking *asking)
{
    context_free(asking->context);
    parsed_free(asking->parsed);
    mock_fini(&asking->mock);
}

static enum status find(struct asking *asking, bool ids, struct stretch **ret)
{
    const struct connector_env env = {.service = "s", .name = "kafka"};
    const struct stretch_request request = {
        .from = {.kind = STRETCH_BEGINNING}, .to = {.kind = STRETCH_NOW}, .ids = ids};
    return kafka_source.stretch->find(parsed_config(asking->parsed), &env, &request, ret, asking->context,
                                      &asking->error);
}

/* An id that is not known is compared with none: the archive of a topic that was made anew would be one that is there already. */
static void a_stretch_that_wants_ids_which_nobody_tells_fails(void **state)
{
    (void)state;
    struct asking asking;
    struct stretch *stretch = NULL;
    set_up(&asking, 3 * CLOCK_SECOND);
    assert_int_equal(find(&asking, true, &stretch), STATUS_FAILED);
    assert_int_equal(asking.error.class, ERROR_TRANSIENT);
    assert_non_null(strstr(asking.error.text, "expected the ids of the topics: "));
    assert_null(stretch);
    tear_down(&asking);
}

static void a_stretch_that_wants_none_does_not_wait_for_them(void **state)
{
    (void)state;
    struct asking asking;
    struct stretch *stretch = NULL;
    set_up(&asking, 20 * CLOCK_SECOND);
    assert_int_equal(find(&asking, false, &stretch), STATUS_OK);
    assert_int_equal(context_status(asking.context), STATUS_OK);
    assert_int_equal(stretch->count, 1);
    assert_int_equal(stretch->parts[0].end, 10);
    stretch_free(stretch);
    tear_down(&asking);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stretch_that_wants_ids_which_nobody_tells_fails),
        cmocka_unit_test(a_stretch_that_wants_none_does_not_wait_for_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
