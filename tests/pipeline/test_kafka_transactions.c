/*
 * The Kafka store with exactly-once delivery against librdkafka's mock cluster, which answers with the errors that it is told to (what it does not do is in
 * tests/integration): which of them void a transaction, end a producer, leave an outcome unknown.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "processor/clock.h"
#include "tests/support/kafka.h"
#include "tests/support/member.h"
#include "tests/support/mock.h"
#include "tests/support/records.h"

extern const struct store_type kafka_store;

/* Kafka's API keys */
enum {
    PRODUCE = 0,
    INIT_PRODUCER_ID = 22,
    ADD_PARTITIONS_TO_TXN = 24,
    ADD_OFFSETS_TO_TXN = 25,
    END_TXN = 26,
    TXN_OFFSET_COMMIT = 28
};

struct fixture {
    struct mock mock;
    struct member member;
    struct records records;
    struct parsed *parsed;
    struct context *context;
    struct connector_env env;
    void *store;
    struct error error;
};

static void prepare(struct fixture *fixture, const char *yaml)
{
    char text[512];
    *fixture = (struct fixture){.env = {.service = "test", .name = "out", .exactly_once = true}};
    mock_init(&fixture->mock);
    mock_topic(&fixture->mock, "in", 1);
    mock_topic(&fixture->mock, "out", 1);
    snprintf(text, sizeof text, "brokers: \"%s\"\ngroup: g\ntopics: in\ninstance: one\n", fixture->mock.brokers);
    member_init(&fixture->member, text, 1, &fixture->env);
    records_init(&fixture->records);
    fixture->context = context_new(NULL, CLOCK_NEVER);
    assert_non_null(fixture->context);
    snprintf(text, sizeof text, "topic: out\n%s", yaml);
    fixture->parsed = parsed_new(kafka_store.config, text);
    assert_string_equal(parsed_report(fixture->parsed), "");
}

static enum status open_store(struct fixture *fixture)
{
    return kafka_store.open(parsed_config(fixture->parsed), &fixture->env, fixture->context, &fixture->store,
                            &fixture->error);
}

static void begin(struct fixture *fixture, const char *yaml)
{
    prepare(fixture, yaml);
    assert_int_equal(open_store(fixture), STATUS_OK);
}

static void end(struct fixture *fixture)
{
    kafka_store.close(fixture->store);
    parsed_free(fixture->parsed);
    context_free(fixture->context);
    records_fini(&fixture->records);
    member_fini(&fixture->member);
    mock_fini(&fixture->mock);
}

static struct batch *numbers(struct fixture *fixture, int count)
{
    struct batch *batch = records_batch(&fixture->records);
    for (int i = 0; i < count; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        records_add(batch, text, text);
    }
    return batch;
}

/* As the framework does: until the store takes it. */
static void store_write(struct fixture *fixture, struct batch *batch)
{
    enum status status;
    while ((status = kafka_store.write(fixture->store, batch, fixture->context, &fixture->error)) == STATUS_FAILED &&
           fixture->error.class == ERROR_TRANSIENT)
        assert_int_equal(context_sleep(fixture->context, 10 * CLOCK_MS), STATUS_OK);
    assert_int_equal(status, STATUS_OK);
}

static enum status move(struct fixture *fixture)
{
    const struct offset_move to = {.topic = "in", .partition = 0, .from = -1, .to = 10};
    return kafka_store.offsets->move(fixture->store, &to, 1, fixture->context, &fixture->error);
}

static enum status flush(struct fixture *fixture)
{
    return kafka_store.flush(fixture->store, fixture->context, &fixture->error);
}

static enum status move_and_flush(struct fixture *fixture)
{
    enum status status = move(fixture);
    return status != STATUS_OK ? status : flush(fixture);
}

/* But for the empty one in a transaction that covers what a lost producer may have left. */
static void count_message(const rd_kafka_message_t *message, void *arg)
{
    *(int *)arg += message->len > 0;
}

