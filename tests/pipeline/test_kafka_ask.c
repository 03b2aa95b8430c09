/* What is made of questions that a cluster does not answer, or not at once. librdkafka's mock has no controller, and DescribeTopics waits for one; nor does it look for times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "connectors/kafka/stretch_find.h"
#include "processor/clock.h"
#include "processor/connector.h"
#include "processor/stretch.h"
#include "tests/support/mock.h"
#include "tests/support/parse.h"

static const char *topics[] = {"orders", "other"};

extern const struct source_type kafka_source;

enum { FETCH = 1, LIST_OFFSETS = 2, RECORDS = 10 };

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
    mock_produce(&asking->mock, topics[0], 0, RECORDS);
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
    assert_int_equal(stretch->parts[0].end, RECORDS);
    stretch_free(stretch);
    tear_down(&asking);
}

/* As after a leader's pause: the brokers do not agree yet on who it is. */
static void who_leads_now_is_asked_again(void **state)
{
    static const rd_kafka_resp_err_t passing[] = {
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
        RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
        RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
    };
    struct asking asking;
    struct stretch *stretch = NULL;
    (void)state;
    set_up(&asking, 20 * CLOCK_SECOND);
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        mock_fail(&asking.mock, LIST_OFFSETS, 1, passing[i]);
    if (find(&asking, false, &stretch) != STATUS_OK)
        fail_msg("%s", asking.error.text);
    assert_int_equal(stretch->parts[0].first, 0);
    assert_int_equal(stretch->parts[0].end, RECORDS);
    stretch_free(stretch);
    tear_down(&asking);
}

static void an_answer_that_will_be_no_other_is_not_asked_for_again(void **state)
{
    struct asking asking;
    struct stretch *stretch = NULL;
    (void)state;
    set_up(&asking, 20 * CLOCK_SECOND);
    mock_fail(&asking.mock, LIST_OFFSETS, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_int_equal(find(&asking, false, &stretch), STATUS_FAILED);
    assert_int_equal(asking.error.class, ERROR_FATAL);
    assert_null(stretch);
    tear_down(&asking);
}

/* -- where a time ends -- */

static rd_kafka_topic_partition_list_t *list_of(int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topics[0], 0)->offset = offset;
    return list;
}

/* The brokers name offset 4; all records have this time or a later one. */
static struct stretch_part end_of_time(struct asking *asking)
{
    const struct stretch_request request = {.to = {.kind = STRETCH_TIME, .time = 1}};
    struct stretch_part part = {.first = 0};
    struct find find = {
        .config = parsed_config(asking->parsed),
        .request = &request,
        .context = asking->context,
        .error = &asking->error,
        .low = list_of(0),
        .all = list_of(0),
        .to = list_of(4),
        .end = list_of(RECORDS),
    };
    assert_int_equal(kafka_find_ends(&find, request.to.time), STATUS_OK);
    kafka_find_new_part(&find, &part, 0);
    rd_kafka_topic_partition_list_destroy(find.low);
    rd_kafka_topic_partition_list_destroy(find.all);
    rd_kafka_topic_partition_list_destroy(find.to);
    rd_kafka_topic_partition_list_destroy(find.end);
    return part;
}

static void a_time_ends_at_the_record_that_the_brokers_name(void **state)
{
    struct asking asking;
    (void)state;
    set_up(&asking, 20 * CLOCK_SECOND);
    struct stretch_part part = end_of_time(&asking);
    assert_int_equal(part.end, 4);
    assert_string_equal(part.note, "");
    tear_down(&asking);
}

/* The filter leaves out what is too late: all is read, and nothing of the time is missing. */
static void a_time_whose_end_can_not_be_read_goes_up_to_the_partitions_end(void **state)
{
    struct asking asking;
    (void)state;
    set_up(&asking, 3 * CLOCK_SECOND);
    mock_slow(&asking.mock, FETCH, 5000);
    int64_t began = clock_now();
    struct stretch_part part = end_of_time(&asking);
    assert_true(clock_now() - began >= 1 * CLOCK_SECOND);
    assert_int_equal(part.end, RECORDS);
    assert_string_equal(part.note, "where the time ends was not found: it is read up to offset 10");
    tear_down(&asking);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stretch_that_wants_ids_which_nobody_tells_fails),
        cmocka_unit_test(a_stretch_that_wants_none_does_not_wait_for_them),
        cmocka_unit_test(who_leads_now_is_asked_again),
        cmocka_unit_test(an_answer_that_will_be_no_other_is_not_asked_for_again),
        cmocka_unit_test(a_time_ends_at_the_record_that_the_brokers_name),
        cmocka_unit_test(a_time_whose_end_can_not_be_read_goes_up_to_the_partitions_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