/* Also those of aborted transactions: the mock cluster shows them. */
static int count_messages(struct fixture *fixture)
{
    int count = 0;
    kafka_read_topic(fixture->mock.brokers, "out", count_message, &count);
    return count;
}

static void batches_offsets_and_the_commit_go_through_and_the_next_transaction_follows(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "");
    struct batch *first = numbers(&fixture, 10), *second = numbers(&fixture, 10);
    assert_int_equal(flush(&fixture), STATUS_OK); /* nothing at all */
    for (int i = 0; i < 3; i++) {
        store_write(&fixture, first);
        store_write(&fixture, second);
        assert_int_equal(move_and_flush(&fixture), STATUS_OK);
    }
    assert_int_equal(move_and_flush(&fixture), STATUS_OK); /* offsets only */
    assert_int_equal(count_messages(&fixture), 60);
    batch_free(first);
    batch_free(second);
    end(&fixture);
}

/* -- what voids a transaction: nothing is stored, and all comes again -- */

static void is_void_after(int16_t api, rd_kafka_resp_err_t err, unsigned times)
{
    struct fixture fixture;
    begin(&fixture, "");
    struct batch *batch = numbers(&fixture, 10);
    mock_fail(&fixture.mock, api, times, err);
    store_write(&fixture, batch);
    assert_int_equal(move_and_flush(&fixture), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
    store_write(&fixture, batch);
    assert_int_equal(move_and_flush(&fixture), STATUS_OK);
    batch_free(batch);
    end(&fixture);
}

static void offsets_that_the_group_refuses_void_a_transaction(void **state)
{
    (void)state;
    is_void_after(TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, 1);
    is_void_after(TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, 1);
    is_void_after(TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, 1);
    is_void_after(ADD_OFFSETS_TO_TXN, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, 1);
}

static void a_producer_that_was_fenced_before_the_commit_is_replaced(void **state)
{
    (void)state;
    is_void_after(ADD_OFFSETS_TO_TXN, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1);
    is_void_after(TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1);
    is_void_after(PRODUCE, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1);
}

static void a_topic_that_may_not_be_written_voids_a_transaction_and_the_reason_is_told(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "");
    struct batch *batch = numbers(&fixture, 10);
    mock_fail(&fixture.mock, ADD_PARTITIONS_TO_TXN, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    store_write(&fixture, batch);
    assert_int_equal(move_and_flush(&fixture), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
    assert_non_null(strstr(fixture.error.text, "authorization"));
    store_write(&fixture, batch);
    assert_int_equal(move_and_flush(&fixture), STATUS_OK);
    batch_free(batch);
    end(&fixture);
}

static void an_end_that_the_broker_refuses_is_aborted_and_all_comes_again(void **state)
{
    (void)state;
    is_void_after(END_TXN, RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, 1);
}

static void a_member_that_is_none_moves_no_offsets(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "");
    struct batch *batch = numbers(&fixture, 10);
    kafka_member_set(&fixture.member.source, NULL);
    store_write(&fixture, batch);
    assert_int_equal(move(&fixture), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
    assert_non_null(strstr(fixture.error.text, "no member"));
    kafka_member_set(&fixture.member.source, fixture.member.rk);
    store_write(&fixture, batch);
    assert_int_equal(move_and_flush(&fixture), STATUS_OK);
    batch_free(batch);
    end(&fixture);
}

static void a_record_that_the_broker_refuses_is_found_in_a_trial_and_the_others_are_stored(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "");
    struct batch *before = numbers(&fixture, 10), *batch = numbers(&fixture, 10), *after = numbers(&fixture, 10);
    store_write(&fixture, before);
    assert_int_equal(move_and_flush(&fixture), STATUS_OK);
    mock_fail(&fixture.mock, PRODUCE, 2, RD_KAFKA_RESP_ERR_INVALID_RECORD);
    store_write(&fixture, batch);
    assert_int_equal(move(&fixture), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
    store_write(&fixture, batch);
    assert_int_equal(batch->records[0].answer, STAGE_REJECT);
    assert_string_equal(batch->records[0].failure->class, "broker");
    for (int i = 1; i < 10; i++)
        assert_int_equal(batch->records[i].answer, STAGE_FORWARD);
    store_write(&fixture, after); /* deferred as well */
    assert_int_equal(count_messages(&fixture), 10 + 9);
    assert_int_equal(move_and_flush(&fixture), STATUS_OK);
    assert_int_equal(count_messages(&fixture), 10 + 9 + 9 + 10);
    /* And then no trial is made any more. */
    store_write(&fixture, before);
    assert_int_equal(move_and_flush(&fixture), STATUS_OK);
    assert_int_equal(count_messages(&fixture), 10 + 9 + 9 + 10 + 10);
    batch_free(before);
    batch_free(batch);
    batch_free(after);
    end(&fixture);
}

static void what_only_the_real_sending_finds_wrong_is_rejected_and_nothing_is_stored(void **state)
{
    (void)state;
    struct fixture fixture;
    static char large[3000];
    memset(large, 'x', sizeof large - 1);
    begin(&fixture, "properties: {message.max.bytes: 2000}\n");
    struct batch *batch = numbers(&fixture, 3), *after = records_batch(&fixture.records);
    records_add(after, "a", large);
    mock_fail(&fixture.mock, PRODUCE, 1, RD_KAFKA_RESP_ERR_INVALID_RECORD);
    store_write(&fixture, batch);
    assert_int_equal(move(&fixture), STATUS_FAILED);
    store_write(&fixture, batch);
    store_write(&fixture, after);
    assert_int_equal(move(&fixture), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_RECORD);
    assert_int_equal(after->records[0].answer, STAGE_REJECT);
    store_write(&fixture, batch);
    assert_int_equal(move_and_flush(&fixture), STATUS_OK);
    batch_free(batch);
    batch_free(after);
    end(&fixture);
}

/* -- the commit -- */

static void a_commit_is_asked_for_again_while_the_coordinator_is_away(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "");
    struct batch *batch = numbers(&fixture, 10);
    store_write(&fixture, batch);
    assert_int_equal(move(&fixture), STATUS_OK);
    mock_fail(&fixture.mock, END_TXN, 3, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
    assert_int_equal(flush(&fixture), STATUS_OK);
    batch_free(batch);
    end(&fixture);
}

static void a_commit_of_a_producer_that_dies_rebuilds_the_group(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "");
    struct batch *batch = numbers(&fixture, 10);
    store_write(&fixture, batch);
    assert_int_equal(move(&fixture), STATUS_OK);
    mock_fail(&fixture.mock, END_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
    assert_int_equal(flush(&fixture), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_RESTART);
    assert_non_null(strstr(fixture.error.text, "not known whether"));
    batch_free(batch);
    end(&fixture);
}

static void a_commit_without_an_answer_ends_with_the_context(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "");
    struct batch *batch = numbers(&fixture, 10);
    store_write(&fixture, batch);
    assert_int_equal(move(&fixture), STATUS_OK);
    mock_down(&fixture.mock, true);
    int64_t began = clock_now();
    context_cancel(fixture.context);
    assert_int_equal(flush(&fixture), STATUS_CANCELLED);
    kafka_store.close(fixture.store);
    fixture.store = NULL;
    assert_true(clock_now() - began < 5 * CLOCK_SECOND);
    mock_down(&fixture.mock, false);
    batch_free(batch);
    end(&fixture);
}

static void brokers_that_are_away_are_a_transient_error_and_all_is_stored_when_they_are_back(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, "properties: {reconnect.backoff.max.ms: 200, linger.ms: 5000}\n");
    struct batch *batch = numbers(&fixture, 10);
    store_write(&fixture, batch);
    mock_down(&fixture.mock, true);
    assert_int_equal(move(&fixture), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
    assert_int_equal(move(&fixture), STATUS_FAILED); /* with nothing handed over, too */
    assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
    mock_down(&fixture.mock, false);
    store_write(&fixture, batch);
    assert_int_equal(move_and_flush(&fixture), STATUS_OK);
    batch_free(batch);
    end(&fixture);
}

/* -- the beginning -- */

static void a_coordinator_that_comes_late_is_waited_for(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, "");
    mock_fail(&fixture.mock, INIT_PRODUCER_ID, 2, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    assert_int_equal(open_store(&fixture), STATUS_OK);
    end(&fixture);
}

static void what_forbids_transactions_is_told_with_their_name(void **state)
{
    (void)state;
    struct fixture fixture;
    prepare(&fixture, "");
    mock_fail(&fixture.mock, INIT_PRODUCER_ID, 1, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    assert_int_equal(open_store(&fixture), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
    assert_non_null(strstr(fixture.error.text, "weir-test-g-out-one"));
    mock_fail(&fixture.mock, INIT_PRODUCER_ID, 1, RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT);
    assert_int_equal(open_store(&fixture), STATUS_FAILED);
    assert_int_equal(fixture.error.class, ERROR_FATAL);
    assert_int_equal(open_store(&fixture), STATUS_OK);
    end(&fixture);
}

static void only_a_store_in_the_sources_cluster_can_keep_offsets(void **state)
{
    (void)state;
    static const char *const good[] = {"topic: t\n", "topic: t\nproperties: {transaction.timeout.ms: 60000}\n"};
    static const char *const bad[][2] = {
        {"topic: t\nbrokers: [127.0.0.1:1]\n", "two clusters"},
        {"topic: t\nproperties: {message.timeout.ms: 60000}\n", "message.timeout.ms"},
    };
    const struct config_node *node;
    const char *why;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct parsed *parsed = parsed_new(kafka_store.config, good[i]);
        assert_true(kafka_store.can_keep_offsets(parsed_config(parsed), &node, &why));
        parsed_free(parsed);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct parsed *parsed = parsed_new(kafka_store.config, bad[i][0]);
        assert_false(kafka_store.can_keep_offsets(parsed_config(parsed), &node, &why));
        assert_non_null(node);
        assert_non_null(strstr(why, bad[i][1]));
        parsed_free(parsed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_offsets_and_the_commit_go_through_and_the_next_transaction_follows),
        cmocka_unit_test(offsets_that_the_group_refuses_void_a_transaction),
        cmocka_unit_test(a_producer_that_was_fenced_before_the_commit_is_replaced),
        cmocka_unit_test(a_topic_that_may_not_be_written_voids_a_transaction_and_the_reason_is_told),
        cmocka_unit_test(an_end_that_the_broker_refuses_is_aborted_and_all_comes_again),
        cmocka_unit_test(a_member_that_is_none_moves_no_offsets),
        cmocka_unit_test(a_record_that_the_broker_refuses_is_found_in_a_trial_and_the_others_are_stored),
        cmocka_unit_test(what_only_the_real_sending_finds_wrong_is_rejected_and_nothing_is_stored),
        cmocka_unit_test(a_commit_is_asked_for_again_while_the_coordinator_is_away),
        cmocka_unit_test(a_commit_of_a_producer_that_dies_rebuilds_the_group),
        cmocka_unit_test(a_commit_without_an_answer_ends_with_the_context),
        cmocka_unit_test(brokers_that_are_away_are_a_transient_error_and_all_is_stored_when_they_are_back),
        cmocka_unit_test(a_coordinator_that_comes_late_is_waited_for),
        cmocka_unit_test(what_forbids_transactions_is_told_with_their_name),
        cmocka_unit_test(only_a_store_in_the_sources_cluster_can_keep_offsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
